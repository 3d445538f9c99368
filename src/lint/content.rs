//! The content of a unit: a chart is loaded and rendered, manifests are read. Nothing is judged
//! here.

use crate::Error;
use crate::Options;
use crate::diagnostic::{Diagnostic, Severity, Versions, ids};
use crate::insight::secrets::Secrets;
use crate::kustomize::{self, Texts};
use crate::manifest::variables::{self, Known};
use crate::manifest::{self, Object};
use crate::project::flux::{Value, Variables};
use crate::project::foreign;
use crate::project::gaps;
use crate::project::rendering::{EnvironmentRender, RenderedChart};
use crate::project::setup::{Setup, Why};
use crate::project::unit::{Manifests, Unit};
use crate::rule::absence::Gap;
use crate::source::paths::{seen_from, work_tree};
use crate::source::{Source, SourceId, SourceKind, Sources, Span, Unsaved};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was read of a unit.
pub(super) struct Content {
    /// None for manifests, and for a chart that cannot be loaded.
    pub rendering: Option<RenderedChart>,
    /// The objects for the newest version; those of `crds/` come first.
    pub objects: Vec<Object>,
    /// For manifest files: the objects that are applied together, as indices of `objects`. Empty:
    /// all are.
    pub sets: Vec<Vec<usize>>,
    /// The overlays that are built, which the environments of objects in manifests index.
    pub overlays: Vec<Arc<str>>,
    /// The objects of files that overlays take, as they are in the files.
    pub covered: Vec<Object>,
    /// Why there are objects that no manifest holds.
    pub makes_objects: Option<String>,
    /// The manifest files whose objects get more fields from a kustomization.
    pub filled_in: BTreeSet<String>,
    /// All texts: the files first, then the rendered ones.
    pub sources: Sources,
    /// The versions to judge for, and the reason; none for a chart that cannot be loaded.
    pub kubernetes: Option<(Versions, Why)>,
    /// The faults that prevented reading or rendering.
    pub found: Vec<Diagnostic>,
}

/// The findings with the mistakes that caused them.
fn explained(found: Vec<Diagnostic>, sources: &Sources) -> Vec<Diagnostic> {
    let each = found.into_iter();
    each.map(|found| manifest::explained(found, sources))
        .collect()
}

/// What a file is that the command line names and that is no manifest.
fn foreign(
    file: &Path,
    text: &[u8],
    manifests: &Manifests,
    sources: &Sources,
) -> Option<(&'static str, &'static str)> {
    if !manifests.is_named {
        return None;
    }
    let role = manifests.kustomizations.role_of(file);
    role.or_else(|| foreign::kind_of(file, text, &sources.limits))?
        .explanation()
}

fn no_manifest((what, help): (&str, &str), span: Span) -> Diagnostic {
    let message = format!("this file is {what}, not a Kubernetes object");
    Diagnostic::new(ids::NOT_AN_OBJECT, Severity::Error, span, message).help(help)
}

/// Replaces the variables of Flux whose content is known, and gives a Namespace the name that its
/// kustomization gives it.
fn substitute(objects: &mut [Object], manifests: &Manifests) {
    let variables = Variables::new(objects, &manifests.files, &manifests.kustomizations);
    let namespaces = manifests.kustomizations.namespaces();
    for object in objects {
        let file = object.template.clone();
        // What was built has its name.
        let is_namespace = &*object.identity.kind == "Namespace" && object.environment.is_none();
        let given = || namespaces.get(&*Unsaved::key(Path::new(&*file)));
        if let Some(given) = is_namespace.then(given).flatten() {
            // With several names, it is unknown, as the value of a variable.
            let name = given.first().filter(|_| given.len() == 1);
            variables::rename(object, name.copied().unwrap_or("${NAMESPACE}"));
        }
        variables::substitute(
            object,
            &|name| match variables.get(Path::new(&*file), name) {
                Value::Is(value) => Known::Value(value),
                Value::NotSet => Known::NotSet,
                Value::Differs => Known::Unknown,
            },
        );
    }
}

