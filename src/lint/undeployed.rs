//! Findings about what nobody deploys as it is: values.yaml alone, and the cases of `ci/`.
//!
//! `resources: {}` in values.yaml is an offer, as in the chart that `helm create` makes: whoever
//! deploys the chart chooses. Whether a finding follows from such an offer is not read off the
//! templates but tried: the chart is rendered once more with the offers filled in, and what is then
//! no longer found is left out. An environment that is deployed has to choose, so there nothing is
//! left out.

use crate::diagnostic::{Diagnostic, ObjectRef, RuleId};
use crate::explore::overlay;
use crate::helm::environments::ValuesFile;
use crate::helm::render::{self, Cache};
use crate::helm::{Chart, Environment};
use crate::insight::usage;
use crate::project::rendering::RenderedChart;
use crate::project::reuse::Manifests;
use crate::project::setup::Setup;
use crate::rule::definition::{Topic, to_json};
use crate::rule::{self, Definition};
use crate::source::{Source, SourceKind, Sources};
use crate::yaml;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// Leaves out findings about the fields that the chart lets be chosen, and about what only the
/// values of a case contain.
pub(super) fn leave_out(
    found: &mut Vec<Diagnostic>,
    rendering: &RenderedChart,
    sources: &Sources,
    setup: &Setup,
) {
    for (index, environment) in cases(rendering) {
        found.retain(|d| d.environment != Some(index) || !is_written_by(d, environment, sources));
    }
    let is_about_offer =
        |d: &Diagnostic, index| d.environment == Some(index) && asks_for_offered_field(&d.rule);
    let cache = Cache::default();
    let filled: Vec<(u16, Filled)> = (0..rendering.environments.len() as u16)
        .into_par_iter()
        .filter_map(|index| {
            let environment = &rendering.environments[index as usize];
            let only: FxHashSet<Arc<str>> = found
                .iter()
                .filter(|d| is_about_offer(d, index))
                .map(|d| sources.get(d.span.source).name.clone())
                .collect();
            if only.is_empty() || !(environment.is_case || environment.is_defaults()) {
                return None;
            }
            let filled = Filled::new(index, rendering, sources, setup, &only, &cache)?;
            Some((index, filled))
        })
        .collect();
    for (index, filled) in filled {
        found.retain(|d| !is_about_offer(d, index) || filled.still_has(d));
    }
}

/// The environments that are cases of `ci/`, each with its number.
fn cases(rendering: &RenderedChart) -> impl Iterator<Item = (u16, &Environment)> {
    let numbered = (0..).zip(&rendering.environments);
    numbered.filter(|(_, environment)| environment.is_case)
}

/// Whether a question of policy concerns only what the values files of a case contain, such as a
/// container in its `extraContainers`.
fn is_written_by(found: &Diagnostic, case: &Environment, sources: &Sources) -> bool {
    let is_policy = |rule: &Definition| !rule.breaks && rule.group != "kubernetes";
    let values = || sources.trace(found.span).values;
    found.object.is_some()
        && rule::documentation(&found.rule).is_some_and(is_policy)
        && values().first().is_some_and(|at| {
            let name = &*sources.get(at.source).name;
            case.values.iter().any(|file| file == name)
        })
}

/// Whether a rule asks for a field that charts let be chosen.
fn asks_for_offered_field(rule: &RuleId) -> bool {
    rule::documentation(rule)
        .and_then(|rule| rule.topic)
        .is_some_and(|topic| matches!(topic, Topic::Resources | Topic::SecurityContext))
}

/// What is found where all offers are filled in.
struct Filled {
    objects: FxHashSet<(Arc<str>, Arc<str>)>,
    found: FxHashSet<(RuleId, Arc<str>, Arc<str>, Option<String>)>,
}

fn name_of(object: &ObjectRef) -> (Arc<str>, Arc<str>) {
    (object.kind.clone(), object.name.clone())
}

