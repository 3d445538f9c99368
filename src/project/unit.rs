//! What a PATH names: charts and sets of manifests. Each unit is linted by itself.

use crate::Error;
use crate::Options;
use crate::project::config;
use crate::source::Sources;
use std::path::{Component, Path, PathBuf};

/// One chart, or manifests that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A chart's folder or archive.
    Chart(PathBuf),
    /// Manifest files, in order.
    Manifests(Vec<PathBuf>),
    /// Rendered manifests on stdin.
    Stdin,
}

impl Unit {
    /// The configuration file that applies to the unit.
    pub(crate) fn configuration(&self, options: &Options) -> Option<PathBuf> {
        options.config.file(match self {
            Unit::Chart(path) => path,
            Unit::Manifests(files) => files.first().map_or(Path::new("."), PathBuf::as_path),
            Unit::Stdin => Path::new("."),
        })
    }
}

/// The units that the options name.
///
/// # Errors
/// The same as for [`discover`].
pub(crate) fn of(options: &Options) -> Result<Vec<Unit>, Error> {
    let follow = options.follow_symlinks;
    if options.changed {
        of_changed(&options.paths, follow)
    } else {
        discover(&options.paths, follow)
    }
}

/// The units of the given paths, in order; a chart that is named more than once is one unit. A
/// pattern (`charts/*`) that is not itself the name of a file is expanded; it matches no files that
/// git ignores, no hidden files and no files of other programs. Links that lead out of a folder are
/// followed only with `follow`. Without it, a folder of charts is linted without them, and a folder
/// of manifests that has such links is refused.
///
/// # Errors
/// If a path does not exist, or a folder cannot be read or holds nothing to lint.
pub(crate) fn discover(paths: &[PathBuf], follow: bool) -> Result<Vec<Unit>, Error> {
    let mut units = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            push(&mut units, Unit::Stdin);
        } else if path.exists() {
            of_path(path, follow, &mut units)?;
        } else {
            of_pattern(path, follow, &mut units)?;
        }
    }
    Ok(units)
}

/// The charts that changed files belong to, each once, in the order of the files. Files that belong
/// to no chart are left out, so that a hook may pass all files of a commit; the files may have been
/// deleted. A configuration file stands for all charts below its folder.
///
/// # Errors
/// If the folder of a configuration file cannot be read.
fn of_changed(files: &[PathBuf], follow: bool) -> Result<Vec<Unit>, Error> {
    let mut units = Vec::new();
    for file in files {
        let is_configuration = file
            .file_name()
            .is_some_and(|name| config::FILE_NAMES.iter().any(|known| name == *known));
        if let Some(chart) = chart_of(file) {
            push(&mut units, Unit::Chart(chart));
        } else if is_configuration {
            let below = content(shown(file.parent().unwrap_or(file)), follow)?;
            below
                .charts
                .into_iter()
                .for_each(|chart| push(&mut units, Unit::Chart(chart)));
        } else if is_archive(file) && file.is_file() {
            push(&mut units, Unit::Chart(file.clone()));
        }
    }
    Ok(units)
}

fn push(units: &mut Vec<Unit>, unit: Unit) {
    if matches!(unit, Unit::Manifests(_)) || !units.contains(&unit) {
        units.push(unit);
    }
}

fn of_path(path: &Path, follow: bool, units: &mut Vec<Unit>) -> Result<(), Error> {
    if path.is_dir() {
        if path.join("Chart.yaml").is_file() {
            push(units, Unit::Chart(path.to_path_buf()));
        } else if let Some(chart) = chart_of_template_folder(path) {
            push(units, Unit::Chart(chart));
        } else {
            of_folder(path, follow, units)?;
        }
    } else if is_archive(path) {
        push(units, Unit::Chart(path.to_path_buf()));
    } else if let Some(chart) = chart_of(path) {
        push(units, Unit::Chart(chart));
    } else {
        push(units, Unit::Manifests(vec![path.to_path_buf()]));
    }
    Ok(())
}

