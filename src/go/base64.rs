//! Decoders that behave as Go 1.26's packages encoding/base64 and encoding/base32, including the
//! offsets in their errors. Encoders of other crates give the same text as Go's, so there are none
//! here.

/// Go's `CorruptInputError`, with the offset of the first invalid byte.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal {encoding} data at input byte {at}")]
pub(crate) struct CorruptInput {
    encoding: &'static str,
    at: usize,
}

/// Decodes as `base64.StdEncoding` does: skips line breaks, requires padding, and accepts unused
/// bits that are set in the last digit.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, CorruptInput> {
    let corrupt = |at: usize| CorruptInput {
        encoding: "base64",
        at,
    };
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut at = 0;
    let skip_breaks = |at: &mut usize| {
        while matches!(text.get(*at), Some(b'\n' | b'\r')) {
            *at += 1;
        }
    };
    loop {
        let mut bits = 0u32;
        let mut digits = 0;
        while digits < 4 {
            let Some(&b) = text.get(at) else {
                return if digits == 0 {
                    Ok(out)
                } else {
                    Err(corrupt(at - digits))
                };
            };
            at += 1;
            let digit = match b {
                b'A'..=b'Z' => b - b'A',
                b'a'..=b'z' => b - b'a' + 26,
                b'0'..=b'9' => b - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'\n' | b'\r' => continue,
                b'=' if digits >= 2 => break,
                _ => return Err(corrupt(at - 1)),
            };
            bits |= u32::from(digit) << (18 - 6 * digits);
            digits += 1;
        }
        let bytes = bits.to_be_bytes();
        if digits == 4 {
            out.extend_from_slice(&bytes[1..]);
            continue;
        }
        if digits == 2 {
            skip_breaks(&mut at);
            match text.get(at) {
                None => return Err(corrupt(text.len())),
                Some(b'=') => at += 1,
                Some(_) => return Err(corrupt(at - 1)),
            }
        }
        skip_breaks(&mut at);
        if at < text.len() {
            return Err(corrupt(at));
        }
        out.extend_from_slice(&bytes[1..digits]);
        return Ok(out);
    }
}

/// Decodes as `base32.StdEncoding` does.
pub(crate) fn decode_base32(text: &[u8]) -> Result<Vec<u8>, CorruptInput> {
    let corrupt = |at: usize| CorruptInput {
        encoding: "base32",
        at,
    };
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|b| !matches!(b, b'\n' | b'\r'))
        .collect();
    let mut out = Vec::with_capacity(text.len() / 8 * 5);
    let mut start = 0;
    while start < text.len() {
        let mut bits = 0u64;
        let mut digits = 0;
        let mut ended = false;
        while digits < 8 {
            let at = start + digits;
            let b = *text.get(at).ok_or_else(|| corrupt(start))?;
            if b == b'=' && digits >= 2 && text.len() - at - 1 < 8 {
                let left = &text[at + 1..];
                if left.len() + digits < 7 {
                    return Err(corrupt(text.len()));
                }
                if let Some(k) = (0..7 - digits).find(|&k| left.get(k).is_some_and(|&b| b != b'='))
                {
                    return Err(corrupt(at + k));
                }
                if matches!(digits, 3 | 6) {
                    return Err(corrupt(at));
                }
                ended = true;
                break;
            }
            let digit = match b {
                b'A'..=b'Z' => b - b'A',
                b'2'..=b'7' => b - b'2' + 26,
                _ => return Err(corrupt(at)),
            };
            bits |= u64::from(digit) << (59 - 5 * digits);
            digits += 1;
        }
        out.extend_from_slice(&bits.to_be_bytes()[..digits * 5 / 8]);
        if ended {
            break;
        }
        start += 8;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_decodes_as_in_go() {
        for (text, bytes) in [
            ("", ""),
            ("aGk=", "hi"),
            ("a\nGk\r=\n", "hi"),
            // The two unused bits of the last digit are set.
            ("aGn=", "hi"),
            ("aGl=", "hi"),
            ("aGkh", "hi!"),
            ("YQ=\n=", "a"),
        ] {
            assert_eq!(
                decode(text.as_bytes()).as_deref(),
                Ok(bytes.as_bytes()),
                "{text:?}"
            );
        }
        for (text, at) in [
            ("aGk", 0),
            ("aG", 0),
            ("aGk=a", 4),
            ("a=", 1),
            ("aG=k", 2),
            ("aGk-", 3),
        ] {
            assert_eq!(decode(text.as_bytes()).unwrap_err().at, at, "{text:?}");
        }
    }
}
