//! Tests the rows of `fixtures/language`, which real Helm made. Also compares random templates with
//! real Helm if its oracle is built.

use super::{Evaluator, Templates};
use crate::limits::Limits;
use crate::source::{Source, SourceKind, Sources};
use crate::value::{Kind, MapData, Value};
use crate::yaml;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(Deserialize)]
struct Table {
    values: String,
    #[serde(default)]
    also: BTreeMap<String, String>,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    template: String,
    #[serde(default)]
    also: BTreeMap<String, String>,
    output: Option<String>,
    hex: Option<String>,
    error: Option<String>,
}

/// The result of Helm's engine for a chart `c` with `templates/main.yaml` and further templates.
fn render(
    template: &str,
    also: &BTreeMap<String, String>,
    values: &str,
) -> Result<Vec<u8>, String> {
    let mut sources = Sources::default();
    let mut files: Vec<(String, &str)> = also
        .iter()
        .map(|(name, text)| (format!("c/templates/{name}"), text.as_str()))
        .collect();
    files.push(("c/templates/main.yaml".into(), template));
    // Helm's order: deepest path first, then reverse alphabetical order.
    files.sort_by(|a, b| (b.0.matches('/').count(), &b.0).cmp(&(a.0.matches('/').count(), &a.0)));
    let mut templates = Templates::new();
    for (name, text) in &files {
        let id = sources.add(Source::new(
            name.as_str(),
            text.as_bytes(),
            SourceKind::File,
        ));
        templates.add(name, id, text.as_bytes());
    }
    if let Some(error) = templates.errors().first() {
        return Err(error.helm_message());
    }
    let id = sources.add(Source::new(
        "values.yaml",
        values.as_bytes(),
        SourceKind::File,
    ));
    let node = yaml::parse(values.as_bytes(), id, 0).expect("the values are YAML");
    let mut evaluator = Evaluator::new(&templates, 1, "default", Limits::default());
    let values = yaml::to_value(&node, &sources, evaluator.origins());
    if let Kind::Map(map) = &values.kind {
        map.0.borrow_mut().go_type = "chartutil.Values";
    }
    let mut result = Ok(Vec::new());
    for (name, _) in files.iter().filter(|(name, _)| !name.contains("/_")) {
        let mut own = MapData {
            go_type: "chartutil.Values",
            ..MapData::default()
        };
        own.insert(b"Name", Default::default(), Value::str(name));
        own.insert(b"BasePath", Default::default(), Value::str("c/templates"));
        let mut release = MapData::default();
        release.insert(b"Name", Default::default(), Value::str("r"));
        let mut data = MapData {
            go_type: "chartutil.Values",
            ..MapData::default()
        };
        data.insert(b"Values", Default::default(), values.clone());
        data.insert(b"Template", Default::default(), Value::map(own));
        data.insert(b"Release", Default::default(), Value::map(release));
        let text = evaluator
            .execute(name, &Value::map(data))
            .map_err(|error| error.message)?;
        if name == "c/templates/main.yaml" {
            result = Ok(text
                .as_text()
                .map(|text| text.bytes.to_vec())
                .unwrap_or_default());
        }
    }
    result
}

fn show(result: &Result<Vec<u8>, String>) -> String {
    match result {
        Ok(text) => format!("text  {:?}", String::from_utf8_lossy(text)),
        Err(error) => format!("error {error:?}"),
    }
}