fn of_pattern(path: &Path, follow: bool, units: &mut Vec<Unit>) -> Result<(), Error> {
    let missing = || Error::NoSuchPath(path.to_path_buf());
    let pattern = glob::Pattern::new(&path.to_string_lossy()).map_err(|_| missing())?;
    let fixed: PathBuf = path
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']))
        .collect();
    let folder = shown(&fixed);
    let options = glob::MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let is_meant = |found: &PathBuf| {
        found
            .ancestors()
            .any(|above| pattern.matches_path_with(above, options))
    };
    let mut below = if folder.is_dir() && chart_of(&folder.join("*")).is_none() {
        content(folder, follow)?
    } else {
        Content::default()
    };
    below.charts.retain(is_meant);
    below.manifests.retain(is_meant);
    if below.charts.is_empty() && below.manifests.is_empty() {
        // The walk leaves out the files inside charts, which a pattern may name.
        let matches: Vec<PathBuf> = glob::glob_with(&path.to_string_lossy(), options)
            .ok()
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        if matches.is_empty() {
            return Err(missing());
        }
        return matches
            .iter()
            .try_for_each(|path| of_path(path, follow, units));
    }
    push_content(below, units);
    Ok(())
}

/// Each chart below a folder is a unit; the other manifests together are one more unit.
fn of_folder(folder: &Path, follow: bool, units: &mut Vec<Unit>) -> Result<(), Error> {
    let below = content(folder, follow)?;
    if let (Some(link), true) = (below.links.first(), below.charts.is_empty()) {
        let why = format!(
            "it is a link that leads out of {}: name it itself, or pass --follow-symlinks",
            folder.display()
        );
        return Err(Error::Unreadable(link.clone(), why));
    }
    if below.charts.is_empty() && below.manifests.is_empty() {
        // A folder of a chart that holds nothing by itself (`files`, `ci`).
        let Some(chart) = chart_of(&folder.join("*")) else {
            return Err(Error::NothingToLint(folder.to_path_buf()));
        };
        push(units, Unit::Chart(chart));
        return Ok(());
    }
    push_content(below, units);
    Ok(())
}

fn push_content(
    Content {
        charts,
        mut manifests,
        ..
    }: Content,
    units: &mut Vec<Unit>,
) {
    // In a repository of charts, YAML files without apiVersion and kind belong to other programs. A
    // folder without charts was named for its manifests, so all of its YAML files are read.
    if !charts.is_empty() {
        manifests.retain(|file| looks_like_manifest(file));
    }
    charts
        .into_iter()
        .for_each(|chart| push(units, Unit::Chart(chart)));
    if !manifests.is_empty() {
        push(units, Unit::Manifests(manifests));
    }
}

/// The content of a folder, sorted by name. Files that git ignores, hidden files and files inside
/// charts are left out.
#[derive(Default)]
struct Content {
    charts: Vec<PathBuf>,
    manifests: Vec<PathBuf>,
    /// Charts and manifests that a link out of the folder leads to.
    links: Vec<PathBuf>,
}

fn content(folder: &Path, follow: bool) -> Result<Content, Error> {
    let mut content = Content::default();
    let real = folder.canonicalize().unwrap_or_default();
    let mut walk = ignore::WalkBuilder::new(folder);
    walk.sort_by_file_name(|a, b| a.cmp(b))
        .require_git(false)
        .filter_entry(|entry| {
            let above = entry.path().parent();
            entry.depth() == 0
                || !above.is_some_and(|folder| folder.join("Chart.yaml").is_file())
                || entry.file_name() == "Chart.yaml"
        });
    for entry in walk.build() {
        let entry =
            entry.map_err(|error| Error::Unreadable(folder.to_path_buf(), error.to_string()))?;
        // A walk of the working directory prefixes the names that it finds with `./`.
        let path = entry.path();
        let path = path.strip_prefix(".").unwrap_or(path);
        if !path.is_file() {
            continue;
        }
        let leads_out = || {
            !follow
                && entry.path_is_symlink()
                && !path
                    .canonicalize()
                    .is_ok_and(|file| file.starts_with(&real))
        };
        if path.file_name().is_some_and(|name| name == "Chart.yaml") {
            content
                .charts
                .push(shown(path.parent().unwrap_or(folder)).to_path_buf());
        } else if is_archive(path) {
            if leads_out() {
                &mut content.links
            } else {
                &mut content.charts
            }
            .push(path.to_path_buf());
        } else if path
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
        {
            if leads_out() {
                &mut content.links
            } else {
                &mut content.manifests
            }
            .push(path.to_path_buf());
        }
    }
    Ok(content)
}

