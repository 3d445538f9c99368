//! Charts made at random, rendered by real Helm and by us: the same bytes, or both fail. `cargo test differential -- --ignored`; Helm is
//! looked for in `HELM`, then in the PATH. `CHARTS` says how many (default 300), `SEED` where they start.

use crate::broken::thebot_lint;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::process::Command;

/// What is rendered: files, and flags.
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

/// A path into the values that are made below, or near to it.
fn path() -> BoxedStrategy<String> {
    let key = || pick(&["a", "b", "c", "list", "name", "gone"]);
    // Below what is no map there is nothing but an error, and of errors only that there is one is compared.
    prop_oneof![9 => key(), 1 => prop::collection::vec(key(), 2..4).prop_map(|keys| keys.join("."))].boxed()
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

fn values() -> BoxedStrategy<String> {
    let leaf = scalar();
    let tree = leaf.prop_recursive(3, 24, 4, |inner| {
        let map = prop::collection::btree_map(pick(&["a", "b", "c", "list", "name", "x.y", "1", "true"]), inner.clone(), 0..4);
        let map = map.prop_map(|map| format!("{{{}}}", map.iter().map(|(k, v)| format!("\"{k}\": {v}")).collect::<Vec<_>>().join(", ")));
        prop_oneof![2 => map, 1 => prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", ")))]
    });
    let entries = prop::collection::btree_map(pick(&["a", "b", "c", "list", "name"]), tree, 0..5);
    entries.prop_map(|map| map.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()).boxed()
}

fn expression() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        4 => path().prop_map(|path| format!(".Values.{path}")),
        1 => pick(&["\"s\"", "1", "2.5", "true", "nil", ".Release.Name", ".Chart.Version", ".", "$", ".Values", "(list 3 1 2)", "(dict \"a\" 1 \"b\" (list 1))", "`r\\`"]),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        // Those take whatever there is; most others fail on most values.
        let any = pick(&[
            "toYaml", "toJson", "quote", "squote", "toString", "kindOf", "typeOf", "not", "empty", "toRawJson", "print", "println", "html", "js",
            "toPrettyJson", "default \"d\"", "coalesce nil", "ternary 1 2 true", "list", "dict \"k\"", "toString | upper", "toString | nindent 2",
            "toString | trunc -2", "toYaml | fromYaml", "toJson | fromJson", "toString | b64enc", "toString | replace \"a\" \"b\"", "int64", "float64",
            "toString | splitList \".\"", "printf \"%v|%q|%T\" 1 \"s\"", "list 1 | uniq", "list 2 | toJson", "cat \"x\"", "deepCopy | toYaml",
        ]);
        let typed = pick(&[
            "toYaml", "toJson", "quote", "squote", "upper", "title", "len", "int", "int64", "float64", "toString", "b64enc", "sha256sum", "kindOf", "typeOf",
            "keys", "first", "last", "rest", "not", "empty", "trim", "fromYaml", "fromJson", "sortAlpha", "uniq", "compact", "toRawJson", "abs", "ceil", "floor",
            "snakecase", "camelcase", "kebabcase", "nospace", "initials", "untitle", "html", "js", "urlquery", "print", "println", "reverse", "atoi", "b32enc",
            "toStrings", "values", "dump", "adler32sum", "trimSuffix \"a\"", "trunc 3", "trunc -2", "abbrev 5", "nindent 2", "indent 3", "default \"d\"",
            "join \"-\"", "splitList \".\"", "split \".\"", "replace \"a\" \"b\"", "has 1", "hasKey .Values", "ternary 1 2", "repeat 2", "contains \"e\"",
            "hasPrefix \"t\"", "cat \"x\"", "coalesce nil", "add 1", "mul 2", "div 7", "mod 5", "max 1", "until | len", "dig \"a\" \"b\" 7", "pluck \"a\"",
            "regexFind \"[a-z]+\"", "regexReplaceAll \"(.)\" \"x\"", "substr 0 2", "wrap 3", "round 1", "semverCompare \">=1\"", "printf \"%v|%5.1f|%q|%T\" 1 2.5 \"s\"",
        ]);
        prop_oneof![
            9 => (inner.clone(), any).prop_map(|(of, function)| format!("({of} | {function})")),
            1 => (inner.clone(), typed).prop_map(|(of, function)| format!("({of} | {function})")),
            1 => (inner.clone(), inner.clone(), pick(&["eq", "ne", "lt", "and", "or", "add", "sub", "merge", "mergeOverwrite", "append", "concat", "index", "printf \"%s-%v\"", "dict \"k\"", "ternary 1", "default"]))
                .prop_map(|(a, b, function)| format!("({function} {a} {b})")),
            1 => inner.clone().prop_map(|of| format!("(include \"h\" {of})")),
            1 => inner.prop_map(|of| format!("(tpl (toString {of}) $)")),
        ]
    })
    .boxed()
}

