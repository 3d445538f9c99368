//! Reads the files of a chart's .tgz.

use super::{Loader, MAX_FILE, Raw, UNCHECKED, without_bom};
use crate::diagnostic::ids;
use crate::go::path;
use crate::helm::error::Error;
use crate::limits::Limit;
use std::cell::Cell;
use std::io::Read;

/// Helm's size limit for an unpacked archive.
const MAX_CHART: u64 = 100 << 20;
/// The limit on everything that an archive unpacks to. Helm counts the files only.
const MAX_ARCHIVE: u64 = 2 * MAX_CHART;
/// Archives that unpack to less than this are accepted, whatever their compression ratio.
const SMALL: u64 = 10 << 20;

impl Loader<'_> {
    /// Returns the files of an archive, and the prefix of their names: `x.tgz!x/`.
    pub(super) fn archive(
        &mut self,
        data: &[u8],
        shown: &str,
    ) -> Result<(Vec<Raw>, String), Error> {
        let refuse = |message: String| Error::new(ids::CHART_METADATA, message);
        let limits = self.sources.limits.clone();
        if data.len() < 10 {
            return Err(refuse("EOF".into()));
        }
        if !data.starts_with(b"\x1f\x8b") {
            return Err(refuse("gzip: invalid header".into()));
        }
        let swollen =
            SMALL.max((data.len() as u64).saturating_mul(limits.get(Limit::ArchiveRatio)));
        let within = Cell::new(true);
        let unpacked = Bounded {
            from: flate2::read::MultiGzDecoder::new(data),
            left: swollen.min(MAX_ARCHIVE),
            within: &within,
        };
        let mut archive = tar::Archive::new(unpacked);
        let mut files = Vec::new();
        let mut base = String::new();
        let mut left = MAX_CHART;
        let broken = |e: std::io::Error| match within.get() {
            true => refuse(archive_text(&e)),
            false if swollen > MAX_ARCHIVE => refuse(too_large()),
            false => Error::limit(Limit::ArchiveRatio, &limits, UNCHECKED),
        };
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let full = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = entry.header().entry_type();
            self.count()?;
            if kind.is_dir()
                || full.ends_with('/')
                || kind.is_pax_global_extensions()
                || kind.is_pax_local_extensions()
            {
                continue;
            }
            // Archives made on Windows may contain `\` as separator.
            let separator = if full.contains('\\') { '\\' } else { '/' };
            let (first, rest) = full.split_once(separator).unwrap_or((&full, ""));
            let name = rest.replace(separator, "/");
            if name.starts_with('/') {
                return Err(refuse("chart illegally contains absolute paths".into()));
            }
            let name = path::clean(&name);
            if name == "." {
                return Err(refuse(format!(
                    "chart illegally contains content outside the base directory: {full:?}"
                )));
            }
            if name.starts_with("..") {
                return Err(refuse("chart illegally references parent directory".into()));
            }
            let bytes = name.as_bytes();
            if bytes.len() > 2
                && bytes[0].is_ascii_alphabetic()
                && bytes[1] == b':'
                && bytes[2] == b'/'
            {
                return Err(refuse("chart contains illegally named files".into()));
            }
            if first == "Chart.yaml" {
                return Err(refuse("chart yaml not in base directory".into()));
            }
            let size = entry.size();
            if size > left {
                return Err(refuse(too_large()));
            }
            if size > MAX_FILE {
                return Err(refuse(format!(
                    "decompressed chart file {full:?} is larger than the maximum file size {MAX_FILE}"
                )));
            }
            self.weigh(size)?;
            let mut data = Vec::new();
            (&mut entry)
                .take(MAX_FILE)
                .read_to_end(&mut data)
                .map_err(broken)?;
            left -= data.len() as u64;
            if (data.len() as u64) < size || left == 0 {
                return Err(refuse(too_large()));
            }
            if base.is_empty() {
                base = format!("{shown}!{first}/");
            }
            files.push(Raw {
                shown: format!("{shown}!{first}/{name}"),
                name,
                data: without_bom(&data),
            });
        }
        if files.is_empty() {
            return Err(refuse("no files in chart archive".into()));
        }
        Ok((files, base))
    }
}

/// Helm's error for a file that is not a gzipped archive.
pub(super) fn not_an_archive(name: &str, data: &[u8]) -> String {
    if name.ends_with(".yml") || name.ends_with(".yaml") {
        return format!("file '{name}' seems to be a YAML file, but expected a gzipped archive");
    }
    let start = &data[..data.len().min(512)];
    let kind = if start.starts_with(b"PK\x03\x04") {
        "application/zip"
    } else if start.starts_with(b"%PDF-") {
        "application/pdf"
    } else if start.len() == data.len() || start.iter().any(|&b| b < 9 || (14..27).contains(&b)) {
        // Go looks at a buffer of 512 bytes. A shorter file is padded with zeros, which make it
        // binary.
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    };
    format!("file '{name}' does not appear to be a gzipped archive; got '{kind}'")
}

fn too_large() -> String {
    format!("decompressed chart is larger than the maximum file size {MAX_CHART}")
}

fn archive_text(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "unexpected EOF".into(),
        std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData => {
            "gzip: invalid header".into()
        }
        _ => error.to_string(),
    }
}

/// Limits how many bytes an archive unpacks to. Skipped entries count too, because they must be
/// unpacked as well.
struct Bounded<'a, R> {
    from: R,
    left: u64,
    /// False once the limit was exceeded. True if the archive ended or failed before.
    within: &'a Cell<bool>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(into)?;
        self.within.set(read as u64 <= self.left);
        self.left = self.left.saturating_sub(read as u64);
        if self.within.get() {
            Ok(read)
        } else {
            Err(std::io::Error::other("unpacks to too much"))
        }
    }
}
