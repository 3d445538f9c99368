//! Proof of a finding: it is reduced to the smallest set of values that shows it, the chart accepts
//! these values, and it remains under a second content of each.

use super::content;
use super::shape::{Atom, Keys, Kind, What};
use super::trial::{Bench, Found, Key};
use crate::diagnostic::{RuleId, ids};
use crate::kubernetes::schema;
use crate::report::Finding;
use crate::rule::pod::pod;
use crate::rule::{self, Scope};
use rustc_hash::FxHashSet;
use serde_json::Value as Json;
use std::sync::Arc;

/// A proven finding with the atoms that show it.
pub(super) struct Proven {
    pub finding: Finding,
    pub key: Key,
    pub atoms: Vec<Atom>,
}

/// Proves a finding that the set of atoms shows; none if it cannot be proven.
///
/// `blamed` gets the values that make a template fail. `known` are all atoms of the chart: some of
/// them give it what else belongs to a feature, except those that stand `instead` of something that
/// the chart makes otherwise.
pub(super) fn prove(
    bench: &mut Bench<'_>,
    found: &Found,
    set: &[&Atom],
    known: &[Atom],
    instead: &FxHashSet<Keys>,
    blamed: &mut FxHashSet<What>,
) -> Option<Proven> {
    let mut atoms = cause(bench, found, set, blamed)?;
    let only = only(found);
    if atoms.is_empty() && bench.given.is_empty() {
        return None;
    }
    if !is_certain(found, &atoms) {
        return None;
    }
    let mut second = verdict(bench, &atoms, true, &found.key);
    if let Verdict::Refused = second {
        atoms = allowed(bench, found, set)?;
        second = verdict(bench, &atoms, true, &found.key);
    }
    let Verdict::Shown(_) = second else {
        return None;
    };
    let Verdict::Shown(finding) = verdict(bench, &atoms, false, &found.key) else {
        return None;
    };
    if !is_certain(found, &atoms)
        || !survives_rivals(bench, found, &atoms, only.as_ref())
        || follows_from_absence(bench, found, &atoms, known, instead, only.as_ref())
    {
        return None;
    }
    Some(Proven {
        finding,
        key: found.key.clone(),
        atoms: atoms.into_iter().cloned().collect(),
    })
}

/// The template that a finding needs; none if it is about several objects.
fn only(found: &Found) -> Option<FxHashSet<Arc<str>>> {
    let template = found.template.clone();
    template.map(|template| FxHashSet::from_iter([template]))
}

/// The fewest values of a set that show a finding. If it is an error, which hides what comes after
/// it, `blamed` gets those of them that are filled.
pub(super) fn cause<'a>(
    bench: &mut Bench<'_>,
    found: &Found,
    set: &[&'a Atom],
    blamed: &mut FxHashSet<What>,
) -> Option<Vec<&'a Atom>> {
    let only = only(found);
    let mut shows = |atoms: &[&Atom]| {
        let outcome = bench.run(atoms, false, only.as_ref());
        outcome.found.iter().any(|(key, _)| *key == found.key)
    };
    let atoms = reduce(found, set, &mut shows)?;
    if is_error(&found.key.rule) {
        let is_fill = |atom: &&&Atom| matches!(atom.kind, Kind::Fill | Kind::Guess);
        let fills = atoms.iter().filter(is_fill).map(|atom| atom.what.clone());
        let fills: Vec<What> = fills.collect();
        // A switch is kept: without it, nothing of the feature would be rendered. But it may take
        // away what is rendered without it.
        let is_usual = |template: &Arc<str>| bench.usual.contains(template);
        if fills.is_empty() && found.template.as_ref().is_some_and(is_usual) {
            blamed.extend(atoms.iter().map(|atom| atom.what.clone()));
        }
        blamed.extend(fills);
    }
    Some(atoms)
}

/// Whether a rule reports errors that hide what comes after them.
pub(super) fn is_error(rule: &RuleId) -> bool {
    [ids::YAML_SYNTAX, ids::TEMPLATE_ERROR].contains(rule)
}

/// Whether a rule judges the text that templates make, whatever it means.
fn is_of_text(rule: &RuleId) -> bool {
    [
        ids::YAML_SYNTAX,
        ids::DUPLICATE_KEY,
        ids::TEMPLATE_ERROR,
        ids::NOT_AN_OBJECT,
    ]
    .contains(rule)
}

