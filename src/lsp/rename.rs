//! Renames values and helpers. Either every place is edited, or the renaming is refused with the
//! place that stands in the way: the chart is rendered with the edits in all its environments, and
//! must give the same; templates that no environment executes must not name the old name in a way
//! that is not followed.

use super::documents::{Documents, range};
use super::judge::Judged;
use super::model::{Meant, Model, Template, recovered, split};
use super::navigate::{At, named, references, settings};
use crate::Options;
use crate::helm::environments;
use crate::insight::usage;
use crate::lint::{self, Analysis};
use crate::manifest;
use crate::project::setup::Setup;
use crate::project::unit::Unit;
use crate::source::{SourceId, Sources, Span, Unsaved};
use crate::template::lexer::{Lexer, TokenKind};
use crate::yaml::Node;
use lsp_types::{TextEdit, WorkspaceEdit};
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many suites of helm-unittest are read, and how many files are looked at to find examples.
const MOST_SUITES: usize = 500;
const MOST_FILES: usize = 5000;

/// A renaming that is asked for.
pub(super) struct Renaming<'a> {
    pub model: &'a Model,
    /// The judgement of the newest texts.
    pub judged: &'a Judged,
    pub documents: &'a Documents,
}

/// The range and name of what can be renamed at an offset.
pub(super) fn renameable(
    model: &Model,
    path: &Path,
    offset: usize,
) -> Result<(Range<usize>, String), String> {
    match model.meant(path, offset) {
        Some(Meant::Value(all, place)) => {
            let name = all[0].last().cloned().unwrap_or_default();
            if let [keys] = &all[..] {
                harmless(model, keys, &name)?;
                return Ok((place, name));
            }
            let all: Vec<String> = all
                .iter()
                .map(|keys| format!("`{}`", keys.join(".")))
                .collect();
            Err(format!(
                "`{name}` means {} here: rename it by hand",
                all.join(" and ")
            ))
        }
        Some(Meant::Helper(name, place)) => Ok((place, name)),
        _ => Err("only values and helpers can be renamed".into()),
    }
}

/// # Errors
/// The reason why a value cannot be renamed automatically.
fn harmless(model: &Model, keys: &[String], name: &str) -> Result<(), String> {
    if model.templates.iter().any(|t| t.under.starts_with(keys)) || name == "global" {
        return Err(format!(
            "`{name}` is not a value of this chart alone: it is the name of a subchart, or `global`"
        ));
    }
    if keys.iter().any(|key| key == "tags") {
        return Err(
            "Helm reads `tags` to enable dependencies: rename it by hand, also in Chart.yaml"
                .into(),
        );
    }
    for (template, reference, full) in model.references() {
        let here = || line_of(model, &template.path, &template.text, reference.range.start);
        if keys.starts_with(&full) && full.len() < keys.len() && !reference.in_passing {
            let what = if full.is_empty() {
                ".Values".to_string()
            } else {
                full.join(".")
            };
            let why = format!("`{what}` is also used as a whole at {}", here());
            return Err(format!(
                "{why}, so `{name}` may be read there by that name, or be part of the output: rename it by hand"
            ));
        }
        if !full.starts_with(keys) {
            continue;
        }
        let index = (keys.len() + reference.keys.len()).checked_sub(full.len() + 1);
        if index.is_some_and(|index| reference.by_word.contains(&index)) {
            return Err(format!(
                "`{name}` is a string in a list at {}: rename it by hand",
                here()
            ));
        }
        let Some(place) = index.and_then(|index| reference.place(index)) else {
            continue;
        };
        let other = template.outline.references.iter().find(|other| {
            let at = other
                .places
                .iter()
                .position(|p| p == place)
                .map(|i| other.keys.len() - other.places.len() + i + 1);
            at.is_some_and(|length| template.full(&other.keys[..length]) != keys)
        });
        if let Some(other) = other {
            return Err(format!(
                "`{name}` at {} also belongs to `{}`: rename it by hand",
                here(),
                template.full(&other.keys).join(".")
            ));
        }
    }
    Ok(())
}

