//! Random charts, rendered by Helm and by us: the bytes must be equal, or both must fail. Run
//! `cargo test differential -- --ignored`. `HELM` names Helm (default: the one on the PATH),
//! `CHARTS` the number of charts (default 300), `SEED` the first seed.

use crate::broken::thebot_lint;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::process::Command;

/// The input of a render: files and flags.
#[derive(Clone, Debug)]
struct Case {
    values: String,
    other: String,
    helpers: String,
    templates: Vec<String>,
    flags: Vec<String>,
}

fn pick(of: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::sample::select(of).prop_map(str::to_owned).boxed()
}

fn scalar() -> BoxedStrategy<String> {
    pick(&[
        "1",
        "0",
        "-3",
        "1.5",
        "1e3",
        "0x1f",
        "010",
        "1_000",
        "true",
        "no",
        "null",
        "~",
        "\"\"",
        "text",
        "'it''s'",
        "\"a\\nb\\u00e9\"",
        "2001-01-01",
        "12345678901234567890",
        ".inf",
        "1:30",
        "\"{{ .Values.name }}\"",
        "\" padded \"",
        "é",
        "'1'",
        "\"true\"",
        "[]",
        "{}",
        "0o7",
        "+1",
        ".5",
        "1.0",
    ])
}

/// A string as YAML writes it.
fn text() -> BoxedStrategy<String> {
    let any = "[ -~é]{0,12}".prop_map(|text| serde_json::to_string(&text).expect("JSON"));
    prop_oneof![3 => pick(&["text", "'it''s'", "\"a\\nb\\u00e9\"", "\" padded \"", "é", "'1'", "\"true\"", "a-b_c.d", "\"{{ .Values.s }}\"", "'1.2.3'", "a,b", "\"x: y\""]), 1 => any].boxed()
}

fn number() -> BoxedStrategy<String> {
    pick(&[
        "1",
        "0",
        "-3",
        "1.5",
        "1e3",
        "0x1f",
        "010",
        "1_000",
        "0o7",
        "+1",
        ".5",
        "1.0",
        "7",
        "42",
        "123456789",
        "1e21",
        "0.1",
        "-2.75",
        "9007199254740993",
    ])
}

/// Values whose top keys have the types that the expressions expect; their content is random.
fn values() -> BoxedStrategy<String> {
    let tree = scalar().prop_recursive(3, 24, 4, |inner| {
        let map = prop::collection::btree_map(pick(&["a", "b", "c", "list", "name", "x.y", "1", "true"]), inner.clone(), 0..4);
        let map = map.prop_map(|map| format!("{{{}}}", map.iter().map(|(k, v)| format!("\"{k}\": {v}")).collect::<Vec<_>>().join(", ")));
        prop_oneof![2 => map, 1 => prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", ")))]
    });
    let (words, list) = (
        prop::collection::vec(text(), 1..4),
        prop::collection::vec(tree.clone(), 0..5),
    );
    (text(), text(), number(), number(), pick(&["true", "false", "yes"]), words, list, (tree.clone(), text(), tree.clone(), tree))
        .prop_map(|(s, t, n, f, b, words, list, (a, inner, deep, any))| {
            let (words, list) = (words.join(", "), list.join(", "));
            format!("s: {s}\nt: {t}\nn: {n}\nf: {f}\nb: {b}\nwords: [{words}]\nlist: [{list}]\nm: {{s: {inner}, a: {a}, inner: {{s: {t}, n: {n}}}}}\ndeep: {{x: {deep}}}\nany: {any}\nnothing: null\n")
        })
        .boxed()
}

/// The type of an expression's value: text, whole number, float64, truth value, list, list of
/// texts, map, anything.
type Type = char;

