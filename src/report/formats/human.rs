//! The human format: code frames by miette, with the values line below the template line, and a
//! summary.

use crate::diagnostic::{Role, Severity};
use crate::escape::escape_controls;
use crate::escape::{char_start, even, mask_controls};
use crate::report::Finding;
use crate::report::Location;
use crate::report::Report;
use crate::report::object_name;
use crate::source::Source;
use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};
use rustc_hash::FxHashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// How many lines a frame shows above and below the marked line.
const CONTEXT: usize = 1;

/// The appearance on the terminal.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    pub color: bool,
    /// Whether to draw boxes with Unicode instead of plain ASCII.
    pub unicode: bool,
    pub hyperlinks: bool,
    /// The width in columns.
    pub width: usize,
    /// Whether to print the findings only, without the summary.
    pub quiet: bool,
    /// Whether to show all templates that a finding passed through.
    pub verbose: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style {
            color: false,
            unicode: true,
            hyperlinks: false,
            width: 80,
            quiet: false,
            verbose: false,
        }
    }
}

pub(crate) fn write(report: &Report, style: Style) -> String {
    let theme = match (style.unicode, style.color) {
        (true, true) => GraphicalTheme::unicode(),
        (true, false) => GraphicalTheme::unicode_nocolor(),
        (false, true) => GraphicalTheme::ascii(),
        (false, false) => GraphicalTheme::none(),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(style.width.max(40))
        .with_links(style.hyperlinks)
        .with_context_lines(CONTEXT);
    let mut texts = Texts::default();
    let mut out = String::new();
    for block in blocks(report) {
        let _ = handler.render_report(&mut out, &Shown::block(&block, style, &mut texts));
        // miette's `related` would put a heading with a severity above each place.
        for further in further(&block, style.verbose) {
            match further {
                Further::Place(place) => {
                    let shown = Shown::place(place, related(place.role), &mut texts);
                    let _ = handler.render_report(&mut out, &shown);
                }
                Further::LeftOut(count) => {
                    let calls = if count == 1 { "call" } else { "calls" };
                    out.push_str(&format!(
                        "  through {count} more {calls} of templates (--verbose shows them)\n"
                    ));
                }
            }
        }
        out.push('\n');
    }
    if !style.quiet {
        let summary = wrapped(&summary(report), style.width.max(40)).replace('\u{a0}', " ");
        // A line break may have made a command of a text.
        out.push_str(&escape_controls(&summary));
    }
    out
}

/// The findings at one place of one object are one block; the worst comes first.
fn blocks(report: &Report) -> Vec<Vec<&Finding>> {
    let mut blocks: Vec<Vec<&Finding>> = Vec::new();
    let mut known = FxHashMap::default();
    for finding in report.shown() {
        let place = &finding.locations[0];
        let place = (&place.file, &place.bytes);
        let holds = (&finding.environments, finding.kubernetes);
        match known.get(&(&finding.object, place, holds)) {
            Some(&at) if finding.object.is_some() && finding.explored.is_none() => {
                let block: &mut Vec<&Finding> = &mut blocks[at];
                block.push(finding);
            }
            _ => {
                known.insert((&finding.object, place, holds), blocks.len());
                blocks.push(vec![finding]);
            }
        }
    }
    for block in &mut blocks {
        block.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    }
    blocks
}

/// What follows the frame of a block.
enum Further<'r> {
    Place(&'r Location),
    /// A number of calls of templates.
    LeftOut(usize),
}

/// The further places of a block, each once. Of a long chain of includes, the first and the last
/// matter.
fn further<'r>(block: &[&'r Finding], verbose: bool) -> Vec<Further<'r>> {
    let first = &block[0].locations[0];
    let mut places: Vec<&Location> = Vec::new();
    for place in block.iter().flat_map(|finding| &finding.locations[1..]) {
        let is_same = |l: &Location| l.file == place.file && l.line == place.line;
        let is_known = places.iter().any(|l| is_same(l) && l.label == place.label);
        let is_shown = place.role == Role::Fix && is_same(first);
        if !is_known && !is_shown {
            places.push(place);
        }
    }
    let (includes, others): (Vec<_>, Vec<_>) =
        places.into_iter().partition(|l| l.role == Role::Include);
    let mut all: Vec<Further> = others.into_iter().map(Further::Place).collect();
    match &includes[..] {
        [first, between @ .., last] if !between.is_empty() && !verbose => all.extend([
            Further::Place(first),
            Further::LeftOut(between.len()),
            Further::Place(last),
        ]),
        _ => all.extend(includes.into_iter().map(Further::Place)),
    }
    all
}

