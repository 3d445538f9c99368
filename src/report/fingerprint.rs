//! The fingerprint that identifies a finding from one run to the next, in the baseline and for
//! readers of reports.

use crate::report::{Finding, Report};
use crate::source::paths::seen_from;
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// The fingerprint of each finding. Repeated fingerprints get a number at the end, because readers
/// drop findings whose fingerprint they have seen.
pub(crate) fn fingerprints(report: &Report) -> Vec<String> {
    let mut seen: FxHashMap<String, usize> = FxHashMap::default();
    let base = Base::new(Path::new("."));
    let mut one = |f: &Finding| {
        let fingerprint = fingerprint(f, &base);
        let count = seen
            .entry(fingerprint.clone())
            .and_modify(|n| *n += 1)
            .or_insert(1);
        if *count == 1 {
            fingerprint
        } else {
            format!("{fingerprint}-{count}")
        }
    };
    report.findings.iter().map(&mut one).collect()
}

/// The folder that the files of fingerprints are counted from, so that `chart`, `./chart` and an
/// absolute path are the same.
pub(crate) struct Base {
    folder: PathBuf,
    /// The real folders of files, by how they are written.
    known: RefCell<FxHashMap<PathBuf, Option<PathBuf>>>,
}

impl Base {
    pub(crate) fn new(folder: &Path) -> Base {
        Base {
            folder: real(folder).unwrap_or_else(|| folder.to_path_buf()),
            known: RefCell::default(),
        }
    }

    /// The path of a file from this folder, with `/`. What is no file on the disk (stdin) keeps its
    /// name. In an archive (`x.tgz!path`) only the archive is one.
    pub(crate) fn file(&self, name: &str) -> String {
        let (file, inside) = match name.find(".tgz!").or_else(|| name.find(".tar.gz!")) {
            Some(at) => name.split_at(at + name[at..].find('!').unwrap_or(0)),
            None => (name, ""),
        };
        let path = Path::new(file);
        let (Some(folder), Some(last)) = (path.parent(), path.file_name()) else {
            return name.to_string();
        };
        let is_beside = folder.as_os_str().is_empty();
        if is_beside && !path.exists() {
            return name.to_string();
        }
        let mut known = self.known.borrow_mut();
        let real = known
            .entry(folder.to_path_buf())
            .or_insert_with(|| real(folder));
        match real {
            Some(real) => format!("{}{inside}", self.relative(&real.join(last))),
            None => name.to_string(),
        }
    }

    /// An absolute path, from this folder.
    fn relative(&self, path: &Path) -> String {
        let path = seen_from(&self.folder, path);
        if path.is_absolute() {
            return path.display().to_string();
        }
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        parts.join("/")
    }
}

/// The folder without links, `.` and `..`; none if there is none.
fn real(folder: &Path) -> Option<PathBuf> {
    let here = folder.as_os_str().is_empty();
    if here { Path::new(".") } else { folder }
        .canonicalize()
        .ok()
}

/// The fingerprint of a finding, which stays the same if lines move: a hash of rule, file, object
/// and path, and of the message if there is no object.
pub(crate) fn fingerprint(f: &Finding, base: &Base) -> String {
    let mut hash = Sha256::new();
    let name = f.locations.first().and_then(|l| l.file.as_deref());
    let file = base.file(name.unwrap_or_default());
    let object = match (&f.object, name) {
        (Some(object), _) => format!("{}/{}", object.kind, object.name),
        // A message may name the file.
        (None, Some(name)) => f.message.replace(name, &file),
        (None, None) => f.message.clone(),
    };
    for part in [&*f.rule, &file, &object, f.path.as_deref().unwrap_or("")] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    data_encoding::HEXLOWER.encode(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_one_name_however_it_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(folder.path().join("chart/templates")).expect("a folder");
        let at = |path: &str| folder.path().join(path).display().to_string();
        let base = Base::new(&folder.path().join("chart"));
        for name in [
            "chart/templates/a.yaml",
            "chart/./../chart/templates/a.yaml",
        ] {
            assert_eq!(base.file(&at(name)), "templates/a.yaml");
        }
        assert_eq!(
            base.file(&at("b.tgz!b/Chart.yaml")),
            "../b.tgz!b/Chart.yaml"
        );
        let elsewhere = Base::new(&folder.path().join("chart/templates"));
        assert_eq!(elsewhere.file(&at("chart/values.yaml")), "../values.yaml");
        // What is not there keeps its name.
        for name in ["<stdin>", "", "no/such/folder/a.yaml"] {
            assert_eq!(base.file(name), name);
        }
    }
}
