//! Limits on what a chart may use before thebot-lint gives up, because charts come from strangers.
//!
//! A configuration can change these limits (`limits:`). Each has one name, which is used in the
//! configuration and in the finding that reports it. Limits that protect the program itself, above
//! all its stack, are fixed and stand next to the code that they protect.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A limit that a configuration can change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    TemplateSteps,
    TemplateOutput,
    RenderText,
    IncludeDepth,
    TemplateDepth,
    TplDepth,
    RegexSize,
    YamlDepth,
    YamlAliases,
    Documents,
    FileSize,
    ChartFiles,
    ChartSize,
    ArchiveRatio,
    SchemaDepth,
    SchemaSteps,
    RuleSteps,
    Timeout,
}

/// The unit of a limit, which decides how its value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Count,
    Bytes,
    Seconds,
}

use Limit::*;

impl Limit {
    /// All limits, in the order of their declaration.
    pub const ALL: [Limit; 18] = [
        TemplateSteps,
        TemplateOutput,
        RenderText,
        IncludeDepth,
        TemplateDepth,
        TplDepth,
        RegexSize,
        YamlDepth,
        YamlAliases,
        Documents,
        FileSize,
        ChartFiles,
        ChartSize,
        ArchiveRatio,
        SchemaDepth,
        SchemaSteps,
        RuleSteps,
        Timeout,
    ];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            TemplateSteps => "template-steps",
            TemplateOutput => "template-output",
            RenderText => "render-text",
            IncludeDepth => "include-depth",
            TemplateDepth => "template-depth",
            TplDepth => "tpl-depth",
            RegexSize => "regex-size",
            YamlDepth => "yaml-depth",
            YamlAliases => "yaml-aliases",
            Documents => "documents",
            FileSize => "file-size",
            ChartFiles => "chart-files",
            ChartSize => "chart-size",
            ArchiveRatio => "archive-ratio",
            SchemaDepth => "schema-depth",
            SchemaSteps => "schema-steps",
            RuleSteps => "rule-steps",
            Timeout => "timeout",
        }
    }

    pub const fn unit(self) -> Unit {
        match self {
            TemplateOutput | RenderText | RegexSize | YamlAliases | FileSize | ChartSize => {
                Unit::Bytes
            }
            Timeout => Unit::Seconds,
            _ => Unit::Count,
        }
    }

    /// The value without a configuration. It is far beyond any chart that a cluster could take (a
    /// release is 1 MiB at most), and a hostile chart reaches it soon.
    pub const fn default(self) -> u64 {
        match self {
            TemplateSteps => 20_000_000,
            TemplateOutput | YamlAliases => 64 << 20,
            RenderText | ChartSize => 1 << 30,
            // Helm's limit.
            IncludeDepth => 1000,
            TemplateDepth => 100_000,
            TplDepth | SchemaDepth => 1000,
            RegexSize => 10 << 20,
            YamlDepth => 400,
            Documents => 20_000,
            FileSize => 128 << 20,
            ChartFiles => 20_000,
            ArchiveRatio => 500,
            SchemaSteps => 1_000_000,
            RuleSteps => 2_000_000,
            Timeout => 300,
        }
    }

    /// The maximum that a configuration may set: the program is not designed for more.
    pub const fn most(self) -> u64 {
        match (self, self.unit()) {
            (IncludeDepth | TemplateDepth, _) => self.default(),
            (YamlDepth, _) => 1000,
            (SchemaDepth, _) => 10_000,
            (_, Unit::Bytes) => 1 << 30,
            (_, Unit::Count) => 1_000_000_000_000,
            (_, Unit::Seconds) => 86_400,
        }
    }

    /// How to raise the limit, for the help of a finding.
    pub fn how_to_raise(self) -> String {
        let flag = if self == Timeout {
            "--timeout SECONDS, or "
        } else {
            ""
        };
        format!(
            "if the chart is meant to need more, raise it: {flag}`limits: {{{}: …}}` in .thebot-lint.yaml",
            self.name()
        )
    }

    /// Parses a value from a configuration: a number, which for bytes may end in Ki, Mi or Gi.
    ///
    /// # Errors
    /// The expected form.
    pub fn read(self, text: &str) -> Result<u64, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let shift = match (&text[digits.len()..], self.unit()) {
            ("", _) => 0,
            ("Ki", Unit::Bytes) => 10,
            ("Mi", Unit::Bytes) => 20,
            ("Gi", Unit::Bytes) => 30,
            _ => 64,
        };
        let value = digits
            .parse::<u64>()
            .ok()
            .and_then(|n| n.checked_mul(1u64.checked_shl(shift)?));
        match (value, self.unit()) {
            (Some(value @ 1..), _) if value <= self.most() => Ok(value),
            (Some(0), Unit::Seconds) => Ok(0),
            (_, Unit::Bytes) => Err(format!(
                "`{}` is a number of bytes up to 1Gi, as in 64Mi",
                self.name()
            )),
            (_, Unit::Seconds) => Err(format!(
                "`{}` is a number of seconds up to {}; 0 means no limit",
                self.name(),
                self.most()
            )),
            (_, Unit::Count) => Err(format!(
                "`{}` is a number from 1 to {}",
                self.name(),
                self.most()
            )),
        }
    }
}

