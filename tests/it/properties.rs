//! The invariants of the fuzz targets (`fuzz/invariants.rs`) on a stable toolchain: inputs that
//! were found before (`fixtures/hostile/<target>/`, `fuzz/seeds/<target>/`), and random inputs that
//! resemble what the target reads.

#[path = "../../fuzz/invariants.rs"]
mod invariants;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use std::path::Path;

/// Runs `work` on a thread with a deep stack. It must not be a thread of the pool: the language
/// server needs those while its client, which runs here, waits for it.
fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(256 << 20)
            .spawn_scoped(scope, work)
            .expect("a thread");
        let done = thread.join();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Checks an invariant on this number of inputs, on a thread with a deep stack as the program does.
/// Shrinks and shows the input that fails. The inputs are the same in each run, so that a change is
/// judged by what it does; the fuzz targets and `PROPTEST_RNG_SEED=<number>` look for others.
fn holds(target: &str, cases: u32, inputs: impl Strategy<Value = Vec<u8>> + Send) {
    let (_, invariant) = invariants::ALL
        .iter()
        .find(|(name, _)| *name == target)
        .expect("a target");
    deep(move || {
        let mut config = Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        };
        if config.rng_seed == RngSeed::Random {
            config.rng_seed = RngSeed::Fixed(1);
        }
        let mut runner = TestRunner::new(config);
        let run = |input: Vec<u8>| {
            invariant(&input);
            Ok(())
        };
        if let Err(error) = runner.run(&inputs, run) {
            panic!("{target}: {error}");
        }
    });
}

#[test]
fn what_was_found_before_stays_found() {
    deep(|| {
        let mut count = 0;
        for (target, invariant) in invariants::ALL {
            for folder in ["fixtures/hostile", "fuzz/seeds"] {
                let Ok(files) = std::fs::read_dir(Path::new(folder).join(target)) else {
                    continue;
                };
                for file in files {
                    let path = file.expect("an entry").path();
                    let input = std::fs::read(&path).expect("readable");
                    let held = std::panic::catch_unwind(|| invariant(&input));
                    assert!(held.is_ok(), "{} breaks its invariant", path.display());
                    count += 1;
                }
            }
        }
        assert!(count > 0, "the fixtures are gone");
    });
}

/// Pieces of a language, put together at random: seldom valid, but similar to valid text.
fn made_of(pieces: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        20 => prop::sample::select(pieces).prop_map(str::to_owned),
        1 => "\\PC{0,4}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..most).prop_map(|pieces| pieces.concat().into_bytes())
}

const YAML: &[&str] = &[
    "a",
    "b: ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "? ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "'",
    "\"",
    "|\n",
    ">-\n",
    "|2\n ",
    "&x ",
    "*x",
    "!!str ",
    "<<: ",
    "---\n",
    "...\n",
    "# c\n",
    "\t",
    "\r\n",
    "0x1f",
    "1e3",
    ".inf",
    "~",
    "yes",
    "null",
    "\\u263a",
    "\\x",
    "%YAML 1.1\n",
    "\u{feff}",
    "\u{2028}",
    "é",
    "1:30",
    "0o7",
    "2001-01-01",
    "=",
    "@",
    "`",
];

const TEMPLATE: &[&str] = &[
    "{{ ",
    " }}",
    "{{- ",
    " -}}",
    "if ",
    "else ",
    "end",
    "range ",
    "with ",
    "define \"x\"",
    "template \"x\" ",
    "block \"y\" .",
    "include \"x\" .",
    ".Values",
    ".a",
    "$",
    "$v ",
    ":= ",
    "= ",
    ", ",
    "| ",
    "(",
    ")",
    "\"s\"",
    "`r`",
    "'c'",
    "1",
    "-2",
    "1.5e3",
    "0x1p-2",
    "nil",
    "true",
    "/* c */",
    "toYaml ",
    "fromYaml ",
    "toJson ",
    "nindent 2 ",
    "quote ",
    "printf \"%-5d|%v\" ",
    "tpl ",
    "dict ",
    "list ",
    "until 3 ",
    "index ",
    "slice ",
    "merge ",
    "set ",
    "get ",
    "regexReplaceAll \"(a|b)*\" ",
    "splitList \",\" ",
    "sortAlpha ",
    "trunc -1 ",
    "substr 1 2 ",
    "date \"2006\" ",
    "break ",
    "continue ",
    "not ",
    "eq ",
    "lt ",
    "len ",
    "\n",
    "  ",
    "a: ",
    "mergeOverwrite ",
    "dig \"a\" 1 ",
    "fail ",
    "required \"m\" ",
    "default ",
    "kindOf ",
    "semverCompare \">=1\" ",
    "b64dec ",
    "abbrev 5 ",
    "wrap 3 ",
    "seq 1 3 ",
    "untilStep 1 9 3 ",
    "mul 9223372036854775807 ",
    "div 1 0 ",
    "mod 1 ",
];