/// "2 errors, 1 warning. Looked at 1 chart in 4 environments …"
fn summary(report: &Report) -> String {
    let s = &report.summary;
    let mut out = report.counts();
    if s.suppressed > 0 {
        out.push_str(&format!(" ({} suppressed)", s.suppressed));
    }
    let plural =
        |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    out.push_str(": ");
    if s.charts > 0 {
        out.push_str(&format!("{}, ", plural(s.charts, "chart", "charts")));
    }
    if !s.environments.is_empty() {
        out.push_str(&format!(
            "{} ({}), ",
            plural(s.environments.len(), "environment", "environments"),
            few(&s.environments)
        ));
    }
    out.push_str(&format!(
        "{}, {}, ",
        plural(s.objects, "object", "objects"),
        plural(s.rules, "rule", "rules")
    ));
    for judged in s.judged() {
        out.push_str(&format!("{judged}, "));
    }
    // No line break between a number and its unit.
    let seconds = s.elapsed.as_secs_f64();
    out.push_str(&if seconds < 1.0 {
        format!("{:.1}\u{a0}ms\n", seconds * 1000.0)
    } else {
        format!("{seconds:.1}\u{a0}s\n")
    });
    if s.not_resolved > 0 {
        out.push_str(&format!(
            "Not rendered: {} (`thebot-lint deployments` says why)\n",
            plural(s.not_resolved, "release", "releases")
        ));
    }
    if s.not_explored > 0 {
        out.push_str(&format!(
            "Not explored because of limits: {}\n",
            plural(s.not_explored, "set of values", "sets of values")
        ));
    }
    if !s.left_out.is_empty() {
        out.push_str(&format!("Left out: {}\n", s.without()));
    }
    if !s.without_schema.is_empty() {
        let kinds: Vec<String> = s
            .without_schema
            .iter()
            .map(|(kind, n)| format!("{kind} ({n})"))
            .collect();
        out.push_str(&format!(
            "Not checked, no schema is known: {}\n",
            few(&kinds)
        ));
    }
    for held in s.held_back() {
        out.push_str(&format!("Held back, because {held}\n"));
    }
    escape_controls(&out).into_owned()
}

/// The first names of a list, and how many there are besides.
fn few<S: AsRef<str>>(names: &[S]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).map(AsRef::as_ref);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Breaks a text at blanks; a word longer than a line stays whole.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut column = 0;
        for word in line.split(' ') {
            let length = word.chars().count();
            if column > 0 && column + 1 + length > width {
                out.push('\n');
                column = 0;
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += length;
        }
        out.push('\n');
    }
    out
}

/// Texts made safe for a terminal, one for each file.
#[derive(Default)]
struct Texts(FxHashMap<*const Source, Option<Arc<Listing>>>);

impl Texts {
    /// None if the text is not UTF-8: no frame can be drawn then.
    fn of(&mut self, location: &Location) -> Option<Arc<Listing>> {
        let source = &location.source;
        let entry = self.0.entry(Arc::as_ptr(source));
        entry
            .or_insert_with(|| {
                let text = std::str::from_utf8(&source.text).ok()?;
                let name = location.file.as_deref().unwrap_or("command line");
                Some(Arc::new(Listing::new(name, text)))
            })
            .clone()
    }
}

/// A longer line of a frame is cut, in bytes. Nobody reads more, and the standard library formats no
/// width beyond 65,535, to which miette pads the mark.
const LONGEST_LINE: usize = 400;
/// How many bytes of a line remain when it is cut, and how many of them are before the mark.
const CUT_LINE: usize = 200;
const BEFORE_MARK: usize = 50;
/// Shows where a line is cut.
const LEFT_OUT: &str = "...";

/// A file's text that finds the lines for miette. By default miette counts the lines from the start
/// of the file for each frame.
#[derive(Debug)]
struct Listing {
    name: String,
    /// The line breaks may differ from those of the file.
    text: String,
    /// The start of each line in the text.
    lines: Vec<usize>,
    /// How many lines of the file are above the text.
    above: usize,
    /// How many columns the marked line has lost at its start.
    left_out: usize,
}

