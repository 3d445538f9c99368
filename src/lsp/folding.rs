//! Folding: the blocks of a template, and what is indented below a line.

use super::documents::Lines;
use super::outline;
use lsp_types::FoldingRange;

/// The ranges that can be folded. `is_template`: whether the text has actions.
pub(super) fn folding(text: &[u8], is_template: bool) -> Vec<FoldingRange> {
    let mut ranges = by_indentation(text);
    if is_template {
        let lines = Lines::of(text);
        let line = |at: usize| lines.position(at).line;
        let blocks = outline::read(text).blocks;
        // The line of `{{ end }}` stays visible.
        let blocks = blocks
            .into_iter()
            .map(|b| (line(b.start), line(b.end).saturating_sub(1)));
        ranges.extend(blocks.filter(|(start, end)| start < end));
    }
    ranges.sort_unstable();
    ranges.dedup();
    let range = |(start_line, end_line)| FoldingRange {
        start_line,
        end_line,
        ..FoldingRange::default()
    };
    ranges.into_iter().map(range).collect()
}

/// Each line with the last one of those below it that are indented more.
fn by_indentation(text: &[u8]) -> Vec<(u32, u32)> {
    let mut open: Vec<(usize, u32)> = Vec::new();
    let mut ranges = Vec::new();
    let mut last = 0;
    for (number, line) in text.split(|b| *b == b'\n').enumerate() {
        let blanks = line.iter().take_while(|b| **b == b' ').count();
        if line.trim_ascii().is_empty() {
            continue;
        }
        while let Some((_, start)) = open.pop_if(|(indentation, _)| *indentation >= blanks) {
            ranges.push((start, last));
        }
        open.push((blanks, number as u32));
        last = number as u32;
    }
    ranges.extend(open.into_iter().map(|(_, start)| (start, last)));
    ranges.retain(|(start, end)| start < end);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_indented_lines_fold() {
        let text = b"a:\n  b: 1\n\n  c:\n    - d\ne: 1\n{{- if .x }}\nf: 1\n{{- end }}\n";
        let ranges = |is_template| -> Vec<(u32, u32)> {
            let all = folding(text, is_template);
            all.iter().map(|r| (r.start_line, r.end_line)).collect()
        };
        assert_eq!(ranges(false), [(0, 4), (3, 4)]);
        assert_eq!(ranges(true), [(0, 4), (3, 4), (6, 7)]);
    }
}
