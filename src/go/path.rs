//! Slash-separated paths as Go 1.26's package path (and, on Unix, path/filepath) splits them,
//! without disk access. Most functions return ranges of the path, so that callers can keep the
//! origins of its bytes.

use std::ops::Range;

/// `path.Base`: the last element. For an empty path it is empty, while Go returns `.`. For a path
/// of only slashes it is the first slash.
pub(crate) fn base(path: &[u8]) -> Range<usize> {
    let Some(last) = path.iter().rposition(|&b| b != b'/') else {
        return 0..path.len().min(1);
    };
    dir_length(&path[..last])..last + 1
}

/// `path.Ext`: the last element from its last dot on.
pub(crate) fn ext(path: &[u8]) -> Range<usize> {
    let start = match path.iter().rposition(|&b| matches!(b, b'/' | b'.')) {
        Some(at) if path[at] == b'.' => at,
        _ => path.len(),
    };
    start..path.len()
}

/// The length of the path before its last element, including the slash. `path.Dir` cleans that
/// part.
pub(crate) fn dir_length(path: &[u8]) -> usize {
    memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)
}

/// The result of `path.Clean`.
pub(crate) struct Cleaned {
    /// Whether the path begins with a slash.
    pub rooted: bool,
    /// The elements without `.` and empty ones, with `..` resolved.
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