impl Listing {
    fn new(name: &str, text: &str) -> Listing {
        let text = mask_controls(text);
        let (mut shown, mut lines) = (String::with_capacity(text.len()), vec![0]);
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => {
                    shown.push_str(&even(line));
                    shown.push('\n');
                    lines.push(shown.len());
                }
                None => shown.push_str(&even(line)),
            }
        }
        Listing {
            name: escape_controls(name).into_owned(),
            text: shown,
            lines,
            above: 0,
            left_out: 0,
        }
    }

    /// The range of a line, counted from 0, without its line break.
    fn line(&self, index: usize) -> Range<usize> {
        let next = self.lines.get(index + 1);
        self.lines[index]..next.map_or(self.text.len(), |next| next - 1)
    }

    /// The lines of a frame around a mark, cut where they are too long, and the mark in them. None
    /// if no line is too long.
    fn cut(&self, mark: &Range<usize>) -> Option<(Listing, Range<usize>)> {
        let marked = self.lines.partition_point(|start| *start <= mark.start) - 1;
        let above = marked.saturating_sub(CONTEXT);
        let shown = above..(marked + CONTEXT + 1).min(self.lines.len());
        if shown.clone().all(|i| self.line(i).len() <= LONGEST_LINE) {
            return None;
        }
        let mut cut = Listing {
            name: self.name.clone(),
            text: String::new(),
            lines: Vec::new(),
            above,
            left_out: 0,
        };
        let mut new_mark = 0..0;
        for index in shown {
            if index > above {
                cut.text.push('\n');
            }
            cut.lines.push(cut.text.len());
            let line = self.line(index);
            let mut kept = line.clone();
            if line.len() > LONGEST_LINE {
                if index == marked && mark.start - line.start > CUT_LINE / 2 {
                    kept.start = char_start(&self.text, mark.start - BEFORE_MARK);
                    cut.text.push_str(LEFT_OUT);
                    cut.left_out = kept.start - line.start - LEFT_OUT.len();
                }
                kept.end = char_start(&self.text, line.end.min(kept.start + CUT_LINE));
            }
            if index == marked {
                let there =
                    |at: usize| cut.text.len() + at.clamp(kept.start, kept.end) - kept.start;
                new_mark = there(mark.start)..there(mark.end);
            }
            cut.text.push_str(&self.text[kept.clone()]);
            if kept.end < line.end {
                cut.text.push_str(LEFT_OUT);
            }
        }
        Some((cut, new_mark))
    }

    /// The offset in the text for a byte of a line of the file.
    fn at(&self, line: usize, offset: usize) -> usize {
        let start = self.lines[(line - 1).min(self.lines.len() - 1)];
        let end = self
            .lines
            .get(line)
            .map_or(self.text.len(), |next| next - 1);
        char_start(&self.text, (start + offset).min(end.max(start)))
    }
}

impl SourceCode for Listing {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let line = self.lines.partition_point(|start| *start <= span.offset());
        let above = line.saturating_sub(before + 1);
        let start = self.lines[above];
        let from_there = SourceSpan::from((span.offset() - start, span.len()));
        let shown = self.text[start..].read_span(&from_there, before, after)?;
        let place = SourceSpan::from((start + shown.span().offset(), shown.span().len()));
        let above = above + self.above;
        let column = match before {
            // miette asks for the column of the mark without lines before it.
            0 => shown.column() + self.left_out,
            _ => shown.column(),
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            shown.data(),
            place,
            above + shown.line(),
            column,
            above + shown.line_count(),
        )))
    }
}

/// A finding, or one of its further places, as a diagnostic of miette.
#[derive(Debug)]
struct Shown {
    code: Option<String>,
    url: Option<String>,
    message: String,
    severity: miette::Severity,
    help: Option<String>,
    source: Option<Arc<Listing>>,
    label: Option<LabeledSpan>,
}

