//! What a PATH names: charts and sets of manifests. Each unit is linted by itself.

use crate::Error;
use crate::Options;
use crate::limits::Limits;
use crate::project::config;
use crate::project::exclude::Exclusions;
use crate::project::folder::{self, Folder};
use crate::project::foreign::{self, LeftOut};
use crate::project::kustomize::Kustomizations;
use crate::project::since::Since;
use crate::source::paths::seen_from;
use crate::source::{SourceId, Sources, Unsaved};
use crate::yaml;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One chart, or manifests that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A chart's folder or archive.
    Chart(PathBuf),
    Manifests(Manifests),
    /// Rendered manifests on stdin.
    Stdin,
}

/// Manifest files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifests {
    /// In order.
    pub files: Vec<PathBuf>,
    /// Whether the command line names the file, so that it is judged whatever it is.
    pub is_named: bool,
    /// The kustomizations among and above the files.
    pub kustomizations: Kustomizations,
}

/// What the paths of the command line name.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// In order. A chart that is named more than once is one unit.
    pub units: Vec<Unit>,
    /// How many files and charts are left out, by kind.
    pub left_out: BTreeMap<LeftOut, usize>,
}

impl Unit {
    /// The configuration file that applies to the unit.
    pub(crate) fn configuration(&self, options: &Options) -> Option<PathBuf> {
        options.config.file(match self {
            Unit::Chart(path) => path,
            Unit::Manifests(manifests) => manifests
                .files
                .first()
                .map_or(Path::new("."), PathBuf::as_path),
            Unit::Stdin => Path::new("."),
        })
    }
}

/// The units that the options name.
///
/// A pattern (`charts/*`) that is not itself the name of a file is expanded; it matches no files that
/// git ignores, no hidden files and no files of other programs. Links that lead out of a folder are
/// followed only with `follow_symlinks`. Without it, a folder of charts is linted without them, and a
/// folder of manifests that has such links is refused.
///
/// # Errors
/// If a path does not exist, a folder cannot be read, or a pattern of `--exclude` is none.
pub(crate) fn of(options: &Options) -> Result<Found, Error> {
    let mut search = Search {
        options,
        exclusions: Exclusions::new(options)?,
        sources: Sources::with(options.unsaved.clone()),
        found: Found::default(),
    };
    if let Some(since) = options.since.as_ref().filter(|_| !options.changed) {
        search.since(since)?;
        return Ok(search.found);
    }
    for path in &options.paths {
        if options.changed {
            search.changed(path)?;
        } else if path.as_os_str() == "-" {
            search.push(Unit::Stdin);
        } else if path.exists() {
            search.path(path)?;
        } else {
            search.pattern(path)?;
        }
    }
    Ok(search.found)
}

struct Search<'o> {
    options: &'o Options,
    exclusions: Exclusions<'o>,
    sources: Sources,
    found: Found,
}