const CEL: &[&str] = &[
    "self",
    ".a",
    ".list",
    ".name",
    "[0]",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "'s'",
    "1",
    "1u",
    "2.5",
    "+ ",
    "- ",
    "* ",
    "/ ",
    "% ",
    "== ",
    "&& ",
    "|| ",
    "!",
    "? ",
    ": ",
    ".?",
    ".orValue(1)",
    ".map(x, ",
    ".all(x, ",
    ".exists(x, ",
    ".filter(x, ",
    "x",
    ", ",
    ".size()",
    ".matches('(a|b)+')",
    "has(",
    "in ",
    "quantity('1Gi')",
    ".isGreaterThan(",
    "lists.range(5)",
    ".join('-')",
    ".split(',')",
    ".replace('a', 'b')",
    ".format([1])",
    "'%d'",
    "duration('1h')",
    "timestamp('2020-01-01T00:00:00Z')",
    "int(",
    "string(",
    "type(",
    "null",
    "b'x'",
    "-9223372036854775808",
    ".sortBy(x, x)",
    ".substring(1, 2)",
    "math.greatest(",
    "url('http://a/')",
    "ip('1.2.3.4')",
    "cidr('10.0.0.0/8')",
    ".lowerAscii()",
    "semver('1.2.3')",
    ".flatten()",
];

const CONFIG: &[&str] = &[
    "kubernetes: ",
    "fail-on: ",
    "environments:\n",
    "  dev: ",
    "  default: ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "values: ",
    "set: ",
    "expect: ",
    "replicas: 1",
    "rules:\n",
    "  select: ",
    "  ignore: ",
    "  severity: ",
    "suppress:\n",
    "  - rule: a\n",
    "    object: ",
    "    reason: x\n",
    "baseline: b\n",
    "'",
    "\n",
    "limits: ",
    "timeout: 1",
    "template-steps: ",
    "1Mi",
    ">=1.25",
    "error",
    "recommended",
    "Deployment/*",
    "autoscaling: ",
    "requests: ",
    "cpu: 1",
    "- ",
    "  ",
];

/// Several texts in one input.
fn between(texts: Vec<SBoxedStrategy<Vec<u8>>>) -> impl Strategy<Value = Vec<u8>> {
    texts.prop_map(|texts| texts.join(&invariants::BETWEEN))
}

#[test]
fn yaml_is_read_and_spans_lie_in_the_text() {
    holds("yaml", 600, made_of(YAML, 40));
    holds("yaml", 200, prop::collection::vec(any::<u8>(), 0..200));
}

#[test]
fn what_to_yaml_writes_is_read_as_what_it_was() {
    holds("to_yaml", 600, made_of(YAML, 40));
    // Any string as a value and as a key; JSON writes it exactly.
    let text = any::<(String, String)>()
        .prop_map(|(key, value)| serde_json::json!({key: [value]}).to_string().into_bytes());
    holds("to_yaml", 600, text);
}

#[test]
fn templates_render_or_fail_where_they_stand() {
    holds(
        "template",
        500,
        between(vec![
            made_of(TEMPLATE, 40).sboxed(),
            made_of(TEMPLATE, 10).sboxed(),
            made_of(YAML, 10).sboxed(),
        ]),
    );
}