fn template() -> BoxedStrategy<String> {
    let line = prop_oneof![
        5 => expression().prop_map(|e| format!("k: {{{{ {e} }}}}\n")),
        2 => (expression(), expression()).prop_map(|(a, b)| format!("{{{{- if {a} }}}}\ni: {{{{ {b} }}}}\n{{{{- else }}}}\ne: 1\n{{{{- end }}}}\n")),
        2 => (expression(), expression()).prop_map(|(a, b)| format!("{{{{- range $i, $v := {a} }}}}\n- {{{{ $i }}}}{{{{ $v }}}}{{{{ {b} }}}}\n{{{{- end }}}}\n")),
        1 => (expression(), expression()).prop_map(|(a, b)| format!("{{{{- with {a} }}}}\nw: {{{{ {b} }}}}\n{{{{- end }}}}\n")),
        1 => pick(&["---\n", "# c\n", "{{- /* c */ -}}\n", "\n", "x: |\n  y\n", "kind: Pod\n", "{{- $_ := set .Values \"a\" 1 }}\n"]),
    ];
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n";
    prop::collection::vec(line, 1..4).prop_map(move |lines| format!("{head}{}", lines.concat())).boxed()
}

fn flags() -> BoxedStrategy<Vec<String>> {
    let value = pick(&["1", "null", "text", "{1,x}", "true", "", "a\\,b", "0123", "1.5", "x=y", "{}"]);
    let key = (path(), pick(&["", "[0]", "[1].a", "\\.x"])).prop_map(|(path, rest)| format!("{path}{rest}"));
    let text = (key.clone(), value.clone()).prop_map(|(key, value)| format!("{key}={value}"));
    let json = (key, pick(&["1", "[1,{\"a\":null}]", "{\"b\":2.0}", "\"s\"", "null", "{"])).prop_map(|(key, value)| format!("{key}={value}"));
    let flag = prop_oneof![
        3 => text.clone().prop_map(|text| format!("--set={text}")),
        1 => text.clone().prop_map(|text| format!("--set-string={text}")),
        1 => text.prop_map(|text| format!("--set-literal={text}")),
        1 => json.prop_map(|text| format!("--set-json={text}")),
    ];
    prop::collection::vec(flag, 0..3).boxed()
}

fn case() -> impl Strategy<Value = Case> {
    let helper = expression().prop_map(|e| format!("{{{{ define \"h\" }}}}<{{{{ {} }}}}>{{{{ end }}}}", e.replace("include \"h\"", "toString")));
    (values(), values(), helper, prop::collection::vec(template(), 1..3), flags()).prop_map(|(values, other, helpers, templates, flags)| Case {
        values,
        other,
        helpers,
        templates,
        flags,
    })
}

#[test]
#[ignore = "runs Helm some hundred times"]
fn differential() {
    let helm = std::env::var("HELM").unwrap_or_else(|_| "helm".into());
    if !Command::new(&helm).arg("version").output().is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("v3.")) {
        return eprintln!("skipped: no Helm 3 in HELM or the PATH");
    }
    let number = |name: &str, otherwise: u64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("SEED", 1).to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let (mut same, mut failed, mut different) = (0, 0, Vec::new());
    for _ in 0..number("CHARTS", 300) {
        let case = case().new_tree(&mut runner).expect("a case").current();
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().expect("a parent")).and_then(|()| std::fs::write(file, text)).expect("a file");
        };
        write("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.2.3\n");
        write("values.yaml", &case.values);
        write("other.yaml", &case.other);
        write("templates/_h.tpl", &case.helpers);
        case.templates.iter().enumerate().for_each(|(i, text)| write(&format!("templates/t{i}.yaml"), text));
        let run = |mut command: Command| {
            let output =
                command.args(["template", "r"]).arg(folder.path()).args(["--kube-version", "v1.37.0", "-f"]).arg(folder.path().join("other.yaml"));
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
            (a, b) => different.push(format!("{case:#?}\nHelm: {a:?}\nwe:   {b:?}\n")),
        }
    }
    eprintln!("{same} rendered alike, {failed} failed in both, {} differ", different.len());
    assert!(different.is_empty(), "{}", different.into_iter().take(5).collect::<String>());
}
