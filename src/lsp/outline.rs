//! The outline of a template: the values that it reads, the helpers that it calls and defines, and
//! its functions.
//!
//! It is made from tokens, not from the tree, because a template that is being edited seldom
//! parses.

use crate::template::function::FunctionRole;
use crate::template::functions;
use crate::template::lexer::{Lexer, Token, TokenKind as T};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// A value that a template refers to: `.Values.a.b`, `$x.b` with a variable, `.b` inside a `with`,
/// `index .Values "a" "b"`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reference {
    /// The keys below `.Values`.
    pub keys: Vec<String>,
    /// The ranges of the last keys. Keys that a `with` or a variable adds have no range here.
    pub places: Vec<Range<usize>>,
    /// The range of the whole expression.
    pub range: Range<usize>,
    /// Whether the value is only tested or assigned to a name; other references name what is inside
    /// it.
    pub in_passing: bool,
    /// The indices of keys that come from a string elsewhere: `index .Values $x`, where `$x` is an
    /// item of `list "a" "b"`.
    pub by_word: Vec<usize>,
}

impl Reference {
    /// A reference to the value below this one whose key is the string.
    fn by_word(&self, word: &str, range: Range<usize>) -> Reference {
        let keys: Vec<String> = self
            .keys
            .iter()
            .cloned()
            .chain([word.to_string()])
            .collect();
        let by_word = self
            .by_word
            .iter()
            .copied()
            .chain([self.keys.len()])
            .collect();
        Reference {
            keys,
            places: Vec::new(),
            range,
            in_passing: false,
            by_word,
        }
    }

    /// The range of the key with this index, if it is written in this expression.
    pub(super) fn place(&self, index: usize) -> Option<&Range<usize>> {
        self.places
            .get(index.checked_sub(self.keys.len() - self.places.len())?)
    }
}

/// A name and its range, without quotes.
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

/// Names that are read one from the other (`.Release.Name`), each with its range.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub names: Vec<String>,
    pub places: Vec<Range<usize>>,
}

/// A field of an item: the paths that it may mean, and the ranges of their last names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub paths: Vec<Steps>,
    pub places: Vec<Range<usize>>,
}

/// A path into the values: keys, and None for any item of a list or map.
pub(super) type Steps = Vec<Option<String>>;

/// The meaning of `.` or of a variable.
#[derive(Clone, Debug, PartialEq, Default)]
pub(super) enum Meaning {
    /// The root: `.Values`, `.Release`…
    #[default]
    Root,
    /// A value of the chart, by its keys; one of several if a loop runs over their names.
    Values(Vec<Vec<String>>),
    /// The items of lists or maps in the values.
    Within(Vec<Steps>),
    /// One of these strings.
    Words(Vec<String>),
    Unknown,
}

#[derive(Debug, Default)]
pub(super) struct Outline {
    pub references: Vec<Reference>,
    /// Helpers that `include` and `template` call.
    pub calls: Vec<Name>,
    pub definitions: Vec<Definition>,
    pub functions: Vec<Name>,
    /// Fields of the items of lists and maps in the values, in a loop over them.
    pub items: Vec<Item>,
    /// What Helm gives to templates besides the values: `.Release.Name`.
    pub objects: Vec<Named>,
    /// The names of files that `.Files.Get` and the like read.
    pub files: Vec<Name>,
    /// From the action that begins a block to its `{{ end }}`.
    pub blocks: Vec<Range<usize>>,
    /// From `{{` to `}}`, or to the place where an incomplete action ends.
    pub actions: Vec<Range<usize>>,
    /// The meaning of `.` and of the variables at the end of the text.
    pub dot: Meaning,
    pub variables: FxHashMap<String, Meaning>,
}

/// The limit of alternatives: nested loops over names would multiply them.
const MOST_ALTERNATIVES: usize = 64;

struct Frame {
    kind: T,
    /// Where the block begins.
    start: usize,
    /// The meaning of `.` outside of the block.
    outer: Meaning,
    definition: Option<Definition>,
}

/// Reads a template, or its part before the cursor.
pub(super) fn read(text: &[u8]) -> Outline {
    let mut reader = Reader {
        text,
        outline: Outline::default(),
        frames: Vec::new(),
    };
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
            reader.outline.definitions.push(Definition {
                range: definition.range.start..text.len(),
                ..definition
            });
        }
    }
    reader.outline
}

