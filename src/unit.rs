//! What a PATH stands for: charts and sets of manifests. Each unit is linted on its own.

use crate::Error;
use std::path::{Path, PathBuf};

/// One chart, or manifests that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A chart's folder or archive.
    Chart(PathBuf),
    /// Manifest files, in order.
    Manifests(Vec<PathBuf>),
    /// Rendered manifests on stdin.
    Stdin,
}

/// The units of the given paths, in their order; a chart that is named more than once is one unit. Patterns (`charts/*`) that no
/// file has as its name are expanded.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<Unit>, Error> {
    let mut units = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            push(&mut units, Unit::Stdin);
        } else if path.exists() {
            of_path(path, &mut units)?;
        } else {
            let matches: Vec<PathBuf> = glob::glob(&path.to_string_lossy()).ok().into_iter().flatten().flatten().collect();
            if matches.is_empty() {
                return Err(Error::NoSuchPath(path.clone()));
            }
            for path in matches {
                of_path(&path, &mut units)?;
            }
        }
    }
    Ok(units)
}

fn push(units: &mut Vec<Unit>, unit: Unit) {
    if matches!(unit, Unit::Manifests(_)) || !units.contains(&unit) {
        units.push(unit);
    }
}

fn of_path(path: &Path, units: &mut Vec<Unit>) -> Result<(), Error> {
    if path.is_dir() {
        if path.join("Chart.yaml").is_file() {
            push(units, Unit::Chart(path.to_path_buf()));
        } else if let Some(chart) = chart_of_template_folder(path) {
            push(units, Unit::Chart(chart));
        } else {
            of_folder(path, units)?;
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

/// Charts below a folder are units of their own; what is left of its manifests is one.
fn of_folder(folder: &Path, units: &mut Vec<Unit>) -> Result<(), Error> {
    let mut manifests = Vec::new();
    let mut charts = Vec::new();
    let mut walk = ignore::WalkBuilder::new(folder);
    walk.sort_by_file_name(|a, b| a.cmp(b)).require_git(false).filter_entry(|entry| {
        let above = entry.path().parent();
        entry.depth() == 0 || !above.is_some_and(|folder| folder.join("Chart.yaml").is_file()) || entry.file_name() == "Chart.yaml"
    });
    for entry in walk.build() {
        let entry = entry.map_err(|error| Error::Unreadable(folder.to_path_buf(), error.to_string()))?;
        let path = entry.path();
        if !path.is_file() {
            continue;
        }
        if path.file_name().is_some_and(|name| name == "Chart.yaml") {
            charts.push(path.parent().unwrap_or(folder).to_path_buf());
        } else if is_archive(path) {
            charts.push(path.to_path_buf());
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
            manifests.push(path.to_path_buf());
        }
    }
    if charts.is_empty() && manifests.is_empty() {
        return Err(Error::NothingToLint(folder.to_path_buf()));
    }
    charts.into_iter().for_each(|chart| push(units, Unit::Chart(chart)));
    if !manifests.is_empty() {
        push(units, Unit::Manifests(manifests));
    }
    Ok(())
}

fn is_archive(path: &Path) -> bool {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    name.ends_with(".tgz") || name.ends_with(".tar.gz")
}

/// The chart that a file belongs to; a vendored subchart's file stands for the chart that vendors it.
pub fn chart_of(file: &Path) -> Option<PathBuf> {
    let is_chart = |folder: &Path| shown(folder).join("Chart.yaml").is_file();
    let mut chart = file.ancestors().skip(1).find(|folder| is_chart(folder))?;
    while let Some(charts) = chart.parent().filter(|p| p.file_name().is_some_and(|n| n == "charts"))
        && let Some(above) = charts.parent().filter(|p| is_chart(p))
    {
        chart = above;
    }
    Some(shown(chart).to_path_buf())
}

/// The working directory has an empty name as the parent of a relative path.
fn shown(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

fn chart_of_template_folder(folder: &Path) -> Option<PathBuf> {
    let below = |name: &str| folder.ancestors().find(|a| a.file_name().is_some_and(|n| n == name)).and_then(Path::parent);
    let chart = below("templates").or_else(|| below("crds"))?;
    shown(chart).join("Chart.yaml").is_file().then(|| shown(chart).to_path_buf())
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
        let folder = tree(&["a/Chart.yaml", "a/values.yaml", "a/charts/b/Chart.yaml", "a/charts/b/templates/x.yaml"]);
        let at = |p: &str| folder.path().join(p);
        let units = discover(&[at("a/charts/b/templates/x.yaml"), at("a/values.yaml"), at("a")]);
        assert_eq!(units.expect("units"), [Unit::Chart(at("a"))]);
    }

    #[test]
    fn a_folder_holds_charts_and_one_set_of_manifests() {
        let folder = tree(&["a/Chart.yaml", "a/templates/x.yaml", "b.tgz", "m/1.yaml", "m/2.json", "m/notes.txt"]);
        let at = |p: &str| folder.path().join(p);
        let units = discover(&[folder.path().to_path_buf()]).expect("units");
        assert_eq!(units, [Unit::Chart(at("a")), Unit::Chart(at("b.tgz")), Unit::Manifests(vec![at("m/1.yaml"), at("m/2.json")])]);
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error() {
        assert!(matches!(discover(&["/no/such".into()]), Err(Error::NoSuchPath(_))));
    }
}
