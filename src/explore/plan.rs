//! Which sets of atoms are rendered: first everything at once, then a few more for the branches
//! that this does not reach.

use super::Subject;
use super::shape::{Atom, Keys, Kind, Shapes, What};
use super::trial::Outcome;
use crate::helm::Environment;
use crate::helm::render::Problem;
use crate::project::rendering::{EnvironmentRender, RenderedChart};
use crate::source::{Sources, Span};
use crate::template::uses::{Constant, EACH, Test, Uses};
use crate::template::{Asked, BitSet, NodeKind, Templates};
use rustc_hash::FxHashSet;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The environment to explore on top of: the first one that the chart accepts, or else the first.
pub(super) fn base(rendering: &RenderedChart) -> Option<Environment> {
    let is_accepted =
        |r: &&EnvironmentRender| !r.rendered.problems.iter().any(Problem::refuses_values);
    let mut renders = rendering.renders.iter().filter(|r| r.primary);
    let render = renders
        .clone()
        .find(is_accepted)
        .or_else(|| renders.next())?;
    rendering
        .environments
        .get(render.environment as usize)
        .cloned()
}

/// Most sets that are made for branches in one round.
const MOST_SETS: usize = 24;
/// Rounds in which a set has everything besides what is wanted, and then those in which it has
/// nothing else: a chart that refuses something refuses every large set.
const LARGE_ROUNDS: usize = 3;
const MOST_ROUNDS: usize = 5;
/// How many times the values to fill are divided into two parts.
const PARTS: usize = 3;
/// How many sets for branches are also rendered with each half of what is filled.
const HALVED_SETS: usize = 2;
/// How many sets for branches are also rendered with nothing filled but what they want.
const BARE_SETS: usize = 4;
/// Most sets that are tried again.
const MOST_AGAIN: usize = 12;

/// A branch of the chart's own templates, and the ways to it.
struct Goal {
    branch: Span,
    ways: Vec<Test>,
    /// Why it is not reached.
    missed: Missed,
}

/// Why no render took a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// The conditions of each way to it exclude each other.
    Contradictory,
    /// The chart refuses the values that lead to it.
    Refused,
    /// What the values on the way to it hold is not known.
    Unknown,
}

/// Atoms to set together.
#[derive(Default)]
pub(super) struct Set {
    pub atoms: Vec<Atom>,
    /// The goals that it is made for, by their index.
    goals: Vec<usize>,
}

/// The sets to render, in order.
pub(super) struct Plan {
    atoms: Vec<Atom>,
    goals: Vec<Goal>,
    /// The branches that some render took.
    covered: FxHashSet<Span>,
    sets: VecDeque<Set>,
    rounds: usize,
    /// How often a set was tried again without what failed in it.
    again: usize,
    /// What made templates fail. An error hides what comes after it, so it is set only where it is
    /// wanted.
    blamed: FxHashSet<What>,
    /// The sets for no special branch that were given already.
    rendered: FxHashSet<Vec<What>>,
}

impl Plan {
    /// `uses` are those of `templates`.
    pub(super) fn new(
        atoms: Vec<Atom>,
        uses: Uses,
        templates: &Templates,
        subject: &Subject<'_>,
        sources: &Sources,
    ) -> Plan {
        let mut goals = Vec::new();
        let mut ways = uses.branches;
        for (i, node) in templates.nodes().enumerate() {
            let is_branch = node.kind == NodeKind::Branch;
            if is_branch
                && subject.is_own_template(&sources.get(node.span.source).name)
                && let Some(ways) = ways.remove(&i)
            {
                goals.push(Goal {
                    branch: node.span,
                    ways,
                    missed: Missed::Contradictory,
                });
            }
        }
        let mut plan = Plan {
            atoms,
            goals,
            covered: FxHashSet::default(),
            sets: VecDeque::new(),
            rounds: 0,
            again: 0,
            blamed: FxHashSet::default(),
            rendered: FxHashSet::default(),
        };
        for render in &subject.rendering.renders {
            if let Some(templates) = &render.rendered.templates {
                plan.cover(templates, &render.rendered.record.executed);
            }
        }
        plan.add(&[Kind::On, Kind::Fill, Kind::Cluster]);
        plan.add(&[Kind::On, Kind::Fill, Kind::Guess]);
        plan.add(&[Kind::On]);
        plan.add(&[Kind::Fill]);
        plan.add(&[Kind::Off, Kind::Fill]);
        plan
    }

