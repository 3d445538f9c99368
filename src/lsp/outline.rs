//! What stands where in a template: values that are read, helpers that are called and defined, functions.
//!
//! Made of tokens, not of the tree: a template that is being written seldom parses, and what is written of it counts all the same.

use crate::template::lexer::{Lexer, Token, TokenKind as T};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// A value that a template names: `.Values.a.b`, `$x.b` of a variable, `.b` inside of a `with`, `index .Values "a" "b"`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reference {
    /// The keys below `.Values`.
    pub keys: Vec<String>,
    /// Where the last keys stand; those of a `with` or a variable stand elsewhere.
    pub places: Vec<Range<usize>>,
    /// The whole expression.
    pub range: Range<usize>,
    /// It is only looked at, or given a name: what lies below is named by others.
    pub in_passing: bool,
}

impl Reference {
    /// Where the key number `index` of the path is written, if it is here.
    pub fn place(&self, index: usize) -> Option<&Range<usize>> {
        self.places.get(index.checked_sub(self.keys.len() - self.places.len())?)
    }
}

/// A name with its place, without quotes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Name {
    pub text: String,
    pub place: Range<usize>,
}

/// `{{ define "name" }} … {{ end }}`, or a block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Definition {
    pub name: Name,
    pub range: Range<usize>,
}

/// What `.` or a variable stands for.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) enum Meaning {
    /// The root: `.Values`, `.Release`…
    #[default]
    Root,
    /// A value of the chart, by its keys.
    Values(Vec<String>),
    Unknown,
}

#[derive(Debug, Default)]
pub(super) struct Outline {
    pub references: Vec<Reference>,
    /// Helpers named by `include` and `template`.
    pub calls: Vec<Name>,
    pub definitions: Vec<Definition>,
    pub functions: Vec<Name>,
    /// From `{{` to `}}`, or to where an action breaks off.
    pub actions: Vec<Range<usize>>,
    /// What `.` and the variables stand for at the end of the text.
    pub dot: Meaning,
    pub variables: FxHashMap<String, Meaning>,
}

struct Frame {
    kind: T,
    /// What `.` stood for around it.
    outer: Meaning,
    definition: Option<Definition>,
}

/// Reads a template, or the part of it before the cursor.
pub(super) fn read(text: &[u8]) -> Outline {
    let mut reader = Reader { text, outline: Outline::default(), frames: Vec::new() };
    let mut lexer = Lexer::new(text);
    let mut action: Vec<Token> = Vec::new();
    loop {
        let token = lexer.token();
        let (start, end) = (token.start, token.end);
        match token.kind {
            T::Text => {}
            T::LeftDelimiter => action = vec![token],
            T::RightDelimiter => {
                reader.action(&action, end);
                action.clear();
            }
            T::Eof | T::Error => {
                if !action.is_empty() {
                    reader.action(&action, end.max(start));
                    action.clear();
                }
                if token.kind == T::Eof || lexer.resume(start) <= start {
                    break;
                }
            }
            _ => action.push(token),
        }
    }
    while let Some(frame) = reader.frames.pop() {
        if let Some(definition) = frame.definition {
            reader.outline.definitions.push(Definition { range: definition.range.start..text.len(), ..definition });
        }
    }
    reader.outline
}

struct Reader<'t> {
    text: &'t [u8],
    outline: Outline,
    frames: Vec<Frame>,
}