impl Filled {
    /// None if nothing is offered.
    fn new(
        index: u16,
        rendering: &RenderedChart,
        sources: &Sources,
        setup: &Setup,
        only: &FxHashSet<Arc<str>>,
        cache: &Cache,
    ) -> Option<Filled> {
        let environment = &rendering.environments[index as usize];
        let mut sources = sources.clone();
        let mut inputs = environment.prepare(&rendering.chart, &mut sources).ok()?;
        let mut values = defaults(&rendering.chart);
        for file in &inputs.files {
            overlay(&mut values, to_json(&file.node, 0));
        }
        for path in documented(index, rendering, &sources) {
            let absent = path.iter().rev();
            let path = absent.fold(Json::Null, |value, key| json!({ &**key: value }));
            overlay(&mut values, path);
        }
        let text = fill(&values)?.to_string();
        let source = sources.add(Source::new("offers", text.as_bytes(), SourceKind::Flag));
        let node = yaml::parse(text.as_bytes(), source, 0).ok()?;
        inputs.files.push(ValuesFile { source, node });
        let rendered = render::render(
            &rendering.chart,
            &sources,
            environment,
            &inputs,
            render::Options {
                capabilities: &rendering.newest_cluster()?,
                others: &[],
                stop: false,
                provenance: false,
                skip_schema: true,
                limits: sources.limits,
                only: Some(only),
            },
            cache,
            sources.next_render(),
        );
        let mut filled = Filled {
            objects: FxHashSet::default(),
            found: FxHashSet::default(),
        };
        for output in rendered.outputs.iter().filter(|o| !o.is_notes()) {
            let text = &rendered.derived.sources[output.text.index()].text;
            let read = Manifests::read(text, output, Some(index), &sources.limits);
            for object in &read.objects {
                let (kind, name) = name_of(&object.identity);
                filled.objects.insert((kind.clone(), name.clone()));
                let rules = |rule: &Definition| asks_for_offered_field(&rule.id);
                let found = setup.rules.check_object_by(object, &sources.limits, rules);
                filled.found.extend(found.into_iter().map(|violation| {
                    let placed = object.place(violation);
                    (placed.rule, kind.clone(), name.clone(), placed.path)
                }));
            }
        }
        Some(filled)
    }

    /// Whether a finding remains. Nothing is known about an object that is not rendered again.
    fn still_has(&self, found: &Diagnostic) -> bool {
        let Some((kind, name)) = found.object.as_deref().map(name_of) else {
            return true;
        };
        let key = (found.rule.clone(), kind, name, found.path.clone());
        let object = (key.1.clone(), key.2.clone());
        !self.objects.contains(&object) || self.found.contains(&key)
    }
}

/// The values of a chart and of its subcharts, as the top chart sees them.
fn defaults(chart: &Chart) -> Json {
    let mut all = json!({});
    for subchart in &chart.subcharts {
        let name = &subchart.metadata.name;
        let dependencies = chart.metadata.dependencies.iter().flatten();
        let mut keys: Vec<&str> = dependencies
            .filter(|d| d.name == *name && !d.alias.is_empty())
            .map(|d| &*d.alias)
            .collect();
        if keys.is_empty() {
            keys.push(name);
        }
        for key in keys {
            all[key] = defaults(subchart);
        }
    }
    if let Some((_, own)) = &chart.values {
        overlay(&mut all, to_json(own, 0));
    }
    all
}

/// Values that a template reads if they are there, and that only a comment of values.yaml has:
/// `# resources: {}`.
fn documented(index: u16, rendering: &RenderedChart, sources: &Sources) -> Vec<Vec<Box<str>>> {
    let keys: FxHashSet<Box<str>> = usage::documented(rendering, sources).into_iter().collect();
    let renders = rendering.renders.iter().filter(|r| r.environment == index);
    let missing = renders.flat_map(|r| &r.rendered.record.missing);
    let paths = missing.filter_map(|missing| match missing.path.as_deref() {
        Some([first, path @ ..]) if &**first == "Values" => Some(path.to_vec()),
        _ => None,
    });
    paths
        .filter(|path| path.last().is_some_and(|key| keys.contains(key)))
        .collect()
}

