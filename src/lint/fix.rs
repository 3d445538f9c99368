//! Automatic fixes. [`edits`] gives the edits that would remove a finding. [`fix`] keeps only the
//! edits that it can prove safe: the chart is linted again with them, the finding must be gone, no
//! new finding may appear, and in every environment and version the objects and the notes must stay
//! as they were, except for the one field that was wrong.
//!
//! A fix never changes what the author meant: there is none where a person has to choose.

use crate::Error;
use crate::Options;
use crate::diagnostic::{Role, RuleId};
use crate::limits::{Limit, exceeded};
use crate::lint::{self, Analysis, add};
use crate::manifest::Object;
use crate::project::setup::Setup;
use crate::project::unit::{self, Unit};
use crate::report::{Finding, Location, object_name};
use crate::rule::definition::Repair;
use crate::source::{Source, SourceId, Sources, Span, Unsaved};
use crate::yaml::path::escaped;
use crate::yaml::{Data, Entry, Node};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A change to the text of one file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Edit {
    /// The name of the file, as in [`Location::file`].
    pub file: Arc<str>,
    pub bytes: Range<usize>,
    pub text: String,
}

/// A file, and the start and end of a byte range in it.
type Place = (Arc<str>, usize, usize);

/// The edits that would remove the finding; empty if no safe ones are known. Their byte ranges
/// refer to the texts in the finding's locations.
pub(crate) fn edits(finding: &Finding) -> Vec<Edit> {
    let Some(place) = finding.locations.first() else {
        return Vec::new();
    };
    let edit = match repair(&finding.rule) {
        Some(Repair::Include) => include(place),
        Some(Repair::Rename) => renamed(place),
        Some(Repair::RemoveLine) => without_line(place),
        Some(Repair::SpellOut) => spelled(place),
        Some(Repair::RemoveComment) => without_comment(place),
        Some(Repair::Quote) => return quoted(finding),
        Some(Repair::SetFalse) => return add::edits(finding, "false"),
        None => None,
    };
    edit.into_iter().collect()
}

/// The kind of repair that the rule's file names.
fn repair(rule: &RuleId) -> Option<Repair> {
    crate::rule::documentation(rule)?.repair
}

fn edit(place: &Location, bytes: Range<usize>, text: impl Into<String>) -> Option<Edit> {
    // A file inside an archive cannot be edited.
    let file = place.file.clone().filter(|f| !f.contains('!'))?;
    Some(Edit {
        file,
        bytes,
        text: text.into(),
    })
}

fn text_of(place: &Location) -> &str {
    place
        .source
        .text
        .get(place.bytes.clone())
        .and_then(|b| std::str::from_utf8(b).ok())
        .unwrap_or("")
}

/// Replaces `template` by `include` in `{{ template "x" . }}`. Both write the same if there is an
/// argument.
fn include(place: &Location) -> Option<Edit> {
    let rest = place.source.text.get(place.bytes.end..)?;
    let action = std::str::from_utf8(&rest[..memchr::memmem::find(rest, b"}}")?])
        .ok()?
        .trim();
    let name = action.strip_prefix('"')?;
    let (_, argument) = name.split_once('"')?;
    (!argument.trim().trim_end_matches('-').is_empty())
        .then(|| edit(place, place.bytes.clone(), "include"))?
}

fn renamed(place: &Location) -> Option<Edit> {
    let new = match text_of(place) {
        "trimall" => "trimAll",
        "biggest" => "max",
        ".GitVersion" => ".Version",
        _ => return None,
    };
    edit(place, place.bytes.clone(), new)
}

/// Writes `yes` as `true` (and `off` as `false`): the value that YAML 1.1 reads.
fn spelled(place: &Location) -> Option<Edit> {
    let new = match text_of(place).to_ascii_lowercase().as_str() {
        "on" | "yes" | "y" => "true",
        "off" | "no" | "n" => "false",
        _ => return None,
    };
    edit(place, place.bytes.clone(), new)
}