/// The ranges of the string literals of a template that have actions: `tpl` may render them.
pub(super) fn template_literals(text: &[u8]) -> Vec<Range<usize>> {
    let mut lexer = Lexer::new(text);
    let mut all = Vec::new();
    loop {
        let token = lexer.token();
        match token.kind {
            T::Str | T::RawString if token.end >= token.start + 2 => {
                let inner = token.start + 1..token.end - 1;
                if memchr::memmem::find(&text[inner.clone()], b"{{").is_some() {
                    all.push(inner);
                }
            }
            T::Eof => return all,
            T::Error if lexer.resume(token.start) <= token.start => return all,
            _ => {}
        }
    }
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

    /// The name in a string literal; None for any other token.
    fn name(&self, token: Option<&Token>) -> Option<Name> {
        let token =
            token.filter(|t| matches!(t.kind, T::Str | T::RawString) && t.end >= t.start + 2)?;
        let place = token.start + 1..token.end - 1;
        Some(Name {
            text: self.string(place.clone()),
            place,
        })
    }

    /// Reads one action: its tokens from `{{` on, without `}}`.
    fn action(&mut self, tokens: &[Token], end: usize) {
        let start = tokens[0].start;
        self.outline.actions.push(start..end);
        let tokens: Vec<&Token> = tokens[1..].iter().filter(|t| t.kind != T::Space).collect();
        let mut rest = &tokens[..];
        let mut keyword = rest.first().map_or(T::Text, |t| t.kind);
        match keyword {
            T::End => self.end(end),
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
            }
            T::If | T::With | T::Range => {
                let outer = self.outline.dot.clone();
                let dot = self.pipeline(&rest[1..], keyword);
                self.frames.push(Frame {
                    kind: keyword,
                    start,
                    outer,
                    definition: None,
                });
                match keyword {
                    T::With | T::Range => self.outline.dot = dot,
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
                    // Helpers usually get the root as their argument.
                    self.outline.dot = Meaning::Root;
                }
                let definition = name.map(|name| Definition {
                    name,
                    range: start..end,
                });
                self.frames.push(Frame {
                    kind: keyword,
                    start,
                    outer,
                    definition,
                });
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
        let Some(frame) = self.frames.pop() else {
            return;
        };
        self.outline.dot = frame.outer;
        self.outline.blocks.push(frame.start..end);
        if let Some(definition) = frame.definition {
            if frame.kind == T::Block {
                self.outline.calls.push(definition.name.clone());
            }
            self.outline.definitions.push(Definition {
                range: definition.range.start..end,
                ..definition
            });
        }
    }

    /// Reads all references of an expression and gives the meaning of the pipeline.
    fn pipeline(&mut self, tokens: &[&Token], keyword: T) -> Meaning {
        let mut rest = tokens;
        let mut variables = Vec::new();
        // `$x :=`, `$k, $v :=`
        if let Some(at) = rest
            .iter()
            .position(|t| matches!(t.kind, T::Declare | T::Assign))
        {
            variables = rest[..at]
                .iter()
                .filter(|t| t.kind == T::Variable)
                .map(|t| self.string(t.start..t.end))
                .collect();
            rest = &rest[at + 1..];
        }
        let alone = self.outline.references.len();
        let mut at = 0;
        while at < rest.len() {
            at += self.operand(rest, at);
        }
        let listed = rest
            .first()
            .is_some_and(|t| keyword == T::Range && self.text.get(t.start..t.end) == Some(b"list"));
        let within = self.within(rest);
        let words = self.words(if listed { &rest[1..] } else { rest });
        let found = &mut self.outline.references[alone..];
        let whole = rest.first().map_or(0, |t| t.start)..rest.last().map_or(0, |t| t.end);
        let values: Vec<Vec<String>> = found
            .iter()
            .filter(|r| r.range == whole)
            .map(|r| r.keys.clone())
            .collect();
        let meaning = match rest {
            _ if !values.is_empty() => Meaning::Values(values),
            [one] if self.text.get(one.start..one.end) == Some(b"$") => Meaning::Root,
            [one] if one.kind == T::Dot => self.outline.dot.clone(),
            _ => within
                .map(Meaning::Within)
                .or(words.map(Meaning::Words))
                .unwrap_or(Meaning::Unknown),
        };
        let named = !variables.is_empty() && meaning != Meaning::Unknown;
        for reference in found.iter_mut() {
            reference.in_passing |=
                keyword == T::If || keyword == T::With || (named && keyword != T::Range);
        }
        let item_of = |all: Vec<Steps>| {
            all.into_iter()
                .map(|steps| steps.into_iter().chain([None]).collect())
                .collect()
        };
        let item = match meaning {
            // An item of a `list` of strings is one of these strings, so the meaning stays the
            // same.
            meaning if keyword != T::Range || listed => meaning,
            Meaning::Values(all) => Meaning::Within(item_of(
                all.into_iter()
                    .map(|keys| keys.into_iter().map(Some).collect())
                    .collect(),
            )),
            Meaning::Within(all) => Meaning::Within(item_of(all)),
            _ => Meaning::Unknown,
        };
        let last = variables.len().saturating_sub(1);
        for (i, variable) in variables.into_iter().enumerate() {
            self.outline.variables.insert(
                variable,
                if i == last {
                    item.clone()
                } else {
                    Meaning::Unknown
                },
            );
        }
        item
    }

    /// The paths of an expression that starts at an item; None for any other expression.
    fn within(&self, tokens: &[&Token]) -> Option<Vec<Steps>> {
        let (first, fields) = tokens.split_first()?;
        let base = match first.kind {
            T::Variable => self
                .outline
                .variables
                .get(&self.string(first.start..first.end))?,
            T::Dot | T::Field => &self.outline.dot,
            _ => return None,
        };
        let Meaning::Within(all) = base else {
            return None;
        };
        let is_path = tokens
            .windows(2)
            .all(|pair| pair[1].kind == T::Field && pair[0].end == pair[1].start);
        let names = Some(first)
            .filter(|t| t.kind == T::Field)
            .into_iter()
            .chain(fields)
            .map(|t| Some(self.string(t.start + 1..t.end)));
        is_path.then(|| {
            all.iter()
                .map(|steps| steps.iter().cloned().chain(names.clone()).collect())
                .collect()
        })
    }

    /// The string literals; None if there is any other token.
    fn words(&self, tokens: &[&Token]) -> Option<Vec<String>> {
        let all: Option<Vec<String>> = tokens
            .iter()
            .map(|t| self.name(Some(t)).map(|n| n.text))
            .collect();
        all.filter(|words| !words.is_empty())
    }

    /// The strings that an argument of `index` may have as a key.
    fn key(&self, token: Option<&&Token>) -> Option<Vec<String>> {
        let token = token?;
        let meaning = match token.kind {
            T::Variable => self
                .outline
                .variables
                .get(&self.string(token.start..token.end))?,
            T::Dot => &self.outline.dot,
            _ => return None,
        };
        if let Meaning::Words(words) = meaning {
            Some(words.clone())
        } else {
            None
        }
    }

    /// Reads the operand that begins at a token; gives its number of tokens.
    fn operand(&mut self, tokens: &[&Token], at: usize) -> usize {
        let token = tokens[at];
        match token.kind {
            T::Identifier => {
                let name = Name {
                    text: self.string(token.start..token.end),
                    place: token.start..token.end,
                };
                let function = functions::lookup(&name.text);
                self.outline.functions.push(name);
                match function.map(|function| function.role) {
                    Some(FunctionRole::Include) => {
                        self.outline
                            .calls
                            .extend(self.name(tokens.get(at + 1).copied()));
                        1
                    }
                    // The arguments after the value are further keys.
                    Some(
                        FunctionRole::Index
                        | FunctionRole::Get
                        | FunctionRole::HasKey
                        | FunctionRole::Dig,
                    ) if tokens.len() > at + 1 => {
                        let before = self.outline.references.len();
                        let mut taken = 1 + self.operand(tokens, at + 1);
                        let mut begin = before;
                        while begin < self.outline.references.len() {
                            let next = tokens.get(at + taken);
                            if let Some(name) = self.name(next.copied()) {
                                for reference in &mut self.outline.references[begin..] {
                                    reference.keys.push(name.text.clone());
                                    reference.range = token.start..name.place.end + 1;
                                    reference.places.push(name.place.clone());
                                }
                            } else if let (Some(words), Some(next)) = (self.key(next), next) {
                                let bases = self.outline.references[begin..].to_vec();
                                self.outline.references[begin..]
                                    .iter_mut()
                                    .for_each(|base| base.in_passing = true);
                                begin = self.outline.references.len();
                                let all = bases.iter().flat_map(|base| {
                                    words
                                        .iter()
                                        .map(move |word| base.by_word(word, token.start..next.end))
                                });
                                self.outline.references.extend(all.take(MOST_ALTERNATIVES));
                            } else {
                                break;
                            }
                            taken += 1;
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

    /// Reads a path: `.a.b`, `$x.a`, `.`, `$x`.
    fn path(&mut self, tokens: &[&Token], at: usize) -> usize {
        let first = tokens[at];
        let behind_parenthesis =
            at > 0 && tokens[at - 1].kind == T::RightParen && tokens[at - 1].end == first.start;
        let mut taken = 1;
        let mut end = first.end;
        let mut fields = Vec::new();
        let field = |t: &Token| t.start + 1..t.end;
        let base = match first.kind {
            T::Variable => {
                let name = self.string(first.start..first.end);
                if name == "$" {
                    Meaning::Root
                } else {
                    self.outline
                        .variables
                        .get(&name)
                        .cloned()
                        .unwrap_or(Meaning::Unknown)
                }
            }
            T::Dot => self.outline.dot.clone(),
            _ => {
                fields.push(field(first));
                self.outline.dot.clone()
            }
        };
        while let Some(next) = tokens
            .get(at + taken)
            .filter(|t| t.kind == T::Field && t.start == end)
        {
            fields.push(field(next));
            end = next.end;
            taken += 1;
        }
        if behind_parenthesis {
            return taken;
        }
        let names: Vec<String> = fields.iter().map(|f| self.string(f.clone())).collect();
        self.note(&base, &names, &fields, tokens.get(at + taken).copied());
        // `.Values` means the chart's values even below another name, because the root may have
        // been passed on (`.root.Values`, `$.context.Values`).
        let root = (!matches!(base, Meaning::Values(_)))
            .then(|| names.iter().position(|n| n == "Values"))
            .flatten();
        let root = root.filter(|i| !names[..*i].iter().any(|n| n == "Subcharts"));
        let (all, places) = match (root, base) {
            (Some(root), _) => (vec![names[root + 1..].to_vec()], fields.split_off(root + 1)),
            (None, _) if first.kind == T::Field && names[0] == "Values" => {
                (vec![names[1..].to_vec()], fields.split_off(1))
            }
            (None, Meaning::Values(all)) => (
                all.into_iter()
                    .map(|keys| keys.into_iter().chain(names.iter().cloned()).collect())
                    .collect(),
                fields,
            ),
            _ => return taken,
        };
        let range = first.start..end;
        let new = all.into_iter().map(|keys| Reference {
            keys,
            places: places.clone(),
            range: range.clone(),
            in_passing: false,
            by_word: Vec::new(),
        });
        self.outline.references.extend(new);
        taken
    }
}

impl Reader<'_> {
    /// Notes a path that is no reference to a value: of an item, or of what Helm gives to templates.
    fn note(
        &mut self,
        base: &Meaning,
        names: &[String],
        places: &[Range<usize>],
        next: Option<&Token>,
    ) {
        let places = places.to_vec();
        match (base, names) {
            (Meaning::Within(all), _) if !names.is_empty() => {
                let below = names.iter().cloned().map(Some);
                let path = |steps: &Steps| steps.iter().cloned().chain(below.clone()).collect();
                let paths = all.iter().map(path).collect();
                self.outline.items.push(Item { paths, places });
            }
            (Meaning::Root, [first, ..]) if first != "Values" => {
                if let [files, read] = names
                    && files == "Files"
                    && ["Get", "GetBytes", "Lines"].contains(&&**read)
                {
                    self.outline.files.extend(self.name(next));
                }
                let names = names.to_vec();
                self.outline.objects.push(Named { names, places });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(text: &str) -> Vec<(String, bool)> {
        read(text.as_bytes())
            .references
            .into_iter()
            .map(|r| (r.keys.join("."), r.in_passing))
            .collect()
    }

    #[test]
    fn values_are_found_however_they_are_named() {
        let text = "{{ .Values.a.b | quote }}{{ $x := .Values.c }}{{ $x.d }}{{ with .Values.e }}{{ .f }}{{ toYaml . }}{{ $.Values.g }}{{ end }}\
                    {{ index .Values \"h-i\" \"j\" }}{{ range .Values.k }}{{ .name }}{{ end }}{{ .Release.Name }}";
        let want = [
            ("a.b", false),
            ("c", true),
            ("c.d", false),
            ("e", true),
            ("e.f", false),
            ("e", false),
            ("g", false),
            ("h-i.j", false),
            ("k", false),
        ];
        assert_eq!(
            references(text),
            want.map(|(keys, passing)| (keys.to_string(), passing))
        );
        let outline = read(text.as_bytes());
        let places: Vec<&str> = outline.references[7]
            .places
            .iter()
            .map(|p| &text[p.clone()])
            .collect();
        assert_eq!(places, ["h-i", "j"]);
    }

    #[test]
    fn loops_over_names_read_one_of_several() {
        let text = "{{ range $c := list \"a\" \"b\" }}{{ $x := index $.Values $c }}{{ $x.d }}{{ end }}{{ .ctx.Values.e }}{{ index .Values $y }}";
        let want = [
            ("", true),
            ("a", true),
            ("b", true),
            ("a.d", false),
            ("b.d", false),
            ("e", false),
            ("", false),
        ];
        assert_eq!(
            references(text),
            want.map(|(keys, passing)| (keys.to_string(), passing))
        );
        assert_eq!(read(text.as_bytes()).references[1].by_word, [0]);
    }

    #[test]
    fn what_is_half_written_counts() {
        assert_eq!(
            references("{{ .Values.a. }}\n{{ if .Values.b \n{{ include \"x }}\n{{ .Values.c }}")
                .len(),
            3
        );
        let outline = read(b"{{ define \"n\" }}{{ with .Values.a }}x: {{ .");
        assert_eq!(outline.dot, Meaning::Values(vec![vec!["a".into()]]));
        assert_eq!(outline.definitions[0].name.text, "n");
        for text in [
            "{{",
            "{{ \"",
            "{{ (",
            "{{ end }}{{ else }}",
            "}} {{- ",
            "{{/*",
            "{{ define }}{{ index }}{{ $ := }}",
        ] {
            read(text.as_bytes());
        }
    }

    #[test]
    fn loops_over_values_stand_for_their_items() {
        let dot = |text: &str| match read(text.as_bytes()).dot {
            Meaning::Within(all) => all
                .into_iter()
                .map(|steps| {
                    steps
                        .into_iter()
                        .map(|s| s.unwrap_or("*".into()))
                        .collect::<Vec<_>>()
                        .join(".")
                })
                .collect(),
            other => vec![format!("{other:?}")],
        };
        assert_eq!(dot("{{ range .Values.a }}{{ ."), ["a.*"]);
        assert_eq!(
            dot("{{ range $k, $v := .Values.a }}{{ with $v.b }}{{ range .c }}{{ ."),
            ["a.*.b.c.*"]
        );
        assert_eq!(dot("{{ range .Values.a }}{{ range . }}"), ["a.*.*"]);
        assert_eq!(dot("{{ range .Values.a }}{{ range keys .b }}"), ["Unknown"]);
        assert_eq!(dot("{{ range .Values.a }}{{ end }}"), ["Root"]);
    }

    #[test]
    fn helpers_are_called_and_defined() {
        let text = "{{ define \"a\" }}1{{ end }}{{ include \"a\" . }}{{ template \"b\" . }}{{ block \"c\" . }}{{ end }}";
        let outline = read(text.as_bytes());
        assert_eq!(
            outline.calls.iter().map(|c| &*c.text).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        assert_eq!(
            &text[outline.definitions[0].range.clone()],
            "{{ define \"a\" }}1{{ end }}"
        );
    }
}
