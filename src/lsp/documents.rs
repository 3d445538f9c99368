//! The documents that the editor has open, positions in UTF-16, and URIs.

use crate::source::Unsaved;
use lsp_types::{
    AnnotatedTextEdit, DocumentChangeOperation, DocumentChanges, OneOf,
    OptionalVersionedTextDocumentIdentifier, Position, Range, TextDocumentContentChangeEvent,
    TextDocumentEdit, TextEdit, Uri, WorkspaceEdit,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// One open document.
pub(super) struct Document {
    /// As the editor writes it, which may differ from how we would write it.
    pub uri: Uri,
    pub version: i32,
    pub text: Arc<[u8]>,
    /// Whether the file was deleted or renamed since the text last changed.
    is_gone: bool,
}

/// All open documents, by [`Unsaved::key`] of their paths.
#[derive(Default)]
pub(super) struct Documents {
    open: BTreeMap<PathBuf, Document>,
    /// Counts every change of any document.
    pub revision: u64,
}

impl Documents {
    pub(super) fn get(&self, path: &Path) -> Option<&Document> {
        self.open.get(path)
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.open.keys().map(PathBuf::as_path)
    }

    pub(super) fn open(&mut self, path: PathBuf, uri: Uri, version: i32, text: &str) {
        self.revision += 1;
        self.open.insert(
            path,
            Document {
                uri,
                version,
                text: text.as_bytes().into(),
                is_gone: false,
            },
        );
    }

    /// Looks whether a file that is open was deleted. True if it was, or if it is there again.
    pub(super) fn look(&mut self, path: &Path) -> bool {
        let Some(document) = self.open.get_mut(path) else {
            return false;
        };
        let was_gone = std::mem::replace(&mut document.is_gone, !path.exists());
        self.revision += 1;
        was_gone != document.is_gone
    }

    /// Whether a text is open at a path and was not deleted.
    pub(super) fn is_there(&self, path: &Path) -> bool {
        self.open
            .get(path)
            .is_some_and(|document| !document.is_gone)
    }

    pub(super) fn close(&mut self, path: &Path) {
        self.revision += 1;
        self.open.remove(path);
    }

    /// Applies changes in order. Ranges outside of the text are cut to it, in case the editor and
    /// the server disagree about the text.
    pub(super) fn change(
        &mut self,
        path: &Path,
        version: i32,
        changes: &[TextDocumentContentChangeEvent],
    ) {
        let Some(document) = self.open.get_mut(path) else {
            return;
        };
        self.revision += 1;
        document.version = version;
        document.is_gone = false;
        let mut text = document.text.to_vec();
        for change in changes {
            match change.range {
                None => text = change.text.clone().into_bytes(),
                Some(range) => {
                    let start = offset(&text, range.start);
                    let end = offset(&text, range.end).max(start);
                    text.splice(start..end, change.text.bytes());
                }
            }
        }
        document.text = text.into();
    }

    /// The texts as the loader reads them, without a BOM.
    pub(super) fn unsaved(&self) -> Unsaved {
        Unsaved::new(
            self.open
                .iter()
                .filter(|(_, d)| !d.is_gone)
                .map(|(path, d)| (path.clone(), d.text.clone()))
                .collect(),
        )
    }

    /// Edits of files, for the versions of the documents that the editor has. None if a file has no
    /// URI.
    pub(super) fn edit<'p>(
        &self,
        changes: impl IntoIterator<Item = (&'p Path, TextEdit)>,
    ) -> Option<WorkspaceEdit> {
        let mut files: BTreeMap<&Path, Vec<OneOf<TextEdit, AnnotatedTextEdit>>> = BTreeMap::new();
        for (path, edit) in changes {
            files.entry(path).or_default().push(OneOf::Left(edit));
        }
        let change = |(path, edits): (&Path, _)| {
            let version = self.get(path).map(|d| d.version);
            let text_document = OptionalVersionedTextDocumentIdentifier {
                uri: self.uri(path)?,
                version,
            };
            Some(DocumentChangeOperation::Edit(TextDocumentEdit {
                text_document,
                edits,
            }))
        };
        let changes: Option<Vec<_>> = files.into_iter().map(change).collect();
        Some(WorkspaceEdit {
            document_changes: Some(DocumentChanges::Operations(changes?)),
            ..WorkspaceEdit::default()
        })
    }

    /// The URI of a file, as the editor writes it.
    pub(super) fn uri(&self, path: &Path) -> Option<Uri> {
        self.open
            .get(path)
            .map(|d| d.uri.clone())
            .or_else(|| uri_of(path))
    }
}

/// The byte offset of a position. A position past the end of its line (or of the text) gives that
/// end.
pub(super) fn offset(text: &[u8], position: Position) -> usize {
    let start = match position.line {
        0 => 0,
        line => match memchr::memchr_iter(b'\n', text).nth(line as usize - 1) {
            Some(at) => at + 1,
            None => return text.len(),
        },
    };
    let line =
        &text[start..memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |n| start + n)];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut units = 0;
    for (at, length, wide) in characters(line) {
        // A position inside a surrogate pair is moved to its start.
        if units + wide > position.character as usize {
            return start + at;
        }
        units += wide;
        if at + length == line.len() {
            break;
        }
    }
    start + line.len()
}