impl Search<'_> {
    fn push(&mut self, unit: Unit) {
        if matches!(unit, Unit::Manifests(_)) || !self.found.units.contains(&unit) {
            self.found.units.push(unit);
        }
    }

    fn leave_out(&mut self, kind: LeftOut) {
        *self.found.left_out.entry(kind).or_default() += 1;
    }

    fn folder(&self, folder: &Path) -> Result<Folder, Error> {
        let follow = self.options.follow_symlinks;
        folder::search(folder, follow, &self.exclusions, &self.sources)
    }

    /// The chart that a changed file belongs to. Files that belong to no chart are left out, so that
    /// a hook may pass all files of a commit; the files may have been deleted. A configuration file
    /// stands for all charts below its folder.
    fn changed(&mut self, file: &Path) -> Result<(), Error> {
        let is_configuration = file
            .file_name()
            .is_some_and(|name| config::FILE_NAMES.iter().any(|known| name == *known));
        let chart = chart_of(file)
            .or_else(|| (is_archive(file) && file.is_file()).then(|| file.to_path_buf()));
        if let Some(chart) = chart {
            if self.exclusions.exclude(&chart) || self.exclusions.exclude(file) {
                self.leave_out(LeftOut::Excluded);
            } else {
                self.push(Unit::Chart(chart));
            }
        } else if is_configuration {
            let below = self.folder(shown(file.parent().unwrap_or(file)))?;
            for chart in below.charts {
                self.push(Unit::Chart(chart));
            }
        } else if folder::may_be_manifest(file)
            && let Ok(text) = self.sources.read_file(file)
        {
            let kind = foreign::kind_of(file, &text, &self.sources.limits);
            self.leave_out(kind.unwrap_or(LeftOut::WithoutChart));
        }
        Ok(())
    }

    /// The charts in the paths that have changed, and those that depend on them by a path.
    fn since(&mut self, since: &Since) -> Result<(), Error> {
        let here = Unsaved::key(Path::new("."));
        for path in &self.options.paths {
            if !path.exists() {
                return Err(Error::NoSuchPath(path.clone()));
            }
            for file in since.files_in(path) {
                self.changed(&seen_from(&here, file))?;
            }
        }
        let mut others = Vec::new();
        for path in self.options.paths.iter().filter(|path| path.is_dir()) {
            others.extend(self.folder(path)?.charts);
        }
        // A chart that depends on one of them may itself be a dependency.
        loop {
            let is_known = |chart: &Path| {
                let chart = Unsaved::key(chart);
                let units = self.found.units.iter();
                units
                    .into_iter()
                    .any(|unit| matches!(unit, Unit::Chart(path) if Unsaved::key(path) == chart))
            };
            let depends = |chart: &PathBuf| {
                let dependencies = self.beside(chart);
                !is_known(chart) && dependencies.iter().any(|path| is_known(path))
            };
            let next: Vec<PathBuf> = others.iter().filter(|c| depends(c)).cloned().collect();
            if next.is_empty() {
                return Ok(());
            }
            next.into_iter()
                .for_each(|chart| self.push(Unit::Chart(chart)));
        }
    }

    /// The folders that a chart depends on by a path (`repository: file://../common`).
    fn beside(&self, chart: &Path) -> Vec<PathBuf> {
        let named = |file: &str| {
            let text = self.sources.read_file(chart.join(file)).ok()?;
            let limits = &self.sources.limits;
            yaml::parse_within(&text, SourceId::new(0, 0), 0, limits).ok()
        };
        let files = ["Chart.yaml", "requirements.yaml"]
            .into_iter()
            .filter_map(named);
        let dependencies = files.flat_map(|node| {
            let list = node.get("dependencies").map_or(&[][..], yaml::Node::items);
            let repositories = list.iter().filter_map(|d| d.get("repository")?.as_str());
            let paths = repositories.filter_map(|r| r.strip_prefix("file://"));
            paths.map(|path| chart.join(path)).collect::<Vec<_>>()
        });
        dependencies.collect()
    }

    /// The unit of a file or folder that the command line names.
    fn path(&mut self, path: &Path) -> Result<(), Error> {
        if path.is_dir() {
            if path.join("Chart.yaml").is_file() {
                self.push(Unit::Chart(path.to_path_buf()));
            } else if let Some(chart) = chart_of_template_folder(path) {
                self.push(Unit::Chart(chart));
            } else {
                self.all_in(path)?;
            }
        } else if is_archive(path) {
            self.push(Unit::Chart(path.to_path_buf()));
        } else if let Some(chart) = chart_of(path) {
            self.push(Unit::Chart(chart));
        } else {
            // A kustomization beside the file or above it may name it as a patch.
            let above = Unsaved::key(path);
            let above = above.ancestors().skip(1).take(4).map(Path::to_path_buf);
            self.push(Unit::Manifests(Manifests {
                files: vec![path.to_path_buf()],
                is_named: true,
                kustomizations: Kustomizations::read(above, &self.sources),
            }));
        }
        Ok(())
    }

    fn pattern(&mut self, path: &Path) -> Result<(), Error> {
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
            self.folder(folder)?
        } else {
            Folder::default()
        };
        below.charts.retain(is_meant);
        below.manifests.retain(is_meant);
        below.left_out.retain(|(path, _)| is_meant(path));
        if below.charts.is_empty() && below.manifests.is_empty() && below.left_out.is_empty() {
            // The search leaves out the files inside charts, which a pattern may name.
            let matches: Vec<PathBuf> = glob::glob_with(&path.to_string_lossy(), options)
                .ok()
                .into_iter()
                .flatten()
                .flatten()
                .collect();
            if matches.is_empty() {
                return Err(missing());
            }
            return matches.iter().try_for_each(|path| self.path(path));
        }
        self.push_content(below);
        Ok(())
    }

    /// Each chart below a folder is a unit; the manifests together are one more unit.
    fn all_in(&mut self, folder: &Path) -> Result<(), Error> {
        let below = self.folder(folder)?;
        if let (Some(link), true) = (below.links.first(), below.charts.is_empty()) {
            let why = format!(
                "it is a link that leads out of {}: name it itself, or pass --follow-symlinks",
                folder.display()
            );
            return Err(Error::Unreadable(link.clone(), why));
        }
        if below.charts.is_empty()
            && below.manifests.is_empty()
            // A folder of a chart that holds nothing by itself (`files`, `ci`).
            && let Some(chart) = chart_of(&folder.join("*"))
        {
            self.push(Unit::Chart(chart));
            return Ok(());
        }
        self.push_content(below);
        Ok(())
    }

    fn push_content(&mut self, below: Folder) {
        for (_, kind) in below.left_out {
            self.leave_out(kind);
        }
        for chart in below.charts {
            self.push(Unit::Chart(chart));
        }
        if !below.manifests.is_empty() {
            self.push(Unit::Manifests(Manifests {
                files: below.manifests,
                is_named: false,
                kustomizations: below.kustomizations,
            }));
        }
    }
}

