//! Traces a span of rendered text back to templates and values.

use super::origin::{ConditionId, Origin, OriginId, Origins, Outcome};
use super::sources::Sources;
use super::span::Span;
use super::text::SourceKind;
use rustc_hash::FxHashSet;

/// A trace that takes more steps visits each origin once.
const MANY_STEPS: usize = 1000;

/// What a span comes from, see [`Sources::trace`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The locations in templates that the text passed through, outermost first: the line of the
    /// rendered template, then the chain of includes.
    pub templates: Vec<Span>,
    /// The values (scalars in values files, flags, Chart.yaml, Files) whose text reaches the span,
    /// in the order of the text. For a value of several lines, from the first line that reaches it
    /// to the last.
    pub values: Vec<Span>,
    /// Expressions whose value, if it were set, would be used instead of a fallback.
    pub instead: Vec<Span>,
    /// The conditions around the innermost location, innermost first: the span of the pipeline, what
    /// its value was, and the values that decided.
    pub conditions: Vec<(Span, Outcome, Vec<Span>)>,
    /// The spans in these lists, once one of them is long.
    known: FxHashSet<(Part, Span)>,
}

/// A list of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Templates,
    Values,
    Instead,
}

impl Trace {
    /// Adds a span, unless the list has it already.
    fn add(&mut self, part: Part, span: Span) {
        const FEW: usize = 16;
        let list = match part {
            Part::Templates => &mut self.templates,
            Part::Values => &mut self.values,
            Part::Instead => &mut self.instead,
        };
        let is_new = if list.len() < FEW {
            !list.contains(&span)
        } else {
            if list.len() == FEW {
                self.known.extend(list.iter().map(|span| (part, *span)));
            }
            self.known.insert((part, span))
        };
        if is_new {
            list.push(span);
        }
    }

    /// Makes the last value longer, so that it ends with a further line.
    fn extend_last_value(&mut self, line: Span) {
        let is_long = !self.known.is_empty();
        if let Some(last) = self.values.last_mut() {
            let longer = last.to(line);
            if is_long && self.known.remove(&(Part::Values, *last)) {
                self.known.insert((Part::Values, longer));
            }
            *last = longer;
        }
    }
}

impl Sources {
    /// Traces a span back to files. For a span of a file the result is that span only. For derived
    /// text it is everything that the pieces in the span come from.
    pub fn trace(&self, span: Span) -> Trace {
        let mut trace = Trace::default();
        self.trace_into(span, &mut trace, 0);
        trace
    }

    fn trace_into(&self, span: Span, trace: &mut Trace, depth: usize) {
        let SourceKind::Derived(_) = self.get(span.source).kind else {
            trace.add(Part::Templates, span);
            return;
        };
        if depth > 64 {
            return;
        }
        let Some(origins) = self.origins(span.source.render()) else {
            return;
        };
        let mut passed = Passed::default();
        for piece in self.pieces(span) {
            self.follow(piece.origin, origins, trace, &mut passed, depth);
        }
        let mut place = passed.last;
        while let Some(&(under, within)) = place.and_then(|place| passed.places.get(place)) {
            let mut next = origins.condition(under);
            while let Some(condition) = next {
                let mut deciding = Trace::default();
                self.follow(
                    condition.decided_by,
                    origins,
                    &mut deciding,
                    &mut Passed::default(),
                    depth + 1,
                );
                trace
                    .conditions
                    .push((condition.at, condition.outcome, deciding.values));
                next = origins.condition(condition.outer);
            }
            place = within;
        }
    }

    fn follow(
        &self,
        id: OriginId,
        origins: &Origins,
        trace: &mut Trace,
        passed: &mut Passed,
        depth: usize,
    ) {
        let mut stack = vec![(id, None)];
        // Joined origins share their parts, so a tree of a few may have endless paths.
        let (mut steps, mut visited) = (0, FxHashSet::default());
        while let Some((id, within)) = stack.pop() {
            steps += 1;
            if steps > MANY_STEPS && !visited.insert(id) {
                continue;
            }
            match origins.get(id) {
                None | Some(Origin::Missing(_)) => {}
                Some(Origin::Data(span)) => self.reach(span, trace, depth, Part::Values),
                Some(Origin::Line { of, start, end }) => {
                    let Some(all) = origins.data(of) else {
                        continue;
                    };
                    let line = Span { start, end, ..all };
                    let continues = trace.values.last().is_some_and(|last| all.holds(*last));
                    if continues {
                        trace.extend_last_value(line);
                    } else {
                        trace.add(Part::Values, line);
                    }
                }
                Some(Origin::Literal(span)) => self.reach(span, trace, depth, Part::Templates),
                Some(Origin::Written { at, content, under }) => {
                    self.reach(at, trace, depth, Part::Templates);
                    let here = if under == ConditionId::NONE {
                        within
                    } else {
                        passed.add(under, within)
                    };
                    stack.push((content, here));
                }
                Some(Origin::Joined(a, b)) => {
                    stack.push((b, within));
                    stack.push((a, within));
                }
                Some(Origin::Fallback { value, instead }) => {
                    trace.add(Part::Instead, instead);
                    stack.push((value, within));
                }
            }
        }
    }

    fn reach(&self, span: Span, trace: &mut Trace, depth: usize, part: Part) {
        match self.get(span.source).kind {
            SourceKind::Derived(_) => self.trace_into(span, trace, depth + 1),
            _ => trace.add(part, span),
        }
    }
}

/// Locations under conditions that a trace passed through.
#[derive(Default)]
struct Passed {
    /// For each location, its conditions and the index of the enclosing location: the action whose
    /// `include` wrote it.
    places: Vec<(ConditionId, Option<usize>)>,
    /// The index of the location that was added last.
    last: Option<usize>,
}

impl Passed {
    fn add(&mut self, under: ConditionId, within: Option<usize>) -> Option<usize> {
        self.places.push((under, within));
        self.last = Some(self.places.len() - 1);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Derived, Piece, Source, SourceId};
    use super::*;

    #[test]
    fn trace_follows_an_include_to_the_value() {
        let mut sources = Sources::default();
        let values = sources.add(Source::new("values.yaml", &b"a: 1\n"[..], SourceKind::File));
        let top = sources.add(Source::new(
            "t.yaml",
            &b"{{ include }}"[..],
            SourceKind::File,
        ));
        let helper = sources.add(Source::new(
            "_h.tpl",
            &b"{{ .Values.a }}"[..],
            SourceKind::File,
        ));
        let mut derived = Derived::default();
        let data = derived.origins.add(Origin::Data(Span::new(values, 3, 4)));
        let under = ConditionId::NONE;
        let inner = derived.origins.add(Origin::Written {
            at: Span::new(helper, 0, 15),
            content: data,
            under,
        });
        let outer = derived.origins.add(Origin::Written {
            at: Span::new(top, 0, 13),
            content: inner,
            under,
        });
        derived.sources.push(Source::new(
            "t.yaml",
            &b"1"[..],
            SourceKind::Derived(vec![Piece {
                start: 0,
                end: 1,
                origin: outer,
            }]),
        ));
        sources.adopt(1, derived);
        let trace = sources.trace(Span::new(SourceId::new(1, 0), 0, 1));
        assert_eq!(
            trace.templates,
            [Span::new(top, 0, 13), Span::new(helper, 0, 15)]
        );
        assert_eq!(trace.values, [Span::new(values, 3, 4)]);
    }
}
