//! `if`, `with` and `range`. The output of a branch is recorded as depending on its condition.

use super::frame::{Frame, Run};
use super::operand::{Operand, holds_interfaces};
use super::{Evaluator, Flow};
use crate::go::fmt;
use crate::source::{Condition, OriginId, Outcome, Span};
use crate::template::tree::{Branch, BranchKind};
use crate::value::{Entry, Kind, Text, TextBuilder, Value};
use std::rc::Rc;

/// What a `range` iterates over.
enum Items {
    Count(i128),
    Each(Vec<(Value, Operand)>),
}

impl Evaluator<'_> {
    pub(super) fn branch<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        dot: &Operand,
        branch: &'s Branch,
    ) -> Run<Flow> {
        let variables = frame.variables.len();
        let flow = match branch.kind {
            BranchKind::Range => self.range(frame, out, dot, branch),
            _ => self.if_or_with(frame, out, dot, branch),
        };
        frame.variables.truncate(variables);
        flow
    }

    fn if_or_with<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        dot: &Operand,
        branch: &'s Branch,
    ) -> Run<Flow> {
        let value = self.pipeline(frame, dot, &branch.pipe)?;
        let taken = value.value.truth();
        let decided_by = value.value.whole_origin(&mut self.origins);
        let condition = (value_span(frame, branch), decided_by, outcome(&value.value));
        if taken {
            let dot = if branch.kind == BranchKind::With {
                &value
            } else {
                dot
            };
            self.under(condition, |evaluator| {
                evaluator.list(frame, out, dot, &branch.body)
            })
        } else if let Some(otherwise) = &branch.otherwise {
            self.unwritten(frame, value_span(frame, branch), decided_by);
            self.under(condition, |evaluator| {
                evaluator.list(frame, out, dot, otherwise)
            })
        } else {
            self.unwritten(frame, value_span(frame, branch), decided_by);
            Ok(Flow::On)
        }
    }

    fn range<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        dot: &Operand,
        branch: &'s Branch,
    ) -> Run<Flow> {
        let value = self.pipeline(frame, dot, &branch.pipe)?.value;
        let decided_by = value.whole_origin(&mut self.origins);
        self.note_root(&value);
        let span = value_span(frame, branch);
        let walked = outcome(&value);
        let items = match self.items(frame, &value, branch)? {
            Items::Count(count) if count > 0 => {
                return self.under((span, decided_by, walked), |evaluator| {
                    let mark = frame.variables.len();
                    for i in 0..count {
                        let item = match value.kind {
                            Kind::Int64(_) => Kind::Int64(i as i64),
                            Kind::Sized(_, go_type) => Kind::Sized(i, go_type),
                            _ => Kind::Int(i as i64),
                        };
                        if evaluator.iteration(
                            frame,
                            out,
                            branch,
                            None,
                            Operand::plain(Value::new(item, value.origin)),
                            mark,
                        )? == Flow::Break
                        {
                            break;
                        }
                    }
                    Ok(Flow::On)
                });
            }
            Items::Count(_) => Vec::new(),
            Items::Each(items) => items,
        };
        if items.is_empty() {
            self.unwritten(frame, span, decided_by);
            return match &branch.otherwise {
                Some(otherwise) => self.under((span, decided_by, walked), |evaluator| {
                    evaluator.list(frame, out, dot, otherwise)
                }),
                None => Ok(Flow::On),
            };
        }
        self.under((span, decided_by, walked), |evaluator| {
            let mark = frame.variables.len();
            for (key, item) in items {
                evaluator.recorder.read(key.origin);
                evaluator.recorder.read_value(&item.value);
                if evaluator.iteration(frame, out, branch, Some(Operand::plain(key)), item, mark)?
                    == Flow::Break
                {
                    break;
                }
            }
            Ok(Flow::On)
        })
    }

    /// Collects the items of a `range` when it begins.
    fn items(&mut self, frame: &Frame, value: &Value, branch: &Branch) -> Run<Items> {
        let number = match value.kind {
            Kind::Int(i) | Kind::Int64(i) => Some(i as i128),
            Kind::Sized(i, _) => Some(i),
            _ => None,
        };
        if let Some(number) = number {
            if branch.pipe.variables.len() > 1 {
                return frame.fail(format!(
                    "can't use {number} to iterate over more than one variable"
                ));
            }
            return Ok(Items::Count(number));
        }
        let plain = match &value.kind {
            Kind::Object(object) if matches!(object.kind(), "map" | "slice") => object.plain(),
            _ => None,
        };
        let value = plain.as_ref().unwrap_or(value);
        self.charge(frame, value.length())?;
        match &value.kind {
            Kind::Nil | Kind::Missing => Ok(Items::Each(Vec::new())),
            Kind::List(list) => {
                let boxed = holds_interfaces(list.go_type);
                let item = |(i, item): (usize, &Value)| {
                    (
                        Kind::Int(i as i64).into(),
                        Operand {
                            value: item.clone(),
                            boxed,
                        },
                    )
                };
                Ok(Items::Each(
                    list.items.iter().enumerate().map(item).collect(),
                ))
            }
            Kind::Map(map) => {
                let map = map.0.borrow();
                let boxed = holds_interfaces(map.go_type);
                let item = |(key, entry): (&Rc<[u8]>, &Entry)| {
                    let key = Value::new(
                        Kind::Str(Text {
                            bytes: key.clone(),
                            pieces: None,
                        }),
                        entry.key,
                    );
                    (
                        key,
                        Operand {
                            value: entry.value.clone(),
                            boxed,
                        },
                    )
                };
                Ok(Items::Each(map.entries.iter().map(item).collect()))
            }
            _ => {
                let shown = fmt::print(value, 10_000)
                    .ok()
                    .and_then(|text| Some(text.as_text()?.to_str().into_owned()))
                    .unwrap_or_default();
                let mut fault = frame.fault(format!("range can't iterate over {shown}"));
                fault.said = self.said(&fault.cause, std::slice::from_ref(value));
                Err(fault)
            }
        }
    }

    fn iteration<'s>(
        &mut self,
        frame: &mut Frame<'s>,
        out: &mut TextBuilder,
        branch: &'s Branch,
        key: Option<Operand>,
        item: Operand,
        mark: usize,
    ) -> Run<Flow> {
        // An empty body takes time too.
        self.step(frame)?;
        let key = key.unwrap_or_else(Operand::missing);
        match (&branch.pipe.variables[..], branch.pipe.assigns) {
            ([], _) => {}
            ([only], true) => frame.set(only, item.clone())?,
            ([first, second, ..], true) => {
                frame.set(first, key)?;
                frame.set(second, item.clone())?;
            }
            // The pipeline has already pushed its variables.
            ([_], false) => frame.variables[mark - 1].1 = item.clone(),
            ([_, _, ..], false) => {
                frame.variables[mark - 1].1 = item.clone();
                frame.variables[mark - 2].1 = key;
            }
        }
        let flow = self.list(frame, out, &item, &branch.body);
        frame.variables.truncate(mark);
        flow
    }

    /// Runs a part of the template under one more condition.
    fn under<V>(
        &mut self,
        condition: (Span, OriginId, Outcome),
        work: impl FnOnce(&mut Self) -> V,
    ) -> V {
        let outer = self.condition;
        let (at, decided_by, outcome) = condition;
        self.condition = self.origins.add_condition(Condition {
            at,
            decided_by,
            outcome,
            outer,
        });
        let result = work(self);
        self.condition = outer;
        result
    }
}

/// What the value of a condition is.
fn outcome(value: &Value) -> Outcome {
    match (&value.kind, value.truth()) {
        (Kind::Bool(_), true) => Outcome::True,
        (Kind::Bool(_), false) => Outcome::False,
        (Kind::Nil | Kind::Missing, _) => Outcome::NotSet,
        (Kind::Int(_) | Kind::Int64(_) | Kind::Sized(..) | Kind::Float(_), true) => {
            Outcome::NotZero
        }
        (Kind::Int(_) | Kind::Int64(_) | Kind::Sized(..) | Kind::Float(_), false) => Outcome::Zero,
        (_, true) => Outcome::NotEmpty,
        (_, false) => Outcome::Empty,
    }
}

fn value_span(frame: &Frame<'_>, branch: &Branch) -> Span {
    frame.span(branch.value_range())
}