/// Expressions by their type. `{S}` and the like stand for an expression of that type.
fn forms(of: Type) -> &'static [&'static str] {
    match of {
        'S' => &[
            "(upper {S})",
            "(lower {S})",
            "(title {S})",
            "(untitle {S})",
            "(trim {S})",
            "(quote {A})",
            "(squote {A})",
            "(quote {A} {A})",
            "(nospace {S})",
            "(initials {S})",
            "(swapcase {S})",
            "(camelcase {S})",
            "(kebabcase {S})",
            "(snakecase {S})",
            "(trunc 3 {S})",
            "(trunc -2 {S})",
            "(trunc {I} {S})",
            "(abbrev 6 {S})",
            "(abbrevboth 3 9 {S})",
            "(replace \"a\" \"bb\" {S})",
            "(repeat 2 {S})",
            "(substr 0 3 {S})",
            "(substr 1 -1 {S})",
            "(indent 2 {S})",
            "(nindent 2 {S})",
            "(b64enc {S})",
            "(b64dec (b64enc {S}))",
            "(b32enc {S})",
            "(sha1sum {S})",
            "(sha256sum {S})",
            "(adler32sum {S})",
            "(cat {A} {A})",
            "(print {A} {A})",
            "(println {A} {A})",
            "(printf \"%s-%v\" {S} {A})",
            "(printf \"%5d|%-6s|%q\" (int {N}) {S} {S})",
            "(printf \"%T %v %+v\" {A} {A} {A})",
            "(printf \"%.2f|%8.3f|%e|%g\" {N} {N} {N} {N})",
            "(printf \"%x|%X|%t\" {S} {S} {B})",
            "(printf \"%v %v\" {M} {L})",
            "(join \"-\" {L})",
            "(join {S} {W})",
            "(toString {A})",
            "(toYaml {A})",
            "(toJson {A})",
            "(toRawJson {A})",
            "(toPrettyJson {A})",
            "(default {S} {S})",
            "(ternary {S} {S} {B})",
            "(coalesce {S} {S})",
            "(trimSuffix {S} {S})",
            "(trimPrefix {S} {S})",
            "(trimAll \"a\" {S})",
            "(wrap 4 {S})",
            "(wrapWith 3 \"-\" {S})",
            "(first {W})",
            "(last {W})",
            "(index {W} 0)",
            "(kindOf {A})",
            "(typeOf {A})",
            "(regexReplaceAll \"([a-c])+\" {S} \"<${1}>\")",
            "(regexReplaceAllLiteral \"[a-c]\" {S} {S})",
            "(regexFind \"[a-z]+\" {S})",
            "(regexQuoteMeta {S})",
            "(tpl \"{{ .Values.s }}-{{ .Values.n }}\" $)",
            "(tpl {S} $)",
            "(include \"h\" {A})",
            "(include \"i\" $)",
            "(urlquery {S})",
            "(html {S})",
            "(js {S})",
            "(base {S})",
            "(dir {S})",
            "(ext {S})",
            "(clean {S})",
            "(isAbs {S} | toString)",
            "(plural \"one\" \"many\" {I})",
            "(splitList \"-\" {S} | toJson)",
            "(split \".\" {S} | toYaml)",
            "(splitn \".\" 2 {S} | toJson)",
            "(toStrings {L} | toJson)",
            "(fromYaml (toYaml {M}) | toJson)",
            "(fromYaml {S} | toYaml)",
            "(fromJson {S} | toJson)",
            "(semver \"1.2.3-a+b\").Original",
            "(urlParse \"http://u:p@h:1/p?q=1#f\" | toJson)",
            "(urlJoin (dict \"scheme\" \"http\" \"host\" \"h\" \"path\" \"/p\"))",
            "(toToml {M})",
            "(seq 1 {I})",
            "({S} | upper | quote)",
            "({A} | toYaml | indent 2)",
            "(date \"2006-01-02\" 0)",
            "(duration {I})",
            "(durationRound \"2h10m5s\")",
            "(get (dict \"k\" {S}) \"k\")",
            "(lookup \"v1\" \"Pod\" \"\" \"\" | toJson)",
            "(htmlDate 0)",
            "(toDate \"2006-01-02\" \"2020-02-03\" | date \"Jan\")",
        ],
        'I' => &[
            "(int {N})",
            "(int64 {N})",
            "(len {S})",
            "(len {L})",
            "(len {M})",
            "(add {I} {N})",
            "(add {I} {I} {I})",
            "(sub {I} {I})",
            "(mul {I} 3)",
            "(div {I} 3)",
            "(mod {I} 7)",
            "(max {I} {I})",
            "(min {I} {N})",
            "(add1 {I})",
            "(atoi \"12\")",
            "(int \"12\")",
            "(int {B})",
            "(toDecimal \"17\")",
            "(ternary {I} {I} {B})",
            "(default 3 {I})",
        ],
        'N' => &[
            "(floor {N})",
            "(ceil {N})",
            "(round {N} 1)",
            "(addf {N} {N})",
            "(subf {N} {N})",
            "(mulf {N} 1.5)",
            "(divf {N} 4.0)",
            "(float64 {I})",
            "(float64 \"2.5\")",
            "(maxf {N} {N})",
            "(minf {N} {N})",
            "(ternary {N} {N} {B})",
        ],
        'B' => &[
            "(not {A})",
            "(empty {A})",
            "(eq {S} {S})",
            "(eq {S} {S} {S})",
            "(ne {N} {N})",
            "(lt {N} {N})",
            "(ge {S} {S})",
            "(gt (int {N}) 3)",
            "(has {A} {L})",
            "(hasKey {M} {S})",
            "(contains {S} {S})",
            "(hasPrefix {S} {S})",
            "(hasSuffix {S} {S})",
            "(regexMatch \"^[a-z]+$\" {S})",
            "(and {B} {B})",
            "(or {B} {B})",
            "(kindIs \"string\" {A})",
            "(typeIs \"float64\" {A})",
            "(semverCompare \">=1.0\" \"1.2.3\")",
            "(deepEqual {A} {A})",
            "(any {A} {A})",
            "(all {A} {A})",
            "(.Capabilities.APIVersions.Has \"v1\")",
            "(eq (kindOf {A}) (kindOf {A}))",
        ],
        'L' => &[
            "(list {A} {A} {A})",
            "(append {L} {A})",
            "(prepend {L} {A})",
            "(concat {L} {L})",
            "(reverse {L})",
            "(rest {L})",
            "(initial {L})",
            "(uniq {L})",
            "(compact {L})",
            "(without {L} {A})",
            "(sortAlpha {L})",
            "(until 3)",
            "(untilStep 1 9 3)",
            "(keys {M} | sortAlpha)",
            "(values {M} | sortAlpha)",
            "(pluck \"s\" {M} {M})",
            "(splitList \"-\" {S})",
            "(toStrings {L})",
            "(chunk 2 {L})",
            "(regexSplit \"a\" {S} -1)",
            "(regexFindAll \"[a-z]\" {S} -1)",
            "(fromYamlArray (toYaml {L}))",
            "(fromJsonArray (toJson {L}))",
            "(tuple {A} {A})",
            "(slice {W} 0 1)",
            "(default {L} {L})",
        ],
        'W' => &[
            "(list {S} {S})",
            "(splitList \",\" \"a,b\")",
            "(sortAlpha {W})",
            "(reverse {W})",
            "(append {W} {S})",
        ],
        'M' => &[
            "(dict \"k\" {A} \"s\" {S})",
            "(merge (dict) {M} {M})",
            "(mergeOverwrite (deepCopy {M}) {M})",
            "(pick {M} \"s\" \"a\")",
            "(omit {M} \"s\")",
            "(set (deepCopy {M}) \"z\" {A})",
            "(unset (deepCopy {M}) \"s\")",
            "(deepCopy {M})",
            "(fromYaml (toYaml {M}))",
            "(fromJson (toJson {M}))",
            "(index .Values \"m\" \"inner\")",
            "(default {M} (dict))",
        ],
        _ => &[
            "{S}",
            "{I}",
            "{N}",
            "{B}",
            "{L}",
            "{M}",
            "(get {M} \"a\")",
            "(dig \"inner\" \"s\" {A} {M})",
            "(index {M} \"a\")",
            "(coalesce .Values.gone {A})",
            "(ternary {A} {A} {B})",
            "(or {A} {A})",
            "(and {A} {A})",
            "(default {A} {A})",
            "(first {L})",
            "(last {L})",
        ],
    }
}

