//! Certificates: `genCA`, `genSelfSignedCert`, `genSignedCert` and their `WithKey` forms,
//! `genPrivateKey`, `buildCustomCert`.
//!
//! The certificates are X.509 with the subject, alternative names and validity that were asked for,
//! from [`super::dates::NOW`] on, and signed; the keys are always the same ([`super::keys`]).

use super::arguments::{any, int, string};
use super::keys::{
    self, BIT_STRING, INTEGER, OCTET_STRING, PrivateKey, Reader, SEQUENCE, bit_string, der,
    integer, pem, read_pem, sequence,
};
use super::random::Random;
use crate::go::base64;
use crate::go::fmt::print;
use crate::go::time::Time;
use crate::source::OriginId;
use crate::template::function::{Answer, Call, Function, Type};
use crate::value::{Kind, Object, Value};
use sha1::{Digest, Sha1};
use std::net::IpAddr;
use std::rc::Rc;

use Type::{Int, List, String as Text};

const CERTIFICATE: Type = Type::Named("sprig.certificate");

pub const FUNCTIONS: &[Function] = &[
    Function::new("buildCustomCert", &[Text, Text], build_custom).volatile(),
    Function::new("genCA", &[Text, Int], |call, a| {
        authority(call, a, PrivateKey::rsa()?)
    })
    .volatile()
    .costly()
    .example(
        r#"(genCA "" 1).Cert | trunc 27"#,
        "-----BEGIN CERTIFICATE-----",
    ),
    Function::new("genCAWithKey", &[Text, Int, Text], |call, a| {
        authority(call, a, given_key(a, 2)?)
    })
    .volatile()
    .costly()
    .example(
        r#"(genCAWithKey "ca" 10 (genPrivateKey "rsa")) | typeOf"#,
        "sprig.certificate",
    ),
    Function::new("genPrivateKey", &[Text], |call, a| {
        let kind = string(a, 0)?;
        let key = keys::generate(kind.bytes(), call.seed)
            .unwrap_or_else(|| [b"Unknown type ", kind.bytes()].concat());
        call.made_text(key, a)
    })
    .volatile()
    .costly()
    .example(r#"genPrivateKey "rsa" | kindOf"#, "string"),
    Function::new("genSelfSignedCert", &[Text, List, List, Int], |call, a| {
        self_signed(call, a, PrivateKey::rsa()?)
    })
    .volatile()
    .costly()
    .example(
        r#"(genSelfSignedCert "cn" nil nil 10) | typeOf"#,
        "sprig.certificate",
    ),
    Function::new(
        "genSelfSignedCertWithKey",
        &[Text, List, List, Int, Text],
        |call, a| self_signed(call, a, given_key(a, 4)?),
    )
    .volatile()
    .costly(),
    Function::new(
        "genSignedCert",
        &[Text, List, List, Int, CERTIFICATE],
        |call, a| signed(call, a, PrivateKey::rsa()?),
    )
    .volatile()
    .costly()
    .example(
        r#"(genSignedCert "cn" nil nil 365 (genCA "ca" 365)) | typeOf"#,
        "sprig.certificate",
    ),
    Function::new(
        "genSignedCertWithKey",
        &[Text, List, List, Int, CERTIFICATE, Text],
        |call, a| signed(call, a, given_key(a, 5)?),
    )
    .volatile()
    .costly(),
];

/// `sprig.certificate`: two texts in PEM.
#[derive(Debug)]
struct Certificate {
    cert: Vec<u8>,
    key: Vec<u8>,
    origin: OriginId,
}

impl Object for Certificate {
    fn go_type(&self) -> &str {
        "sprig.certificate"
    }
    fn kind(&self) -> &str {
        "struct"
    }
    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "Cert" => Some(Value::str_from(&self.cert, self.origin)),
            "Key" => Some(Value::str_from(&self.key, self.origin)),
            _ => None,
        }
    }
    fn print(&self) -> Vec<u8> {
        [b"{", &self.cert[..], b" ", &self.key, b"}"].concat()
    }
    fn plain(&self) -> Option<Value> {
        let entries = ["Cert", "Key"].map(|name| (name, self.field(name).unwrap_or_default()));
        Some(Value::map(super::dicts::text_map(entries)))
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn given_key(arguments: &[Value], index: usize) -> Result<PrivateKey, String> {
    PrivateKey::read(string(arguments, index)?.bytes())
        .map_err(|e| format!("parsing private key: {e}"))
}

fn finish(call: &mut Call, arguments: &[Value], cert: Vec<u8>, key: Vec<u8>) -> Answer {
    let origin = call.joined(arguments);
    Ok(Value::new(
        Kind::Object(Rc::new(Certificate { cert, key, origin })),
        origin,
    ))
}

/// What a certificate says.
struct Request<'a> {
    name: &'a [u8],
    addresses: Vec<IpAddr>,
    hosts: Vec<Vec<u8>>,
    days: i64,
    is_authority: bool,
}

