//! Slash-separated paths as Go 1.26's package path (and, on Unix, path/filepath) takes them apart,
//! without a look at any disk. Most answers are ranges of the path, so that callers can keep what
//! they know of its bytes.

use std::ops::Range;

/// `path.Base`: the last element. It is empty for an empty path, which Go calls `.`; of slashes
/// alone it is the first one.
pub(crate) fn base(path: &[u8]) -> Range<usize> {
    let Some(last) = path.iter().rposition(|&b| b != b'/') else {
        return 0..path.len().min(1);
    };
    dir_length(&path[..last])..last + 1
}

/// `path.Ext`: from the last dot of the last element on.
pub(crate) fn ext(path: &[u8]) -> Range<usize> {
    let start = match path.iter().rposition(|&b| matches!(b, b'/' | b'.')) {
        Some(at) if path[at] == b'.' => at,
        _ => path.len(),
    };
    start..path.len()
}

/// How much of a path stands before its last element, with the slash. `path.Dir` cleans that.
pub(crate) fn dir_length(path: &[u8]) -> usize {
    memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)
}

/// What `path.Clean` leaves of a path.
pub(crate) struct Cleaned {
    /// Whether it begins with a slash.
    pub rooted: bool,
    /// Without `.` and empty ones, `..` resolved.
    pub elements: Vec<Range<usize>>,
}

pub(crate) fn elements(path: &[u8]) -> Cleaned {
    let rooted = path.first() == Some(&b'/');
    let mut elements: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for end in memchr::memchr_iter(b'/', path).chain([path.len()]) {
        match &path[start..end] {
            b"" | b"." => {}
            b".." => match elements.last() {
                Some(last) if &path[last.clone()] != b".." => {
                    elements.pop();
                }
                _ if rooted => {}
                _ => elements.push(start..end),
            },
            _ => elements.push(start..end),
        }
        start = end + 1;
    }
    Cleaned { rooted, elements }
}

/// `path.Clean`.
pub(crate) fn clean(path: &str) -> String {
    let Cleaned { rooted, elements } = elements(path.as_bytes());
    let elements: Vec<&str> = elements.into_iter().map(|range| &path[range]).collect();
    match (rooted, elements.is_empty()) {
        (true, _) => format!("/{}", elements.join("/")),
        (false, true) => ".".to_string(),
        (false, false) => elements.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_as_in_go() {
        for (path, cleaned) in [
            ("", "."),
            ("a//b/./c/", "a/b/c"),
            ("a/../..", ".."),
            ("../../a", "../../a"),
            ("/../a", "/a"),
            ("//", "/"),
            ("a/..", "."),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }

    #[test]
    fn paths_are_taken_apart_as_in_go() {
        for (path, base_want, ext_want) in [
            ("a/b.tar.gz", "b.tar.gz", ".gz"),
            ("a/b/", "b", ""),
            ("a", "a", ""),
            ("/", "/", ""),
            ("a.d/b", "b", ""),
            (".x", ".x", ".x"),
        ] {
            assert_eq!(&path[base(path.as_bytes())], base_want, "{path}");
            assert_eq!(&path[ext(path.as_bytes())], ext_want, "{path}");
        }
    }
}