/// The manifests that lie in a folder itself, unsaved ones included; at most [`MOST_BESIDE`].
///
/// # Errors
/// As for [`of`].
pub(crate) fn manifests_in(folder: &Path, options: &Options) -> Result<Manifests, Error> {
    let sources = Sources::with(options.unsaved.clone());
    let exclusions = Exclusions::new(options)?;
    let is_manifest = |file: &PathBuf| {
        let is_one = |text: Vec<u8>| foreign::kind_of(file, &text, &sources.limits).is_none();
        folder::may_be_manifest(file)
            && !exclusions.exclude(file)
            && sources.read_file(file).is_ok_and(is_one)
    };
    let names = sources.names_in(folder).unwrap_or_default().into_iter();
    let files = names.map(|name| folder.join(name)).filter(is_manifest);
    let above = folder.ancestors().take(4).map(Path::to_path_buf);
    Ok(Manifests {
        files: files.take(MOST_BESIDE).collect(),
        is_named: false,
        kustomizations: Kustomizations::read(above, &sources),
    })
}

/// How many manifests an editor lints with the one that is open.
const MOST_BESIDE: usize = 200;

/// Whether an open text outside of charts is a manifest.
pub(crate) fn is_manifest(file: &Path, text: &[u8]) -> bool {
    folder::may_be_manifest(file)
        && foreign::kind_of(file, text, &Limits::default()).is_none()
        && !text.trim_ascii().is_empty()
}

pub(super) fn is_archive(path: &Path) -> bool {
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    name.ends_with(".tgz") || name.ends_with(".tar.gz")
}

/// The chart that a file belongs to. For a file of a vendored subchart this is the outermost chart.
/// The chart may lie above the working directory.
pub(crate) fn chart_of(file: &Path) -> Option<PathBuf> {
    chart_among(file, |folder| folder.join("Chart.yaml").is_file())
}

/// As [`chart_of`], where the caller knows which folders are charts.
pub(crate) fn chart_among(file: &Path, is_chart: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let whole = Unsaved::key(file);
    let mut chart = whole.ancestors().skip(1).find(|folder| is_chart(folder))?;
    while let Some(charts) = chart
        .parent()
        .filter(|p| p.file_name().is_some_and(|n| n == "charts"))
        && let Some(above) = charts.parent().filter(|p| is_chart(p))
    {
        chart = above;
    }
    // As the path names it, if it does.
    let named = file
        .ancestors()
        .find(|folder| Unsaved::key(shown(folder)) == chart);
    let above = || {
        let here = Unsaved::key(Path::new("."));
        let steps = here.strip_prefix(chart).ok()?.components().count();
        Some(std::iter::repeat_n("..", steps).collect())
    };
    named
        .map(|folder| shown(folder).to_path_buf())
        .or_else(above)
        .or_else(|| Some(chart.to_path_buf()))
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
    if is_chart(path) {
        return Ok(path.to_path_buf());
    }
    chart_of(&path.join("Chart.yaml")).ok_or_else(|| Error::NoChart(path.to_path_buf()))
}

/// Whether the path is the folder or the archive of a chart.
pub(crate) fn is_chart(path: &Path) -> bool {
    path.join("Chart.yaml").is_file() || (path.is_file() && is_archive(path))
}