/// `templates/a.yaml:3`
fn line_of(model: &Model, path: &Path, text: &[u8], at: usize) -> String {
    let line = memchr::memchr_iter(b'\n', &text[..at.min(text.len())]).count() + 1;
    let shown = path.strip_prefix(&model.chart).unwrap_or(path);
    format!("{}:{line}", shown.display())
}

impl Renaming<'_> {
    /// All edits of a renaming.
    ///
    /// # Errors
    /// The place that stands in the way.
    pub(super) fn edit(
        &self,
        path: &Path,
        offset: usize,
        new: &str,
    ) -> Result<WorkspaceEdit, String> {
        if let Some(unfinished) = self.judged.unfinished.first() {
            let file = unfinished
                .path
                .strip_prefix(&self.model.chart)
                .unwrap_or(&unfinished.path);
            return Err(format!(
                "{} cannot be parsed: mend it first",
                file.display()
            ));
        }
        let places = self.places(path, offset, new)?;
        let mut edits: BTreeMap<PathBuf, (Arc<[u8]>, Vec<Range<usize>>)> = BTreeMap::new();
        for At { path, text, range } in places {
            let (_, ranges) = edits.entry(path).or_insert((text, Vec::new()));
            if !ranges.contains(&range) {
                ranges.push(range);
            }
        }
        for (path, (_, ranges)) in &mut edits {
            if !path.starts_with(&self.model.chart)
                && self.documents.get(path).is_none()
                && !path.is_file()
            {
                return Err(format!(
                    "`{}` is no file that can be edited",
                    path.display()
                ));
            }
            ranges.sort_by_key(|range| range.start);
        }
        let after = self.rendered_with(&edits, new)?;
        self.same_output(&after)?;
        self.nothing_left(path, offset, &after)?;
        let changes = edits.iter().flat_map(|(path, (text, ranges))| {
            let edit =
                |bytes: &Range<usize>| TextEdit::new(range(text, bytes.clone()), new.to_string());
            ranges
                .iter()
                .map(move |bytes| (path.as_path(), edit(bytes)))
        });
        let edit = self.documents.edit(changes.collect::<Vec<_>>());
        edit.ok_or_else(|| "a file of the chart has no URI".to_string())
    }

    /// The places that name what is renamed.
    fn places(&self, path: &Path, offset: usize, new: &str) -> Result<Vec<At>, String> {
        let model = self.model;
        renameable(model, path, offset)?;
        match model.meant(path, offset) {
            Some(Meant::Value(paths, _)) => {
                let keys = &paths[0];
                self.is_free(keys, new)?;
                let mut all = named(model, keys);
                all.extend(settings(model, keys));
                all.extend(self.in_configuration(keys));
                for condition in &model.conditions {
                    let (above, start) = (condition.above, condition.place.start);
                    let place = in_dotted(&condition.keys, keys, start, above);
                    all.extend(place.map(|p| At::new(&condition.path, &condition.text, p)));
                }
                all.extend(self.in_schemas(keys)?);
                all.extend(self.in_examples(keys));
                all.extend(self.in_suites(keys));
                Ok(all)
            }
            Some(Meant::Helper(name, _)) => {
                if new.is_empty() || new.contains(['"', '\\', '`', '\n']) {
                    return Err(format!("`{new}` cannot be the name of a helper"));
                }
                if new != name && model.definitions(new).next().is_some() {
                    return Err(format!("there is a helper `{new}` already"));
                }
                self.is_never_computed(&name)?;
                Ok(references(model, path, offset, true))
            }
            _ => Err("only values and helpers can be renamed".into()),
        }
    }

    /// Whether the new name of a value can be written, and is not taken.
    fn is_free(&self, keys: &[String], new: &str) -> Result<(), String> {
        let mut letters = new.chars();
        let plain = letters
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        // YAML 1.1 reads these words as booleans or null.
        let reserved = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
        if !plain || reserved.contains(&new.to_ascii_lowercase().as_str()) {
            return Err(format!(
                "`{new}` cannot be read as `.{new}` in a template: use letters, digits and _"
            ));
        }
        let (_, above) = keys.split_last().ok_or("nothing to rename")?;
        let above: Vec<Option<String>> = above.iter().cloned().map(Some).collect();
        let below = self.model.below(&above);
        if below.iter().any(|(name, _, _)| *name == new) {
            return Err(format!("there is a value `{new}` beside it already"));
        }
        Ok(())
    }

    /// The places in `set:` of the configuration.
    fn in_configuration(&self, keys: &[String]) -> Vec<At> {
        let Some((file, text)) = &self.model.configuration else {
            return Vec::new();
        };
        let root = recovered(text);
        let environments = root
            .get("environments")
            .map(Node::entries)
            .unwrap_or_default();
        let set = environments.iter().filter_map(|e| e.value.get("set"));
        set.flat_map(|set| in_set(set, text, keys))
            .map(|place| At::new(file, text, place))
            .collect()
    }

    /// The places in the schemas of the chart and its subcharts.
    ///
    /// # Errors
    /// A schema names the value in a way that is not followed.
    fn in_schemas(&self, keys: &[String]) -> Result<Vec<At>, String> {
        let (model, analysis) = (self.model, &self.judged.analysis);
        let mut all = Vec::new();
        for chart in analysis.rendering.iter().flat_map(|r| r.chart.walk()) {
            let Some(id) = chart.schema else { continue };
            let source = analysis.sources.get(id);
            let path = Unsaved::key(Path::new(&*source.name));
            let text = self.documents.get(&path).map_or(&source.text, |d| &d.text);
            let folder = path.parent().unwrap_or(&path);
            let of_chart = |t: &&Template| t.path.starts_with(folder.join("templates"));
            let under = model
                .templates
                .iter()
                .find(of_chart)
                .map_or(&[][..], |t| &t.under);
            let Some(own) = keys.strip_prefix(under).filter(|own| !own.is_empty()) else {
                continue;
            };
            let refuse = |at: usize, why: &str| {
                format!(
                    "{why} at {}: rename it by hand",
                    line_of(model, &path, text, at)
                )
            };
            let root = crate::yaml::parse(text, SourceId::new(0, 0), 0)
                .map_err(|_| refuse(0, "the schema cannot be read"))?;
            let mut schema = Schema {
                root: &root,
                found: Vec::new(),
                obstacle: None,
            };
            schema.follow(&root, own, 0);
            if let Some((at, why)) = schema.obstacle {
                return Err(refuse(at, why));
            }
            all.extend(
                schema
                    .found
                    .into_iter()
                    .map(|span| At::new(&path, text, unquoted(text, span))),
            );
        }
        Ok(all)
    }

    /// The places in files that look like values of the chart, but belong to no environment.
    fn in_examples(&self, keys: &[String]) -> Vec<At> {
        let (model, analysis) = (self.model, &self.judged.analysis);
        let Some(rendering) = &analysis.rendering else {
            return Vec::new();
        };
        let (chart, taken) = (&rendering.chart, &rendering.environments);
        let left = environments::left_out(&model.chart, chart, &analysis.sources, taken);
        let mut files: Vec<PathBuf> = left
            .iter()
            .map(|left| model.chart.join(&left.file))
            .collect();
        let walk = ignore::WalkBuilder::new(&model.chart)
            .max_depth(Some(3))
            .build();
        files.extend(
            walk.flatten()
                .take(MOST_FILES)
                .map(ignore::DirEntry::into_path)
                .filter(|file| {
                    let below = file.strip_prefix(&model.chart).unwrap_or(file);
                    let name = below.to_string_lossy();
                    let is_other = ["templates", "crds", "charts"]
                        .iter()
                        .any(|folder| below.starts_with(folder));
                    let is_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
                    is_yaml && !is_other && (name.contains("values") || name.contains("example"))
                }),
        );
        files.iter_mut().for_each(|file| *file = Unsaved::key(file));
        files.sort();
        files.dedup();
        let others = files.iter().filter(|file| model.layer(file).is_none());
        others
            .filter_map(|file| self.in_values(file, keys))
            .collect()
    }

    /// The place of a value in a values file.
    fn in_values(&self, file: &Path, keys: &[String]) -> Option<At> {
        let text = self.read(file)?;
        let root = recovered(&text);
        let (last, above) = keys.split_last()?;
        let mut node = &root;
        for key in above {
            node = node.get(key)?;
        }
        let span = node.entry(last)?.key_span;
        Some(At::new(file, &text, unquoted(&text, span)))
    }

    fn read(&self, file: &Path) -> Option<Arc<[u8]>> {
        match self.documents.get(file) {
            Some(document) => Some(document.text.clone()),
            None => Sources::default().read_file(file).ok().map(Arc::from),
        }
    }

    /// The places in suites of helm-unittest: `set:`, and the values files that they name.
    fn in_suites(&self, keys: &[String]) -> Vec<At> {
        let walk = ignore::WalkBuilder::new(self.model.chart.join("tests")).build();
        let is_suite =
            |entry: &ignore::DirEntry| entry.file_name().to_string_lossy().ends_with("_test.yaml");
        let suites = walk.flatten().filter(is_suite).take(MOST_SUITES);
        let mut all = Vec::new();
        for suite in suites {
            let path = Unsaved::key(suite.path());
            let Some(text) = self.read(&path) else {
                continue;
            };
            let limits = &self.judged.analysis.sources.limits;
            for root in manifest::roots(&text, limits).into_iter().flatten() {
                let tests = root.get("tests").map(Node::items).unwrap_or_default();
                for part in std::iter::once(&root).chain(tests) {
                    let set = part
                        .get("set")
                        .map_or(Vec::new(), |set| in_set(set, &text, keys));
                    all.extend(set.into_iter().map(|place| At::new(&path, &text, place)));
                    let files = part.get("values").map(Node::items).unwrap_or_default();
                    for file in files.iter().filter_map(Node::as_str) {
                        let folder = path.parent().unwrap_or(&path);
                        let file = Unsaved::key(&folder.join(file));
                        if self.model.layer(&file).is_none() {
                            all.extend(self.in_values(&file, keys));
                        }
                    }
                }
            }
        }
        all
    }

    /// Whether no template may call a helper by a name that it computes.
    ///
    /// # Errors
    /// The place where the name, or a part of it, is.
    fn is_never_computed(&self, name: &str) -> Result<(), String> {
        let model = self.model;
        for template in model.texts() {
            let outline = &template.outline;
            let known: FxHashSet<usize> = (outline.calls.iter())
                .chain(outline.definitions.iter().map(|d| &d.name))
                .map(|n| n.place.start)
                .collect();
            for literal in literals(&template.text) {
                let is_known = known.contains(&literal.start);
                let text = String::from_utf8_lossy(&template.text[literal.clone()]);
                if !is_known && is_part_of_name(&text, name) {
                    let here = line_of(model, &template.path, &template.text, literal.start);
                    return Err(format!(
                        "\"{text}\" at {here} may be `{name}`, or a part of it, when the template runs: rename it by hand"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Renders the chart with the edits.
    fn rendered_with(
        &self,
        edits: &BTreeMap<PathBuf, (Arc<[u8]>, Vec<Range<usize>>)>,
        new: &str,
    ) -> Result<Analysis, String> {
        let mut texts = self.documents.unsaved().texts().clone();
        for (path, (text, ranges)) in edits {
            let mut text = text.to_vec();
            for range in ranges.iter().rev() {
                text.splice(range.clone(), new.bytes());
            }
            texts.insert(path.clone(), text.into());
        }
        let options = Options {
            unsaved: Unsaved::new(texts),
            reuse: Arc::new(self.judged.reuse.next()),
            explore: Some(false),
            ..Options::default()
        };
        let unit = Unit::Chart(self.model.chart.clone());
        let read = || {
            let setup = Setup::new(unit.configuration(&options).as_deref(), &options)?;
            lint::read(&unit, &setup, &options)
        };
        crate::threads::deep(read).map_err(|error| error.to_string())
    }

    /// Whether the chart renders to the same as before.
    ///
    /// # Errors
    /// The place in a template that would write something else.
    fn same_output(&self, after: &Analysis) -> Result<(), String> {
        const BY_HAND: &str = "rename it by hand";
        let before = &self.judged.analysis;
        let (Some(was), Some(is)) = (&before.rendering, &after.rendering) else {
            return Err("the chart could not be loaded afterwards".into());
        };
        if was.environment_names() != is.environment_names()
            || was.renders.len() != is.renders.len()
        {
            return Err(format!(
                "the chart would have other environments: {BY_HAND}"
            ));
        }
        for (was, is) in was.renders.iter().zip(&is.renders) {
            let (old, new) = (&was.rendered, &is.rendered);
            if let Some(problem) = new.problems.get(old.problems.len()) {
                return Err(format!(
                    "Helm would report: {}. So {BY_HAND}",
                    problem.helm_message()
                ));
            }
            if old.problems.len() != new.problems.len() {
                return Err(format!("an error of the chart would be gone: {BY_HAND}"));
            }
            let texts = |analysis: &Analysis, id: SourceId| analysis.sources.get(id).text.clone();
            let pairs = old.outputs.iter().zip(&new.outputs);
            for (old, new) in pairs.chain(old.variants.iter().zip(&new.variants)) {
                let (a, b) = (texts(before, old.text), texts(after, new.text));
                if a != b {
                    let at = a.iter().zip(b.iter()).take_while(|(a, b)| a == b).count();
                    let span = Span::new(
                        old.text,
                        at.min(a.len().saturating_sub(1)),
                        a.len().min(at + 1),
                    );
                    return Err(format!(
                        "{} would write something else: {BY_HAND}",
                        self.template_of(span, &old.name)
                    ));
                }
            }
            if old.outputs.len() != new.outputs.len() || old.variants.len() != new.variants.len() {
                return Err(format!("other templates would be rendered: {BY_HAND}"));
            }
        }
        Ok(())
    }

    /// The place of the template that wrote a span, else the name of the output.
    fn template_of(&self, span: Span, output: &str) -> String {
        let sources = &self.judged.analysis.sources;
        let trace = sources.trace(span);
        let Some(place) = trace.templates.first() else {
            return output.to_string();
        };
        let source = sources.get(place.source);
        let path = Unsaved::key(Path::new(&*source.name));
        line_of(self.model, &path, &source.text, place.start as usize)
    }

    /// Whether no template names what was renamed any more.
    ///
    /// # Errors
    /// The place that may.
    fn nothing_left(&self, path: &Path, offset: usize, after: &Analysis) -> Result<(), String> {
        let Some(Meant::Value(paths, _)) = self.model.meant(path, offset) else {
            return Ok(());
        };
        let (keys, name) = (&paths[0], paths[0].last().cloned().unwrap_or_default());
        let path: Vec<Box<str>> = keys.iter().map(|key| key.as_str().into()).collect();
        let Some(rendering) = &after.rendering else {
            return Ok(());
        };
        if !usage::may_name(rendering, &after.sources, &path) {
            return Ok(());
        }
        let place = self.model.texts().find_map(|template| {
            let of_reference = |at: &Range<usize>| {
                let mut references = template.outline.references.iter();
                references.any(|r| r.places.iter().any(|p| p.start == at.start))
            };
            let mut words = words(&template.text, &name).into_iter();
            let at = words.find(|at| !of_reference(at))?;
            Some(line_of(
                self.model,
                &template.path,
                &template.text,
                at.start,
            ))
        });
        let place = place.map_or("a template".to_string(), |place| {
            format!("the template at {place}")
        });
        Err(format!(
            "{place} may read `{name}` in a way that is not followed, and no environment executes it: rename it by hand"
        ))
    }
}

/// The string literals of a template, without their quotes.
fn literals(text: &[u8]) -> Vec<Range<usize>> {
    let mut lexer = Lexer::new(text);
    let mut all = Vec::new();
    loop {
        let token = lexer.token();
        match token.kind {
            TokenKind::Str | TokenKind::RawString if token.end >= token.start + 2 => {
                all.push(token.start + 1..token.end - 1);
            }
            TokenKind::Eof => return all,
            TokenKind::Error if lexer.resume(token.start) <= token.start => return all,
            _ => {}
        }
    }
}

/// The fields and string literals of a template that are a name.
fn words(text: &[u8], name: &str) -> Vec<Range<usize>> {
    let mut lexer = Lexer::new(text);
    let mut all = Vec::new();
    loop {
        let token = lexer.token();
        let inner = match token.kind {
            TokenKind::Field => token.start + 1..token.end,
            TokenKind::Str | TokenKind::RawString if token.end >= token.start + 2 => {
                token.start + 1..token.end - 1
            }
            TokenKind::Eof => return all,
            TokenKind::Error if lexer.resume(token.start) <= token.start => return all,
            _ => continue,
        };
        if text[inner.clone()] == *name.as_bytes() {
            all.push(inner);
        }
    }
}

/// Whether a literal may be a helper's name, or a part from which a template makes it: `%s.name`,
/// `.name`.
fn is_part_of_name(literal: &str, name: &str) -> bool {
    if literal == name {
        return true;
    }
    let has_verb = literal.contains("%s") || literal.contains("%v");
    // Only names with a dot or a dash are told apart from other words.
    let is_end =
        literal.len() > 1 && literal.starts_with(['.', '-', '_']) && name.ends_with(literal);
    let is_begin =
        literal.len() > 1 && literal.ends_with(['.', '-', '_']) && name.starts_with(literal);
    if !has_verb {
        return is_end || is_begin;
    }
    let parts: Vec<String> = literal
        .replace("%v", "%s")
        .split("%s")
        .map(String::from)
        .collect();
    if parts.iter().all(|part| part.is_empty()) {
        return false;
    }
    let mut rest = name;
    for (i, part) in parts.iter().enumerate() {
        let Some(at) = rest.find(part.as_str()).filter(|at| i > 0 || *at == 0) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    parts
        .last()
        .is_some_and(|last| name.ends_with(last.as_str()))
}

/// The range of the last key of `keys` in the dotted text of `full`, which begins at `start`; None
/// if the text does not contain it.
fn in_dotted(full: &[String], keys: &[String], start: usize, above: usize) -> Option<Range<usize>> {
    let index = keys
        .len()
        .checked_sub(above + 1)
        .filter(|_| full.starts_with(keys))?;
    let before: usize = full[above..].iter().take(index).map(|k| k.len() + 1).sum();
    Some(start + before..start + before + full[above + index].len())
}

/// The places of a value in a map whose keys are paths (`image.tag`) and may contain maps.
fn in_set(set: &Node, text: &[u8], keys: &[String]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut stack: Vec<(&Node, Vec<String>)> = vec![(set, Vec::new())];
    while let Some((node, above)) = stack.pop() {
        for entry in node.entries() {
            // `list[0]` is an item of `list`.
            let names = split(&entry.key)
                .into_iter()
                .map(|key| match key.find('[') {
                    Some(at) => key[..at].to_string(),
                    None => key,
                });
            let is_plain = !entry.key.contains(['[', '\\']);
            let full: Vec<String> = above.iter().cloned().chain(names).collect();
            let start = unquoted(text, entry.key_span).start;
            if full.len() >= keys.len() {
                let place = in_dotted(&full, keys, start, above.len());
                all.extend(place.filter(|place| {
                    is_plain || text.get(place.clone()) == keys.last().map(|k| k.as_bytes())
                }));
            } else if keys.starts_with(&full) {
                stack.push((&entry.value, full));
            }
        }
    }
    all
}

/// The range of a key without its quotes.
fn unquoted(text: &[u8], span: Span) -> Range<usize> {
    let (start, end) = (span.start as usize, span.end as usize);
    let is_quoted = end >= start + 2 && text.get(start).is_some_and(|b| b"\"'".contains(b));
    if is_quoted {
        start + 1..end - 1
    } else {
        start..end
    }
}

/// Looks for a value in a JSON Schema.
struct Schema<'n> {
    root: &'n Node,
    /// The names of the value: keys of `properties`, items of `required`.
    found: Vec<Span>,
    /// What names values in a way that is not followed, and why.
    obstacle: Option<(usize, &'static str)>,
}

impl<'n> Schema<'n> {
    fn follow(&mut self, node: &'n Node, keys: &[String], depth: usize) {
        const MOST_DEPTH: usize = 64;
        let Some((first, below)) = keys.split_first().filter(|_| depth < MOST_DEPTH) else {
            return;
        };
        let names = |node: &Node, name: &str| {
            node.items().iter().any(|i| i.as_str() == Some(name)) || node.get(name).is_some()
        };
        if let Some(entry) = node.get("properties").and_then(|p| p.entry(first)) {
            if below.is_empty() {
                self.found.push(entry.key_span);
            } else {
                self.follow(&entry.value, below, depth + 1);
            }
        }
        if below.is_empty() {
            let required = node.get("required").map(Node::items).unwrap_or_default();
            let same = required.iter().filter(|item| item.as_str() == Some(first));
            self.found.extend(same.map(|item| item.span));
            for word in [
                "dependencies",
                "dependentRequired",
                "dependentSchemas",
                "propertyNames",
            ] {
                let entry = node.entry(word).filter(|entry| {
                    names(&entry.value, first)
                        || entry.value.entries().iter().any(|e| names(&e.value, first))
                });
                if let Some(entry) = entry {
                    self.obstacle =
                        Some((entry.key_span.start as usize, "the schema also names it"));
                }
            }
        }
        for word in ["allOf", "anyOf", "oneOf"] {
            for part in node.get(word).map(Node::items).unwrap_or_default() {
                self.follow(part, keys, depth + 1);
            }
        }
        for word in ["if", "then", "else", "not"] {
            if let Some(part) = node.get(word) {
                self.follow(part, keys, depth + 1);
            }
        }
        // A part of the schema that others refer to as well is not edited.
        if let Some(to) = node.get("$ref").and_then(Node::as_str) {
            let mut steps = to
                .trim_start_matches(['#', '/'])
                .split('/')
                .filter(|step| !step.is_empty());
            let target = steps.try_fold(self.root, |node, step| node.get(step));
            let known = self.found.len();
            if let Some(target) = target {
                self.follow(target, keys, depth + 1);
            }
            if self.found.len() > known || !to.starts_with('#') {
                let at = node
                    .entry("$ref")
                    .map_or(0, |entry| entry.key_span.start as usize);
                self.obstacle = Some((at, "the schema refers to a part that others may use too"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_dotted_text() {
        let full = ["sub", "a", "b"].map(String::from);
        assert_eq!(in_dotted(&full, &full[..2], 10, 1), Some(10..11));
        assert_eq!(in_dotted(&full, &full, 10, 0), Some(16..17));
        assert_eq!(in_dotted(&full, &["x".to_string()], 10, 0), None);
    }

    #[test]
    fn parts_of_a_name() {
        for (literal, wanted) in [
            ("app.name", true),
            ("%s.name", true),
            ("app.%s", true),
            ("%s-%s", false),
            (".name", true),
            ("app.", true),
            ("name", false),
            ("%s", false),
            ("%s.nam", false),
        ] {
            assert_eq!(is_part_of_name(literal, "app.name"), wanted, "{literal}");
        }
    }

    #[test]
    fn paths_in_a_map_of_paths() {
        let text = b"image.tag: x\n\"image.tag.y\": z\nimage:\n  tag: 1\nlist[0].tag: 1\nother.image.tag: 2\n";
        let root = recovered(text);
        let keys = ["image", "tag"].map(String::from);
        let found: Vec<&str> = in_set(&root, text, &keys)
            .into_iter()
            .map(|at| std::str::from_utf8(&text[at]).expect("UTF-8"))
            .collect();
        assert_eq!(found, ["tag", "tag", "tag"]);
    }
}