/// The whole `$` is left out: it holds a memory address, and Helm's build information.
fn leaves(of: Type) -> &'static [&'static str] {
    match of {
        'S' => &[
            "$.Values.s",
            "$.Values.t",
            "$.Values.m.s",
            "$.Values.m.inner.s",
            "$.Release.Name",
            "$.Chart.Version",
            "$.Chart.Name",
            "\"str\"",
            "`r\\w`",
            "\"\"",
            "\"a-b.c\"",
        ],
        'I' => &["0", "1", "3", "12", "0x10", "'a'"],
        'N' => &["$.Values.n", "$.Values.f", "2.5", "$.Values.m.inner.n"],
        'B' => &["$.Values.b", "true", "false"],
        'L' => &["$.Values.list", "$.Values.words", "(list)", "(list 3 1 2)"],
        'W' => &["$.Values.words", "(list \"b\" \"a\")"],
        'M' => &[
            "$.Values.m",
            "$.Values.deep",
            "$.Values.m.inner",
            "(dict \"s\" \"x\" \"a\" 1)",
        ],
        _ => &[
            "$.Values.any",
            "$.Values.nothing",
            "$.Values.gone",
            "nil",
            "$.Values.m.a",
            "$.Values.deep.x",
            "$.Chart",
            "$.Files",
            "$.Release",
            "$.Template",
            "($.Files.Get \"other.yaml\")",
            "1",
            "\"s\"",
            "$.Values.n",
            "$.Values.b",
            "$.Values.s",
        ],
    }
}

