//! The private keys and certificates that [`super::certificates`] returns.
//!
//! Helm generates them at random. Here they are constants, so that a render is the same in every
//! run. They parse, and only the serial number of a certificate depends on the call. They are
//! stored in DER because secret scanners would report PEM. Do not use these keys: they are public.

use super::random::Random;
use crate::go::pem;

const RSA: &[u8] = include_bytes!("keys/rsa.der");
const DSA: &[u8] = include_bytes!("keys/dsa.der");
const ECDSA: &[u8] = include_bytes!("keys/ecdsa.der");
/// The bytes before the 32 bytes of an Ed25519 key in PKCS #8.
const ED25519: [u8; 16] = [
    0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
];
const AUTHORITY: &[u8] = include_bytes!("keys/authority.der");
const LEAF: &[u8] = include_bytes!("keys/leaf.der");
/// The position of the serial number in both certificates.
const SERIAL: std::ops::Range<usize> = 15..31;

const SEQUENCE: u8 = 0x30;

/// The RSA key of all certificates, in PEM.
pub(super) fn rsa() -> Vec<u8> {
    pem::encode("RSA PRIVATE KEY", RSA)
}

/// `genPrivateKey`: a key of this kind in PEM; none if sprig does not know the kind.
pub(super) fn generate(kind: &[u8], seed: u64) -> Option<Vec<u8>> {
    Some(match kind {
        b"" | b"rsa" => rsa(),
        b"dsa" => pem::encode("DSA PRIVATE KEY", DSA),
        b"ecdsa" => pem::encode("EC PRIVATE KEY", ECDSA),
        b"ed25519" => {
            let secret = Random::new(seed).bytes(32);
            pem::encode("PRIVATE KEY", &[&ED25519[..], &secret].concat())
        }
        _ => return None,
    })
}

/// The certificate of the authority, or one that it signed, in PEM.
pub(super) fn certificate(is_authority: bool, seed: u64) -> Vec<u8> {
    let mut content = if is_authority { AUTHORITY } else { LEAF }.to_vec();
    let mut serial = Random::new(seed).bytes(SERIAL.len());
    // A serial number is positive and has no leading zero.
    serial[0] = serial[0] & 0x3f | 0x40;
    content[SERIAL].copy_from_slice(&serial);
    pem::encode("CERTIFICATE", &content)
}

/// Checks whether a text contains a private key that sprig accepts. Looks only at the outermost
/// element of the key.
///
/// # Errors
/// Sprig's error texts.
pub(super) fn check_private_key(text: &[u8]) -> Result<(), String> {
    let (kind, content) = pem::decode(text).ok_or("no PEM data in input")?;
    if kind == "PRIVATE KEY" {
        return check_sequence(&content, "pkcs8")
            .map_err(|e| format!("decoding PEM as PKCS#8: {e}"));
    }
    match kind.strip_suffix(" PRIVATE KEY") {
        None => Err(format!("no private key data in PEM block of type {kind}")),
        Some("DSA") => Err("unable to get public key for type *dsa.PrivateKey".to_string()),
        Some(algorithm @ ("RSA" | "EC")) => check_sequence(&content, "")
            .map_err(|e| format!("parsing {algorithm} private key from PEM: {e}")),
        Some(other) => Err(format!("invalid private key type {other}")),
    }
}

/// Fails with encoding/asn1's error if the first element is not a SEQUENCE.
fn check_sequence(content: &[u8], name: &str) -> Result<(), String> {
    if sequence(content).is_some() {
        return Ok(());
    }
    let (tag, length) = match content {
        [tag, length, ..] if *tag != SEQUENCE => (tag, length),
        _ => return Err("asn1: syntax error: data truncated".to_string()),
    };
    let options = "{optional:false explicit:false application:false private:false \
                   defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false omitEmpty:false}";
    let (class, number, compound) = (tag >> 6, tag & 0x1f, tag & 0x20 != 0);
    Err(format!(
        "asn1: structure error: tags don't match (16 vs {{class:{class} tag:{number} \
         length:{length} isCompound:{compound}}}) {options} {name} @2"
    ))
}

/// Checks whether bytes in DER are a certificate. Looks only at the outermost elements.
///
/// # Errors
/// The error texts of crypto/x509.
pub(super) fn check_certificate(content: &[u8]) -> Result<(), String> {
    let outer = sequence(content).ok_or("x509: malformed certificate")?;
    sequence(outer).ok_or("x509: malformed tbs certificate")?;
    Ok(())
}

/// The content of a SEQUENCE in DER.
fn sequence(content: &[u8]) -> Option<&[u8]> {
    let [SEQUENCE, first, rest @ ..] = content else {
        return None;
    };
    if *first < 0x80 {
        return rest.get(..usize::from(*first));
    }
    let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f).clamp(1, 4))?;
    let length = length.iter().fold(0, |n, &b| n << 8 | usize::from(b));
    rest.get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_differ_by_their_serial_number() {
        let [one, again, other] = [1, 1, 2].map(|seed| certificate(true, seed));
        assert!(one == again && one != other && one != certificate(false, 1));
        for cert in [one, other, certificate(false, 3)] {
            let (_, content) = pem::decode(&cert).expect("a block");
            assert_eq!(check_certificate(&content), Ok(()));
            // The header of an INTEGER of 16 bytes.
            assert_eq!(content[SERIAL.start - 2..SERIAL.start], [2, 16]);
        }
    }

    #[test]
    fn keys_are_accepted_again() {
        for kind in [&b"rsa"[..], b"ecdsa", b"ed25519"] {
            let key = generate(kind, 1).expect("a key");
            assert_eq!(check_private_key(&key), Ok(()));
        }
        assert!(check_private_key(&generate(b"dsa", 1).expect("a key")).is_err());
    }
}
