//! Helm 4's layout of errors in templates: one paragraph for each step of the call chain, where
//! Helm 3 prints one long line.
//!
//! Helm 4 parses Go's error text. If one step has an unknown form, Helm 4 prints the whole text
//! unchanged.

/// One error of a chain of wrapped errors, as Helm 4 prints it.
#[derive(PartialEq)]
struct Step<'m> {
    place: &'m str,
    executing: String,
    message: &'m str,
}

/// Formats the text of a [`crate::template::TemplateError`] as Helm 4 does.
pub(crate) fn layout(message: &str) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut next = Some(message);
    while let Some(text) = next {
        let Some((step, within)) = take_apart(text) else {
            return message.to_owned();
        };
        if steps.last() != Some(&step) {
            steps.push(step);
        }
        next = within;
    }
    let mut out = String::new();
    for step in &steps {
        for (part, end) in [
            (step.place, "\n  "),
            (&step.executing, "\n    "),
            (step.message, "\n"),
        ] {
            if !part.is_empty() {
                out.push_str(part);
                out.push_str(end);
            }
        }
    }
    out.trim().to_owned()
}

/// Parses the outermost step. Returns it with the text of the error that it wraps: the error that a
/// called function returned.
fn take_apart(text: &str) -> Option<(Step<'_>, Option<&str>)> {
    let rest = text.strip_prefix("template: ")?;
    if rest.starts_with("no template ") {
        return Some((
            Step {
                place: "",
                executing: String::new(),
                message: text,
            },
            None,
        ));
    }
    let executing = rest
        .split_once(": executing \"")
        .and_then(|(place, after)| {
            let (name, after) = after.split_once('"')?;
            let (context, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
            let within = message
                .strip_prefix("error calling ")
                .and_then(|m| m.split_once(": "))
                .map(|(_, within)| within);
            Some((
                Step {
                    place,
                    executing: format!("executing \"{name}\" at <{context}>:"),
                    message: cut(message),
                },
                within,
            ))
        });
    executing.or_else(|| {
        let (place, message) = rest.rsplit_once(": ")?;
        Some((
            Step {
                place,
                executing: String::new(),
                message: cut(message),
            },
            None,
        ))
    })
}

/// The message without the wrapped error.
fn cut(message: &str) -> &str {
    message.split(" template:").next().unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::layout;

    #[test]
    fn each_step_is_a_paragraph() {
        let text = "template: c/t/a.yaml:2:4: executing \"c/t/a.yaml\" at <include \"x\" .>: error calling include: template: c/t/_x.tpl:1:9: executing \"x\" at <.a.b>: nil pointer evaluating interface {}.b";
        let wanted = "c/t/a.yaml:2:4\n  executing \"c/t/a.yaml\" at <include \"x\" .>:\n    error calling include:\nc/t/_x.tpl:1:9\n  executing \"x\" at <.a.b>:\n    nil pointer evaluating interface {}.b";
        assert_eq!(layout(text), wanted);
    }

    #[test]
    fn errors_of_plain_functions_stay_on_one_line() {
        let text = "template: c/t/a.yaml:2:4: executing \"c/t/a.yaml\" at <semver \"x\">: error calling semver: invalid semantic version";
        assert_eq!(layout(text), text);
    }
}