/// Who signs: the subject, the identifier of the key, the key.
struct Issuer<'a> {
    subject: Vec<u8>,
    key_id: Option<Vec<u8>>,
    key: &'a PrivateKey,
}

fn authority(call: &mut Call, arguments: &[Value], key: PrivateKey) -> Answer {
    let request = Request {
        name: string(arguments, 0)?.bytes(),
        addresses: Vec::new(),
        hosts: Vec::new(),
        days: int(arguments, 1)?,
        is_authority: true,
    };
    let issuer = Issuer {
        subject: name(request.name),
        key_id: None,
        key: &key,
    };
    let cert = certificate(call.seed, &request, &key, &issuer);
    finish(call, arguments, cert, key.pem)
}

fn leaf(arguments: &[Value]) -> Result<Request<'_>, String> {
    Ok(Request {
        name: string(arguments, 0)?.bytes(),
        addresses: addresses(any(arguments, 1)?)?,
        hosts: hosts(any(arguments, 2)?)?,
        days: int(arguments, 3)?,
        is_authority: false,
    })
}

fn self_signed(call: &mut Call, arguments: &[Value], key: PrivateKey) -> Answer {
    let request = leaf(arguments)?;
    let issuer = Issuer {
        subject: name(request.name),
        key_id: None,
        key: &key,
    };
    let cert = certificate(call.seed, &request, &key, &issuer);
    finish(call, arguments, cert, key.pem)
}

fn signed(call: &mut Call, arguments: &[Value], key: PrivateKey) -> Answer {
    let signer = match &any(arguments, 4)?.kind {
        Kind::Object(object) => object.as_any().downcast_ref::<Certificate>(),
        _ => None,
    };
    let signer = signer.ok_or("the certificate to sign with is none")?;
    let (_, signer_cert) = read_pem(&signer.cert).ok_or("unable to decode certificate")?;
    let (subject, key_id) = read_certificate(&signer_cert)
        .map_err(|e| format!("error parsing certificate: decodedSignerCert.Bytes: {e}"))?;
    let signer_key =
        PrivateKey::read(&signer.key).map_err(|e| format!("error parsing private key: {e}"))?;
    let request = leaf(arguments)?;
    let cert = certificate(
        call.seed,
        &request,
        &key,
        &Issuer {
            subject,
            key_id,
            key: &signer_key,
        },
    );
    finish(call, arguments, cert, key.pem)
}

fn build_custom(call: &mut Call, arguments: &[Value]) -> Answer {
    let cert = base64::decode(string(arguments, 0)?.bytes())
        .map_err(|_| "unable to decode base64 certificate".to_string())?;
    let key = base64::decode(string(arguments, 1)?.bytes())
        .map_err(|_| "unable to decode base64 private key".to_string())?;
    let (_, content) = read_pem(&cert).ok_or("unable to decode certificate")?;
    read_certificate(&content)
        .map_err(|e| format!("error parsing certificate: decodedCert.Bytes: {e}"))?;
    // Keys of other kinds than ours are taken as they are.
    match PrivateKey::read(&key) {
        Err(e) if !e.starts_with("unable to get public key") => {
            Err(format!("error parsing private key: {e}").into())
        }
        _ => finish(call, arguments, cert, key),
    }
}