/// The overlays of manifests, built: each is applied by itself.
#[derive(Default)]
struct Overlays {
    /// Their folders.
    names: Vec<Arc<str>>,
    objects: Vec<Vec<Object>>,
    /// The files with the objects that they take.
    files: BTreeSet<PathBuf>,
    /// Why one cannot be built, if one cannot. Its files are judged as they are.
    unbuilt: Option<String>,
}

impl Overlays {
    /// `ids` are the sources of the files.
    fn build(manifests: &Manifests, ids: &[SourceId], sources: &mut Sources) -> Overlays {
        let mut all = Overlays::default();
        if manifests.is_named {
            all.unbuilt = Some("only a file of it is linted".into());
            return all;
        }
        let here = Unsaved::key(Path::new("."));
        let shown = |file: &Path| seen_from(&here, file);
        let mut texts = Texts::new(sources, SourceKind::Manifest, &shown);
        for (file, id) in manifests.files.iter().zip(ids) {
            texts.note(file, *id);
        }
        for folder in manifests.kustomizations.overlays() {
            let bound = work_tree(folder).unwrap_or(&here);
            let Ok(bound) = bound.canonicalize() else {
                continue;
            };
            match kustomize::build(folder, &bound, None, &mut texts) {
                Ok(built) => {
                    let unknown = built.incomplete.map(|why| why.said(texts.sources));
                    all.unbuilt = all.unbuilt.take().or(unknown);
                    let environment = u16::try_from(all.names.len()).ok();
                    let objects = built.objects.into_iter().map(|mut object| {
                        object.environment = environment;
                        object
                    });
                    all.objects.push(objects.collect());
                    all.files.extend(built.files);
                    let name = shown(folder).display().to_string();
                    let name = if name.is_empty() {
                        ".".to_owned()
                    } else {
                        name
                    };
                    all.names.push(name.into());
                }
                Err(unbuilt) => {
                    let why = unbuilt.said(texts.sources);
                    all.unbuilt.get_or_insert(why);
                }
            }
        }
        all
    }
}

impl Content {
    /// # Errors
    /// If a file cannot be read, if the command line names an environment that the chart does not
    /// have, or if the work is cancelled.
    pub(super) fn read(unit: &Unit, setup: &Setup, options: &Options) -> Result<Content, Error> {
        let mut sources = setup.sources.clone();
        sources.limits.begin(options.deadline);
        sources.limits.cancelled_by(options.cancel.clone());
        let unreadable = |file: &Path, error: std::io::Error| {
            Error::Unreadable(file.to_path_buf(), error.to_string())
        };
        match unit {
            Unit::Chart(path) => Content::chart(path, setup, options, sources),
            Unit::Manifests(manifests) => {
                let read = |file: &PathBuf| {
                    let text = sources.read_file(file).map_err(|e| unreadable(file, e))?;
                    Ok((file.display().to_string(), text))
                };
                let files = manifests.files.iter();
                let texts: Vec<_> = files.map(read).collect::<Result<_, Error>>()?;
                Ok(Content::manifests(
                    texts, manifests, setup, options, sources,
                ))
            }
            Unit::Stdin => {
                let text = sources
                    .read_all(std::io::stdin())
                    .map_err(|e| unreadable(Path::new("-"), e))?;
                let texts = vec![("<stdin>".to_owned(), text)];
                let no_files = Manifests::default();
                Ok(Content::manifests(
                    texts, &no_files, setup, options, sources,
                ))
            }
        }
    }