/// Whether a file may hold a document with `apiVersion` or `kind`. A file that cannot be read
/// counts, so that the fault is reported.
fn looks_like_manifest(file: &Path) -> bool {
    let Ok(text) = Sources::default().read_file(file) else {
        return true;
    };
    let text = String::from_utf8_lossy(&text);
    text.lines().any(|line| {
        let key = line.trim_start_matches(['-', ' ', '\t', '{', '[', ',', '"', '\'']);
        ["apiVersion", "kind"].iter().any(|name| {
            key.strip_prefix(name)
                .is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
        })
    })
}

fn is_archive(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    name.ends_with(".tgz") || name.ends_with(".tar.gz")
}

/// The chart that a file belongs to. For a file of a vendored subchart this is the outermost chart.
/// The chart may lie above the working directory.
pub(crate) fn chart_of(file: &Path) -> Option<PathBuf> {
    let is_chart = |folder: &Path| folder.join("Chart.yaml").is_file();
    let whole = plain(file);
    let mut chart = whole.ancestors().skip(1).find(|folder| is_chart(folder))?;
    while let Some(charts) = chart
        .parent()
        .filter(|p| p.file_name().is_some_and(|n| n == "charts"))
        && let Some(above) = charts.parent().filter(|p| is_chart(p))
    {
        chart = above;
    }
    // As the path names it, if it does.
    let named = file.ancestors().find(|folder| plain(folder) == chart);
    let above = || {
        let here = plain(Path::new("."));
        let steps = here.strip_prefix(chart).ok()?.components().count();
        Some(std::iter::repeat_n("..", steps).collect())
    };
    named
        .map(|folder| shown(folder).to_path_buf())
        .or_else(above)
        .or_else(|| Some(chart.to_path_buf()))
}