#[test]
fn rows_of_real_helm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/language");
    let mut failures = Vec::new();
    let mut rows = 0;
    crate::threads::deep(|| {
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        for path in files
            .iter()
            .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        {
            let table: Table =
                serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            for row in table.rows {
                rows += 1;
                let mut also = table.also.clone();
                also.extend(row.also);
                let ours = render(&row.template, &also, &table.values);
                let helm = match (row.output, row.hex, row.error) {
                    (Some(text), _, _) => Ok(text.into_bytes()),
                    (_, Some(hex), _) => {
                        Ok(data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap())
                    }
                    (_, _, Some(error)) => Err(error),
                    _ => panic!(
                        "{}: a row without an answer: {}",
                        path.display(),
                        row.template
                    ),
                };
                if ours != helm {
                    failures.push(format!(
                        "{}: {}\n    helm {}\n    ours {}",
                        path.file_name().unwrap().display(),
                        row.template,
                        show(&helm),
                        show(&ours)
                    ));
                }
            }
        }
    });
    assert!(rows > 0, "no rows in {}", folder.display());
    assert!(
        failures.is_empty(),
        "{} of {rows} rows differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// A pseudo-random generator with a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

const VALUES: &str = r#"
s: text
e: ""
n: 3
f: 1.5
z: 0
t: true
nul: null
big: 12345678
list: [a, b, c]
nums: [1, 2.5, -3, 0]
empty: []
m: {b: 2, a: x, c: null}
em: {}
nest: {a: {b: {c: deep}}, l: [{k: v}, null, [1]], s: str, tpl: "{{ .s }}-{{ .Values.s }}"}
uni: "h\u00e9llo \u2713"
q: "a\"b'c<&>\n"
"#;

const HELPERS: &str = r#"{{- define "h" }}[{{ . }}]{{ end -}}
{{ define "k" }}{{ with .k }}{{ . }}{{ else }}none{{ end }}{{ end }}
{{ define "deep" -}}
{{ .a.b }} {{ include "h" .s }}
{{- end }}"#;

/// Generates random templates from a grammar. Helm accepts most of them.
struct Author {
    random: Random,
    variables: Vec<String>,
    loops: usize,
}

impl Author {
    fn template(&mut self) -> String {
        let mut out = String::new();
        if self.random.chance(20) {
            let body = self.nodes(1);
            out.push_str(&format!("{{{{ define \"own\" }}}}{body}{{{{ end }}}}"));
        }
        self.variables.clear();
        let body = self.nodes(3);
        out + "{{ with .Values }}" + &body + "{{ end }}"
    }

    fn nodes(&mut self, depth: usize) -> String {
        let variables = self.variables.len();
        let text: String = (0..1 + self.random.below(4))
            .map(|_| self.node(depth))
            .collect();
        self.variables.truncate(variables);
        text
    }

    fn action(&mut self, body: &str) -> String {
        let open = self.random.pick(&["{{ ", "{{ ", "{{", "{{- ", "{{-\n"]);
        let close = self.random.pick(&[" }}", " }}", "}}", " -}}", "\n-}}"]);
        format!("{open}{body}{close}")
    }

    fn node(&mut self, depth: usize) -> String {
        let kind = self.random.below(if depth == 0 { 5 } else { 12 });
        match kind {
            0 => self
                .random
                .pick(&[
                    "x",
                    " ",
                    "\n",
                    "  a: b\n",
                    "\t-\n ",
                    "é",
                    "}}",
                    "{ ",
                    "<no value>",
                ])
                .into(),
            1..=3 => {
                let pipe = self.pipe(3);
                self.action(&pipe)
            }
            4 => {
                let (name, assigns) = match self.variables.last() {
                    Some(name) if self.random.chance(40) => (name.clone(), true),
                    _ => (format!("$v{}", self.variables.len()), false),
                };
                let pipe = self.pipe(2);
                let text = self.action(&format!(
                    "{name} {} {pipe}",
                    if assigns { "=" } else { ":=" }
                ));
                if !assigns {
                    self.variables.push(name);
                }
                text
            }
            5 | 6 => {
                let pipe = self.pipe(2);
                let mut text = self.action(&format!("if {pipe}")) + &self.nodes(depth - 1);
                if self.random.chance(30) {
                    let pipe = self.pipe(2);
                    text += &(self.action(&format!("else if {pipe}")) + &self.nodes(depth - 1));
                }
                if self.random.chance(40) {
                    text += &(self.action("else") + &self.nodes(depth - 1));
                }
                text + &self.action("end")
            }
            7 => {
                let pipe = self.pipe(2);
                let text = self.action(&format!("with {pipe}")) + &self.nodes(depth - 1);
                let otherwise = if self.random.chance(40) {
                    self.action("else") + &self.nodes(depth - 1)
                } else {
                    String::new()
                };
                text + &otherwise + &self.action("end")
            }
            8 | 9 => {
                let before = self.variables.len();
                let over = self.random.pick(&[
                    ".list",
                    "$.Values.list",
                    ".nums",
                    ".m",
                    "$.Values.m",
                    "$.Values.nest",
                    "3",
                    "0",
                    ".empty",
                    ".nul",
                    "$.Values.nest.l",
                    "(list 1 nil \"a\")",
                    ".s",
                    ".n",
                    "(until 3)",
                ]);
                let head = match self.random.below(4) {
                    0 => format!("range $i{before}, $v{before} := {over}"),
                    1 => format!("range $v{before} := {over}"),
                    _ => format!("range {over}"),
                };
                if head.contains("$v") {
                    self.variables.push(format!("$v{before}"));
                }
                if head.contains("$i") {
                    self.variables.push(format!("$i{before}"));
                }
                self.loops += 1;
                let mut text = self.action(&head) + &self.nodes(depth - 1);
                if self.random.chance(30) {
                    let pipe = self.pipe(2);
                    let what = self.random.pick(&["break", "continue"]);
                    text += &(self.action(&format!("if {pipe}"))
                        + &self.action(what)
                        + &self.action("end")
                        + &self.nodes(depth - 1));
                }
                self.loops -= 1;
                self.variables.truncate(before);
                let otherwise = if self.random.chance(30) {
                    self.action("else") + &self.nodes(depth - 1)
                } else {
                    String::new()
                };
                text + &otherwise + &self.action("end")
            }
            10 => {
                let data = self.operand(1);
                let name = self.random.pick(&["h", "k", "deep", "h", "own"]);
                self.action(&format!("template \"{name}\" {data}"))
            }
            _ => self
                .action(if self.random.0.is_multiple_of(2) {
                    "/* c */"
                } else {
                    "print 1"
                })
                .replace("{{ /*", "{{/*")
                .replace("*/ }}", "*/}}"),
        }
    }

    fn pipe(&mut self, depth: usize) -> String {
        let mut text = if self.random.chance(60) {
            self.call(depth)
        } else {
            self.operand(depth)
        };
        while self.random.chance(25) {
            text = format!(
                "{text} | {}",
                self.random.pick(&[
                    "print",
                    "printf \"%v-%s\" 1",
                    "upper",
                    "quote",
                    "not",
                    "len",
                    "default 5",
                    "or 1",
                    "and 2",
                    "html",
                    "eq 3.0",
                    "toString",
                    "index $.Values.m",
                    "trunc 2",
                    "squote",
                    "int",
                    "typeOf",
                    "kindOf"
                ])
            );
        }
        text
    }

    fn call(&mut self, depth: usize) -> String {
        let (name, least, most) = [
            ("print", 0, 3),
            ("println", 1, 2),
            ("printf \"%s|%v|%d\"", 1, 4),
            ("printf \"%5.2f|%-6q|%+v\"", 3, 3),
            ("printf \"%T %T\"", 2, 2),
            ("printf \"%#v\"", 1, 1),
            ("eq", 2, 3),
            ("ne", 2, 2),
            ("lt", 2, 2),
            ("le", 2, 2),
            ("gt", 2, 2),
            ("ge", 2, 2),
            ("and", 1, 3),
            ("or", 1, 3),
            ("not", 1, 1),
            ("len", 1, 1),
            ("index", 1, 3),
            ("index .nest", 1, 3),
            ("index $.Values.list", 1, 1),
            ("html", 1, 2),
            ("js", 1, 2),
            ("urlquery", 1, 2),
            ("include \"h\"", 1, 1),
            ("include \"k\"", 1, 1),
            ("include \"deep\"", 1, 1),
            ("tpl \"<{{ . }}>\"", 1, 1),
            ("tpl $.Values.nest.tpl", 1, 1),
            ("required \"need\"", 1, 1),
            ("default 7", 1, 1),
            ("quote", 1, 2),
            ("upper", 1, 1),
            ("trunc", 2, 2),
            ("list", 0, 3),
            ("dict \"k\"", 1, 1),
            ("ternary", 3, 3),
            ("hasKey .m", 1, 1),
            ("call", 1, 2),
            ("int", 1, 1),
            ("add", 1, 3),
        ][self.random.below(39)];
        let count = least + self.random.below(most - least + 1);
        let count = if self.random.chance(3) {
            count + 1
        } else {
            count
        };
        (0..count).fold(name.to_owned(), |text, _| {
            format!("{text} {}", self.operand(depth.saturating_sub(1)))
        })
    }

    fn operand(&mut self, depth: usize) -> String {
        match self.random.below(10) {
            0 | 1 => self
                .random
                .pick(&[
                    "1", "0", "-3", "1.5", "2.0", "\"a\"", "\"\"", "`r`", "'c'", "true", "false",
                    "nil", "1e6", "0x10", "\"b\"",
                ])
                .into(),
            2..=4 => {
                let fields = [
                    ".s",
                    ".e",
                    ".n",
                    ".f",
                    ".z",
                    ".t",
                    ".nul",
                    ".big",
                    ".list",
                    ".nums",
                    ".m",
                    ".m.a",
                    ".m.c",
                    ".em",
                    ".nest",
                    ".nest.a.b.c",
                    ".nest.l",
                    ".absent",
                    ".absent.x",
                    ".nest.a.x.y",
                    ".s.x",
                    ".uni",
                    ".q",
                    ".k",
                    ".empty",
                ];
                self.random.pick(&fields).into()
            }
            5 => format!(
                "$.Values{}",
                self.random
                    .pick(&[".s", ".n", ".nest.a", ".absent", ".m.a", ".list", ".nul"])
            ),
            6 => "($.Values.absent).x".into(),
            7 => match self.variables.len() {
                0 => ".".into(),
                count => {
                    let name = self.variables[self.random.below(count)].clone();
                    if self.random.chance(15) {
                        format!("{name}.a")
                    } else {
                        name
                    }
                }
            },
            8 if depth > 0 => format!("({})", self.pipe(depth - 1)),
            9 if depth > 0 => format!("({}).a", self.call(depth - 1)),
            _ => ".".into(),
        }
    }
}

/// `THEBOT_LINT_ORACLE` is the path of the oracle that `fixtures/language/oracle` builds.
/// `THEBOT_LINT_CASES` is the number of templates to compare.
#[test]
#[ignore = "needs THEBOT_LINT_ORACLE, see fixtures/language/oracle"]
fn needs_oracle_random_templates_against_real_helm() {
    use std::io::{BufRead, BufReader, Write};
    let oracle = std::env::var("THEBOT_LINT_ORACLE").expect("THEBOT_LINT_ORACLE names the oracle");
    let count: usize = std::env::var("THEBOT_LINT_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3000);
    let seed: u64 = std::env::var("THEBOT_LINT_SEED")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1);
    let mut author = Author {
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        variables: Vec::new(),
        loops: 0,
    };
    let cases: Vec<String> = (0..count).map(|_| author.template()).collect();
    let also = BTreeMap::from([("_helpers.tpl".to_owned(), HELPERS.to_owned())]);
    let mut child = std::process::Command::new(oracle)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the oracle starts");
    let mut stdin = child.stdin.take().unwrap();
    let lines: Vec<String> = cases
        .iter()
        .map(|template| {
            serde_json::json!({"template": template, "also": also, "values": VALUES}).to_string()
        })
        .collect();
    let writer = std::thread::spawn(move || {
        lines
            .iter()
            .for_each(|line| writeln!(stdin, "{line}").unwrap())
    });
    let answers: Vec<serde_json::Value> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    writer.join().unwrap();
    child.wait().unwrap();
    assert_eq!(answers.len(), count);
    let (mut rendered, mut failures) = (0, Vec::new());
    crate::threads::deep(|| {
        for (template, answer) in cases.iter().zip(&answers) {
            let helm = match (answer["output"].as_str(), answer["hex"].as_str()) {
                (Some(text), _) => Ok(text.as_bytes().to_vec()),
                (_, Some(hex)) => Ok(data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()),
                _ => Err(answer["error"].as_str().unwrap().to_owned()),
            };
            rendered += helm.is_ok() as usize;
            let ours = render(template, &also, VALUES);
            if ours != helm {
                failures.push(format!(
                    "{template:?}\n    helm {}\n    ours {}",
                    show(&helm),
                    show(&ours)
                ));
            }
        }
    });
    println!(
        "{count} templates, {rendered} rendered by Helm, {} differ",
        failures.len()
    );
    assert!(
        failures.is_empty(),
        "{} of {count} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