    /// Sets with a part of what may be filled, so that of two values one is there without the other:
    /// one set for each digit of the number of a value, and one for its opposite.
    fn add_parts(&mut self) {
        let blamed = &self.blamed;
        let is_fill = |atom: &&Atom| atom.kind == Kind::Fill && !blamed.contains(&atom.what);
        for digit in 0..PARTS {
            for wanted in [0, 1] {
                let numbered = self.atoms.iter().filter(is_fill).enumerate();
                let part = numbered.filter(|(number, _)| (number >> digit) & 1 == wanted);
                let mut set: Vec<Atom> = part.map(|(_, atom)| atom.clone()).collect();
                if set.is_empty() {
                    continue;
                }
                set.extend(self.atoms.iter().filter(|a| a.kind == Kind::On).cloned());
                self.sets.push_back(Set {
                    atoms: set,
                    goals: Vec::new(),
                });
            }
        }
    }

    fn add(&mut self, kinds: &[Kind]) {
        let set: Vec<Atom> = self
            .atoms
            .iter()
            .filter(|atom| kinds.contains(&atom.kind))
            .cloned()
            .collect();
        if !set.is_empty() {
            self.push(set, Vec::new());
        }
    }

    /// The branches that some render took.
    pub(super) fn covered(&self) -> &FxHashSet<Span> {
        &self.covered
    }

    /// Adds a set, unless one with the same atoms waits already.
    fn push(&mut self, atoms: Vec<Atom>, goals: Vec<usize>) {
        match self.sets.iter_mut().find(|set| set.atoms == atoms) {
            Some(set) => set.goals.extend(goals),
            None => self.sets.push_back(Set { atoms, goals }),
        }
    }

    fn cover(&mut self, templates: &Templates, executed: &BitSet) {
        self.covered.extend(taken(templates, executed));
    }

    /// The next set to render. None if there is nothing more to try.
    pub(super) fn next(&mut self, shapes: &mut Shapes) -> Option<Set> {
        loop {
            while self.sets.is_empty() && self.rounds < MOST_ROUNDS {
                if self.rounds == 0 {
                    self.add_parts();
                }
                self.reach(shapes);
                self.rounds += 1;
            }
            let mut set = self.sets.pop_front()?;
            if set.goals.is_empty() {
                let blamed = &self.blamed;
                set.atoms.retain(|atom| !blamed.contains(&atom.what));
                let whats = set.atoms.iter().map(|atom| atom.what.clone()).collect();
                if set.atoms.is_empty() || !self.rendered.insert(whats) {
                    continue;
                }
            }
            return Some(set);
        }
    }

    /// Tries a set again without the atoms that made templates fail in it: an error hides what comes
    /// after it.
    pub(super) fn again(&mut self, mut set: Set, blamed: FxHashSet<What>) {
        self.blamed.extend(blamed);
        let count = set.atoms.len();
        set.atoms.retain(|atom| !self.blamed.contains(&atom.what));
        if set.atoms.len() < count && self.again < MOST_AGAIN {
            self.again += 1;
            self.sets.push_front(set);
        }
    }

    /// The branches of the chart's own templates that a render took.
    pub(super) fn reached(&self, outcome: &Outcome) -> FxHashSet<Span> {
        let Some(templates) = &outcome.templates else {
            return FxHashSet::default();
        };
        let goals: FxHashSet<Span> = self.goals.iter().map(|goal| goal.branch).collect();
        taken(templates, &outcome.record.executed)
            .filter(|span| goals.contains(span))
            .collect()
    }

    /// The branches that no render took, and why.
    pub(super) fn unreached(&self) -> Vec<(Span, Missed)> {
        let mut left: Vec<_> = self
            .goals
            .iter()
            .filter(|goal| !self.covered.contains(&goal.branch))
            .map(|goal| (goal.branch, goal.missed))
            .collect();
        left.sort_unstable_by_key(|(branch, _)| *branch);
        left.dedup_by_key(|(branch, _)| *branch);
        left
    }

    /// Takes in what the render of a set did.
    pub(super) fn learn(&mut self, set: &Set, outcome: &Outcome) {
        if outcome.is_refused {
            for goal in &set.goals {
                self.goals[*goal].missed = Missed::Refused;
            }
        } else if let Some(templates) = &outcome.templates {
            self.cover(templates, &outcome.record.executed);
        }
        for asked in &outcome.record.capabilities {
            if let Asked::HasApi { api, answer: false } = asked {
                let what = What::Api(api.clone());
                if !self.atoms.iter().any(|atom| atom.what == what) {
                    self.atoms.push(Atom::of(what));
                }
            }
        }
    }

