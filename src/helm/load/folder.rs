//! Reads the files of a chart's folder.

use super::{Ignored, Links, Loader, MAX_DEPTH, MAX_FILE, Raw, io_text, without_bom};
use crate::diagnostic::ids;
use crate::helm::chart::LeftOut;
use crate::helm::error::Error;
use crate::helm::ignore::Rules;
use crate::limits::Limit;
use crate::source::{SourceKind, Span};
use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

struct Walk<'a> {
    rules: Rules,
    location: &'a str,
    top: &'a Path,
    files: Vec<Raw>,
    /// How many folders were read.
    folders: usize,
}

/// A chart may have this many times as many folders as files.
const FOLDERS: usize = 5;

impl Walk<'_> {
    fn add(&mut self, name: String, data: Vec<u8>) {
        self.files.push(Raw {
            shown: [self.location, &*name].concat(),
            name,
            data: without_bom(&data),
        });
    }
}

impl Loader<'_> {
    /// Returns every file that `.helmignore` does not exclude, and notes what it should not.
    pub(super) fn folder(&mut self, top: &Path, location: &str) -> Result<Vec<Raw>, Error> {
        let ignore_file = top.join(".helmignore");
        // A link that may not be followed is reported when the walk comes to it.
        let may_read = !ignore_file.is_symlink()
            || ignore_file
                .canonicalize()
                .is_ok_and(|to| is_within(&to, top) || self.may_follow(&to));
        let written = may_read
            .then(|| self.sources.read_file(&ignore_file).ok())
            .flatten();
        let rules = match written.as_deref().map(Rules::parse) {
            None => Rules::defaults(),
            Some(Ok(rules)) => rules,
            Some(Err((message, line))) => {
                let place = self.rule_place(location, written.unwrap_or_default(), line);
                return Err(Error::new(ids::CHART_METADATA, message).at(place));
            }
        };
        let mut walk = Walk {
            rules,
            location,
            top,
            files: Vec::new(),
            folders: 0,
        };
        self.walk(&mut walk, top.to_path_buf(), String::new(), 0)?;
        let Walk { rules, files, .. } = walk;
        let is_there = |name: &str| files.iter().any(|file| file.name.starts_with(name));
        let lost = ["Chart.yaml", "templates/"].map(|name| {
            let path = top.join(name);
            if is_there(name) || !path.exists() {
                return None;
            }
            // The folder itself, or the first file in it.
            let first = || {
                let mut names: Vec<_> = std::fs::read_dir(&path)
                    .ok()?
                    .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                    .collect();
                names.sort();
                names
                    .iter()
                    .find_map(|file| rules.line_for(&format!("{name}{file}"), false))
            };
            let own = rules.line_for(name.trim_end_matches('/'), name.ends_with('/'));
            own.or_else(first)
        });
        if let Some(written) = written {
            let mut place =
                |line: Option<usize>| Some(self.rule_place(location, written.clone(), line?));
            let [chart_yaml, templates] = lost;
            self.ignored = Ignored {
                chart_yaml: place(chart_yaml),
                templates: place(templates),
            };
        }
        Ok(files)
    }

    /// The place of a rule of `.helmignore`.
    fn rule_place(&mut self, location: &str, text: Vec<u8>, line: usize) -> Span {
        let id = self.add(&format!("{location}.helmignore"), text, SourceKind::File);
        let range = self.sources.get(id).line(line);
        Span::new(id, range.start, range.end)
    }

    /// Helm's `sympath.Walk`: it visits names in bytewise order and follows links.
    fn walk(
        &mut self,
        walk: &mut Walk,
        path: PathBuf,
        name: String,
        depth: usize,
    ) -> Result<(), Error> {
        let shown = path.display();
        if depth > MAX_DEPTH {
            return Err(Error::new(
                ids::CHART_METADATA,
                format!(
                    "{shown}: folders nest too deeply (a link that leads back to its own folder?)"
                ),
            ));
        }
        let unsaved = self.sources.is_unsaved_folder(&path);
        let info = match unsaved {
            Some(_) => None,
            None => match self.info(walk, &path, &name)? {
                Some(info) => Some(info),
                None => return Ok(()),
            },
        };
        let is_folder = info
            .as_ref()
            .map_or(unsaved == Some(true), Metadata::is_dir);
        if !is_folder {
            return if walk.rules.ignores(&name, false) {
                Ok(())
            } else {
                self.file(walk, &path, name, info.as_ref())
            };
        }
        if !name.is_empty() && walk.rules.ignores(&name, true) {
            return Ok(());
        }
        // A link may lead to a folder that contains a repository.
        if self.options.links != Links::Followed
            && path.file_name().is_some_and(is_git)
            && !path.canonicalize().is_ok_and(|to| is_within(&to, walk.top))
        {
            return Ok(());
        }
        // Links inside of the chart can lead to the same folders on countless ways.
        walk.folders += 1;
        if walk.folders
            > self
                .sources
                .limits
                .size(Limit::ChartFiles)
                .saturating_mul(FOLDERS)
        {
            return Err(self.exceeded(Limit::ChartFiles));
        }
        if self.sources.limits.is_late() {
            return Err(self.exceeded(Limit::Timeout));
        }
        let unreadable = |e: std::io::Error| {
            Error::new(
                ids::CHART_METADATA,
                format!("open {shown}: {}", io_text(&e)),
            )
        };
        for entry in self.sources.names_in(&path).map_err(unreadable)? {
            let text = entry.to_string_lossy();
            let inner = if name.is_empty() {
                text.to_string()
            } else {
                [&*name, "/", &text].concat()
            };
            self.walk(walk, path.join(&entry), inner, depth + 1)?;
        }
        Ok(())
    }

    /// The metadata of what a path on disk leads to. None for a link that is left out.
    fn info(&mut self, walk: &Walk, path: &Path, name: &str) -> Result<Option<Metadata>, Error> {
        let shown = path.display();
        let missing = |e: std::io::Error| {
            Error::new(
                ids::CHART_METADATA,
                format!("lstat {shown}: {}", io_text(&e)),
            )
        };
        let info = std::fs::symlink_metadata(path).map_err(missing)?;
        if !info.is_symlink() {
            return Ok(Some(info));
        }
        if name.is_empty() {
            return std::fs::metadata(path).map(Some).map_err(missing);
        }
        let resolved = path.canonicalize().map_err(|e| {
            Error::new(
                ids::CHART_METADATA,
                format!(
                    "error evaluating symlink {shown}: lstat {}: {}",
                    target(path).display(),
                    io_text(&e)
                ),
            )
        })?;
        let info = std::fs::metadata(&resolved).map_err(missing)?;
        if !walk.rules.ignores(name, info.is_dir()) && !is_within(&resolved, walk.top) {
            if !self.may_follow(&resolved) {
                let error = self.leads_out(path, &resolved);
                if self.options.links == Links::Refused || is_essential(name) {
                    return Err(error);
                }
                let name = name.to_string();
                self.left_out.push(LeftOut { name, error });
                return Ok(None);
            }
            self.warnings
                .push(format!("found symbolic link in path: {shown} resolves to {}. Contents of linked file included and used", resolved.display()));
        }
        Ok(Some(info))
    }

    /// Whether a link out of the chart may be followed to this path, which has no links in it. The
    /// data of git is no part of a work tree, and may contain credentials.
    fn may_follow(&self, to: &Path) -> bool {
        let in_root = |root: &PathBuf| {
            to.strip_prefix(root)
                .is_ok_and(|below| !below.iter().any(is_git))
        };
        self.options.links == Links::Followed || self.options.root.as_ref().is_some_and(in_root)
    }

    fn leads_out(&self, link: &Path, to: &Path) -> Error {
        let (link, to) = (link.display(), to.display());
        let out_of = match &self.options.root {
            Some(root) => format!("the chart and of {}", root.display()),
            None => "the chart".to_string(),
        };
        Error::new(
            ids::SYMLINK_OUTSIDE_CHART,
            format!("{link} is a link that leads out of {out_of}, to {to}"),
        )
        .help(
            "put the file itself into the chart, or pass --follow-symlinks to read it as Helm does",
        )
    }

    /// Reads a file. `info` is that of what is on disk.
    fn file(
        &mut self,
        walk: &mut Walk,
        path: &Path,
        name: String,
        info: Option<&Metadata>,
    ) -> Result<(), Error> {
        let shown = path.display();
        if info.is_some_and(|info| !info.is_file()) {
            return Err(Error::new(
                ids::CHART_METADATA,
                format!("cannot load irregular file {shown} as it has file mode type bits set"),
            ));
        }
        if info.is_some_and(|info| info.len() > MAX_FILE) {
            let base = name.rsplit('/').next().unwrap_or(&name);
            return Err(Error::new(
                ids::CHART_METADATA,
                format!("chart file {base:?} is larger than the maximum file size {MAX_FILE}"),
            ));
        }
        self.count()?;
        let data = self.sources.read_file(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::FileTooLarge => Error::limit(
                Limit::FileSize,
                &self.sources.limits,
                format!("{shown} was not read"),
            ),
            _ => Error::new(
                ids::CHART_METADATA,
                format!("error reading {name}: open {shown}: {}", io_text(&e)),
            ),
        })?;
        self.weigh(data.len() as u64)?;
        walk.add(name, data);
        Ok(())
    }
}

/// Whether a path, already without links, lies in a folder.
fn is_within(path: &Path, folder: &Path) -> bool {
    folder
        .canonicalize()
        .is_ok_and(|folder| path.starts_with(folder))
}

/// Whether a folder of this name holds the data of a git repository.
fn is_git(name: &OsStr) -> bool {
    name.eq_ignore_ascii_case(".git")
}

/// Whether nothing can be said of a chart, or of one of its subcharts, without this file.
fn is_essential(name: &str) -> bool {
    let mut rest = name;
    while let Some(below) = rest.strip_prefix("charts/") {
        rest = below.split_once('/').map_or("", |(_, rest)| rest);
    }
    matches!(rest, "Chart.yaml" | "values.yaml" | "requirements.yaml")
}

fn target(link: &Path) -> PathBuf {
    let to = std::fs::read_link(link).unwrap_or_default();
    if to.is_absolute() {
        to
    } else {
        link.parent().unwrap_or(Path::new("")).join(to)
    }
}
