//! PEM blocks as Go 1.26's package encoding/pem writes and finds them.

use super::base64;

/// Encodes a block. `kind` is the text after `BEGIN` and `END`.
pub(crate) fn encode(kind: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!("-----BEGIN {kind}-----\n").into_bytes();
    for line in data_encoding::BASE64.encode(content).as_bytes().chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(format!("-----END {kind}-----\n").as_bytes());
    out
}

/// Decodes the first block of a text: its kind and content.
pub(crate) fn decode(text: &[u8]) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(text);
    let (_, block) = text.split_once("-----BEGIN ")?;
    let (kind, rest) = block.split_once("-----")?;
    let (body, _) = rest.split_once(&format!("-----END {kind}-----"))?;
    let headers = |line: &&str| line.contains(':');
    let digits: String = body
        .split_ascii_whitespace()
        .filter(|line| !headers(line))
        .collect();
    Some((kind.to_string(), base64::decode(digits.as_bytes()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_again() {
        let block = encode("CERTIFICATE", &[7; 100]);
        let text = [b"before\n", &block[..], &encode("OTHER", b"")].concat();
        assert_eq!(decode(&text), Some(("CERTIFICATE".into(), vec![7; 100])));
        assert_eq!(decode(b"-----BEGIN A-----\nYQ==\n-----END B-----\n"), None);
    }
}
