//! Findings about what nobody deploys as it is: values.yaml alone, and the cases of `ci/`.
//!
//! `resources: {}` in values.yaml is an offer, as in the chart that `helm create` makes: whoever
//! deploys the chart chooses. A finding about something missing that an offer leads to is left out.
//! An environment that is deployed has to choose, so there nothing is left out.

use crate::diagnostic::{Diagnostic, RuleId, ids};
use crate::helm::Environment;
use crate::insight::places::Places;
use crate::project::rendering::RenderedChart;
use crate::rule::definition::Topic;
use crate::rule::{self, Definition};
use crate::source::Sources;

/// Leaves out findings about the fields that the chart lets be chosen, and about what only the
/// values of a case contain.
pub(super) fn leave_out(
    found: &mut Vec<Diagnostic>,
    rendering: &RenderedChart,
    sources: &Sources,
    places: &Places,
) {
    for (index, environment) in cases(rendering) {
        found.retain(|d| d.environment != Some(index) || !is_written_by(d, environment, sources));
    }
    found.retain(|d| {
        let environment = d.environment.map(|i| &rendering.environments[i as usize]);
        let is_undeployed = environment.is_some_and(|e| e.is_case || e.is_defaults());
        !(is_undeployed && asks_for_offered_field(&d.rule) && places.is_offered(d))
    });
}

/// Leaves out that a chart refuses to be rendered without values that are not on this disk.
pub(super) fn leave_out_lacking(found: &mut Vec<Diagnostic>, rendering: &RenderedChart) {
    let asks_for_values = [
        ids::TEMPLATE_ERROR,
        ids::TEMPLATE_FAILS,
        ids::REQUIRED_VALUE_MISSING,
    ];
    found.retain(|d| {
        let environment = d.environment.map(|i| &rendering.environments[i as usize]);
        let declared = environment.and_then(|e| e.declared.as_ref());
        let lacks_values = declared.is_some_and(|declared| declared.lacks_values);
        !(lacks_values && asks_for_values.contains(&d.rule))
    });
}

/// The environments that are cases of `ci/`, each with its number.
fn cases(rendering: &RenderedChart) -> impl Iterator<Item = (u16, &Environment)> {
    let numbered = (0..).zip(&rendering.environments);
    numbered.filter(|(_, environment)| environment.is_case)
}

/// Whether a question of policy concerns only what the values files of a case contain, such as a
/// container in its `extraContainers`.
fn is_written_by(found: &Diagnostic, case: &Environment, sources: &Sources) -> bool {
    let is_policy = |rule: &Definition| {
        let is_convention = rule.id == ids::NAMESPACE_UNLIKE_SIBLINGS;
        (!rule.breaks && rule.group != "kubernetes") || is_convention
    };
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
        // Beside something that is chosen.
        let offer = "resources: {limits: {}, requests: {cpu: 1, memory: 1Mi}}\nsecurityContext: {}\nextraContainers: []\n";
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