fn addresses(list: &Value) -> Result<Vec<IpAddr>, String> {
    let parse = |value: &Value| match &value.kind {
        Kind::Str(text) => text
            .to_str()
            .parse()
            .map_err(|_| format!("error parsing ip: {}", text.to_str())),
        _ => Err(format!(
            "error parsing ip: {} is not a string",
            shown(value)
        )),
    };
    list.as_list().unwrap_or(&[]).iter().map(parse).collect()
}

fn hosts(list: &Value) -> Result<Vec<Vec<u8>>, String> {
    let text = |value: &Value| match &value.kind {
        Kind::Str(text) => Ok(text.bytes.to_vec()),
        _ => Err(format!(
            "error processing alternate dns name: {} is not a string",
            shown(value)
        )),
    };
    list.as_list().unwrap_or(&[]).iter().map(text).collect()
}

fn shown(value: &Value) -> String {
    print(value, 1 << 16)
        .ok()
        .and_then(|v| v.as_text().map(|t| t.to_str().into_owned()))
        .unwrap_or_default()
}

/// The subject and the identifier of the key of a certificate in DER.
fn read_certificate(content: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), String> {
    let malformed = || "x509: malformed certificate".to_string();
    let outer = Reader(content).expect(SEQUENCE).ok_or_else(malformed)?;
    let body = Reader(outer)
        .expect(SEQUENCE)
        .ok_or("x509: malformed tbs certificate")?;
    let read = || {
        let mut fields = Reader(body);
        let mut element = fields.next()?;
        if element.tag == 0xa0 {
            element = fields.next()?;
        }
        if element.tag != INTEGER {
            return None;
        }
        let (_algorithm, _issuer, _validity) = (
            fields.expect(SEQUENCE)?,
            fields.expect(SEQUENCE)?,
            fields.expect(SEQUENCE)?,
        );
        let subject = fields.next()?.whole.to_vec();
        fields.expect(SEQUENCE)?;
        let mut key_id = None;
        if let Some(extensions) = fields.expect(0xa3) {
            let mut extensions = Reader(Reader(extensions).expect(SEQUENCE)?);
            while let Some(extension) = extensions.expect(SEQUENCE) {
                let mut parts = Reader(extension);
                if parts.next()?.whole == SUBJECT_KEY_ID {
                    key_id = parts
                        .expect(OCTET_STRING)
                        .and_then(|value| Reader(value).expect(OCTET_STRING))
                        .map(<[u8]>::to_vec);
                }
            }
        }
        Some((subject, key_id))
    };
    read().ok_or_else(malformed)
}

/// A Name of nothing but a common name; empty without one.
fn name(common_name: &[u8]) -> Vec<u8> {
    if common_name.is_empty() {
        return sequence(&[]);
    }
    let printable = common_name
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(b));
    let attribute = sequence(&[
        &[6, 3, 0x55, 4, 3],
        &der(if printable { 0x13 } else { 0x0c }, common_name),
    ]);
    sequence(&[&der(0x31, &attribute)])
}

const KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 15];
const EXTENDED_KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 37];
const BASIC_CONSTRAINTS: &[u8] = &[6, 3, 0x55, 0x1d, 19];
const SUBJECT_KEY_ID: &[u8] = &[6, 3, 0x55, 0x1d, 14];
const AUTHORITY_KEY_ID: &[u8] = &[6, 3, 0x55, 0x1d, 35];
const ALTERNATIVE_NAMES: &[u8] = &[6, 3, 0x55, 0x1d, 17];
const SERVER_AUTH: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2];
const CRITICAL: &[u8] = &[1, 1, 0xff];

fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    sequence(&[
        id,
        if critical { CRITICAL } else { &[] },
        &der(OCTET_STRING, value),
    ])
}