/// Whether the finding remains where a value of unknown type has another type.
fn survives_rivals(
    bench: &mut Bench<'_>,
    found: &Found,
    atoms: &[&Atom],
    only: Option<&FxHashSet<Arc<str>>>,
) -> bool {
    for (at, atom) in atoms.iter().enumerate() {
        for rival in &atom.rivals {
            let other = Atom {
                contents: [rival.clone(), rival.clone()],
                ..(*atom).clone()
            };
            let mut set = atoms.to_vec();
            set[at] = &other;
            let outcome = bench.run(&set, false, only);
            let is_same = |(key, _): &(Key, _)| {
                key.rule == found.key.rule && key.place.source == found.key.place.source
            };
            if !outcome.found.iter().any(is_same) {
                return false;
            }
        }
    }
    true
}

/// Whether the finding only shows that something was left out that belongs to what was set. What the
/// API server refuses must remain if everything is filled; a text that is broken, or a name that leads
/// nowhere, must remain if what lies beside the values is filled and the switches above them are on.
/// Values that stand `instead` of something are never filled here: without them, the chart makes it.
fn follows_from_absence(
    bench: &mut Bench<'_>,
    found: &Found,
    atoms: &[&Atom],
    known: &[Atom],
    instead: &FxHashSet<Keys>,
    only: Option<&FxHashSet<Arc<str>>>,
) -> bool {
    // A template that counts must count what is not there, too. Nothing that is added takes away what
    // is there twice, or the wrong place that a template looks at.
    let is_independent = found.diagnostic.message.contains("out of range")
        || [
            ids::DUPLICATE_ENV,
            ids::DUPLICATE_VALUE,
            ids::UNDEFINED_VALUE,
        ]
        .contains(&found.key.rule);
    if is_independent {
        return false;
    }
    let is_text = is_of_text(&found.key.rule);
    let paths: Vec<&Keys> = atoms.iter().filter_map(|atom| atom.path()).collect();
    let related = |path: &Keys| {
        paths
            .iter()
            .any(|p| p.starts_with(path) || path.starts_with(p))
    };
    let is_beside = |path: &Keys| {
        let mut holders = atoms.iter().filter(|atom| !is_text || atom.is_switch());
        holders.any(|atom| match atom.path() {
            Some(own) if own.len() > 1 => path.starts_with(&own[..own.len() - 1]),
            _ => false,
        })
    };
    // `a.enabled` is the switch above `a.b.enabled`. Objects that look for each other may be behind
    // any switch of a part of the chart.
    let is_above = |path: &Keys| {
        let above = if found.template.is_none() {
            1
        } else {
            path.len().saturating_sub(1)
        };
        path.len() > 1 && (paths.iter()).any(|p| p.starts_with(&path[..above]))
    };
    let ways: &[bool] = if found.key.rule == ids::VALUE_UNLIKE_SIBLINGS {
        // A workload may have a value of its own instead.
        &[false]
    } else if is_text || found.template.is_none() {
        &[true]
    } else {
        &[false, true]
    };
    let mut is_refused = false;
    for is_near in ways {
        let more: Vec<&Atom> = known
            .iter()
            .filter(|atom| {
                atom.path().is_some_and(|path| {
                    let is_wanted = match atom.kind {
                        Kind::On => !is_text && is_above(path),
                        Kind::Fill | Kind::Guess if instead.contains(path) => false,
                        Kind::Fill if !*is_near => true,
                        Kind::Fill | Kind::Guess => is_beside(path),
                        _ => false,
                    };
                    is_wanted && !related(path)
                })
            })
            .collect();
        if more.is_empty() {
            return false;
        }
        let all: Vec<&Atom> = more.into_iter().chain(atoms.iter().copied()).collect();
        let outcome = bench.run(&all, false, only);
        if outcome.found.iter().any(|(key, _)| *key == found.key) {
            return false;
        }
        // Another fault in the same file may hide it.
        let is_hidden = outcome
            .found
            .iter()
            .any(|(key, _)| is_of_text(&key.rule) && key.place.source == found.key.place.source);
        if !is_hidden && !outcome.is_refused {
            return true;
        }
        is_refused |= outcome.is_refused;
    }
    // A broken text is one, whatever breaks it as well. What is said about an object needs proof,
    // unless the chart does not allow more.
    !is_text && !is_refused
}

