//! Why scanning, parsing or decoding stopped.

use crate::limits::Limit;

/// A failure: go-yaml's text after `yaml: `, and the true place in the text.
#[derive(Debug)]
pub(super) struct Fail {
    pub message: String,
    pub start: usize,
    pub end: usize,
    /// Not go-yaml's, but sigs.k8s.io/yaml's or encoding/json's: without `yaml: `.
    pub late: bool,
    /// A limit of ours.
    pub limit: Option<Limit>,
}

pub(super) type Outcome<T> = Result<T, Box<Fail>>;

/// A failure at `start..end`; `line` is what go-yaml calls the line, 0 where it names none.
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

/// As [`fail`], where a limit of ours is reached.
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