/// The text of a finding about a limit that was reached.
pub(crate) fn exceeded(limit: Limit, limits: &Limits) -> String {
    let most = limits.get(limit);
    match limit {
        TemplateSteps => {
            format!("the template takes more than {most} steps (limit `template-steps`)")
        }
        TemplateOutput => {
            format!("the template writes more than {most} bytes (limit `template-output`)")
        }
        RenderText => format!(
            "the templates make more than {most} bytes of text and lists (limit `render-text`)"
        ),
        IncludeDepth => {
            format!("`include`s of one template nest deeper than {most} (limit `include-depth`)")
        }
        TemplateDepth => format!("`template`s nest deeper than {most} (limit `template-depth`)"),
        RegexSize => format!(
            "the regular expression takes more than {most} bytes when compiled (limit `regex-size`)"
        ),
        YamlDepth => format!("lists and maps nest deeper than {most} (limit `yaml-depth`)"),
        YamlAliases => {
            format!("aliases repeat more than {most} bytes of text (limit `yaml-aliases`)")
        }
        SchemaDepth => {
            format!("schemas and references nest deeper than {most} (limit `schema-depth`)")
        }
        SchemaSteps => format!("the schema takes more than {most} steps (limit `schema-steps`)"),
        TplDepth => format!("texts given to `tpl` nest deeper than {most} (limit `tpl-depth`)"),
        Documents => format!("there are more than {most} documents (limit `documents`)"),
        FileSize => format!("the file is larger than {most} bytes (limit `file-size`)"),
        ChartFiles => format!("the chart has more than {most} files (limit `chart-files`)"),
        ChartSize => format!(
            "the chart holds more than {most} bytes with all archives in it (limit `chart-size`)"
        ),
        ArchiveRatio => format!(
            "the archive unpacks to more than {most} times its size (limit `archive-ratio`)"
        ),
        RuleSteps => format!("the rule takes more than {most} steps (limit `rule-steps`)"),
        Timeout => format!("processing takes longer than {most} seconds (limit `timeout`)"),
    }
}

/// The values of all limits, and what ends the work on a unit.
#[derive(Clone, Debug)]
pub struct Limits {
    values: [u64; Limit::ALL.len()],
    deadline: Option<Instant>,
    /// Set when nobody needs the result any longer.
    cancel: Option<Arc<AtomicBool>>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            values: Limit::ALL.map(Limit::default),
            deadline: None,
            cancel: None,
        }
    }
}

impl Limits {
    /// The value of a limit, in its unit.
    pub fn get(&self, limit: Limit) -> u64 {
        self.values[limit as usize]
    }

    /// As [`Limits::get`], as a `usize` for sizes in memory.
    pub fn size(&self, limit: Limit) -> usize {
        usize::try_from(self.get(limit)).unwrap_or(usize::MAX)
    }

    pub fn set(&mut self, limit: Limit, value: u64) {
        self.values[limit as usize] = value;
    }

    /// Sets a limit to a value, unless it is below it.
    pub(crate) fn lower(&mut self, limit: Limit, value: u64) {
        self.set(limit, self.get(limit).min(value));
    }

    /// Starts the time that [`Limit::Timeout`] limits; it is over at `deadline` at the latest.
    pub fn begin(&mut self, deadline: Option<Instant>) {
        let seconds = self.get(Limit::Timeout);
        let now = Instant::now();
        let limit = (seconds > 0)
            .then(|| now.checked_add(Duration::from_secs(seconds)))
            .flatten();
        self.deadline = deadline.into_iter().chain(limit).min();
    }

    /// Ends the work when the flag is set, also in the middle of a call. What is made then is worth
    /// nothing.
    pub fn cancelled_by(&mut self, cancel: Arc<AtomicBool>) {
        self.cancel = Some(cancel);
    }

    /// When the time is over.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the deadline has passed, or the work is cancelled.
    pub fn is_late(&self) -> bool {
        self.is_late_after(Duration::ZERO)
    }

    /// Whether the deadline will have passed when work of this duration is done.
    fn is_late_after(&self, work: Duration) -> bool {
        let is_cancelled = self
            .cancel
            .as_ref()
            .is_some_and(|c| c.load(Ordering::Relaxed));
        is_cancelled
            || self
                .deadline
                .is_some_and(|deadline| Instant::now() + work >= deadline)
    }
}