/// The lines of a text, for many positions in it.
pub(super) struct Lines<'t> {
    text: &'t [u8],
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t [u8]) -> Lines<'t> {
        let after = memchr::memchr_iter(b'\n', text).map(|at| at + 1);
        Lines {
            text,
            starts: std::iter::once(0).chain(after).collect(),
        }
    }

    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.starts.partition_point(|start| *start <= offset) - 1;
        let before = &self.text[self.starts[line]..offset];
        let units: usize = characters(before).map(|(_, _, wide)| wide).sum();
        Position::new(line as u32, units as u32)
    }

    pub(super) fn range(&self, bytes: std::ops::Range<usize>) -> Range {
        Range::new(
            self.position(bytes.start),
            self.position(bytes.end.max(bytes.start)),
        )
    }
}

/// The position of a byte offset.
pub(super) fn position(text: &[u8], offset: usize) -> Position {
    let offset = offset.min(text.len());
    let start = memchr::memrchr(b'\n', &text[..offset]).map_or(0, |at| at + 1);
    let line = memchr::memchr_iter(b'\n', &text[..start]).count();
    let units: usize = characters(&text[start..offset])
        .map(|(_, _, wide)| wide)
        .sum();
    Position::new(line as u32, units as u32)
}

pub(super) fn range(text: &[u8], bytes: std::ops::Range<usize>) -> Range {
    Range::new(
        position(text, bytes.start),
        position(text, bytes.end.max(bytes.start)),
    )
}

/// Start, length and UTF-16 units of each character. A run of bytes that is not UTF-8 counts as one
/// character.
fn characters(text: &[u8]) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut at = 0;
    text.utf8_chunks().flat_map(move |chunk| {
        let start = at;
        at += chunk.valid().len() + chunk.invalid().len();
        let broken = (!chunk.invalid().is_empty()).then_some((
            start + chunk.valid().len(),
            chunk.invalid().len(),
            1,
        ));
        chunk
            .valid()
            .char_indices()
            .map(move |(i, c)| (start + i, c.len_utf8(), c.len_utf16()))
            .chain(broken)
    })
}

/// The path of a `file:` URI, as [`Unsaved::key`] writes it.
pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    let encoded = &rest[rest.find('/')?..];
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut left = encoded.as_bytes();
    while let Some((&byte, rest)) = left.split_first() {
        let digits = rest
            .get(..2)
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 16).ok());
        match digits.filter(|_| byte == b'%') {
            Some(decoded) => {
                bytes.push(decoded);
                left = &rest[2..];
            }
            None => {
                bytes.push(byte);
                left = rest;
            }
        }
    }
    let path = String::from_utf8(bytes).ok()?;
    // On Windows the path is `/c:/x`.
    let drive = path.as_bytes().get(2) == Some(&b':') && path.as_bytes()[1].is_ascii_alphabetic();
    Some(Unsaved::key(Path::new(if drive {
        &path[1..]
    } else {
        &path
    })))
}

pub(super) fn uri_of(path: &Path) -> Option<Uri> {
    let path = Unsaved::key(path);
    let text = path.to_str()?.replace('\\', "/");
    let mut uri = String::from(if text.starts_with('/') {
        "file://"
    } else {
        "file:///"
    });
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(byte as char)
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    Uri::from_str(&uri).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_utf_16() {
        let text = "é😀x\r\nb".as_bytes();
        for (line, character, at) in [
            (0, 0, 0),
            (0, 1, 2),
            (0, 3, 6),
            (0, 4, 7),
            (0, 99, 7),
            (1, 0, 9),
            (1, 1, 10),
            (7, 0, 10),
        ] {
            assert_eq!(
                offset(text, Position::new(line, character)),
                at,
                "{line}:{character}"
            );
        }
        // Inside of the pair.
        assert_eq!(offset(text, Position::new(0, 2)), 2);
        for offset in 0..text.len() {
            assert_eq!(Lines::of(text).position(offset), position(text, offset));
        }
        assert_eq!(position(text, 6), Position::new(0, 3));
        assert_eq!(position(text, 10), Position::new(1, 1));
    }

    #[test]
    fn changes_apply_in_order_and_never_panic() {
        let uri = Uri::from_str("file:///a%20b/c.yaml").expect("a URI");
        let path = path_of(&uri).expect("a path");
        assert_eq!(path, Path::new("/a b/c.yaml"));
        assert_eq!(uri_of(&path).expect("a URI").as_str(), uri.as_str());
        let mut documents = Documents::default();
        documents.open(path.clone(), uri, 1, "a: 😀\nb: 1\n");
        let change =
            |start: (u32, u32), end: (u32, u32), text: &str| TextDocumentContentChangeEvent {
                range: Some(Range::new(
                    Position::new(start.0, start.1),
                    Position::new(end.0, end.1),
                )),
                range_length: None,
                text: text.into(),
            };
        documents.change(
            &path,
            2,
            &[
                change((0, 3), (0, 5), "x"),
                change((1, 3), (1, 4), "2"),
                change((9, 9), (2, 0), "c: 3"),
            ],
        );
        let document = documents.get(&path).expect("the document");
        assert_eq!(
            (
                document.version,
                std::str::from_utf8(&document.text).expect("UTF-8")
            ),
            (2, "a: x\nb: 2\nc: 3")
        );
    }
}