/// Removes `key: value` if it has a line of its own and the line above is no comment.
fn without_line(place: &Location) -> Option<Edit> {
    let text = &place.source.text;
    let line = place.line_range();
    let before = std::str::from_utf8(text.get(line.start..place.bytes.start)?).ok()?;
    let after = text.get(place.bytes.end..line.end)?;
    let key = before.trim().strip_suffix(':')?;
    let plain = !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || "_-./\"'".contains(c));
    let above = line
        .start
        .checked_sub(1)
        .map(|end| &text[memchr::memrchr(b'\n', &text[..end]).map_or(0, |i| i + 1)..end]);
    let has_comment = above.is_some_and(|l| l.trim_ascii_start().starts_with(b"#"));
    (plain && after.trim_ascii().is_empty() && !has_comment).then(|| edit(place, line, ""))?
}

/// Removes a comment that suppresses one rule, if it has a line of its own.
fn without_comment(place: &Location) -> Option<Edit> {
    let line = place.line_range();
    let text = std::str::from_utf8(place.source.text.get(line.clone())?)
        .ok()?
        .trim();
    let comment = text.starts_with('#')
        || (text.starts_with("{{")
            && text.ends_with("}}")
            && text.matches("{{").count() == 1
            && text.contains("/*"));
    let rules = text.split_once("ignore[")?.1.split_once(']')?.0;
    (comment && !rules.contains(',')).then(|| edit(place, line, ""))?
}

/// Adds quotes to a scalar that must be a string, or removes them from one that must not be.
fn quoted(finding: &Finding) -> Vec<Edit> {
    let Some(place) = finding.locations.first() else {
        return Vec::new();
    };
    if place.role == Role::Template
        && let Some(action) = action_of(place)
    {
        let inner = std::str::from_utf8(&place.source.text[action.clone()]).unwrap_or("");
        let pipeline = inner.trim_end_matches('-').trim_end();
        let alone = ![
            "toYaml", "include", "quote", "end", "if", "with", "range", "|",
        ]
        .iter()
        .any(|w| pipeline.contains(w));
        if alone && !pipeline.trim_start_matches('-').trim().is_empty() {
            let end = action.start + pipeline.len();
            return edit(place, end..end, " | quote").into_iter().collect();
        }
    } else if let Some(edit) = toggled(place) {
        return vec![edit];
    }
    let values: Vec<&Location> = finding
        .locations
        .iter()
        .filter(|l| l.role == Role::Values)
        .collect();
    let edits: Vec<Edit> = values.iter().filter_map(|l| toggled(l)).collect();
    if edits.len() == values.len() {
        edits
    } else {
        Vec::new()
    }
}

/// The inside of the action, if it is the whole value of its line: `key: {{ action }}`.
fn action_of(place: &Location) -> Option<Range<usize>> {
    let text = &place.source.text;
    let line = place.line_range();
    let of_line = std::str::from_utf8(text.get(line.clone())?)
        .ok()?
        .trim_end();
    let (key, value) = of_line.split_once(": ")?;
    let inner = value
        .trim_start()
        .strip_prefix("{{")?
        .strip_suffix("}}")
        .filter(|inner| !inner.contains("{{"))?;
    let start = line.start + of_line.len() - 2 - inner.len();
    (!key.contains("{{")).then(|| start..start + inner.len())
}

fn toggled(place: &Location) -> Option<Edit> {
    let text = text_of(place).trim_end();
    let simple = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
    };
    let bytes = place.bytes.start..place.bytes.start + text.len();
    let inner = ['"', '\'']
        .iter()
        .find_map(|&q| text.strip_prefix(q)?.strip_suffix(q));
    match inner {
        Some(inner) if simple(inner) => edit(place, bytes, inner),
        None if simple(text) => edit(place, bytes, format!("\"{text}\"")),
        _ => None,
    }
}

/// The result of [`fix`].
#[derive(Debug, Default)]
pub(crate) struct Fixes {
    /// The files that change.
    pub files: BTreeMap<PathBuf, Change>,
    pub fixed: Vec<Finding>,
    /// Findings whose fix could not be proven, and the reason.
    pub refused: Vec<(Finding, String)>,
}

