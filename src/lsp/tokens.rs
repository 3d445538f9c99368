//! Semantic tokens: colours for the actions of a template, which editors see as YAML.

use super::documents::Lines;
use crate::template::lexer::{Lexer, TokenKind as T};
use lsp_types::{SemanticToken, SemanticTokenType};

/// The types of tokens; a token names its type by the index here.
pub(super) const TYPES: [SemanticTokenType; 7] = [
    SemanticTokenType::KEYWORD,
    SemanticTokenType::FUNCTION,
    SemanticTokenType::PROPERTY,
    SemanticTokenType::VARIABLE,
    SemanticTokenType::STRING,
    SemanticTokenType::NUMBER,
    SemanticTokenType::OPERATOR,
];

fn type_of(kind: T) -> Option<u32> {
    Some(match kind {
        T::LeftDelimiter | T::RightDelimiter | T::Pipe | T::Assign | T::Declare => 6,
        T::Identifier => 1,
        T::Field | T::Dot => 2,
        T::Variable => 3,
        T::Str | T::RawString | T::CharConstant => 4,
        T::Number | T::Complex => 5,
        T::Bool | T::Nil | T::Block | T::Break | T::Continue | T::Define | T::Else | T::End => 0,
        T::If | T::Range | T::Template | T::With => 0,
        _ => return None,
    })
}

/// The tokens of all actions, each relative to the one before it.
pub(super) fn tokens(text: &[u8]) -> Vec<SemanticToken> {
    let (mut lexer, lines) = (Lexer::new(text), Lines::of(text));
    let mut all = Vec::new();
    let (mut line, mut column) = (0, 0);
    loop {
        let token = lexer.token();
        match token.kind {
            T::Eof => return all,
            T::Error if lexer.resume(token.start) <= token.start => return all,
            _ => {}
        }
        let Some(token_type) = type_of(token.kind) else {
            continue;
        };
        // A raw string may have several lines, but a token may not.
        let mut start = token.start;
        for part in text[token.start..token.end].split_inclusive(|b| *b == b'\n') {
            let end = start + part.trim_ascii_end().len();
            let (from, to) = (lines.position(start), lines.position(end));
            start += part.len();
            if to.character <= from.character {
                continue;
            }
            let is_below = from.line > line;
            all.push(SemanticToken {
                delta_line: from.line - line,
                delta_start: from.character - if is_below { 0 } else { column },
                length: to.character - from.character,
                token_type,
                token_modifiers_bitset: 0,
            });
            (line, column) = (from.line, from.character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_of_actions_are_coloured() {
        let text = "é: {{- if .a | not }}\n  x: {{ `1\n2` }}\n{{ \"";
        let (mut line, mut column) = (0, 0);
        let lines: Vec<&str> = text.lines().collect();
        let shown = |token: SemanticToken| {
            column = token.delta_start + if token.delta_line > 0 { 0 } else { column };
            line += token.delta_line;
            let units: Vec<u16> = lines[line as usize].encode_utf16().collect();
            let part = &units[column as usize..(column + token.length) as usize];
            (String::from_utf16_lossy(part), token.token_type)
        };
        let found: Vec<(String, u32)> = tokens(text.as_bytes()).into_iter().map(shown).collect();
        let found: Vec<(&str, u32)> = found.iter().map(|(text, of)| (&**text, *of)).collect();
        assert_eq!(
            found,
            [
                ("{{", 6),
                ("if", 0),
                (".a", 2),
                ("|", 6),
                ("not", 1),
                ("}}", 6),
                ("{{", 6),
                ("`1", 4),
                ("2`", 4),
                ("}}", 6),
                ("{{", 6)
            ]
        );
    }
}
