//! What `--help` and the manual pages show below the options: examples, and the exit codes.

pub(super) const LINT: &str = "\
Examples:
  thebot-lint                             Lint the charts of the working directory
  thebot-lint charts/ --fail-on error     Lint every chart of a folder; let warnings pass
  thebot-lint shop --environment prod     Lint what production deploys
  thebot-lint --since origin/main         Lint the charts that a branch changes
  helm template x shop | thebot-lint -    Lint rendered manifests
  thebot-lint shop --output html=shop.html --output sarif=shop.sarif

Exit codes:
  0  There is no finding at or above --fail-on
  1  There are findings
  2  thebot-lint could not work: a wrong option, a missing path, or nothing to lint";

pub(super) const TEMPLATE: &str = "\
Examples:
  thebot-lint template shop ./shop -f values-prod.yaml
  thebot-lint template shop ./shop --show-only templates/service.yaml
  thebot-lint template shop ./shop --provenance

Exit codes:
  0  The chart was rendered
  1  Helm would fail on the chart
  2  thebot-lint could not work: a wrong option, or a missing path";

pub(super) const WHY: &str = "\
Examples:
  thebot-lint why shop Deployment/shop spec.replicas
  thebot-lint why shop values-prod.yaml:12

Exit codes:
  0  The origin was found
  2  thebot-lint could not work: no such chart, object or line";

pub(super) const DIFF: &str = "\
Examples:
  thebot-lint diff shop --from staging --to prod
  thebot-lint diff shop --base main

Exit codes:
  0  The changes were shown, if there are any
  1  With --base: Helm or the API server will refuse the upgrade
  2  thebot-lint could not work: no such chart, environment or commit";

pub(super) const INIT: &str = "\
Examples:
  thebot-lint init shop             Write shop/.thebot-lint.yaml
  thebot-lint init shop --stdout    Print it

Exit codes:
  0  The configuration was written
  2  thebot-lint could not work: no such chart, or there is a configuration";

pub(super) const ENVIRONMENTS: &str = "\
Examples:
  thebot-lint environments shop
  thebot-lint environments shop --differences

Exit codes:
  0  The environments were shown
  2  thebot-lint could not work: no such chart or environment";

pub(super) const DEPLOYMENTS: &str = "\
Examples:
  thebot-lint deployments
  thebot-lint deployments clusters/ --format markdown

Exit codes:
  0  The deployments were listed
  2  thebot-lint could not work: a wrong option, or a missing path";

pub(super) const COVERAGE: &str = "\
Examples:
  thebot-lint coverage shop
  thebot-lint coverage shop --format lcov > lcov.info
  thebot-lint coverage shop --explore --write-cases

Exit codes:
  0  The coverage was shown
  2  thebot-lint could not work: no such chart or environment";

pub(super) const SCHEMA: &str = "\
Examples:
  thebot-lint schema shop             Print the schema
  thebot-lint schema shop --write     Complete shop/values.schema.json
  thebot-lint schema shop --check     Fail where it is not complete

Exit codes:
  0  The schema was printed or written, or --check finds it complete
  1  --check finds that it is not complete, or contradicts the chart
  2  thebot-lint could not work: a wrong option, or no such chart";

pub(super) const RULES: &str = "\
Examples:
  thebot-lint rules
  thebot-lint rules --of kube-linter --format markdown

Exit codes:
  0  The rules were listed
  2  A wrong option";

pub(super) const EXPLAIN: &str = "\
Examples:
  thebot-lint explain dangling-service
  thebot-lint explain CKV_K8S_16    By another linter's name

Exit codes:
  0  The rule was explained
  2  There is no such rule";

pub(super) const NEW_RULE: &str = "\
Examples:
  thebot-lint new-rule team-label

Exit codes:
  0  The rule and its fixtures were written
  2  thebot-lint could not work: a wrong name, or the rule exists";

pub(super) const TEST_RULES: &str = "\
Examples:
  thebot-lint test-rules              Test the rules that the configuration names
  thebot-lint test-rules policies/

Exit codes:
  0  All rules pass
  1  A rule fails one of its examples or fixtures
  2  thebot-lint could not work: there are no rules";

pub(super) const COMPLETIONS: &str = "\
Examples:
  thebot-lint completions bash > ~/.local/share/bash-completion/completions/thebot-lint";

pub(super) const MAN: &str = "\
Examples:
  thebot-lint man > ~/.local/share/man/man1/thebot-lint.1
  thebot-lint man template > ~/.local/share/man/man1/thebot-lint-template.1";

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use clap::{CommandFactory, Parser};

    /// Every command has examples, and they are valid.
    #[test]
    fn the_examples_are_commands() {
        let cli = Cli::command();
        for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
            let name = command.get_name();
            // The server is started by editors.
            if name == "lsp" {
                continue;
            }
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_else(|| panic!("{name} has no examples"));
            assert!(help.starts_with("Examples:\n"), "{name}: {help}");
            for line in help.lines().skip(1).take_while(|line| !line.is_empty()) {
                let example = line.split(" | ").last().unwrap_or_default().trim();
                // What the example is for stands behind several spaces; the shell reads `>`.
                let example = example.split("  ").next().unwrap_or_default();
                let example = example.split(" > ").next().unwrap_or_default();
                let parsed = Cli::try_parse_from(example.split(' '));
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
    }
}