impl Shown {
    fn block(block: &[&Finding], style: Style, texts: &mut Texts) -> Shown {
        let (f, others) = (block[0], &block[1..]);
        let mut message = f.message.clone();
        if let Some(object) = &f.object {
            message.push_str(&format!(" [{}]", object_name(object)));
        }
        if !f.environments.is_empty() {
            message.push_str(&format!(" (in {})", f.environments.join(", ")));
        }
        if let Some(versions) = f.kubernetes {
            message.push_str(&format!(" (Kubernetes {versions})"));
        }
        let mut help: Vec<String> = f.help.iter().cloned().collect();
        help.extend(f.notes.iter().cloned());
        for other in others {
            let (severity, rule) = (other.severity.as_str(), &other.rule);
            help.push(format!("also {severity}[{rule}] {}", other.message));
            help.extend(other.help.iter().chain(&other.notes).cloned());
        }
        let mut shown = Shown::place(&f.locations[0], "", texts);
        shown.code = Some(escape_controls(&f.rule).into_owned());
        // Without hyperlinks miette prints the whole URL beside every finding.
        shown.url = style.hyperlinks.then(|| f.url.clone());
        shown.message = escape_controls(&message).into_owned();
        shown.severity = match f.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Info => miette::Severity::Advice,
        };
        shown.help = (!help.is_empty()).then(|| escape_controls(&help.join("\n")).into_owned());
        shown
    }

    fn place(l: &Location, what: &str, texts: &mut Texts) -> Shown {
        let mut message = if l.label.is_empty() {
            what.to_string()
        } else {
            l.label.clone()
        };
        if !l.environments.is_empty() && l.role == Role::Values {
            message.push_str(&format!(" in {}", l.environments.join(", ")));
        }
        let mut source = texts.of(l);
        if source.is_none() {
            message.push_str(&format!(
                " at {}:{}:{}",
                l.file.as_deref().unwrap_or("command line"),
                l.line,
                l.column
            ));
        }
        // A long frame hides the point, so only the first line is marked.
        let first = l.source.line(l.line);
        let end = l.bytes.end.min(first.end.max(l.bytes.start));
        let label = source.as_mut().map(|text| {
            let from = text.at(l.line, l.bytes.start.saturating_sub(first.start));
            let to = text.at(l.line, end.saturating_sub(first.start)).max(from);
            let mut mark = from..to;
            if let Some((cut, new_mark)) = text.cut(&mark) {
                (*text, mark) = (Arc::new(cut), new_mark);
            }
            LabeledSpan::new(None, mark.start, mark.len())
        });
        Shown {
            code: None,
            url: None,
            message: escape_controls(&message).into_owned(),
            severity: miette::Severity::Advice,
            help: None,
            label,
            source,
        }
    }
}

fn related(role: Role) -> &'static str {
    match role {
        Role::Values => "set here",
        Role::Include => "through here",
        Role::Fix => "set it here",
        Role::Template => "written here",
        Role::Deployment => "deployed here",
        Role::Manifest | Role::Source => "see here",
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|c| Box::new(c) as _)
    }
    fn url<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.url.as_ref().map(|c| Box::new(c) as _)
    }
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|c| Box::new(c) as _)
    }
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|s| s as &dyn SourceCode)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.label.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_the_mark() {
        let text = format!(
            "first\n{}MARK{}\nlast\n",
            "a".repeat(70_000),
            "b".repeat(70_000)
        );
        let listing = Listing::new("f.json", &text);
        let start = text.find("MARK").expect("the mark");
        let (cut, mark) = listing.cut(&(start..start + 4)).expect("a long line");
        assert_eq!(&cut.text[mark.clone()], "MARK");
        assert!(cut.text.len() < 500, "{}", cut.text.len());
        let lines: Vec<&str> = cut.text.lines().collect();
        assert_eq!((lines[0], lines[2]), ("first", "last"));
        assert!(lines[1].starts_with("...a") && lines[1].ends_with("b..."));
        let span = SourceSpan::from((mark.start, mark.len()));
        let place = cut.read_span(&span, 0, 0).expect("a place");
        assert_eq!((place.line(), place.column()), (1, 70_000));
        // A mark at the start of a long line, and lines that are short.
        let (cut, mark) = listing.cut(&(6..8)).expect("a long line");
        assert_eq!(&cut.text[mark], "aa");
        let short = Listing::new("f.yaml", "a: 1\nb: 2\n");
        assert!(short.cut(&(0..1)).is_none());
    }
}