#[test]
fn values_merge_by_their_laws() {
    let flag = made_of(
        &[
            "a", "b", ".", "=", ",", "[0]", "{", "}", "\\", "null", "1", "[", "]", "\"", ":",
        ],
        20,
    )
    .sboxed();
    let values = || {
        made_of(
            &[
                "a: 1\n",
                "b:\n",
                "  c: 2\n",
                "  d: null\n",
                "l: [1, {x: y}]\n",
                "a: {b: {c: 1}}\n",
                "b: null\n",
            ],
            8,
        )
        .sboxed()
    };
    holds("values", 400, between(vec![values(), values(), flag]));
}

#[test]
fn archives_never_lead_out() {
    let kind = prop::sample::select(&b"0015223467xgLK"[..]);
    let name = made_of(
        &[
            "a/",
            "Chart.yaml",
            "../",
            "/",
            "templates/",
            "x.yaml",
            "\\",
            ".",
            "charts/",
            "b.tgz",
            "c:/",
            "\u{0}",
        ],
        5,
    );
    let text = made_of(
        &[
            "name: a\n",
            "version: 1.0.0\n",
            "apiVersion: v2\n",
            "x",
            "30 path=../evil\n",
        ],
        4,
    );
    let entry = (kind, name, text)
        .prop_map(|(kind, name, text)| [&[kind], &name[..], b"\n", &text].concat());
    let tar = prop::collection::vec(entry, 0..6)
        .prop_map(|entries| [&[2][..], &entries.join(&invariants::BETWEEN)].concat());
    holds("archive", 200, tar);
    holds("archive", 100, prop::collection::vec(any::<u8>(), 0..600));
}

#[test]
fn rules_and_expressions_end() {
    let rule = |deny: Vec<u8>| {
        let deny = String::from_utf8_lossy(&deny).into_owned();
        serde_json::json!({"id": "own-a", "title": "a", "severity": "error", "scope": "object", "kinds": ["Pod"], "deny": deny,
            "message": format!("m {{{{{deny}}}}}"), "why": "w", "fix": "f"})
        .to_string()
        .into_bytes()
    };
    let pod = Just(
        b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c}]}\n"
            .to_vec(),
    )
    .sboxed();
    holds(
        "rule",
        150,
        between(vec![
            made_of(CEL, 12).prop_map(rule).sboxed(),
            pod,
            made_of(CEL, 15).sboxed(),
        ]),
    );
}

#[test]
fn configurations_are_read_and_faults_lie_in_them() {
    holds("config", 150, made_of(CONFIG, 20));
}

#[test]
fn every_request_of_an_editor_is_answered_and_no_diagnostic_is_of_another_text() {
    let text = || {
        made_of(
            &[
                "{{ .Values.a }}",
                "{{ range .Values.l }}{{ .",
                "{{ include \"",
                "h",
                "}}",
                "a: 1\n",
                "kind: Pod\n",
                "é",
                "😀",
                "\r\n",
                "\n",
            ],
            6,
        )
    };
    let request = (
        0u8..9,
        prop::collection::vec(prop_oneof![4 => 0u8..12, 1 => any::<u8>()], 4),
    )
        .prop_map(|(what, at)| [&[what], &at[..]].concat());
    let json = made_of(
        &[
            "{",
            "}",
            "\"uri\":",
            "\"x\"",
            ",",
            "[",
            "]",
            "1",
            "\"textDocument\":",
            "\"files\":",
            "\"arguments\":",
        ],
        8,
    );
    let anything = (any::<u8>(), json).prop_map(|(method, json)| [&[method], &json[..]].concat());
    let place = prop::collection::vec(prop_oneof![4 => 0u8..12, 1 => any::<u8>()], 4);
    let message = prop_oneof![
        3 => text().prop_map(|text| (0, text)),
        3 => (place, text()).prop_map(|(place, text)| (1, [place, text].concat())),
        1 => text().prop_map(|text| (2, text)),
        4 => request.prop_map(|request| (11, request)),
        1 => anything.prop_map(|anything| (9, anything)),
        2 => (3u8..9, prop::collection::vec(any::<u8>(), 0..4)),
    ];
    let message =
        (message, 0u8..12).prop_map(|((what, rest), which)| [&[what, which], &rest[..]].concat());
    holds(
        "lsp",
        60,
        prop::collection::vec(message, 0..16)
            .prop_map(|messages| messages.join(&invariants::BETWEEN)),
    );
}