/// An expression of a type, of this depth; seldom one of another type.
fn expression(of: Type, depth: u32) -> BoxedStrategy<String> {
    let (leaves, forms) = (leaves(of), forms(of));
    let fill = move |form: &'static str| {
        let mut parts: Vec<BoxedStrategy<String>> = Vec::new();
        let mut rest = form;
        while let Some(at) = rest
            .find('{')
            .filter(|at| {
                rest.as_bytes().get(at + 2) == Some(&b'}')
                    && rest.as_bytes()[at + 1].is_ascii_uppercase()
            })
            .or_else(|| {
                rest.match_indices('{').map(|(at, _)| at).find(|at| {
                    rest.as_bytes().get(at + 2) == Some(&b'}')
                        && rest.as_bytes()[at + 1].is_ascii_uppercase()
                })
            })
        {
            parts.push(Just(rest[..at].to_owned()).boxed());
            let wanted = char::from(rest.as_bytes()[at + 1]);
            let fits = move || expression(wanted, depth - 1);
            parts.push(prop_oneof![60 => fits(), 1 => expression('A', 0)].boxed());
            rest = &rest[at + 3..];
        }
        parts.push(Just(rest.to_owned()).boxed());
        parts.prop_map(|parts| parts.concat())
    };
    match depth {
        0 => pick(leaves),
        _ => prop_oneof![1 => pick(leaves), 3 => prop::sample::select(forms).prop_flat_map(fill)]
            .boxed(),
    }
}

fn template() -> BoxedStrategy<String> {
    // Within a block scalar the output of any expression is valid YAML.
    let any = || expression('A', 3);
    let shown = || prop_oneof![2 => any(), 2 => expression('S', 3), 1 => expression('L', 2), 1 => expression('M', 2)];
    let line = prop_oneof![
        6 => shown().prop_map(|e| format!("    {{{{ print {e} | nindent 4 }}}}\n")),
        2 => shown().prop_map(|e| format!("    a {{{{ {e} | toString | replace \"\\n\" \"~\" }}}} b {{{{- 1 -}}}} c\n")),
        2 => (any(), shown(), shown()).prop_map(|(a, b, c)| format!("    {{{{- if {a} }}}}\n    yes {{{{ print {b} | nindent 4 }}}}\n    {{{{- else }}}}\n    no {{{{ print {c} | nindent 4 }}}}\n    {{{{- end }}}}\n")),
        2 => (expression('L', 2), shown()).prop_map(|(a, b)| format!("    {{{{- range $i, $v := {a} }}}}\n    {{{{ $i }}}} {{{{ print $v . {b} | nindent 4 }}}}\n    {{{{- else }}}}\n    none\n    {{{{- end }}}}\n")),
        1 => (expression('M', 2), shown()).prop_map(|(a, b)| format!("    {{{{- range $k, $v := {a} }}}}\n    {{{{ $k }}}} {{{{ print $v {b} | nindent 4 }}}}\n    {{{{- end }}}}\n")),
        1 => (any(), shown()).prop_map(|(a, b)| format!("    {{{{- with $w := {a} }}}}\n    {{{{ print . $w {b} | nindent 4 }}}}\n    {{{{- end }}}}\n")),
        1 => (any(), any()).prop_map(|(a, b)| format!("    {{{{- $x := {a} }}}}\n    {{{{- $x = {b} }}}}\n    {{{{ print $x | nindent 4 }}}}\n")),
        1 => pick(&["    plain\n", "    {{- /* c */ -}}\n", "\n", "    {{- $_ := set $.Values \"any\" (list 1 \"x\") }}\n", "    {{ template \"i\" $ }}\n", "    {{- range $i := until 4 }}{{ if eq $i 2 }}{{ continue }}{{ end }}{{ $i }}{{ end }}\n"]),
    ];
    let rest = prop_oneof![
        3 => Just(String::new()),
        1 => expression('A', 2).prop_map(|e| format!("j: {{{{ {e} | toJson }}}}\n")),
        1 => expression('S', 2).prop_map(|e| format!("q: {{{{ {e} | quote }}}}\n")),
        1 => expression('M', 2).prop_map(|e| format!("y:\n  {{{{- toYaml {e} | nindent 2 }}}}\n")),
        1 => pick(&["---\n# only a comment\n", "---\nkind: Pod\napiVersion: v1\n", "---\nkind: Job\napiVersion: batch/v1\nmetadata: {annotations: {helm.sh/hook: pre-install}}\n"]),
    ];
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  t: |\n    x\n";
    (prop::collection::vec(line, 1..4), rest)
        .prop_map(move |(lines, rest)| format!("{head}{}\n{rest}", lines.concat()))
        .boxed()
}