/// Counts the steps of one piece of work, such as a template. Whoever works asks it first.
#[derive(Clone, Debug)]
pub(crate) struct Meter {
    limits: Limits,
    /// The limit of the steps.
    limit: Limit,
    spent: u64,
    /// At this many steps, the limit and the clock are looked at.
    look_at: u64,
}

/// How many steps are made until the clock is looked at again.
const BETWEEN_LOOKS: u64 = 4096;
/// How long a step takes at most.
const STEP: Duration = Duration::from_nanos(300);
/// Work in one piece may end this long after the deadline, since few steps take the longest time.
const GRACE: Duration = Duration::from_secs(2);

impl Meter {
    /// Starts at 0 steps; `limit` limits them.
    pub(crate) fn new(limit: Limit, limits: &Limits) -> Meter {
        Meter {
            limits: limits.clone(),
            limit,
            spent: 0,
            look_at: 0,
        }
    }

    /// Asks for the steps of work that begins now.
    ///
    /// # Errors
    /// The limit that would be exceeded. The work must not begin then.
    #[inline]
    pub(crate) fn charge(&mut self, steps: u64) -> Result<(), Limit> {
        self.spent = self.spent.saturating_add(steps);
        if self.spent < self.look_at {
            return Ok(());
        }
        self.look(steps)
    }

    #[cold]
    fn look(&mut self, steps: u64) -> Result<(), Limit> {
        let most = self.limits.get(self.limit);
        if self.spent > most {
            return Err(self.limit);
        }
        let work = STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX));
        if self.limits.is_late_after(work.saturating_sub(GRACE)) {
            return Err(Limit::Timeout);
        }
        self.look_at = (self.spent + BETWEEN_LOOKS).min(most + 1);
        Ok(())
    }

    /// How many steps were charged.
    pub(crate) fn spent(&self) -> u64 {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_in_its_unit() {
        assert_eq!(TemplateSteps.read("500"), Ok(500));
        assert_eq!(TemplateOutput.read("64Mi"), Ok(64 << 20));
        assert_eq!(Timeout.read("0"), Ok(0));
        for (limit, text) in [
            (TemplateSteps, "0"),
            (TemplateSteps, "1Mi"),
            (TemplateOutput, "9Gi"),
            (FileSize, "-1"),
            (FileSize, "99999999999999999999Gi"),
            (Timeout, "1h"),
        ] {
            assert!(limit.read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_meter_refuses_work_before_it_is_done() {
        let mut limits = Limits::default();
        limits.set(TemplateSteps, 10_000);
        let mut meter = Meter::new(TemplateSteps, &limits);
        assert_eq!(meter.charge(9_999), Ok(()));
        assert_eq!(meter.charge(1), Ok(()));
        assert_eq!(meter.charge(1), Err(TemplateSteps));
        assert_eq!(meter.charge(u64::MAX), Err(TemplateSteps));
        // Steps that jump over every round number are seen as well.
        let mut meter = Meter::new(TemplateSteps, &limits);
        assert_eq!((0..).find(|_| meter.charge(4_097).is_err()), Some(2));
        // Work that would end long after the deadline does not begin.
        limits.set(TemplateSteps, u64::MAX - 1);
        limits.set(Timeout, 1);
        limits.begin(None);
        let mut meter = Meter::new(TemplateSteps, &limits);
        assert_eq!(meter.charge(1), Ok(()));
        assert_eq!(meter.charge(100_000_000), Err(Timeout));
    }

    #[test]
    fn what_is_cancelled_ends_in_the_middle_of_its_steps() {
        let cancel = Arc::new(AtomicBool::new(false));
        let mut limits = Limits::default();
        limits.cancelled_by(cancel.clone());
        let mut meter = Meter::new(TemplateSteps, &limits);
        assert_eq!(meter.charge(1), Ok(()));
        cancel.store(true, Ordering::Relaxed);
        assert!(limits.is_late());
        assert!((0..=BETWEEN_LOOKS).any(|_| meter.charge(1) == Err(Timeout)));
    }

    #[test]
    fn an_earlier_deadline_holds_for_work_that_begins_again() {
        let mut first = Limits::default();
        first.begin(None);
        let mut again = Limits::default();
        again.begin(first.deadline());
        assert_eq!(again.deadline(), first.deadline());
        let mut short = Limits::default();
        short.set(Timeout, 1);
        short.begin(first.deadline());
        assert!(short.deadline() < first.deadline());
    }

    #[test]
    fn every_limit_has_an_index() {
        for (i, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, i);
            assert!(limit.default() <= limit.most());
        }
    }
}