/// The parent of a relative path in the working directory is the empty path; shows it as `.`.
pub(super) fn shown(folder: &Path) -> &Path {
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

    fn found(paths: &[PathBuf]) -> Found {
        let options = Options {
            paths: paths.to_vec(),
            ..Options::default()
        };
        of(&options).expect("units")
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
        let paths = ["a/charts/b/templates/x.yaml", "a/values.yaml", "a"];
        let found = found(&paths.map(at));
        assert_eq!(found.units, [Unit::Chart(at("a"))]);
    }

    /// The units of a folder as texts: charts, and files of manifests; and what is left out.
    fn content(folder: &tempfile::TempDir) -> (Vec<String>, Vec<(&'static str, usize)>) {
        let found = found(&[folder.path().to_path_buf()]);
        let name = |path: &Path| {
            let below = path.strip_prefix(folder.path()).expect("below");
            below.display().to_string()
        };
        let units = found.units.iter().flat_map(|unit| match unit {
            Unit::Chart(chart) => vec![name(chart)],
            Unit::Manifests(manifests) => manifests.files.iter().map(|f| name(f)).collect(),
            Unit::Stdin => Vec::new(),
        });
        let left_out = found.left_out.iter().map(|(kind, n)| (kind.name(), *n));
        (units.collect(), left_out.collect())
    }

    fn write(folder: &tempfile::TempDir, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
    }

    #[test]
    fn a_folder_holds_charts_and_one_set_of_manifests() {
        let folder = tree(&["a/Chart.yaml", "a/templates/x.yaml", "b.tgz", "m/notes.txt"]);
        write(
            &folder,
            &[
                ("m/1.yaml", "apiVersion: v1\nkind: Pod\n"),
                ("m/2.json", "{\"apiVersion\": \"v1\", \"kind\": \"Pod\"}\n"),
            ],
        );
        assert_eq!(
            content(&folder),
            (
                vec![
                    "a".into(),
                    "b.tgz".into(),
                    "m/1.yaml".into(),
                    "m/2.json".into()
                ],
                vec![]
            )
        );
    }

    const OBJECT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

    #[test]
    fn a_manifest_has_its_fields_at_the_root() {
        for text in [
            OBJECT,
            "# a comment\n---\n---\nkind: Pod\napiVersion: v1\n",
            "a: 1\n---\nkind: Pod\napiVersion: v1\n",
            // Mistakes in manifests.
            "kind: Deployment\nmetadata: {name: a}\n",
            "apiVersion: v1\nmetadata: {name: a}\n",
            "apiVersion: v1\nkind: Pod\n a: b\n",
            "apiVersion: core/v1\nkind: ConfigMap\nmetadata: {name: a}\n",
            "apiVersion: extension/v1beta1\nkind: Ingres\nmetadata: {name: a}\n",
            // Texts for another program inside of an object.
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: a}\nspec: {template: {metadata: {name: '{{name}}'}}}\n",
            "apiVersion: cert-manager.io/v1\nkind: ClusterIssuer\nmetadata: {name: a}\n",
        ] {
            let folder = tree(&[]);
            write(&folder, &[("a.yaml", text)]);
            assert_eq!(
                content(&folder),
                (vec!["a.yaml".to_owned()], vec![]),
                "{text}"
            );
        }
        for (name, text, kind) in [
            (
                "board.json",
                "{\"title\": \"b\", \"panels\": [{\"kind\": \"x\"}]}",
                "dashboard",
            ),
            ("prod.yaml", "registry:\n  kind: harbor\n", "other"),
            ("chart.yaml", "apiVersion: v2\nname: a\n", "other"),
            ("x-values.yaml", "kind: Deployment\n", "values"),
            ("values/prod.yaml", "a: 1\n", "values"),
            ("docker-compose.prod.yml", "services: {}\n", "compose"),
            ("stack.yaml", "services: {web: {image: a}}\n", "compose"),
            ("helmfile.yaml", "releases: []\n", "helmfile"),
            ("apps.yaml", "releases: []\n", "helmfile"),
            ("values.yaml.gotmpl", "a: {{ .x }}\n", "helmfile"),
            ("cloudbuild.yaml", "steps: []\n", "ci"),
            ("build.yml", "on: push\njobs: {}\n", "ci"),
            ("package.json", "{\"name\": \"a\"}", "package"),
            ("site.yml", "- hosts: all\n  roles: [a]\n", "ansible"),
            ("api.yaml", "openapi: 3.0.0\npaths: {}\n", "openapi"),
            (
                "deploy.yaml",
                "apiVersion: v1\nkind: Pod\nmetadata: {{ .Values.x }}\na: {{- if x }}\n",
                "template",
            ),
            (
                "deploy.yaml",
                "apiVersion: v1\nkind: Pod\nmetadata: {name: '{{ app }}'}\n",
                "template",
            ),
            ("config", "", ""),
            (
                "kube.yaml",
                "apiVersion: v1\nkind: Config\nclusters: []\n",
                "client-configuration",
            ),
            (
                "kind.yaml",
                "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n",
                "client-configuration",
            ),
            (
                "skaffold.yaml",
                "apiVersion: skaffold/v2beta23\nkind: Config\nmetadata: {name: a}\n",
                "client-configuration",
            ),
            (
                "a.sops.yaml",
                "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nsops: {mac: x}\n",
                "encrypted",
            ),
            ("01-assert.yaml", OBJECT, "test-assertion"),
            ("x/testdata/a.yaml", OBJECT, "test-data"),
            ("x/testdata/c/Chart.yaml", "name: c\n", "test-data"),
            ("tests/data/a.json", OBJECT, "test-data"),
            ("e2e/x/fixtures/a.yaml", OBJECT, "test-data"),
            ("c/Chart.yaml", "name: <CHARTNAME>\n", "starter"),
            ("c/Chart.yaml", "name: CHART_NAME\n", "starter"),
            (
                "component.yaml",
                "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
                "kustomization",
            ),
        ] {
            // A template alone could be meant.
            let folder = tree(&[]);
            write(&folder, &[("zz.yaml", OBJECT), (name, text)]);
            let wanted = match kind {
                "" => vec![],
                kind => vec![(kind, 1)],
            };
            assert_eq!(
                content(&folder),
                (vec!["zz.yaml".into()], wanted),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn a_kustomization_says_what_its_files_are() {
        let folder = tree(&[]);
        let generated = "configMapGenerator: [{name: a, files: [x=cm.yaml], envs: [e.yaml]}]\n";
        write(
            &folder,
            &[
                ("base/kustomization.yaml", "resources: [a.yaml]\n"),
                ("base/a.yaml", OBJECT),
                (
                    "prod/kustomization.yaml",
                    &format!(
                        "resources: [../base, b.yaml]\npatches: [{{path: p1.yaml}}, {{patch: \"[]\"}}]\npatchesStrategicMerge: [p2.yaml]\nhelmCharts: [{{name: x, valuesFile: helm.yaml}}]\ntransformers: [t]\n{generated}"
                    ),
                ),
                ("prod/b.yaml", OBJECT),
                ("prod/p1.yaml", OBJECT),
                ("prod/p2.yaml", OBJECT),
                ("prod/helm.yaml", OBJECT),
                ("prod/cm.yaml", OBJECT),
                ("prod/e.yaml", OBJECT),
                ("prod/t/labels.yaml", OBJECT),
                ("prod/unnamed.yaml", OBJECT),
                // Patches by their names, of a kustomization in their folder or above.
                ("prod/manager_patch.yaml", OBJECT),
                ("prod/patches/webhook.yaml", OBJECT),
                ("other/manager_patch.yaml", OBJECT),
            ],
        );
        let (units, left_out) = content(&folder);
        let wanted = [
            "base/a.yaml",
            "other/manager_patch.yaml",
            "prod/b.yaml",
            "prod/unnamed.yaml",
        ];
        assert_eq!(units, wanted);
        let wanted = [
            ("kustomization", 2),
            ("kustomize-input", 3),
            ("kustomize-patch", 4),
            ("values", 1),
        ];
        assert_eq!(left_out, wanted);
    }

    #[test]
    fn patterns_leave_out_files_of_folders_but_none_that_is_named() {
        let folder = tree(&["c/Chart.yaml", "d/Chart.yaml"]);
        write(
            &folder,
            &[
                (
                    ".thebot-lint.yaml",
                    "exclude: [/old/, '*.generated.yaml', /d]\n",
                ),
                ("old/a.yaml", OBJECT),
                ("new/old/b.yaml", OBJECT),
                ("new/a.generated.yaml", OBJECT),
                ("new/c.yaml", OBJECT),
            ],
        );
        let units = ["c", "new/c.yaml", "new/old/b.yaml"].map(str::to_owned);
        assert_eq!(content(&folder), (units.to_vec(), vec![("excluded", 3)]));
        let named = found(&[folder.path().join("old/a.yaml"), folder.path().join("d")]);
        assert_eq!((named.units.len(), named.left_out.len()), (2, 0));
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
            let found = of(&Options {
                paths: files.iter().map(|f| at(f)).collect(),
                changed: true,
                ..Options::default()
            });
            let charts = found
                .expect("units")
                .units
                .into_iter()
                .map(|unit| match unit {
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
            of(&Options {
                paths: vec!["/no/such".into()],
                ..Options::default()
            }),
            Err(Error::NoSuchPath(_))
        ));
    }
}
