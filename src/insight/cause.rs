//! Which of the values behind a field make it differ between deployments: of `repo:tag`, the tag.

use crate::source::{Sources, Span};

/// For each side of a comparison, the place of the first value that the other sides do not have at
/// the same position. `sides` are the values that reach the field on each side, in the order of its
/// text (see [`crate::source::Trace`]). None for a side whose values the other sides have as well:
/// there the template decides, or a value that is absent.
///
/// Values are compared by their text and not by their place: an environment may repeat a value of
/// values.yaml.
pub(crate) fn causes(sides: &[(&Sources, Vec<Span>)]) -> Vec<Option<Span>> {
    let texts: Vec<Vec<&[u8]>> = sides
        .iter()
        .map(|(sources, values)| values.iter().map(|at| text(sources, *at)).collect())
        .collect();
    let shortest = texts.iter().map(Vec::len).min().unwrap_or(0);
    let same_at = |i: usize| texts.windows(2).all(|p| p[0][i] == p[1][i]);
    let same_before_end = |i: usize| {
        texts
            .windows(2)
            .all(|p| p[0][p[0].len() - 1 - i] == p[1][p[1].len() - 1 - i])
    };
    let start = (0..shortest).take_while(|i| same_at(*i)).count();
    let end = (0..shortest - start)
        .take_while(|i| same_before_end(*i))
        .count();
    sides
        .iter()
        .map(|(_, values)| values[start..values.len() - end].first().copied())
        .collect()
}

/// The text of a value, without its quotes.
fn text(sources: &Sources, at: Span) -> &[u8] {
    match sources.text(at) {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, SourceKind};

    /// The index of the cause on each side; each side is given as its values' texts.
    fn found(sides: &[&[&str]]) -> Vec<Option<usize>> {
        let mut sources = Sources::default();
        let spans: Vec<Vec<Span>> = sides
            .iter()
            .map(|values| {
                let add = |text: &&str| {
                    let id = sources.add(Source::new("v", text.as_bytes(), SourceKind::Values));
                    Span::new(id, 0, text.len())
                };
                values.iter().map(add).collect()
            })
            .collect();
        let sides: Vec<_> = spans.iter().map(|s| (&sources, s.clone())).collect();
        causes(&sides)
            .into_iter()
            .zip(&spans)
            .map(|(at, spans)| spans.iter().position(|s| Some(*s) == at))
            .collect()
    }

    #[test]
    fn the_cause_is_the_first_value_that_differs() {
        assert_eq!(
            found(&[&["web", "1"], &["\"web\"", "2"], &["web", "1"]]),
            [Some(1), Some(1), Some(1)]
        );
        assert_eq!(found(&[&["web", "1"], &["api", "2"]]), [Some(0), Some(0)]);
        // A value that one side lacks.
        assert_eq!(found(&[&["web"], &["web", "x"]]), [None, Some(1)]);
        assert_eq!(found(&[&["web"], &["x", "web"]]), [None, Some(0)]);
        assert_eq!(found(&[&["a", "a"], &["a"]]), [Some(1), None]);
        // The template is the cause.
        assert_eq!(found(&[&["web"], &["web"]]), [None, None]);
        assert_eq!(found(&[&[], &["web"]]), [None, Some(0)]);
        assert_eq!(found(&[]), [None; 0]);
    }
}
