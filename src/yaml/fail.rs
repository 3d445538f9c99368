//! Errors that stop scanning, parsing or decoding.

use crate::limits::Limit;

/// An error: go-yaml's text after `yaml: `, and the true range in the text.
#[derive(Debug)]
pub(super) struct Fail {
    pub message: String,
    pub start: usize,
    pub end: usize,
    /// Whether the error comes from sigs.k8s.io/yaml or encoding/json, so that it has no leading
    /// `yaml: `.
    pub late: bool,
    /// The limit that was reached, if that is the error.
    pub limit: Option<Limit>,
}

pub(super) type Outcome<T> = Result<T, Box<Fail>>;

/// An error at `start..end`. `line` is the line that go-yaml prints; 0 if it prints none.
pub(super) fn fail<T>(
    line: usize,
    problem: impl std::fmt::Display,
    start: usize,
    end: usize,
) -> Outcome<T> {
    let message = if line == 0 {
        problem.to_string()
    } else {
        format!("line {line}: {problem}")
    };
    Err(Box::new(Fail {
        message,
        start,
        end,
        late: false,
        limit: None,
    }))
}

/// As [`fail`], for a limit that was reached.
pub(super) fn fail_at<T>(
    limit: Limit,
    line: usize,
    problem: impl std::fmt::Display,
    start: usize,
    end: usize,
) -> Outcome<T> {
    fail(line, problem, start, end).map_err(|fail| {
        Box::new(Fail {
            limit: Some(limit),
            ..*fail
        })
    })
}