    fn chart(
        path: &Path,
        setup: &Setup,
        options: &Options,
        mut sources: Sources,
    ) -> Result<Content, Error> {
        let mut found = Vec::new();
        let rendering = RenderedChart::new(path, setup, options, &mut sources, &mut found)?;
        Ok(Content {
            objects: rendering
                .iter()
                .flat_map(|r| r.crds.iter().chain(r.objects()))
                .cloned()
                .collect(),
            sets: Vec::new(),
            overlays: Vec::new(),
            covered: Vec::new(),
            makes_objects: None,
            filled_in: BTreeSet::new(),
            kubernetes: rendering.as_ref().map(|r| (r.versions, r.why.clone())),
            found: explained(found, &sources),
            rendering,
            sources,
        })
    }

    fn manifests(
        texts: Vec<(String, Vec<u8>)>,
        manifests: &Manifests,
        setup: &Setup,
        options: &Options,
        mut sources: Sources,
    ) -> Content {
        let (mut objects, mut found) = (Vec::new(), Vec::new());
        // The objects of each file.
        let mut of_files = Vec::new();
        let mut ids = Vec::new();
        for (name, text) in texts {
            let name: Arc<str> = name.into();
            let source = sources.add(Source::new(name.clone(), text, SourceKind::Manifest));
            ids.push(source);
            let text = &sources.get(source).text;
            let start = objects.len();
            match foreign(Path::new(&*name), text, manifests, &sources) {
                Some(what) => found.push(no_manifest(what, Span::new(source, 0, 0))),
                None => objects.extend(manifest::read_within(
                    text,
                    source,
                    &name,
                    None,
                    &sources.limits,
                    &mut found,
                )),
            }
            of_files.push(start..objects.len());
        }
        let mut overlays = Overlays::build(manifests, &ids, &mut sources);
        let is_built = |file: usize| {
            let file = manifests.files.get(file);
            file.is_some_and(|file| overlays.files.contains(&Unsaved::key(file)))
        };
        let kustomizations = &manifests.kustomizations;
        let sets = kustomizations.sets(&manifests.files).into_iter();
        // A file that an overlay takes is judged as the overlay makes it. Its objects are the last.
        let sets = sets.map(|set| set.into_iter().filter(|file| !is_built(*file)));
        let all = std::mem::take(&mut objects);
        let mut moved = Vec::with_capacity(all.len());
        let (mut file, mut covered) = (0, Vec::new());
        for (i, object) in all.into_iter().enumerate() {
            while of_files[file].end <= i {
                file += 1;
            }
            moved.push(objects.len());
            match is_built(file) {
                true => covered.push(object),
                false => objects.push(object),
            }
        }
        let sets = sets.map(|set| set.flat_map(|file| of_files[file].clone()));
        let sets = sets.map(|set| set.map(|object| moved[object]).collect::<Vec<_>>());
        let mut sets: Vec<Vec<usize>> = sets.filter(|set| !set.is_empty()).collect();
        for built in overlays.objects.drain(..) {
            let start = objects.len();
            objects.extend(built);
            sets.push((start..objects.len()).collect());
        }
        substitute(&mut objects, manifests);
        let filling = kustomizations.filled_in();
        let is_filled_in =
            |(i, file): &(usize, &PathBuf)| filling.contains(&*Unsaved::key(file)) && !is_built(*i);
        let filled_in = manifests.files.iter().enumerate().filter(is_filled_in);
        let filled_in = filled_in.map(|(_, file)| file.display().to_string());
        Content {
            rendering: None,
            objects,
            sets,
            makes_objects: overlays.unbuilt.filter(|_| kustomizations.make_objects()),
            filled_in: filled_in.collect(),
            overlays: overlays.names,
            covered,
            kubernetes: Some(setup.versions(options, None)),
            found: explained(found, &sources),
            sources,
        }
    }

    /// All objects, including those that only older versions have.
    pub(super) fn every_object(&self) -> Vec<&Object> {
        match &self.rendering {
            Some(rendering) => rendering
                .crds
                .iter()
                .chain(rendering.renders.iter().flat_map(|r| &r.objects))
                .collect(),
            None => self.objects.iter().collect(),
        }
    }