/// The absolute path without `.` and `..`. Links are not followed, because the file may be gone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(shown(path))
        .unwrap_or_default()
        .components()
    {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// The chart that a path of the command line means: an archive, the folder of a chart, or a file or
/// folder inside a chart.
///
/// # Errors
/// If there is no such path, or no chart at it or above it.
pub(crate) fn chart_at(path: &Path) -> Result<PathBuf, Error> {
    if !path.exists() {
        return Err(Error::NoSuchPath(path.to_path_buf()));
    }
    if path.join("Chart.yaml").is_file() || (path.is_file() && is_archive(path)) {
        return Ok(path.to_path_buf());
    }
    chart_of(&path.join("Chart.yaml")).ok_or_else(|| Error::NoChart(path.to_path_buf()))
}

/// The parent of a relative path in the working directory is the empty path; shows it as `.`.
fn shown(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// The chart of a folder that is or lies below its `templates` or `crds`.
fn chart_of_template_folder(folder: &Path) -> Option<PathBuf> {
    let chart = chart_of(&folder.join("*"))?;
    let (folder, whole) = (folder.canonicalize().ok()?, chart.canonicalize().ok()?);
    let first = folder.strip_prefix(whole).ok()?.components().next()?;
    (first.as_os_str() == "templates" || first.as_os_str() == "crds").then_some(chart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, "").expect("a file");
        }
        folder
    }

    #[test]
    fn a_file_of_a_vendored_subchart_stands_for_the_chart_that_vendors_it_once() {
        let folder = tree(&[
            "a/Chart.yaml",
            "a/values.yaml",
            "a/charts/b/Chart.yaml",
            "a/charts/b/templates/x.yaml",
        ]);
        let at = |p: &str| folder.path().join(p);
        let units = discover(
            &[
                at("a/charts/b/templates/x.yaml"),
                at("a/values.yaml"),
                at("a"),
            ],
            false,
        );
        assert_eq!(units.expect("units"), [Unit::Chart(at("a"))]);
    }

    #[test]
    fn a_folder_holds_charts_and_one_set_of_manifests() {
        let folder = tree(&[
            "a/Chart.yaml",
            "a/templates/x.yaml",
            "b.tgz",
            "m/1.yaml",
            "m/2.json",
            "m/notes.txt",
        ]);
        let at = |p: &str| folder.path().join(p);
        std::fs::write(at("m/1.yaml"), "apiVersion: v1\n").expect("a file");
        std::fs::write(at("m/2.json"), "{\"apiVersion\": \"v1\"}\n").expect("a file");
        let units = discover(&[folder.path().to_path_buf()], false).expect("units");
        assert_eq!(
            units,
            [
                Unit::Chart(at("a")),
                Unit::Chart(at("b.tgz")),
                Unit::Manifests(vec![at("m/1.yaml"), at("m/2.json")])
            ]
        );
    }

    #[test]
    fn files_of_other_programs_beside_charts_are_no_manifests() {
        let folder = tree(&[
            "a/Chart.yaml",
            "compose.yaml",
            "package.json",
            "m/one.yaml",
            "m/two.json",
        ]);
        let at = |p: &str| folder.path().join(p);
        std::fs::write(at("compose.yaml"), "services: {}\n").expect("a file");
        std::fs::write(at("m/one.yaml"), "# a comment\napiVersion: v1\n").expect("a file");
        std::fs::write(at("m/two.json"), "{\"kind\": \"Pod\"}").expect("a file");
        let units = discover(&[folder.path().to_path_buf()], false).expect("units");
        assert_eq!(
            units,
            [
                Unit::Chart(at("a")),
                Unit::Manifests(vec![at("m/one.yaml"), at("m/two.json")])
            ]
        );
        // Without a chart, the folder was named for its manifests: the fault is reported.
        assert_eq!(
            discover(&[at("m")], false).expect("units"),
            [Unit::Manifests(vec![at("m/one.yaml"), at("m/two.json")])]
        );
    }

    #[test]
    fn changed_files_stand_for_their_charts_however_deep() {
        let files = [
            "x/a/Chart.yaml",
            "x/a/values-prod.yaml",
            "x/a/values/eu/prod.yaml",
            "x/a/ci/full-values.yaml",
            "x/a/templates/deep/er/x.yaml",
            "x/a/charts/b/Chart.yaml",
            "x/a/charts/b/charts/c/Chart.yaml",
            "x/a/charts/b/charts/c/templates/x.yaml",
            "x/a/charts/d.tgz",
            "x/z/Chart.yaml",
            "y/Chart.yaml",
        ];
        let folder = tree(
            &[
                &files[..],
                &["templates/x.yaml", "README.md", "x/.thebot-lint.yaml"],
            ]
            .concat(),
        );
        let at = |p: &str| folder.path().join(p);
        let charts = |files: &[&str]| {
            let units =
                of_changed(&files.iter().map(|f| at(f)).collect::<Vec<_>>(), false).expect("units");
            let charts = units.into_iter().map(|unit| match unit {
                Unit::Chart(chart) => chart
                    .strip_prefix(folder.path())
                    .expect("below")
                    .display()
                    .to_string(),
                other => panic!("{other:?}"),
            });
            charts.collect::<Vec<_>>()
        };
        for file in files.iter().filter(|f| f.starts_with("x/a/")) {
            assert_eq!(charts(&[file]), ["x/a"], "{file}");
        }
        assert_eq!(
            charts(&["y/Chart.yaml", "x/a/Chart.yaml", "y/gone/since.yaml"]),
            ["y", "x/a"]
        );
        assert_eq!(
            charts(&["README.md", "templates/x.yaml", "gone.yaml"]),
            [""; 0]
        );
        assert_eq!(charts(&["x/.thebot-lint.yaml"]), ["x/a", "x/z"]);
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error() {
        assert!(matches!(
            discover(&["/no/such".into()], false),
            Err(Error::NoSuchPath(_))
        ));
    }
}