impl Reader<'_> {
    fn string(&self, range: Range<usize>) -> String {
        String::from_utf8_lossy(self.text.get(range).unwrap_or_default()).into_owned()
    }

    /// A string constant as a name; none for any other token.
    fn name(&self, token: Option<&Token>) -> Option<Name> {
        let token = token.filter(|t| matches!(t.kind, T::Str | T::RawString) && t.end >= t.start + 2)?;
        let place = token.start + 1..token.end - 1;
        Some(Name { text: self.string(place.clone()), place })
    }

    /// One action: its tokens from `{{` on, without `}}`.
    fn action(&mut self, tokens: &[Token], end: usize) {
        let start = tokens[0].start;
        self.outline.actions.push(start..end);
        let tokens: Vec<&Token> = tokens[1..].iter().filter(|t| t.kind != T::Space).collect();
        let mut rest = &tokens[..];
        let mut keyword = rest.first().map_or(T::Text, |t| t.kind);
        match keyword {
            T::End => return self.end(end),
            T::Else => {
                rest = &rest[1..];
                keyword = rest.first().map_or(T::Else, |t| t.kind);
                if let Some(frame) = self.frames.last() {
                    self.outline.dot = frame.outer.clone();
                }
                if matches!(keyword, T::If | T::With) {
                    rest = &rest[1..];
                    let dot = self.pipeline(rest, keyword);
                    if keyword == T::With {
                        self.outline.dot = dot;
                    }
                }
                return;
            }
            T::If | T::With | T::Range => {
                let outer = self.outline.dot.clone();
                let dot = self.pipeline(&rest[1..], keyword);
                self.frames.push(Frame { kind: keyword, outer, definition: None });
                match keyword {
                    T::With => self.outline.dot = dot,
                    T::Range => self.outline.dot = Meaning::Unknown,
                    _ => {}
                }
            }
            T::Define | T::Block => {
                let name = self.name(rest.get(1).copied());
                let outer = self.outline.dot.clone();
                if keyword == T::Block {
                    self.pipeline(rest.get(2..).unwrap_or_default(), keyword);
                } else {
                    self.outline.variables.clear();
                    // Helpers are mostly given the root.
                    self.outline.dot = Meaning::Root;
                }
                let definition = name.map(|name| Definition { name, range: start..end });
                self.frames.push(Frame { kind: keyword, outer, definition });
            }
            T::Template => {
                self.outline.calls.extend(self.name(rest.get(1).copied()));
                self.pipeline(rest.get(2..).unwrap_or_default(), keyword);
            }
            _ => {
                self.pipeline(rest, keyword);
            }
        }
    }

    fn end(&mut self, end: usize) {
        let Some(frame) = self.frames.pop() else { return };
        self.outline.dot = frame.outer;
        if let Some(definition) = frame.definition {
            if frame.kind == T::Block {
                self.outline.calls.push(definition.name.clone());
            }
            self.outline.definitions.push(Definition { range: definition.range.start..end, ..definition });
        }
    }

    /// Whatever an expression names; gives what the pipeline stands for as a whole.
    fn pipeline(&mut self, tokens: &[&Token], keyword: T) -> Meaning {
        let mut rest = tokens;
        let mut variables = Vec::new();
        // `$x :=`, `$k, $v :=`
        if let Some(at) = rest.iter().position(|t| matches!(t.kind, T::Declare | T::Assign)) {
            variables = rest[..at].iter().filter(|t| t.kind == T::Variable).map(|t| self.string(t.start..t.end)).collect();
            rest = &rest[at + 1..];
        }
        let alone = self.outline.references.len();
        let mut at = 0;
        while at < rest.len() {
            at += self.operand(rest, at);
        }
        let found = &mut self.outline.references[alone..];
        let whole = |reference: &Reference| {
            let from = rest.first().map_or(0, |t| t.start);
            let to = rest.last().map_or(0, |t| t.end);
            reference.range == (from..to)
        };
        let meaning = match found {
            [one] if whole(one) => Meaning::Values(one.keys.clone()),
            _ if rest.len() == 1 && self.text.get(rest[0].start..rest[0].end) == Some(b"$") => Meaning::Root,
            _ if rest.len() == 1 && rest[0].kind == T::Dot => self.outline.dot.clone(),
            _ => Meaning::Unknown,
        };
        let named = !variables.is_empty() && meaning != Meaning::Unknown;
        for reference in found.iter_mut() {
            reference.in_passing = keyword == T::If || keyword == T::With || (named && keyword != T::Range);
        }
        for variable in variables {
            let meaning = if keyword == T::Range { Meaning::Unknown } else { meaning.clone() };
            self.outline.variables.insert(variable, meaning);
        }
        meaning
    }

    /// What begins at a token; gives how many tokens it takes.
    fn operand(&mut self, tokens: &[&Token], at: usize) -> usize {
        let token = tokens[at];
        match token.kind {
            T::Identifier => {
                let name = Name { text: self.string(token.start..token.end), place: token.start..token.end };
                let function = name.text.clone();
                self.outline.functions.push(name);
                match function.as_str() {
                    "include" => {
                        self.outline.calls.extend(self.name(tokens.get(at + 1).copied()));
                        1
                    }
                    // The strings behind the value are further keys.
                    "index" | "get" | "hasKey" if tokens.len() > at + 1 => {
                        let before = self.outline.references.len();
                        let mut taken = 1 + self.operand(tokens, at + 1);
                        if self.outline.references.len() == before + 1 {
                            while let Some(name) = self.name(tokens.get(at + taken).copied())
                                && let Some(reference) = self.outline.references.last_mut()
                            {
                                reference.keys.push(name.text);
                                reference.range.end = name.place.end + 1;
                                reference.places.push(name.place);
                                taken += 1;
                            }
                        }
                        taken
                    }
                    _ => 1,
                }
            }
            T::Field | T::Variable | T::Dot => self.path(tokens, at),
            _ => 1,
        }
    }

    /// `.a.b`, `$x.a`, `.`, `$x`
    fn path(&mut self, tokens: &[&Token], at: usize) -> usize {
        let first = tokens[at];
        let behind_parenthesis = at > 0 && tokens[at - 1].kind == T::RightParen && tokens[at - 1].end == first.start;
        let mut taken = 1;
        let mut end = first.end;
        let mut fields = Vec::new();
        let field = |t: &Token| t.start + 1..t.end;
        let base = match first.kind {
            T::Variable => {
                let name = self.string(first.start..first.end);
                if name == "$" { Meaning::Root } else { self.outline.variables.get(&name).cloned().unwrap_or(Meaning::Unknown) }
            }
            T::Dot => self.outline.dot.clone(),
            _ => {
                fields.push(field(first));
                self.outline.dot.clone()
            }
        };
        while let Some(next) = tokens.get(at + taken).filter(|t| t.kind == T::Field && t.start == end) {
            fields.push(field(next));
            end = next.end;
            taken += 1;
        }
        if behind_parenthesis {
            return taken;
        }
        let names: Vec<String> = fields.iter().map(|f| self.string(f.clone())).collect();
        // Whatever `.` stands for, `.Values` is what the chart calls its values.
        let of_chart = names.first().is_some_and(|n| n == "Values") && (base == Meaning::Root || first.kind == T::Field);
        let (keys, places) = match base {
            _ if of_chart => (names[1..].to_vec(), fields[1..].to_vec()),
            Meaning::Values(keys) => (keys.into_iter().chain(names).collect(), fields),
            _ => return taken,
        };
        self.outline.references.push(Reference { keys, places, range: first.start..end, in_passing: false });
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(text: &str) -> Vec<(String, bool)> {
        read(text.as_bytes()).references.into_iter().map(|r| (r.keys.join("."), r.in_passing)).collect()
    }

    #[test]
    fn values_are_found_however_they_are_named() {
        let text = "{{ .Values.a.b | quote }}{{ $x := .Values.c }}{{ $x.d }}{{ with .Values.e }}{{ .f }}{{ toYaml . }}{{ $.Values.g }}{{ end }}\
                    {{ index .Values \"h-i\" \"j\" }}{{ range .Values.k }}{{ .name }}{{ end }}{{ .Release.Name }}";
        let want =
            [("a.b", false), ("c", true), ("c.d", false), ("e", true), ("e.f", false), ("e", false), ("g", false), ("h-i.j", false), ("k", false)];
        assert_eq!(references(text), want.map(|(keys, passing)| (keys.to_string(), passing)));
        let outline = read(text.as_bytes());
        let places: Vec<&str> = outline.references[7].places.iter().map(|p| &text[p.clone()]).collect();
        assert_eq!(places, ["h-i", "j"]);
    }

    #[test]
    fn what_is_half_written_counts() {
        assert_eq!(references("{{ .Values.a. }}\n{{ if .Values.b \n{{ include \"x }}\n{{ .Values.c }}").len(), 3);
        let outline = read(b"{{ define \"n\" }}{{ with .Values.a }}x: {{ .");
        assert_eq!(outline.dot, Meaning::Values(vec!["a".into()]));
        assert_eq!(outline.definitions[0].name.text, "n");
        for text in ["{{", "{{ \"", "{{ (", "{{ end }}{{ else }}", "}} {{- ", "{{/*", "{{ define }}{{ index }}{{ $ := }}"] {
            read(text.as_bytes());
        }
    }

    #[test]
    fn helpers_are_called_and_defined() {
        let text = "{{ define \"a\" }}1{{ end }}{{ include \"a\" . }}{{ template \"b\" . }}{{ block \"c\" . }}{{ end }}";
        let outline = read(text.as_bytes());
        assert_eq!(outline.calls.iter().map(|c| &*c.text).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(&text[outline.definitions[0].range.clone()], "{{ define \"a\" }}1{{ end }}");
    }
}