    /// Makes sets for the branches that no render took: each set for as many as agree.
    fn reach(&mut self, shapes: &mut Shapes) {
        let mut sets: Vec<(Wants, Vec<usize>)> = Vec::new();
        let (round, covered) = (self.rounds % LARGE_ROUNDS, &self.covered);
        let goals = self.goals.iter_mut().enumerate();
        for (number, goal) in goals.filter(|(_, g)| !covered.contains(&g.branch)) {
            // Each round tries another way, and then other alternatives.
            let Some(way) = goal.ways.get(round % goal.ways.len().max(1)) else {
                continue;
            };
            let mut wants = Wants::default();
            if !wants.solve(way, true, round / goal.ways.len().max(1), shapes) {
                continue;
            }
            if goal.missed == Missed::Contradictory {
                goal.missed = Missed::Unknown;
            }
            match sets.iter().position(|(set, _)| set.agrees(&wants)) {
                Some(at) => {
                    sets[at].0.extend(wants);
                    sets[at].1.push(number);
                }
                None if sets.len() < MOST_SETS => sets.push((wants, vec![number])),
                None => {}
            }
        }
        for (number, (wants, goals)) in sets.into_iter().enumerate() {
            let wanted: Vec<Keys> = wants.values.keys().cloned().collect();
            let atoms = self.set(wants, shapes);
            if self.rounds == 0 && number < HALVED_SETS {
                self.push(half(&atoms, 0), Vec::new());
                self.push(half(&atoms, 1), Vec::new());
            }
            if self.rounds == 0 && number < BARE_SETS {
                self.push(bare(&atoms, &wanted), Vec::new());
            }
            self.push(atoms, goals);
        }
    }

    /// Everything, except where something else is wanted; in the last rounds only what is wanted.
    fn set(&self, wants: Wants, shapes: &mut Shapes) -> Vec<Atom> {
        let is_usual = |atom: &Atom| {
            self.rounds < LARGE_ROUNDS
                && matches!(atom.kind, Kind::On | Kind::Fill)
                && !self.blamed.contains(&atom.what)
        };
        let mut set: Vec<Atom> = self
            .atoms
            .iter()
            .filter(|atom| is_usual(atom))
            .filter(|atom| {
                let path = atom.path();
                !path.is_some_and(|path| {
                    wants.values.iter().any(|(wanted, want)| match want {
                        Want::Full => false,
                        Want::Empty => path.starts_with(wanted),
                        Want::Equal(_) => path == wanted,
                    })
                })
            })
            .cloned()
            .collect();
        for (path, want) in wants.values {
            let content = match want {
                Want::Full => {
                    let is_set = set.iter().any(|atom| atom.path() == Some(&path));
                    if !is_set && !shapes.is_full(&path) {
                        let mut known = self.atoms.iter();
                        let known = known.find(|atom| atom.path() == Some(&path)).cloned();
                        set.extend(known.or_else(|| shapes.full(&path)));
                    }
                    continue;
                }
                Want::Empty if !shapes.is_full(&path) => continue,
                Want::Empty => match shapes.emptied(&path) {
                    Some(content) => content,
                    None => continue,
                },
                Want::Equal(constant) => json_of(&constant),
            };
            let contents = [content.clone(), content];
            set.push(Atom::value(path, contents, true, Kind::Instead));
        }
        set.extend(wants.apis.into_iter().map(|api| Atom::of(What::Api(api))));
        if wants.is_upgrade == Some(true) {
            set.push(Atom::of(What::Upgrade));
        }
        set
    }
}

/// A set with every second of the values that are filled.
fn half(atoms: &[Atom], rest: usize) -> Vec<Atom> {
    let mut number = 0;
    let is_kept = |atom: &&Atom| {
        number += usize::from(atom.kind == Kind::Fill);
        atom.kind != Kind::Fill || number % 2 == rest
    };
    atoms.iter().filter(is_kept).cloned().collect()
}

/// A set without the values that are filled, except these.
fn bare(atoms: &[Atom], wanted: &[Keys]) -> Vec<Atom> {
    let is_kept = |atom: &&Atom| {
        let is_wanted = |path: &Keys| wanted.contains(path);
        atom.kind != Kind::Fill || atom.path().is_some_and(is_wanted)
    };
    atoms.iter().filter(is_kept).cloned().collect()
}

/// The branches that a render took.
fn taken<'t>(
    templates: &'t Templates,
    executed: &'t BitSet,
) -> impl Iterator<Item = Span> + use<'t> {
    let nodes = templates.nodes().enumerate();
    nodes
        .filter(move |(i, node)| node.kind == NodeKind::Branch && executed.contains(*i))
        .map(|(_, node)| node.span)
}