/// How a file changes.
#[derive(Debug)]
pub(crate) struct Change {
    pub before: Vec<u8>,
    pub after: Vec<u8>,
    /// The texts before and after without their secrets, for a diff.
    pub shown: (String, String),
}

/// Works out the fixes for all paths of the options; writes nothing. Manifests from stdin are
/// skipped: there is no file to change.
///
/// # Errors
/// The same as for [`crate::lint`].
pub(crate) fn fix(options: &Options) -> Result<Fixes, Error> {
    let mut all = Fixes::default();
    for unit in unit::of(options)?.units {
        if unit != Unit::Stdin {
            fix_unit(&unit, options, &mut all)?;
        }
    }
    Ok(all)
}

/// Whether the fix of one finding of a chart is proven. The unsaved texts of the options replace
/// the files.
///
/// # Errors
/// The same as for [`crate::lint`].
pub(crate) fn is_proven(chart: &Path, options: &Options, finding: &Finding) -> Result<bool, Error> {
    let unit = Unit::Chart(chart.to_path_buf());
    let before = analyze(&unit, options, options.unsaved.texts())?;
    let (chosen, edited) = apply(&[finding], &before, options.unsaved.texts());
    let after = analyze(&unit, options, &edited)?;
    Ok(!chosen.is_empty() && proves(&after, &before, &chosen).is_ok())
}

/// Texts that replace those of files, by path.
type Texts = BTreeMap<PathBuf, Arc<[u8]>>;

fn analyze(unit: &Unit, options: &Options, texts: &Texts) -> Result<Analysis, Error> {
    let options = Options {
        unsaved: Unsaved::new(texts.clone()),
        ..options.clone()
    };
    let setup = Setup::new(unit.configuration(&options).as_deref(), &options)?;
    lint::analyze(unit, &setup, &options)
}

/// A bound on the running time: each trial lints the chart once.
const MOST_TRIALS: usize = 500;

fn fix_unit(unit: &Unit, options: &Options, all: &mut Fixes) -> Result<(), Error> {
    let (mut originals, mut texts) = (BTreeMap::new(), Texts::new());
    let mut now = analyze(unit, options, &texts)?;
    // All trials together have the time of one lint.
    let options = &Options {
        deadline: now.sources.limits.deadline(),
        ..options.clone()
    };
    let mut refused: FxHashSet<Key> = FxHashSet::default();
    // Try all fixes at once; if they are not proven, half of them, and so on.
    let mut size = usize::MAX;
    for _ in 0..MOST_TRIALS {
        let findings = now.report.findings.iter();
        let mut groups = by_edits(findings.filter(|f| !refused.contains(&key(f))), &now);
        groups.truncate(size);
        if groups.is_empty() {
            break;
        }
        let (chosen, edited) = apply(&groups.concat(), &now, &texts);
        let next = analyze(unit, options, &edited)?;
        let limits = next.sources.limits.clone();
        if limits.is_late() {
            let why = || format!("not proven: {}", exceeded(Limit::Timeout, &limits));
            all.refused
                .extend(chosen.into_iter().map(|f| (f.clone(), why())));
            break;
        }
        match proves(&next, &now, &chosen) {
            Ok(()) => {
                all.fixed.extend(chosen.into_iter().cloned());
                for file in edited.keys().filter(|file| !texts.contains_key(*file)) {
                    let text = text(file, &now.sources).cloned();
                    originals.extend(text.map(|text| (file.clone(), (text, shown(file, &now)))));
                }
                texts = edited;
                now = next;
                size = size.saturating_mul(2);
            }
            Err(why) if groups.len() == 1 => {
                refused.extend(chosen.iter().map(|f| key(f)));
                all.refused
                    .extend(chosen.into_iter().map(|f| (f.clone(), why.clone())));
                size = size.saturating_mul(2);
            }
            Err(_) => size = groups.len() / 2,
        }
    }
    for ((file, (before, hidden)), after) in originals.into_iter().zip(texts.into_values()) {
        if before != after {
            let change = Change {
                before: before.to_vec(),
                after: after.to_vec(),
                shown: (hidden, shown(&file, &now)),
            };
            all.files.insert(file, change);
        }
    }
    Ok(())
}

