//! Reads files from the disk, or their unsaved text from an editor.

use super::sources::Sources;
use super::unsaved::Unsaved;
use crate::limits::Limit;
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;

impl Sources {
    /// The bytes of a file. An editor's unsaved text takes precedence over the disk.
    ///
    /// # Errors
    /// Those of [`std::fs::read`] and of [`Sources::read_all`]. A pipe or a device is an error too,
    /// because it may never end, unless the shell made it (`<(helm template …)`).
    pub fn read_file(&self, path: impl AsRef<Path>) -> std::io::Result<Vec<u8>> {
        let path = path.as_ref();
        if let Some(text) = self.unsaved.get(path) {
            return Ok(text.to_vec());
        }
        let is_from_shell = path.starts_with("/dev/fd")
            || path.starts_with("/proc/self/fd")
            || path == Path::new("/dev/stdin");
        let kind = std::fs::metadata(path)?;
        if !kind.is_file() && !kind.is_dir() && !is_from_shell {
            return Err(std::io::Error::other("is not a regular file"));
        }
        self.read_sized(std::fs::File::open(path)?, kind.len())
    }

    /// The names in a folder, sorted, those of unsaved texts included.
    ///
    /// # Errors
    /// Those of [`std::fs::read_dir`].
    pub fn names_in(&self, folder: &Path) -> std::io::Result<Vec<OsString>> {
        let mut names = match self.is_unsaved_folder(folder) {
            Some(true) => Vec::new(),
            _ => std::fs::read_dir(folder)?
                .map(|entry| Ok(entry?.file_name()))
                .collect::<std::io::Result<Vec<_>>>()?,
        };
        let key = Unsaved::key(folder);
        let below = self.unsaved.below(folder);
        names.extend(below.filter_map(|path| {
            let name = path.strip_prefix(&key).ok()?.iter().next()?;
            Some(name.to_os_string())
        }));
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// For a path that exists only in an editor: whether it is a folder.
    pub fn is_unsaved_folder(&self, path: &Path) -> Option<bool> {
        let mut texts = self.unsaved.below(path).peekable();
        texts.peek()?;
        path.symlink_metadata()
            .is_err()
            .then(|| self.unsaved.get(path).is_none())
    }

    /// Reads stdin to its end, or the text that was read from it and kept as the unsaved text of `-`.
    ///
    /// # Errors
    /// As for [`Sources::read_all`].
    pub fn read_stdin(&self) -> std::io::Result<Vec<u8>> {
        match self.unsaved.get(Path::new("-")) {
            Some(text) => Ok(text.to_vec()),
            None => self.read_all(std::io::stdin()),
        }
    }

    /// Reads `from` to its end.
    ///
    /// # Errors
    /// Reading fails, or there is more than [`Limit::FileSize`].
    pub fn read_all(&self, from: impl Read) -> std::io::Result<Vec<u8>> {
        self.read_sized(from, 0)
    }

    /// As [`Sources::read_all`], with a buffer for as many bytes as the system reports.
    fn read_sized(&self, from: impl Read, size: u64) -> std::io::Result<Vec<u8>> {
        let most = self.limits.get(Limit::FileSize);
        let mut text = Vec::with_capacity(size.min(most) as usize + 1);
        // Read one byte more than allowed, to see whether there is more.
        from.take(most + 1).read_to_end(&mut text)?;
        if text.len() as u64 > most {
            let message = format!(
                "is larger than {most} bytes (limit `file-size`); {}",
                Limit::FileSize.how_to_raise()
            );
            return Err(std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                message,
            ));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::super::unsaved::Unsaved;
    use super::*;
    use std::sync::Arc;

    #[test]
    fn unsaved_text_replaces_the_file() {
        let path = std::env::temp_dir().join("no/such/../file.yaml");
        let unsaved = Unsaved::new([(Unsaved::key(&path), Arc::from(&b"a: 1"[..]))].into());
        assert_eq!(
            Sources::with(unsaved).read_file(&path).expect("the text"),
            b"a: 1"
        );
        assert!(Sources::default().read_file(&path).is_err());
    }

    #[test]
    fn a_file_is_read_whole_or_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, mut sources) = (folder.path().join("a.yaml"), Sources::default());
        for text in ["", "a: 1\n"] {
            std::fs::write(&file, text).expect("written");
            assert_eq!(sources.read_file(&file).expect("the text"), text.as_bytes());
        }
        assert!(sources.read_file(folder.path()).is_err());
        sources.limits.set(Limit::FileSize, 4);
        assert_eq!(
            sources
                .read_file(&file)
                .expect_err("a byte too many")
                .kind(),
            std::io::ErrorKind::FileTooLarge
        );
        // The system reports the length of this file as 0.
        if cfg!(target_os = "linux") {
            assert!(
                Sources::default()
                    .read_file("/proc/self/status")
                    .is_ok_and(|text| !text.is_empty())
            );
        }
    }
}
