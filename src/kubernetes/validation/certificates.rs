//! CertificateSigningRequest and ClusterTrustBundle. Follows kubernetes
//! `pkg/apis/certificates/validation`. Signatures are not verified.

use super::core::decode;
use super::field::{Field, quoted, rules};
use super::names;

pub(super) fn signing_request(root: Field<'_>) {
    const USAGES: [&str; 23] = [
        "signing",
        "digital signature",
        "content commitment",
        "key encipherment",
        "key agreement",
        "data encipherment",
        "cert sign",
        "crl sign",
        "encipher only",
        "decipher only",
        "any",
        "server auth",
        "client auth",
        "code signing",
        "email protection",
        "s/mime",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "timestamping",
        "ocsp signing",
        "microsoft sgc",
        "netscape sgc",
    ];
    let spec = root.get("spec");
    let request = spec.get("request");
    let pem = decode(request).unwrap_or_default();
    if request.decoded().is_some() && first_block(&pem).as_deref() != Some("CERTIFICATE REQUEST") {
        request.error(
            rules::CERTIFICATE,
            "the request must be a PEM block of the type CERTIFICATE REQUEST, in base64",
        );
    }
    let usages = spec.get("usages");
    usages.required();
    let mut seen = Vec::new();
    for usage in usages.items() {
        usage.one_of_decoded(&USAGES);
        if seen.contains(&usage.text()) {
            usage.error(
                rules::DUPLICATE,
                format!("the usage {} occurs twice", quoted(usage.text())),
            );
        }
        seen.push(usage.text());
    }
    let signer = spec.get("signerName");
    if signer.text() == "kubernetes.io/legacy-unknown" {
        signer.error(
            rules::UNSUPPORTED,
            "the signer kubernetes.io/legacy-unknown is not supported in this version",
        );
    } else {
        signer.required_format(rules::NAME, names::signer_name);
    }
    if let Some(n) = spec.get("expirationSeconds").int().filter(|&n| n < 600) {
        spec.get("expirationSeconds").error(
            rules::VALUE,
            format!("{n} must be at least 600 (10 minutes)"),
        );
    }
}

/// The type of the first PEM block.
fn first_block(pem: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(pem);
    let mut lines = text.lines().map(str::trim_end);
    let kind = lines
        .by_ref()
        .find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))?
        .to_owned();
    let end = format!("-----END {kind}-----");
    lines.any(|line| line == end).then_some(kind)
}

/// Checks the name of a ClusterTrustBundle that has the given signer.
pub(super) fn trust_bundle_name(name: Field<'_>, signer: &str) {
    let text = name.text();
    if text.is_empty() {
        return;
    }
    let problem = if signer.is_empty() {
        if text.contains(':') {
            Some("must not contain ':' where there is no signer")
        } else {
            names::dns_subdomain(text)
        }
    } else {
        match text.strip_prefix(&format!("{}:", signer.replace('/', ":"))) {
            Some(rest) => names::dns_subdomain(rest),
            None => Some("must start with the signer's name, with ':' for '/', and ':'"),
        }
    };
    if let Some(problem) = problem {
        name.error(rules::NAME, format!("{} {problem}", quoted(text)));
    }
}

pub(super) fn trust_bundle(root: Field<'_>) {
    let spec = root.get("spec");
    let (signer, bundle) = (spec.get("signerName"), spec.get("trustBundle"));
    trust_bundle_name(root.get("metadata").get("name"), signer.text());
    signer.format(rules::NAME, names::signer_name);
    let text = bundle.text();
    if text.len() > 1024 * 1024 {
        bundle.error(rules::TOO_LARGE, "the bundle must be no more than 1 MiB");
    } else if first_block(text.as_bytes()).as_deref() != Some("CERTIFICATE")
        && bundle.decoded().is_some()
    {
        bundle.error(
            rules::CERTIFICATE,
            "the bundle must hold at least one PEM block of the type CERTIFICATE",
        );
    }
}