/// The values that fill what is offered; none if nothing is.
fn fill(values: &Json) -> Option<Json> {
    match values {
        Json::Object(map) => {
            let filled: Map<String, Json> = map
                .iter()
                .filter_map(|(key, value)| {
                    let content = content(key).filter(|_| is_empty(value));
                    Some((key.clone(), content.or_else(|| fill(value))?))
                })
                .collect();
            (!filled.is_empty()).then_some(Json::Object(filled))
        }
        // A list replaces the list before it.
        Json::Array(items) => {
            let filled: Vec<Option<Json>> = items.iter().map(fill).collect();
            filled.iter().any(Option::is_some).then(|| {
                let items = items.iter().zip(filled).map(|(item, filled)| {
                    let mut item = item.clone();
                    filled.into_iter().for_each(|f| overlay(&mut item, f));
                    item
                });
                items.collect()
            })
        }
        _ => None,
    }
}

/// Whether nothing is chosen: `{}`, or `{limits: {}, requests: {}}`.
fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Object(map) => map.values().all(is_empty),
        _ => false,
    }
}

/// What fills a value of this name: something that no rule complains of.
fn content(key: &str) -> Option<Json> {
    let key = key.to_ascii_lowercase();
    if key.ends_with("resources") {
        let amounts = json!({"cpu": "1m", "memory": "1Mi", "ephemeral-storage": "1Mi"});
        return Some(json!({"requests": amounts, "limits": amounts}));
    }
    key.ends_with("securitycontext").then(|| {
        json!({
            "runAsNonRoot": true,
            "runAsUser": 10_001,
            "runAsGroup": 10_001,
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::lint::tests::{CHART, findings};

    const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec:
  selector: {matchLabels: {app: a}}
  template:
    metadata: {labels: {app: a}}
    spec:
      containers:
        - name: a
          image: a:1
          {{- with .Values.securityContext }}
          securityContext: {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- include \"resources\" . | nindent 10 }}
        {{- with .Values.extraContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
";

    /// The rules with findings in a chart with these values, without those about other things.
    fn rules(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let helper = "{{ define \"resources\" }}resources: {{ toYaml .Values.resources | nindent 2 }}{{ end }}";
        let mut all = vec![
            CHART,
            ("templates/a.yaml", DEPLOYMENT),
            ("templates/_h.tpl", helper),
        ];
        all.extend(files);
        let found = findings(&all).into_iter();
        found
            .filter(|f| matches!(&*f.group, "resources" | "security" | "images"))
            .map(|f| (f.rule.to_string(), f.environments.join(" ")))
            .collect()
    }

    #[test]
    fn what_values_yaml_offers_is_not_missing_there() {
        let offer = "resources: {limits: {}}\nsecurityContext: {}\nextraContainers: []\n";
        assert_eq!(rules(&[("values.yaml", offer)]), []);
        // In a comment.
        let offer = "resources:\n#  limits: {}\n# securityContext: {}\nextraContainers: []\n";
        assert_eq!(rules(&[("values.yaml", offer)]), []);
    }

    #[test]
    fn what_is_chosen_or_not_offered_is_judged() {
        let chosen = "resources: {limits: {memory: 1Gi}}\nextraContainers: []\n";
        let found = rules(&[("values.yaml", chosen)]);
        let has = |rule: &str| found.contains(&(rule.to_owned(), "default".to_owned()));
        assert!(
            has("cpu-requests-missing") && has("run-as-root"),
            "{found:?}"
        );
        assert!(!has("memory-limits-missing"), "{found:?}");
    }

    #[test]
    fn an_environment_that_is_deployed_has_to_choose() {
        let offer = "resources: {}\nsecurityContext: {}\nextraContainers: []\n";
        let found = rules(&[("values.yaml", offer), ("values-prod.yaml", "{}\n")]);
        assert!(!found.is_empty());
        assert!(found.iter().all(|(_, e)| e == "prod"), "{found:?}");
    }

    #[test]
    fn what_only_a_case_contains_is_not_judged() {
        let offer = "resources: {}\nsecurityContext: {}\nextraContainers: []\n";
        let case = "extraContainers: [{name: b, image: \"b:latest\"}]\n";
        let files = [("values.yaml", offer), ("ci/extra-values.yaml", case)];
        assert_eq!(rules(&files), []);
    }
}