/// UTCTime up to 2049, GeneralizedTime after it.
fn moment(time: &Time) -> Vec<u8> {
    let text = time.format(b"20060102150405Z");
    if text[..4] < b"2050"[..] {
        der(0x17, &text[2..])
    } else {
        der(0x18, &text)
    }
}

/// The certificate in PEM.
fn certificate(seed: u64, request: &Request, key: &PrivateKey, issuer: &Issuer) -> Vec<u8> {
    let serial = integer(&Random::new(seed).bytes(16));
    let algorithm = issuer.key.signature_algorithm();
    let from = Time::unix(super::dates::NOW);
    // No later than the last year that the format can write.
    let until = Time::unix(
        (super::dates::NOW + request.days.clamp(-36_500, 2_900_000) * 86400).min(253_402_300_799),
    );
    // Signing, key encipherment, and for an authority the signing of certificates.
    let usage: &[u8] = if request.is_authority {
        &[3, 2, 2, 0xa4]
    } else {
        &[3, 2, 5, 0xa0]
    };
    let basic = sequence(&[if request.is_authority { CRITICAL } else { &[] }]);
    let mut extensions = vec![
        extension(KEY_USAGE, true, usage),
        extension(
            EXTENDED_KEY_USAGE,
            false,
            &sequence(&[SERVER_AUTH, CLIENT_AUTH]),
        ),
        extension(BASIC_CONSTRAINTS, true, &basic),
    ];
    if request.is_authority {
        let key_bits = Reader(&key.public).expect(SEQUENCE).and_then(|spki| {
            let mut fields = Reader(spki);
            fields.next()?;
            fields.expect(BIT_STRING)
        });
        let id = Sha1::digest(key_bits.and_then(|bits| bits.get(1..)).unwrap_or(&[]));
        extensions.push(extension(SUBJECT_KEY_ID, false, &der(OCTET_STRING, &id)));
    }
    if let Some(id) = &issuer.key_id {
        extensions.push(extension(
            AUTHORITY_KEY_ID,
            false,
            &sequence(&[&der(0x80, id)]),
        ));
    }
    let hosts = request.hosts.iter().map(|host| der(0x82, host));
    let addresses = request.addresses.iter().map(|address| match address {
        IpAddr::V4(v4) => der(0x87, &v4.octets()),
        IpAddr::V6(v6) => der(0x87, &v6.octets()),
    });
    let names: Vec<u8> = hosts.chain(addresses).flatten().collect();
    if !names.is_empty() {
        extensions.push(extension(ALTERNATIVE_NAMES, false, &sequence(&[&names])));
    }
    let body = sequence(&[
        &der(0xa0, &integer(&[2])),
        &serial,
        &algorithm,
        &issuer.subject,
        &sequence(&[&moment(&from), &moment(&until)]),
        &name(request.name),
        &key.public,
        &der(0xa3, &sequence(&[&extensions.concat()])),
    ]);
    let signature = bit_string(&issuer.key.sign(&body));
    pem("CERTIFICATE", &sequence(&[&body, &algorithm, &signature]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_certificate_verifies() {
        let key = PrivateKey::rsa().unwrap();
        let request = Request {
            name: b"ca",
            addresses: Vec::new(),
            hosts: vec![b"a.b".to_vec()],
            days: 365,
            is_authority: true,
        };
        let cert = certificate(
            7,
            &request,
            &key,
            &Issuer {
                subject: name(b"ca"),
                key_id: None,
                key: &key,
            },
        );
        let (_, content) = read_pem(&cert).unwrap();
        let (subject, key_id) = read_certificate(&content).unwrap();
        assert_eq!(subject, name(b"ca"));
        assert_eq!(key_id.unwrap().len(), 20);
        let mut outer = Reader(Reader(&content).expect(SEQUENCE).unwrap());
        let body = outer.next().unwrap().whole;
        outer.next();
        let signature = outer.expect(BIT_STRING).unwrap();
        assert!(key.verifies(body, &signature[1..]));
    }
}