fn flags() -> BoxedStrategy<Vec<String>> {
    let texts = pick(&["s=x", "t=a\\,b", "m.s=0123", "s=é", "m.inner.s=x=y", "t="]);
    let flag = prop_oneof![
        3 => texts.clone().prop_map(|text| format!("--set-string={text}")),
        1 => texts.prop_map(|text| format!("--set-literal={text}")),
        3 => pick(&["n=5", "f=1.5", "b=false", "b=true", "list={a,b,1}", "words[0]=w", "words={q,r}", "m.new=1", "deep.x=null", "any.a.b=1", "any=null", "list[1].a=2", "gone=1", "deep.x\\.y=1", "nothing=set", "m.inner=null"]).prop_map(|text| format!("--set={text}")),
        1 => pick(&["list=[1,{\"a\":null},\"s\"]", "m={\"b\":2.0}", "any=\"s\"", "deep={\"x\":[1.5,null]}", "n=12", "any={"]).prop_map(|text| format!("--set-json={text}")),
    ];
    prop::collection::vec(flag, 0..3).boxed()
}

fn case() -> impl Strategy<Value = Case> {
    let helper = |name: &'static str| {
        expression('A', 2).prop_map(move |e| {
            format!(
                "{{{{ define \"{name}\" }}}}<{{{{ {} }}}}>{{{{ end }}}}",
                e.replace("include \"h\"", "print")
                    .replace("include \"i\"", "print")
            )
        })
    };
    // The second file changes some of the values but keeps their types.
    let other = (values(), prop::collection::vec(any::<bool>(), 11)).prop_map(|(values, kept)| {
        values
            .lines()
            .zip(kept)
            .filter(|(_, kept)| *kept)
            .map(|(line, _)| format!("{line}\n"))
            .collect()
    });
    (
        values(),
        other,
        (helper("h"), helper("i")),
        prop::collection::vec(template(), 1..3),
        flags(),
    )
        .prop_map(|(values, other, (h, i), templates, flags)| Case {
            values,
            other,
            helpers: format!("{h}{i}"),
            templates,
            flags,
        })
}

#[test]
#[ignore = "needs Helm 3, which it runs some hundred times"]
fn needs_helm_3_renders_the_same() {
    let helm = std::env::var("HELM").unwrap_or_else(|_| "helm".into());
    let number = |name: &str, otherwise: u64| {
        std::env::var(name)
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(otherwise)
    };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("SEED", 1).to_le_bytes());
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &seed),
    );
    let (mut same, mut failed, mut different) = (0, 0, Vec::new());
    for _ in 0..number("CHARTS", 300) {
        let case = case().new_tree(&mut runner).expect("a case").current();
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            crate::write(folder.path(), name, text);
        };
        write("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.2.3\n");
        write("values.yaml", &case.values);
        write("other.yaml", &case.other);
        write("templates/_h.tpl", &case.helpers);
        case.templates
            .iter()
            .enumerate()
            .for_each(|(i, text)| write(&format!("templates/t{i}.yaml"), text));
        let run = |mut command: Command| {
            let output = command
                .args(["template", "r"])
                .arg(folder.path())
                .args(["--kube-version", "v1.37.0", "-f"])
                .arg(folder.path().join("other.yaml"));
            let output = output.args(&case.flags).output().expect("runs");
            output
                .status
                .success()
                .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
                .ok_or(String::from_utf8_lossy(&output.stderr).into_owned())
        };
        match (run(Command::new(&helm)), run(thebot_lint())) {
            (Ok(a), Ok(b)) if a == b => same += 1,
            (Err(_), Err(_)) => failed += 1,
            (Ok(a), Ok(b)) => {
                let first = a.lines().zip(b.lines()).find(|(a, b)| a != b);
                different.push(format!(
                    "{case:#?}\nHelm: {a:?}\nwe:   {b:?}\nfirst: {first:#?}\n"
                ));
            }
            (a, b) => different.push(format!("{case:#?}\nHelm: {a:?}\nwe:   {b:?}\n")),
        }
    }
    eprintln!(
        "{same} rendered alike, {failed} failed in both, {} differ",
        different.len()
    );
    assert!(
        different.is_empty(),
        "{}",
        different.into_iter().take(5).collect::<String>()
    );
}