fn json_of(constant: &Constant) -> Json {
    match constant {
        Constant::Text(text) => json!(text),
        Constant::Int(int) => json!(int),
        Constant::Bool(b) => json!(b),
    }
}

/// What a value must be.
#[derive(Clone, PartialEq, Debug)]
enum Want {
    Full,
    Empty,
    Equal(Constant),
}

/// What the tests of a branch want.
#[derive(Default, Debug)]
struct Wants {
    values: BTreeMap<Keys, Want>,
    apis: BTreeSet<String>,
    is_upgrade: Option<bool>,
}

impl Wants {
    /// Adds what makes a test true, or false. `turn` chooses among alternatives. False if that
    /// contradicts what is wanted already.
    fn solve(&mut self, test: &Test, is_true: bool, turn: usize, shapes: &Shapes) -> bool {
        match (test, is_true) {
            (Test::Always, wanted) => wanted,
            (Test::Never, wanted) => !wanted,
            (Test::Unknown, _) => true,
            (Test::Not(inner), wanted) => self.solve(inner, !wanted, turn, shapes),
            (Test::All(tests), true) | (Test::Any(tests), false) => tests
                .iter()
                .all(|test| self.solve(test, is_true, turn, shapes)),
            (Test::All(tests), false) | (Test::Any(tests), true) => {
                let count = tests.len().max(1);
                (0..count).any(|i| {
                    tests.get((turn + i) % count).is_some_and(|test| {
                        let mut tried = Wants::default();
                        let fits =
                            tried.solve(test, is_true, turn / count, shapes) && self.agrees(&tried);
                        if fits {
                            self.extend(tried);
                        }
                        fits
                    })
                })
            }
            (Test::Set(path), wanted) if shapes.is_ignored(path) => shapes.is_full(path) == wanted,
            (Test::Set(path), true) => self.want(path, Want::Full),
            (Test::Set(path), false) => {
                path.iter().any(|k| &**k == EACH) || self.want(path, Want::Empty)
            }
            (Test::Equals(path, constant), true) => self.want(path, Want::Equal(constant.clone())),
            (Test::Equals(path, constant), false) => match shapes.other_than(path, constant) {
                Some(other) => self.want(path, Want::Equal(other)),
                None => true,
            },
            (Test::Api(api), true) => {
                self.apis.insert(api.to_string());
                true
            }
            (Test::Api(_), false) => true,
            (Test::Upgrade, wanted) => {
                let agrees = self.is_upgrade.is_none_or(|is| is == wanted);
                self.is_upgrade = Some(wanted);
                agrees
            }
        }
    }

    fn want(&mut self, path: &Keys, want: Want) -> bool {
        if path.is_empty() {
            return want != Want::Empty;
        }
        // Of an item, only that there is one.
        let each = path.iter().position(|key| &**key == EACH);
        let (path, want) = match each {
            Some(at) => (path[..at].to_vec(), Want::Full),
            None => (path.clone(), want),
        };
        match self.values.get(&path).map(|held| join(held, &want)) {
            Some(None) => false,
            Some(Some(both)) => {
                self.values.insert(path, both);
                true
            }
            None => {
                self.values.insert(path, want);
                true
            }
        }
    }

    fn agrees(&self, other: &Wants) -> bool {
        let values = other.values.iter().all(|(path, want)| {
            self.values
                .get(path)
                .is_none_or(|held| join(held, want).is_some())
        });
        let both = self.is_upgrade.zip(other.is_upgrade);
        values && both.is_none_or(|(a, b)| a == b)
    }

    fn extend(&mut self, other: Wants) {
        for (path, want) in other.values {
            let both = self
                .values
                .get(&path)
                .and_then(|held| join(held, &want))
                .unwrap_or(want);
            self.values.insert(path, both);
        }
        self.apis.extend(other.apis);
        self.is_upgrade = self.is_upgrade.or(other.is_upgrade);
    }
}

/// What satisfies both; none if nothing does.
fn join(a: &Want, b: &Want) -> Option<Want> {
    let is_full = |constant: &Constant| match constant {
        Constant::Text(text) => !text.is_empty(),
        Constant::Int(int) => *int != 0,
        Constant::Bool(b) => *b,
    };
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (Want::Equal(c), Want::Full) | (Want::Full, Want::Equal(c)) if is_full(c) => {
            Some(Want::Equal(c.clone()))
        }
        (Want::Equal(c), Want::Empty) | (Want::Empty, Want::Equal(c)) if !is_full(c) => {
            Some(Want::Equal(c.clone()))
        }
        _ => None,
    }
}