/// The findings that edits of the unit's own files would remove. Those with the same edits stand or
/// fall together, such as the findings of all objects that one line of a template makes.
fn by_edits<'f>(
    findings: impl Iterator<Item = &'f Finding>,
    analysis: &Analysis,
) -> Vec<Vec<&'f Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    let mut known: FxHashMap<Vec<Edit>, usize> = FxHashMap::default();
    for finding in findings {
        let edits = edits(finding);
        if edits.is_empty() || edits.iter().any(|e| is_elsewhere(&e.file, analysis)) {
            continue;
        }
        let i = *known.entry(edits).or_insert(groups.len());
        match groups.get_mut(i) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// Whether a file belongs to a dependency outside of the chart, which other charts may use as well.
fn is_elsewhere(file: &str, analysis: &Analysis) -> bool {
    let chart = analysis.rendering.as_ref().map(|r| &r.chart);
    chart.is_some_and(|chart| chart.elsewhere().any(|c| file.starts_with(&c.location)))
}

/// The text of a file as it was read. (The text in a location has its secrets hidden.)
fn text<'s>(file: &Path, sources: &'s Sources) -> Option<&'s Arc<[u8]>> {
    source(file, sources).map(|(_, source)| &source.text)
}

fn source<'s>(file: &Path, sources: &'s Sources) -> Option<(SourceId, &'s Source)> {
    sources
        .files()
        .find(|(_, s)| s.kind.is_file() && Unsaved::key(Path::new(&*s.name)) == file)
}

/// The text of a file without its secrets.
fn shown(file: &Path, analysis: &Analysis) -> String {
    let shown = source(file, &analysis.sources).map(|(id, source)| {
        let whole = Span::new(id, 0, source.text.len());
        analysis.secrets.show(whole, &analysis.sources).into_owned()
    });
    shown.unwrap_or_default()
}

/// The texts with the edits of the findings applied, and the findings that were chosen. A finding
/// whose edits overlap those of another one waits for the next round.
fn apply<'f>(
    findings: &[&'f Finding],
    analysis: &Analysis,
    texts: &Texts,
) -> (Vec<&'f Finding>, Texts) {
    let mut taken: BTreeMap<Place, String> = BTreeMap::new();
    let mut chosen = Vec::new();
    for finding in findings {
        let edits = edits(finding);
        let fits = |e: &Edit| {
            taken.iter().all(|((file, start, end), text)| {
                let same = (*start..*end) == e.bytes;
                let apart = *end < e.bytes.start
                    || e.bytes.end < *start
                    || (same && *text == e.text)
                    || (!same && (*end == e.bytes.start || e.bytes.end == *start));
                *file != e.file || apart
            })
        };
        if edits.iter().all(fits) {
            chosen.push(*finding);
            for edit in edits {
                taken.insert((edit.file, edit.bytes.start, edit.bytes.end), edit.text);
            }
        }
    }
    let mut edited = texts.clone();
    let mut by_file: BTreeMap<Arc<str>, Vec<(Range<usize>, String)>> = BTreeMap::new();
    for ((file, start, end), text) in taken {
        by_file.entry(file).or_default().push((start..end, text));
    }
    for (file, edits) in by_file {
        let path = Unsaved::key(file.as_ref().as_ref());
        let mut text = text(&path, &analysis.sources).map_or(Vec::new(), |t| t.to_vec());
        for (bytes, new) in edits.into_iter().rev() {
            if bytes.end <= text.len() {
                text.splice(bytes, new.into_bytes());
            }
        }
        edited.insert(path, text.into());
    }
    (chosen, edited)
}

/// Identifies a finding even if its line moves.
type Key = (RuleId, Option<String>, Option<String>, String);

fn key(finding: &Finding) -> Key {
    let object = finding.object.as_ref().map(|o| object_name(o));
    (
        finding.rule.clone(),
        object,
        finding.path.clone(),
        finding.message.clone(),
    )
}

