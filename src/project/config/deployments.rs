//! `deployments:`: whether what the repository deploys is read, and what environments are called.

use super::{DEPLOYMENTS, Reader};
use crate::yaml::{Data, Node};
use regex::Regex;

/// The `deployments:` section.
#[derive(Clone, Debug)]
pub(crate) struct Deployments {
    pub are_read: bool,
    /// What says the name of an environment, before the general rule.
    pub environment: Vec<Pattern>,
}

impl Default for Deployments {
    fn default() -> Deployments {
        Deployments {
            are_read: true,
            environment: Vec::new(),
        }
    }
}

/// A pattern for paths and names with the environment in it: `clusters/{name}/**`.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// # Errors
    /// If the text has no `{name}`, or several.
    fn new(text: &str) -> Result<Pattern, String> {
        const NAME: &str = "{name}";
        let parts: Vec<&str> = text.split(NAME).collect();
        let [before, after] = parts[..] else {
            return Err(format!(
                "`{text}` must contain `{NAME}` once, where the environment is named"
            ));
        };
        let translated = |text: &str| {
            let escaped = regex::escape(text);
            let any = escaped.replace(r"\*\*", "\u{0}").replace(r"\*", "[^/]*");
            any.replace('\u{0}', ".*")
        };
        let expression = format!("^{}([^/]+?){}$", translated(before), translated(after));
        Regex::new(&expression)
            .map(Pattern)
            .map_err(|why| why.to_string())
    }

    /// The name of the environment in a text that the pattern matches.
    pub(crate) fn name_in(&self, text: &str) -> Option<String> {
        let found = self.0.captures(text)?;
        found.get(1).map(|name| name.as_str().to_owned())
    }
}

impl Reader<'_> {
    /// `deployments:` is false, true, or a map.
    pub(super) fn deployments(&mut self, node: &Node) -> Deployments {
        let mut deployments = Deployments::default();
        if let Data::Bool(are_read) = node.data {
            deployments.are_read = are_read;
            return deployments;
        }
        self.keys(node, "`deployments`", DEPLOYMENTS);
        for (text, span) in self.strings(node.get("environment"), "`environment`") {
            match Pattern::new(&text) {
                Ok(pattern) => deployments.environment.push(pattern),
                Err(why) => {
                    let help = "for example `clusters/{name}/**` or `*-{name}`";
                    self.fault(span, why, Some(help.into()));
                }
            }
        }
        deployments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_the_environment() {
        for (pattern, text, want) in [
            (
                "clusters/{name}/**",
                "clusters/eu/apps/web.yaml",
                Some("eu"),
            ),
            ("*-{name}", "web-prod", Some("prod")),
            ("apps/*/{name}.yaml", "apps/web/qa.yaml", Some("qa")),
            ("apps/{name}.yaml", "apps/web/qa.yaml", None),
        ] {
            let pattern = Pattern::new(pattern).expect("a pattern");
            assert_eq!(pattern.name_in(text).as_deref(), want, "{text}");
        }
        assert!(Pattern::new("clusters/*").is_err());
    }
}
