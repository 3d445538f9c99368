//! Scans anchors, aliases, tags and directives.

use super::{Kind, Scanner, is_blank, is_word};
use crate::yaml::chars::char_width;
use crate::yaml::fail::Outcome;

fn is_uri(byte: u8) -> bool {
    is_word(byte) || b";/?:@&=+$,.!~*'()[]%".contains(&byte)
}

impl<'t> Scanner<'t> {
    fn word(&mut self) -> &'t [u8] {
        let start = self.pos;
        while is_word(self.byte(0)) {
            self.pos += 1;
        }
        &self.text[start..self.pos]
    }

    /// Scans `&name` or `*name`.
    pub(super) fn fetch_name(&mut self, indicator: u8) -> Outcome<()> {
        self.save_candidate()?;
        self.key_allowed = false;
        let start = self.mark();
        self.pos += 1;
        let name = self.word();
        if name.is_empty() || !(self.at_gap(0) || b"?:,]}%@`".contains(&self.byte(0))) {
            return self.error(
                "did not find expected alphabetic or numeric character",
                start.pos,
                self.pos + 1,
            );
        }
        let kind = if indicator == b'*' {
            Kind::Alias(name)
        } else {
            Kind::Anchor(name)
        };
        self.push(kind, start);
        Ok(())
    }

    pub(super) fn fetch_tag(&mut self) -> Outcome<()> {
        self.save_candidate()?;
        self.key_allowed = false;
        let start = self.mark();
        let (handle, suffix);
        if self.byte(1) == b'<' {
            self.pos += 2;
            handle = Vec::new();
            suffix = self.uri(Vec::new(), false)?;
            if self.byte(0) != b'>' {
                return self.error("did not find the expected '>'", start.pos, self.pos + 1);
            }
            self.pos += 1;
        } else {
            let head = self.tag_handle(false)?;
            if head.len() > 1 && head.ends_with(b"!") {
                handle = head.to_vec();
                suffix = self.uri(Vec::new(), false)?;
            } else {
                let rest = self.uri(head[1..].to_vec(), true)?;
                // The tag `!` has no handle.
                (handle, suffix) = if rest.is_empty() {
                    (rest, b"!".to_vec())
                } else {
                    (b"!".to_vec(), rest)
                };
            }
        }
        if !self.at_gap(0) {
            return self.error(
                "did not find expected whitespace or line break",
                start.pos,
                self.pos + 1,
            );
        }
        self.push(Kind::Tag { handle, suffix }, start);
        Ok(())
    }

    /// Scans `!`, `!!` or `!name!`. In a tag (not in a directive) also `!name`.
    fn tag_handle(&mut self, directive: bool) -> Outcome<&'t [u8]> {
        let start = self.pos;
        if self.byte(0) != b'!' {
            return self.error_here("did not find expected '!'");
        }
        self.pos += 1;
        self.word();
        if self.byte(0) == b'!' {
            self.pos += 1;
        } else if directive && self.pos - start > 1 {
            return self.error_here("did not find expected '!'");
        }
        Ok(&self.text[start..self.pos])
    }

    /// Scans the rest of a tag. `known` means that a part of it was scanned already.
    fn uri(&mut self, mut uri: Vec<u8>, mut known: bool) -> Outcome<Vec<u8>> {
        while is_uri(self.byte(0)) {
            if self.byte(0) == b'%' {
                self.uri_escape(&mut uri)?;
            } else {
                uri.push(self.byte(0));
                self.pos += 1;
            }
            known = true;
        }
        if known {
            Ok(uri)
        } else {
            self.error_here("did not find expected tag URI")
        }
    }

    /// Scans one character that is written as `%` and two hexadecimal digits for each byte.
    fn uri_escape(&mut self, uri: &mut Vec<u8>) -> Outcome<()> {
        let mut left = 0;
        loop {
            let (high, low) = (
                (self.byte(1) as char).to_digit(16),
                (self.byte(2) as char).to_digit(16),
            );
            let (b'%', Some(high), Some(low)) = (self.byte(0), high, low) else {
                return self.error_here("did not find URI escaped octet");
            };
            let octet = (high * 16 + low) as u8;
            if left == 0 {
                left = char_width(octet);
                if left == 0 {
                    return self.error_here("found an incorrect leading UTF-8 octet");
                }
            } else if octet & 0xC0 != 0x80 {
                return self.error_here("found an incorrect trailing UTF-8 octet");
            }
            uri.push(octet);
            self.pos += 3;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
    }

    pub(super) fn fetch_directive(&mut self) -> Outcome<()> {
        self.unroll_indent(-1);
        self.drop_candidate()?;
        self.key_allowed = false;
        let start = self.mark();
        self.pos += 1;
        let name = self.word();
        if name.is_empty() {
            return self.error_here("could not find expected directive name");
        }
        if !self.at_gap(0) {
            return self.error_here("found unexpected non-alphabetical character");
        }
        let kind = match name {
            b"YAML" => self.version()?,
            b"TAG" => self.tag_directive()?,
            _ => return self.error("found unknown directive name", start.pos, self.pos),
        };
        let token = self.token(kind, start);
        self.finish_line(start.pos)?;
        self.queue.push_back(token);
        Ok(())
    }

    fn version(&mut self) -> Outcome<Kind<'t>> {
        self.skip_blanks();
        let major = self.version_number()?;
        if self.byte(0) != b'.' {
            return self.error_here("did not find expected digit or '.' character");
        }
        self.pos += 1;
        let minor = self.version_number()?;
        Ok(Kind::Version { major, minor })
    }

    fn version_number(&mut self) -> Outcome<u32> {
        let (start, mut value) = (self.pos, 0);
        while let digit @ b'0'..=b'9' = self.byte(0) {
            if self.pos - start == 2 {
                return self.error_here("found extremely long version number");
            }
            value = value * 10 + u32::from(digit - b'0');
            self.pos += 1;
        }
        if self.pos == start {
            self.error_here("did not find expected version number")
        } else {
            Ok(value)
        }
    }

    fn tag_directive(&mut self) -> Outcome<Kind<'t>> {
        self.skip_blanks();
        let handle = self.tag_handle(true)?.to_vec();
        if !is_blank(self.byte(0)) {
            return self.error_here("did not find expected whitespace");
        }
        self.skip_blanks();
        let prefix = self.uri(Vec::new(), false)?;
        if !self.at_gap(0) {
            return self.error_here("did not find expected whitespace or line break");
        }
        Ok(Kind::TagDirective { handle, prefix })
    }
}