fn counts<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> FxHashMap<Key, usize> {
    let mut counts = FxHashMap::default();
    findings
        .into_iter()
        .for_each(|f| *counts.entry(key(f)).or_default() += 1);
    counts
}

/// The rendered NOTES.txt of all environments.
fn notes(analysis: &Analysis) -> Vec<&[u8]> {
    let renders = analysis.rendering.iter().flat_map(|r| &r.renders);
    renders
        .flat_map(|r| &r.rendered.outputs)
        .filter(|o| o.is_notes())
        .map(|o| &*analysis.sources.get(o.text).text)
        .collect()
}

/// Whether the fix of the chosen findings is proven: they are gone, no new ones appeared, and the
/// same is deployed. Otherwise the reason why not.
fn proves(after: &Analysis, before: &Analysis, chosen: &[&Finding]) -> Result<(), String> {
    let gone = counts(chosen.iter().copied());
    let was = counts(&before.report.findings);
    let is = counts(&after.report.findings);
    for (key, &n) in &is {
        let allowed = was
            .get(key)
            .copied()
            .unwrap_or(0)
            .saturating_sub(gone.get(key).copied().unwrap_or(0));
        if n > allowed {
            return Err(if gone.contains_key(key) {
                "the finding stays".into()
            } else {
                format!("it would cause another finding: {}", key.3)
            });
        }
    }
    let changed = |a: &Object| format!("it would change {}", object_name(&a.identity));
    if after.objects.len() != before.objects.len() || notes(after) != notes(before) {
        return Err("it would change what is rendered".into());
    }
    let mut of_objects: FxHashMap<(&str, &str), Vec<&Finding>> = FxHashMap::default();
    for finding in chosen {
        if let Some(object) = &finding.object {
            let of_object = of_objects.entry((&object.kind, &object.name)).or_default();
            of_object.push(finding);
        }
    }
    for (a, b) in before.objects.iter().zip(&after.objects) {
        let of_object = of_objects.get(&(&*a.identity.kind, &*a.identity.name));
        let changed_by = |wanted: Repair| -> Vec<&str> {
            let findings = of_object.into_iter().flatten();
            let findings = findings.filter(|f| repair(&f.rule) == Some(wanted));
            findings.filter_map(|f| f.path.as_deref()).collect()
        };
        let allowed = Allowed {
            retyped: changed_by(Repair::Quote),
            added: changed_by(Repair::SetFalse),
        };
        let alike = a.identity == b.identity
            && a.environment == b.environment
            && a.kubernetes == b.kubernetes
            && a.template == b.template;
        if !alike || !allowed.is_same(&a.root, &b.root, &mut String::new()) {
            return Err(changed(a));
        }
    }
    Ok(())
}

/// How the objects may change, by the JSON pointers of the fields.
struct Allowed<'f> {
    /// Scalars that get another type but keep their text.
    retyped: Vec<&'f str>,
    /// Fields that are added and are false.
    added: Vec<&'f str>,
}

impl Allowed<'_> {
    /// Whether two trees are equal, apart from what is allowed.
    fn is_same(&self, a: &Node, b: &Node, pointer: &mut String) -> bool {
        match (&a.data, &b.data) {
            (Data::Seq(a), Data::Seq(b)) => {
                let pairs = || a.iter().zip(b).enumerate();
                a.len() == b.len()
                    && pairs().all(|(i, (a, b))| self.below(&i.to_string(), a, b, pointer))
            }
            (Data::Null, Data::Map(entries)) => {
                !entries.is_empty() && entries.iter().all(|e| self.adds(e, pointer))
            }
            (Data::Map(_), Data::Map(_)) => {
                let is_new = |e: &&Entry| a.get(&e.key).is_none() && self.adds(e, pointer);
                let (_, kept): (Vec<&Entry>, Vec<&Entry>) = b.entries().iter().partition(is_new);
                let mut pairs = a.entries().iter().zip(&kept);
                a.entries().len() == kept.len()
                    && pairs.all(|(a, b)| {
                        a.key == b.key && self.below(&a.key, &a.value, &b.value, pointer)
                    })
            }
            (a, b) => {
                let is_retyped = || scalar(a).is_some() && scalar(a) == scalar(b);
                a == b || (self.retyped.contains(&pointer.as_str()) && is_retyped())
            }
        }
    }

    fn below(&self, step: &str, a: &Node, b: &Node, pointer: &mut String) -> bool {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&escaped(step));
        let is_same = self.is_same(a, b, pointer);
        pointer.truncate(length);
        is_same
    }

    /// Whether an entry of the map at a pointer is a field that may be added, with the maps around it.
    fn adds(&self, entry: &Entry, pointer: &str) -> bool {
        let its = format!("{pointer}/{}", escaped(&entry.key));
        let entries = entry.value.entries();
        match entry.value.data {
            Data::Bool(false) => self.added.contains(&&*its),
            Data::Map(_) => !entries.is_empty() && entries.iter().all(|e| self.adds(e, &its)),
            _ => false,
        }
    }
}