    /// What is missing of a render, or of the manifests.
    pub(super) fn gaps(&self, render: Option<&EnvironmentRender>) -> Vec<Gap> {
        let sources = &self.sources;
        let environment = render.map(|render| render.environment);
        let problems = render.into_iter().flat_map(|r| &r.rendered.problems);
        let faults = self.found.iter();
        let faults = faults.filter(|d| d.environment.is_none_or(|e| Some(e) == environment));
        let objects = render.map_or(&self.objects, |render| &render.objects);
        // One says enough.
        let manifests = objects.iter().filter(|_| render.is_none());
        let of_release = manifests.filter_map(gaps::of_release).next();
        gaps::of_problems(problems, sources)
            .into_iter()
            .chain(gaps::of_faults(faults, sources))
            .chain(objects.iter().filter_map(|o| gaps::of_object(o, sources)))
            .chain(of_release)
            .chain(self.makes_objects.iter().map(|why| Gap {
                why: format!("not all objects of a kustomization are known: {why}"),
                kinds: None,
            }))
            .collect()
    }

    /// The start of the unit: Chart.yaml, or the first object.
    pub(super) fn head(&self) -> Option<Span> {
        match &self.rendering {
            Some(rendering) => rendering.chart.head(),
            None => self.objects.first().map(|o| o.root.span),
        }
    }

    pub(super) fn environment_names(&self) -> Vec<Arc<str>> {
        match &self.rendering {
            Some(rendering) => rendering.environment_names(),
            None => self.overlays.clone(),
        }
    }

