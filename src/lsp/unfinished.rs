//! Half-written texts. While a template or a values file cannot be parsed, the chart is judged with
//! its last text that could be, so that the findings of everything else stay. What is wrong is found
//! in the text as it is.

use super::judge::{Job, Judged};
use crate::diagnostic::Diagnostic;
use crate::helm;
use crate::helm::environments;
use crate::helm::render::Problem;
use crate::insight::secrets::Secrets;
use crate::manifest;
use crate::report::Finding;
use crate::report::settle::settle;
use crate::source::{Source, SourceId, SourceKind, Sources, Span, Unsaved};
use crate::template;
use similar::{Algorithm, DiffTag, capture_diff_slices_deadline};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long lines are compared, before a whole region counts as changed.
const PATIENCE: Duration = Duration::from_millis(50);

/// A file of a chart whose text cannot be parsed.
pub(super) struct Unfinished {
    pub path: PathBuf,
    /// The last text that could be parsed. It is judged instead.
    pub last: Arc<[u8]>,
    /// What is wrong with the text as it is.
    pub findings: Vec<Finding>,
    /// Helm's message for it.
    pub problem: String,
    /// The ranges of `last` that the text still has, and where they begin there.
    kept: Vec<(Range<usize>, usize)>,
}

/// How a file of a chart is read.
#[derive(Clone, Copy)]
enum Kind {
    Template,
    /// A YAML file that the chart contains, by its name.
    OfChart(&'static str),
    /// The values file of an environment.
    Values,
}

impl Unfinished {
    /// Where a range of the last text is in the text as it is. None if it changed.
    pub(super) fn place(&self, range: &Range<usize>) -> Option<Range<usize>> {
        let holds =
            |(kept, _): &&(Range<usize>, usize)| kept.start <= range.start && range.end <= kept.end;
        let (kept, start) = self.kept.iter().find(holds)?;
        Some(range.start - kept.start + start..range.end - kept.start + start)
    }
}

/// The files of a job whose texts cannot be parsed and could be before.
pub(super) fn all(job: &Job) -> Vec<Unfinished> {
    let before = job.before.as_deref();
    let one = |(path, text): (&PathBuf, &Arc<[u8]>)| {
        let kind = kind_of(&job.chart, path, before)?;
        let (found, problem, sources) = faults(job, kind, path, text)?;
        let last = last_text(path, before).filter(|last| *last != *text)?;
        if faults(job, kind, path, &last).is_some() {
            return None;
        }
        let secrets = Secrets::of_files(&sources);
        let explained = found.into_iter().map(|d| manifest::explained(d, &sources));
        Some(Unfinished {
            path: path.clone(),
            findings: settle(explained.collect(), &sources, &secrets, &[]),
            problem,
            kept: kept(&last, text),
            last,
        })
    };
    job.unsaved.texts().iter().filter_map(one).collect()
}

/// The texts to judge: those of the editor, without the unfinished ones.
pub(super) fn settled(unsaved: &Unsaved, unfinished: &[Unfinished]) -> Unsaved {
    if unfinished.is_empty() {
        return unsaved.clone();
    }
    let mut texts = unsaved.texts().clone();
    texts.extend(unfinished.iter().map(|u| (u.path.clone(), u.last.clone())));
    Unsaved::new(texts)
}

/// The text that the judgement before was made from; on the first one, the text on disk.
fn last_text(path: &Path, before: Option<&Judged>) -> Option<Arc<[u8]>> {
    let Some(before) = before else {
        return Sources::default().read_file(path).ok().map(Arc::from);
    };
    let mut files = before.analysis.sources.files();
    let (_, source) = files.find(|(_, s)| Unsaved::key(Path::new(&*s.name)) == path)?;
    Some(source.text.clone())
}

fn kind_of(chart: &Path, path: &Path, before: Option<&Judged>) -> Option<Kind> {
    let is_read = |before: &Judged| before.files.contains(path);
    if !before.is_none_or(is_read) {
        return None;
    }
    let below = path.strip_prefix(chart).ok().and_then(Path::to_str);
    let mut rest = below.unwrap_or_default().replace('\\', "/");
    while let Some((_, inner)) = rest.strip_prefix("charts/").and_then(|r| r.split_once('/')) {
        rest = inner.to_string();
    }
    match &*rest {
        "Chart.yaml" => return Some(Kind::OfChart("Chart.yaml")),
        "values.yaml" => return Some(Kind::OfChart("values.yaml")),
        "requirements.yaml" => return Some(Kind::OfChart("requirements.yaml")),
        name if name.starts_with("templates/") => return Some(Kind::Template),
        _ => {}
    }
    let Judged { analysis, .. } = before?;
    let is_values =
        |(id, _): &(SourceId, _)| Unsaved::key(Path::new(&*analysis.sources.get(*id).name)) == path;
    let mut values = analysis.rendering.as_ref()?.values.iter();
    values.any(is_values).then_some(Kind::Values)
}

/// Parses a text as the chart would. If it cannot be parsed: what is wrong, Helm's message, and the
/// sources of both; else none.
fn faults(
    job: &Job,
    kind: Kind,
    path: &Path,
    text: &Arc<[u8]>,
) -> Option<(Vec<Diagnostic>, String, Sources)> {
    let shown = path.display().to_string();
    let mut sources = Sources::default();
    let id = sources.add(Source::new(shown.clone(), text.clone(), SourceKind::File));
    let head = Span::new(id, 0, 0);
    let error = match kind {
        Kind::Template => {
            let problems = parse_errors(job, path, id, text);
            let message = problems.first()?.helm_message();
            let found = problems.iter().flat_map(|p| p.diagnostics(head, 0));
            let found = found.map(|d| Diagnostic {
                environment: None,
                ..d
            });
            return Some((found.collect(), message, sources));
        }
        Kind::OfChart(name) => helm::check_file(&sources, id, name).err()?,
        Kind::Values => environments::read_values(&shown, id, &sources).err()?,
    };
    Some((vec![error.diagnostic(head)], error.message, sources))
}

fn parse_errors(job: &Job, path: &Path, id: SourceId, text: &Arc<[u8]>) -> Vec<Problem> {
    let rendering = job
        .before
        .as_ref()
        .and_then(|before| before.analysis.rendering.as_ref());
    let chart = rendering.map_or("", |r| r.chart.metadata.name.as_str());
    let below = path.strip_prefix(&job.chart).unwrap_or(path);
    let name = format!("{chart}/{}", below.display());
    let errors = template::parse(&name, id, text.clone()).errors;
    errors.into_iter().map(Problem::Parse).collect()
}

/// The ranges of lines that two texts have in common, and where they begin in the second.
fn kept(last: &[u8], text: &[u8]) -> Vec<(Range<usize>, usize)> {
    fn lines(text: &[u8]) -> Vec<&[u8]> {
        text.split_inclusive(|b| *b == b'\n').collect()
    }
    fn starts(lines: &[&[u8]]) -> Vec<usize> {
        let ends = lines.iter().scan(0, |at, line| {
            *at += line.len();
            Some(*at)
        });
        std::iter::once(0).chain(ends).collect()
    }
    let (old, new) = (lines(last), lines(text));
    let (old_starts, new_starts) = (starts(&old), starts(&new));
    let deadline = Some(Instant::now() + PATIENCE);
    let ops = capture_diff_slices_deadline(Algorithm::Patience, &old, &new, deadline);
    let same = ops.iter().filter(|op| op.tag() == DiffTag::Equal);
    same.map(|op| {
        let (old, new) = (op.old_range(), op.new_range());
        (
            old_starts[old.start]..old_starts[old.end],
            new_starts[new.start],
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_move_with_the_lines_around_them() {
        let last: Arc<[u8]> = b"a: 1\nb: 2\nc: 3\nd: 4\n"[..].into();
        let text = b"x: 0\na: 1\nb: {{ .\nc: 3\ny: 0\nd: 4\n";
        let unfinished = Unfinished {
            path: PathBuf::new(),
            kept: kept(&last, text),
            last,
            findings: Vec::new(),
            problem: String::new(),
        };
        for (old, new) in [
            (0..4, Some(5..9)),
            (3..4, Some(8..9)),
            (5..9, None),
            (15..19, Some(28..32)),
            (3..12, None),
        ] {
            assert_eq!(unfinished.place(&old), new, "{old:?}");
        }
    }
}