/// The text of a scalar.
fn scalar(data: &Data) -> Option<String> {
    match data {
        Data::Bool(b) => Some(b.to_string()),
        Data::Int(i) => Some(i.to_string()),
        Data::Uint(u) => Some(u.to_string()),
        Data::Float(f) => Some(f.to_string()),
        Data::Str(s) => Some(s.to_string()),
        _ => None,
    }
}

/// Replaces the text of a file. The new text is written beside the file, which is then replaced at
/// once: a full disk or a signal leaves the old one. A byte order mark stays.
///
/// # Errors
/// If the file no longer has the text `before`, or cannot be replaced.
pub(crate) fn replace(file: &Path, before: &[u8], after: &[u8]) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("cannot write {}: {e}", file.display());
    // A link stays a link to the file.
    let file = file.canonicalize().map_err(failed)?;
    let now = std::fs::read(&file).map_err(failed)?;
    let text = now.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&now);
    if text != before {
        return Err(format!(
            "{} changed while its fixes were being proven, so it was not fixed; run --fix again",
            file.display()
        ));
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mark = &now[..now.len() - text.len()];
    let permissions = std::fs::metadata(&file).map_err(failed)?.permissions();
    beside
        .write_all(&[mark, after].concat())
        .and_then(|()| beside.as_file().set_permissions(permissions))
        .and_then(|()| beside.as_file().sync_all())
        .map_err(failed)?;
    beside.persist(&file).map_err(|e| failed(e.error))?;
    Ok(())
}

/// That of UTF-8.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A unified diff of two texts, with three lines around each change.
pub(crate) fn diff(name: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .header(name, name)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_only_if_it_has_the_text_that_was_fixed() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("values.yaml");
        std::fs::write(&file, "\u{feff}a: 1\n").expect("a file");
        replace(&file, b"a: 1\n", b"a: 2\n").expect("the file is as it was read");
        let text = || std::fs::read_to_string(&file).expect("a file");
        assert_eq!(text(), "\u{feff}a: 2\n");
        let why = replace(&file, b"a: 1\n", b"a: 3\n").expect_err("the file is another one");
        assert!(why.contains("changed while"), "{why}");
        assert_eq!(text(), "\u{feff}a: 2\n");
        let left = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(left, 1, "no temporary file stays");
    }

    #[test]
    fn a_diff_shows_what_changes_with_three_lines_around() {
        let before: String = (1..=20).map(|i| format!("{i}\n")).collect();
        let after = before.replace("5\n6\n", "5\nsix\n").replace("19\n", "");
        let text = diff("f", &before, &after);
        let wanted = "--- f\n+++ f\n@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n 9\n@@ -16,5 +16,4 @@\n 16\n 17\n 18\n-19\n 20\n";
        assert_eq!(text, wanted);
        assert_eq!(
            diff("f", "a", "b\n"),
            "--- f\n+++ f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
        );
        assert_eq!(diff("f", "", "b\n"), "--- f\n+++ f\n@@ -0,0 +1 @@\n+b\n");
        assert_eq!(diff("f", "a\n", "a\n"), "");
    }
}