/// What a render of the whole chart says about a finding.
enum Verdict {
    Shown(Finding),
    /// The chart refuses the values.
    Refused,
    Gone,
}

fn verdict(bench: &mut Bench<'_>, atoms: &[&Atom], second: bool, key: &Key) -> Verdict {
    bench.presumes = false;
    let outcome = bench.run(atoms, second, None);
    bench.presumes = true;
    if outcome.is_refused {
        return Verdict::Refused;
    }
    // Where no pods are left, the chart waits for more values.
    let is_about_several = rule::documentation(&key.rule).is_some_and(|r| r.scope == Scope::Unit);
    let has_pods = outcome.objects.iter().any(|object| pod(object).is_some());
    if is_about_several && !has_pods {
        return Verdict::Gone;
    }
    let shown = outcome.found.iter().find(|(k, _)| k == key);
    let finding = shown.and_then(|(_, diagnostic)| bench.finding(diagnostic));
    finding.map_or(Verdict::Gone, Verdict::Shown)
}

/// The fewest values of a set that show a finding and that the chart accepts: those that show it, and
/// what the chart asks for.
fn allowed<'a>(bench: &mut Bench<'_>, found: &Found, set: &[&'a Atom]) -> Option<Vec<&'a Atom>> {
    let mut shows = |atoms: &[&Atom]| {
        let outcome = bench.run(atoms, false, None);
        !outcome.is_refused && outcome.found.iter().any(|(key, _)| *key == found.key)
    };
    if !shows(set) {
        return None;
    }
    fewest(set.to_vec(), &mut shows)
}

/// The values that values.schema.json refuses: those at these paths, above or below them.
pub(super) fn refused_by_schema(paths: &[Keys], set: &[&Atom]) -> Vec<What> {
    let is_at = |atom: &&&Atom| {
        atom.path().is_some_and(|path| {
            paths
                .iter()
                .any(|at| at.starts_with(path) || path.starts_with(at))
        })
    };
    set.iter()
        .filter(is_at)
        .map(|atom| atom.what.clone())
        .collect()
}

/// Most values that are tried alone.
const MOST_TRIED: usize = 40;

/// The fewest values with which a chart that refuses its defaults can be rendered; none if they are
/// not found.
pub(super) fn demanded(bench: &mut Bench<'_>, atoms: &[Atom]) -> Option<Vec<Atom>> {
    let mut is_rendered = |atoms: &[&Atom]| bench.is_rendered(atoms);
    let kinds = [
        &[Kind::Fill][..],
        &[Kind::Fill, Kind::On],
        &[Kind::Fill, Kind::Guess],
        &[Kind::On],
    ];
    let sets = kinds.iter().map(|kinds| {
        let set = atoms.iter().filter(|atom| kinds.contains(&atom.kind));
        set.collect::<Vec<_>>()
    });
    let each = atoms.iter().take(MOST_TRIED).map(|atom| vec![atom]);
    for set in sets.chain(each) {
        if is_rendered(&set) {
            let demanded = fewest(set, &mut is_rendered)?;
            return Some(demanded.into_iter().cloned().collect());
        }
    }
    None
}

/// The value that the chart refuses together with those before it in the set.
pub(super) fn refused(bench: &mut Bench<'_>, set: &[&Atom]) -> Option<What> {
    let (mut low, mut high) = (0, set.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if bench.is_refused(&set[..middle]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(set.get(high.checked_sub(1)?)?.what.clone())
}

/// The smallest subset that still shows the finding: atoms are added one by one, each the first
/// that makes the difference. A finding that several atoms together prevent may need more tries
/// than this takes; it is given up.
fn reduce<'a>(
    found: &Found,
    set: &[&'a Atom],
    shows: &mut dyn FnMut(&[&Atom]) -> bool,
) -> Option<Vec<&'a Atom>> {
    let near: Vec<&Atom> = set
        .iter()
        .copied()
        .filter(|atom| {
            atom.path().is_some_and(|path| {
                found
                    .written
                    .iter()
                    .chain(&found.decided)
                    .any(|p| p.starts_with(path) || path.starts_with(p))
            })
        })
        .collect();
    if !near.is_empty() && shows(&near) {
        fewest(near, shows)
    } else if shows(set) {
        fewest(set.to_vec(), shows)
    } else {
        None
    }
}

/// The smallest part of a set that still shows it; none if it takes too much.
fn fewest<'a>(
    mut pool: Vec<&'a Atom>,
    shows: &mut dyn FnMut(&[&Atom]) -> bool,
) -> Option<Vec<&'a Atom>> {
    let mut needed: Vec<&Atom> = Vec::new();
    const MOST: usize = 8;
    loop {
        let with =
            |n: usize| -> Vec<&'a Atom> { pool[..n].iter().chain(&needed).copied().collect() };
        // The shortest part of the pool that shows it together with what is needed.
        let (mut low, mut high) = (0, pool.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if shows(&with(middle)) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        if high == 0 {
            break;
        }
        if needed.len() == MOST {
            return None;
        }
        needed.push(pool[high - 1]);
        pool.truncate(high - 1);
    }
    // What was needed with others may be needless in the end.
    let mut at = 0;
    while needed.len() > 1 && at < needed.len() {
        let mut fewer = needed.clone();
        fewer.remove(at);
        if shows(&fewer) {
            needed = fewer;
        } else {
            at += 1;
        }
    }
    Some(needed)
}

/// Whether the finding may be a fault of the chart, whatever its values are. A fault of a content
/// that we invented is none.
pub(super) fn may_be_fault(found: &Found) -> bool {
    let finding = &found.diagnostic;
    let is = |rules: &[RuleId]| rules.contains(&finding.rule);
    let help = finding.help.as_deref().unwrap_or_default();
    let says = |part: &str| finding.message.contains(part);
    if is(&[ids::YAML_SYNTAX, ids::DUPLICATE_KEY, ids::NOT_AN_OBJECT]) {
        return true;
    }
    if is(&[ids::TEMPLATE_ERROR]) {
        // Functions that read a text refuse what we invented.
        const TYPES: [&str; 9] = [
            "nil pointer evaluating",
            "can't evaluate field",
            "wrong type for value",
            "invalid value; expected",
            "no template",
            "range can't iterate",
            "wrong number of args",
            "incompatible types",
            "out of range",
        ];
        return TYPES.iter().any(|part| says(part));
    }
    // Where values arrive is the subject of these.
    if is(&[ids::POD_METADATA_MISPLACED, ids::VALUE_UNLIKE_SIBLINGS]) {
        return true;
    }
    // Who chooses the API version chooses one that has what the chart writes.
    if found.of_invented_version {
        return false;
    }
    // A field of well-known content may be at the wrong place.
    if is(&[ids::UNKNOWN_FIELD]) {
        return found.written.iter().all(is_well_known);
    }
    // The texts of annotations are no labels.
    if is(&[ids::INVALID_LABEL]) {
        let is_annotation = |key: &str| key.to_ascii_lowercase().ends_with("annotations");
        return (found.written.iter()).all(|path| path.iter().any(|key| is_annotation(key)));
    }
    // A text that is written without quotes, or something else than what was set.
    if is(&[ids::WRONG_TYPE]) && !found.is_invented {
        let expects = |kind: &str| says(&format!("must be a {kind}, not"));
        let is_written = says("is not base64") || !found.inside.is_empty();
        return expects("string") || expects("list") || expects("map") || !is_written;
    }
    if is(&[ids::DUPLICATE_ENV]) {
        return found.written.is_empty();
    }
    // Most values that no file defines are optional: not `.Values` of an item or a map, and not a
    // misspelt key.
    if is(&[ids::UNDEFINED_VALUE]) {
        return says(".Values") || help.contains("did you mean");
    }
    // A kind that no longer exists is for older clusters.
    if is(&[ids::API_VERSION_REMOVED]) {
        return help.contains("/v") && found.written.is_empty();
    }
    // How many pods there may be is a choice. What templates ask for is for other clusters than those
    // that are judged.
    let is_choice = is(&[
        ids::CLAIM_SHARED_BY_PODS,
        ids::API_VERSION_UNKNOWN,
        ids::API_VERSION_DISABLED,
    ]);
    !is_choice && found.written.is_empty() && found.inside.is_empty()
}

/// Whether an API version with a kind is one that no version of Kubernetes has, in one of its groups.
fn never_existed(api: &str) -> bool {
    api.rsplit_once('/').is_some_and(|(version, kind)| {
        kind.starts_with(|c: char| c.is_ascii_uppercase())
            && schema::has_group(schema::split_api_version(version).0)
            && schema::kind(version, kind).is_none()
    })
}

/// Whether the name of a value, or of one that holds it, says what it contains.
fn is_well_known(path: &Keys) -> bool {
    (1..=path.len()).any(|n| content::is_structure(&path[..n]))
}

/// Whether two of the values are most likely alternatives: `config` and `configSecret`.
fn has_alternatives(atoms: &[&Atom]) -> bool {
    let fills = atoms.iter().filter(|atom| !atom.is_switch());
    let paths: Vec<&Keys> = fills.filter_map(|atom| atom.path()).collect();
    paths.iter().any(|path| {
        let is_alternative = |other: &Keys| match (path.split_last(), other.split_last()) {
            (Some((key, holder)), Some((longer, its_holder))) => {
                holder == its_holder && key != longer && longer.starts_with(&**key)
            }
            _ => false,
        };
        paths.iter().any(|other| is_alternative(other))
    })
}

/// Whether the finding holds although some types of values are guessed.
fn is_certain(found: &Found, atoms: &[&Atom]) -> bool {
    let guessed = |atom: &&Atom| !atom.is_firm && matches!(atom.what, What::Value(_));
    // A key that is only an example in a comment may belong elsewhere.
    let is_stray = |path: &Keys| {
        found
            .written
            .iter()
            .any(|written| written.starts_with(path))
            && !content::is_structure(path)
    };
    let rule = &found.key.rule;
    if *rule == ids::UNKNOWN_FIELD && atoms.iter().filter_map(|atom| atom.path()).any(is_stray) {
        return false;
    }
    // Who turns off what the chart makes brings it along, and nobody turns off everything.
    let is_off = |atom: &&&Atom| atom.contents[0] == false;
    let off = atoms.iter().filter(is_off).count();
    if (found.template.is_none() && off > 0) || (!is_of_text(rule) && off > 1) {
        return false;
    }
    let is_list = |content: &Json| content.is_array() || content.is_object();
    let is_emptied = |atom: &&Atom| atom.contents[0].as_array().is_some_and(Vec::is_empty);
    let is_in_doubt = if *rule == ids::DUPLICATE_KEY {
        // Who sets one of two alternatives leaves the other one empty.
        has_alternatives(atoms)
    } else if *rule == ids::CONFLICTING_FIELDS {
        // Who sets one of two fields takes the other one away.
        !atoms.iter().all(|a| a.contents[0].is_boolean())
    } else if [ids::MISSING_FIELD, ids::REQUIRED_VALUE].contains(rule) {
        // The items of an invented list may lack what they need.
        atoms.iter().any(|a| is_list(&a.contents[0]))
    } else {
        !is_of_text(rule) && atoms.iter().any(is_emptied)
    };
    // An API version that Kubernetes no longer has makes a cluster that does not exist.
    let is_past = |atom: &&Atom| matches!(&atom.what, What::Api(api) if schema::has_group(api.split('/').next().unwrap_or_default()));
    let is_no_api = |atom: &&Atom| matches!(&atom.what, What::Api(api) if never_existed(api));
    if atoms.iter().any(is_no_api) {
        return false;
    }
    if is_in_doubt || (!is_of_text(rule) && atoms.iter().any(is_past)) {
        return false;
    }
    if !atoms.iter().any(guessed) {
        return true;
    }
    if [ids::YAML_SYNTAX, ids::DUPLICATE_KEY].contains(rule) {
        return true;
    }
    // The data of the chart is not where the template looks for it.
    const DATA: [&str; 6] = [
        "field Values ",
        "field Release ",
        "field Chart ",
        "field Capabilities ",
        "field Template ",
        "no template",
    ];
    let message = &found.diagnostic.message;
    *rule == ids::TEMPLATE_ERROR && DATA.iter().any(|part| message.contains(part))
}