    /// The secrets of the unit, which no report may show.
    pub(super) fn secrets(&self) -> Secrets {
        match (&self.rendering, &self.kubernetes) {
            (Some(rendering), _) => Secrets::of_chart(rendering, &self.sources),
            (None, Some(_)) => {
                // What an overlay replaces stands in a file all the same.
                let all = [&self.objects[..], &self.covered].concat();
                Secrets::of_manifests(&all, &self.sources)
            }
            (None, None) => Secrets::of_files(&self.sources),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::{CHART, findings};

    /// The help of the findings of a rule in a chart with this data of a ConfigMap.
    fn help(data: &str, values: &str, rule: &str) -> Vec<String> {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{data}");
        let files = [CHART, ("values.yaml", values), ("templates/a.yaml", &text)];
        let found = findings(&files).into_iter().filter(|f| *f.rule == *rule);
        found.filter_map(|f| Some(f.help?.to_string())).collect()
    }

    #[test]
    fn unreadable_text_says_its_cause() {
        let map = "map: {a: {b: x}, c: y}\ntext: \"one\\ntwo\"\nstar: \"*.example.com\"\ncolon: \"a: b\"\n";
        for (data, wanted) in [
            (
                "  key:\n    {{ toYaml .Values.map }}\n  more: x\n",
                "`toYaml` after 4 spaces needs `nindent 4`; line 3 lands at column 1",
            ),
            (
                "  key:\n    {{ toYaml .Values.map | indent 4 }}\n",
                "line 1 lands at column 9, line 3 at column 5; it needs `nindent 4`",
            ),
            (
                "  key: {{ toYaml .Values.map }}\n",
                "`toYaml` writes several lines behind `key:`: put them on lines of their own, with `nindent 4`",
            ),
            (
                "  key: {{ .Values.text }}\n  more: x\n",
                "`{{ .Values.text }}` has several lines, and line 2 lands at column 1",
            ),
            (
                "  key: {{ .Values.star }}\n",
                "`*.example.com` must be quoted: `{{ .Values.star | quote }}`",
            ),
            (
                "  key: {{- printf \" %s\" .Values.star -}}\n",
                "`*.example.com` must be quoted",
            ),
            (
                "  key: {{ .Values.colon }}\n",
                "`a: b` must be quoted: `{{ .Values.colon | quote }}`",
            ),
            ("  key: @x\n", "`@x` must be quoted"),
        ] {
            let help = help(data, map, "yaml-syntax");
            assert!(
                help.len() == 1 && help[0].contains(wanted),
                "{data}: {help:?}"
            );
        }
        // The lines are right; another one is wrong.
        let right = "  key:\n    {{- toYaml .Values.map | nindent 4 }}\n bad: x\n";
        for text in help(right, map, "yaml-syntax") {
            assert!(text.starts_with("Helm reports"), "{text}");
        }
        let raw = help(
            "  key: {{ .Values.raw }}\n",
            "raw: \"{{ .x }}\"\n",
            "yaml-syntax",
        );
        assert!(
            raw.len() == 1 && raw[0].contains("unless `tpl` does it"),
            "{raw:?}"
        );
        let values = help("", "a: {{ .x }}\n", "values-syntax");
        assert!(
            values.len() == 1 && values[0].contains("is no template"),
            "{values:?}"
        );
    }

    #[test]
    fn a_field_joined_to_the_line_before_says_so() {
        let joined = |text: &str| -> Vec<String> {
            let found = findings(&[CHART, ("values.yaml", ""), ("templates/a.yaml", text)]);
            let found = found
                .into_iter()
                .filter(|f| *f.rule == *"api-version-missing");
            found.map(|f| f.message.to_string()).collect()
        };
        let rest = "\nkind: ConfigMap\nmetadata: {name: a}\n";
        let said = joined(&format!(
            "# a comment\n{{{{- $n := 1 -}}}}\napiVersion: v1{rest}"
        ));
        assert!(
            said.len() == 1 && said[0].ends_with("is joined to the comment before it"),
            "{said:?}"
        );
        let said = joined(&format!("# apiVersion: v1{rest}"));
        assert!(
            said.len() == 1 && said[0].ends_with("is missing"),
            "{said:?}"
        );
    }

    #[test]
    fn a_refused_schema_points_at_the_keyword() {
        let schema =
            "{\n\"properties\": {\n\"a\": {\"type\": \"string\",\n\"pattern\": \"(?!x)\"}}}\n";
        for (old, new, line) in [
            ("", "", 4),
            ("\"string\",\n\"pattern\": \"(?!x)\"", "\"strin\"", 3),
            (
                "{\n",
                "{\"$schema\": \"http://json-schema.org/draft-06/schema#\",\n",
                4,
            ),
        ] {
            let schema = schema.replacen(old, new, 1);
            let files = [
                CHART,
                ("values.yaml", "a: b\n"),
                ("values.schema.json", &*schema),
            ];
            let found = findings(&files);
            let found: Vec<_> = found
                .iter()
                .filter(|f| *f.rule == *"values-schema")
                .collect();
            assert!(
                found.len() == 1 && found[0].locations[0].line == line,
                "{schema}: {found:?}"
            );
        }
    }

    #[test]
    fn rules_that_ignore_too_much_are_named() {
        let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
        for (ignored, rule, line) in [
            ("*.md\n/*\n", "chart-metadata", 2),
            ("!*.yaml\n", "templates-dir", 1),
            ("# x\ntemplates/\n", "templates-dir", 2),
            ("templates/*.yaml\n", "templates-dir", 1),
        ] {
            let found = findings(&[
                CHART,
                (".helmignore", ignored),
                ("values.yaml", ""),
                ("templates/a.yaml", object),
            ]);
            let places: Vec<_> = found
                .iter()
                .filter(|f| *f.rule == *rule)
                .map(|f| (f.locations[0].file.clone(), f.locations[0].line))
                .collect();
            assert!(
                places.len() == 1
                    && places[0]
                        .0
                        .as_ref()
                        .is_some_and(|file| file.ends_with(".helmignore"))
                    && places[0].1 == line,
                "{ignored}: {places:?}"
            );
        }
    }
}
