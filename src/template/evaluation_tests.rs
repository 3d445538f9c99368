//! Tests of rendered templates: provenance, conditions, records and errors.

use super::*;
use crate::limits::{Limit, Limits};
use crate::source::{Outcome, Source, SourceId, SourceKind, Sources, Span, Trace};
use crate::threads::deep;
use crate::value::{MapData, Value};
use crate::yaml;

/// One render of some templates with `.Values`. The first template is executed.
struct Run {
    sources: Sources,
    templates: Templates,
    result: Result<SourceId, Box<TemplateError>>,
    record: Record,
}

fn render_within(files: &[(&str, &str)], values: &str, limits: Limits) -> Run {
    deep(|| {
        let mut sources = Sources::default();
        let mut templates = Templates::new();
        for (name, text) in files {
            let id = sources.add(Source::new(*name, text.as_bytes(), SourceKind::File));
            templates.add(name, id, text.as_bytes());
        }
        let id = sources.add(Source::new(
            "values.yaml",
            values.as_bytes(),
            SourceKind::File,
        ));
        let mut evaluator = Evaluator::new(&templates, 1, "default", limits);
        let values = yaml::to_value(
            &yaml::parse(values.as_bytes(), id, 0).unwrap(),
            &sources,
            evaluator.origins(),
        );
        let mut data = MapData::default();
        data.insert(b"Values", Default::default(), values);
        let result = evaluator
            .execute(files[0].0, &Value::map(data))
            .map(|text| evaluator.derive(files[0].0, &text));
        let (derived, record) = evaluator.finish();
        sources.adopt(1, derived);
        Run {
            sources,
            templates,
            result,
            record,
        }
    })
}

fn render(files: &[(&str, &str)], values: &str) -> Run {
    render_within(files, values, Limits::default())
}

impl Run {
    fn text(&self) -> String {
        let id = *self.result.as_ref().expect("it renders");
        String::from_utf8_lossy(&self.sources.get(id).text).into_owned()
    }
    fn error(&self) -> &TemplateError {
        self.result.as_ref().expect_err("it fails")
    }
    /// The trace of the first place where `text` is rendered.
    fn trace(&self, text: &str) -> Trace {
        let id = *self.result.as_ref().expect("it renders");
        let start = self.text().find(text).expect("it is rendered");
        self.sources.trace(Span::new(id, start, start + text.len()))
    }
    fn shown(&self, spans: &[Span]) -> Vec<String> {
        let show = |span: &Span| {
            let source = self.sources.get(span.source);
            format!(
                "{}:{} {}",
                source.name,
                source.line_of(span.start),
                String::from_utf8_lossy(self.sources.text(*span)).trim()
            )
        };
        spans.iter().map(show).collect()
    }
}

#[test]
fn a_line_knows_its_template_line_its_includes_and_its_values() {
    let helper = "{{ define \"name\" -}}\nx-{{ .Values.name | upper }}\n{{- end }}";
    let top = "kind: A\nname: {{ include \"name\" . | quote }}\nlast: 1\n";
    let rendered = render(
        &[("a.yaml", top), ("_h.tpl", helper)],
        "other: 1\nname: bot\n",
    );
    assert_eq!(rendered.text(), "kind: A\nname: \"x-BOT\"\nlast: 1\n");
    let trace = rendered.trace("BOT");
    assert_eq!(
        rendered.shown(&trace.templates),
        [
            "a.yaml:2 {{ include \"name\" . | quote }}",
            "_h.tpl:2 {{ .Values.name | upper }}"
        ]
    );
    assert_eq!(rendered.shown(&trace.values), ["values.yaml:2 bot"]);
    assert_eq!(
        rendered.shown(&rendered.trace("last").templates),
        ["a.yaml:3 last: 1"]
    );
    assert_eq!(
        rendered
            .shown(&rendered.trace("x-").templates)
            .last()
            .unwrap(),
        "_h.tpl:2 x-"
    );
}

#[test]
fn text_given_to_tpl_leads_to_the_value_that_holds_it() {
    let rendered = render(
        &[("a.yaml", "v: {{ tpl .Values.t . }}")],
        "t: '{{ .Values.num }}-end'\nnum: seven\n",
    );
    assert_eq!(rendered.text(), "v: seven-end");
    let trace = rendered.trace("seven");
    assert_eq!(
        rendered.shown(&trace.templates),
        ["a.yaml:1 {{ tpl .Values.t . }}"]
    );
    assert_eq!(
        rendered.shown(&trace.values),
        [
            "values.yaml:1 '{{ .Values.num }}-end'",
            "values.yaml:2 seven"
        ]
    );
}

#[test]
fn conditions_say_what_decided() {
    let top = "{{ if and .Values.open (eq .Values.mode \"x\") }}{{ range .Values.list }}[{{ . }}]{{ end }}{{ end }}";
    let rendered = render(&[("a.yaml", top)], "open: true\nmode: x\nlist: [p, q]\n");
    let trace = rendered.trace("q");
    let conditions: Vec<_> = trace
        .conditions
        .iter()
        .map(|(at, outcome, values)| (rendered.shown(&[*at]), *outcome, rendered.shown(values)))
        .collect();
    assert_eq!(conditions[0].0, ["a.yaml:1 .Values.list"]);
    assert_eq!(
        conditions[1].0,
        ["a.yaml:1 and .Values.open (eq .Values.mode \"x\")"]
    );
    assert_eq!(conditions[1].2, ["values.yaml:1 true", "values.yaml:2 x"]);
    let outcomes: Vec<Outcome> = conditions.iter().map(|c| c.1).collect();
    assert_eq!(outcomes, [Outcome::NotEmpty, Outcome::True]);
}

#[test]
fn what_filled_an_empty_map_decides() {
    let top = "{{ $all := mergeOverwrite (deepCopy .Values.defaults) .Values.own }}{{ range $all.env }}[{{ . }}]{{ end }}";
    let rendered = render(
        &[("a.yaml", top)],
        "defaults:\n  env: {}\nown:\n  env: {p: q}\n",
    );
    let (_, outcome, values) = &rendered.trace("q").conditions[0];
    assert_eq!(*outcome, Outcome::NotEmpty);
    assert_eq!(rendered.shown(values), ["values.yaml:4 {p: q}"]);
}

#[test]
fn a_condition_says_what_its_value_was() {
    for (condition, said) in [
        (
            "range $k, $v := .Values.list",
            "`.Values.list` is not empty",
        ),
        ("range .Values.none }}{{ else", "`.Values.none` is empty"),
        ("range int .Values.count", "`int .Values.count` is not zero"),
        ("with $x := .Values.map", "`.Values.map` is not empty"),
        ("with .Values.gone }}{{ else", "`.Values.gone` is not set"),
        ("if .Values.text", "`.Values.text` is not empty"),
        ("if not .Values.shut", "`not .Values.shut` is true"),
        ("if .Values.shut }}{{ else", "`.Values.shut` is false"),
        ("if .Values.zero }}{{ else", "`.Values.zero` is zero"),
    ] {
        let top = format!("{{{{ {condition} }}}}[here]{{{{ end }}}}");
        let rendered = render(
            &[("a.yaml", &top)],
            "list: [p]\nnone: []\ncount: 1\nmap: {a: b}\ntext: a\nshut: false\nzero: 0\n",
        );
        let trace = rendered.trace("[here]");
        let (at, outcome, _) = &trace.conditions[0];
        let pipeline = rendered.shown(&[*at])[0].replace("a.yaml:1 ", "");
        assert_eq!(format!("`{pipeline}` is {outcome}"), said);
    }
}

#[test]
fn conditions_around_an_include_follow_those_inside_of_it() {
    let helper = "{{ define \"h\" }}{{ if .Values.inner }}x{{ .Values.name }}{{ end }}{{ end }}";
    let top = "{{ if .Values.one }}{{ include \"h\" . }}{{ end }}\n{{ if .Values.two }}{{ template \"h\" . }}y{{ end }}";
    let rendered = render(
        &[("a.yaml", top), ("_h.tpl", helper)],
        "inner: 1\none: 2\ntwo: 3\nname: 4\n",
    );
    assert_eq!(rendered.text(), "x4\nx4y");
    let conditions = |text| {
        let trace = rendered.trace(text);
        trace
            .conditions
            .iter()
            .flat_map(|(at, _, _)| rendered.shown(&[*at]))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        conditions("x4\n"),
        ["_h.tpl:1 .Values.inner", "a.yaml:1 .Values.one"]
    );
    assert_eq!(conditions("4y"), ["a.yaml:2 .Values.two"]);
    assert_eq!(conditions("x4y"), ["a.yaml:2 .Values.two"]);
}

#[test]
fn the_record_tells_what_was_read_missed_and_executed() {
    let top = "{{ .Values.a.used }}{{ .Values.gone }}{{ .Values.away | default 1 }}{{ if .Values.a.deny }}never{{ else }}other{{ end }}";
    let rendered = render(
        &[("a.yaml", top)],
        "a:\n  used: 1\n  deny: false\n  unused: 2\nwhole: {x: 1}\n",
    );
    let read = rendered.shown(&rendered.record.read);
    let has = |line: &str| read.iter().any(|read| read == line);
    assert!(
        has("values.yaml:2 used")
            && has("values.yaml:3 deny")
            && !has("values.yaml:4 unused")
            && !has("values.yaml:5 whole"),
        "{read:?}"
    );
    let missing: Vec<_> = rendered
        .record
        .missing
        .iter()
        .map(|miss| (miss.path.clone().unwrap().join("."), miss.guarded))
        .collect();
    assert_eq!(
        missing,
        [("Values.gone".into(), false), ("Values.away".into(), true)]
    );
    let never: Vec<_> = rendered
        .templates
        .nodes()
        .enumerate()
        .filter(|(i, _)| !rendered.record.executed.contains(*i))
        .collect();
    let never: Vec<_> = never
        .iter()
        .map(|(_, node)| (node.kind, rendered.shown(&[node.span]).remove(0)))
        .collect();
    assert_eq!(
        never,
        [
            (NodeKind::Text, "a.yaml:1 never".into()),
            (NodeKind::Branch, "a.yaml:1 never".into())
        ]
    );
}

#[test]
fn toyaml_reads_everything_below() {
    let values = "whole:\n  x: {deep: 1}\nhas: 1\nnever: 2\n";
    let rendered = render(
        &[(
            "a.yaml",
            "{{ toYaml .Values.whole }}{{ hasKey .Values \"has\" }}",
        )],
        values,
    );
    let read = rendered.shown(&rendered.record.read);
    let has = |line: &str| read.iter().any(|read| read == line);
    assert!(
        has("values.yaml:2 deep") && has("values.yaml:3 has") && !has("values.yaml:4 never"),
        "{read:?}"
    );
}

#[test]
fn a_thousand_nested_includes_work_and_endless_ones_end() {
    let text = "{{ include \"n\" 1000 }}{{ define \"n\" }}{{ if gt . 0 }}{{ with include \"n\" (sub . 1 | int) }}{{ . }}{{ end }}.{{ end }}{{ end }}";
    assert_eq!(render(&[("a.yaml", text)], "").text().len(), 1000);
    let error = render(
        &[(
            "a.yaml",
            "{{ include \"l\" . }}{{ define \"l\" }}{{ include \"l\" . }}{{ end }}",
        )],
        "",
    );
    assert_eq!(
        error.error().cause,
        "rendering template has a nested reference name: l: unable to execute template"
    );
    let error = render(
        &[(
            "a.yaml",
            "{{ template \"l\" . }}{{ define \"l\" }}x{{ template \"l\" . }}{{ end }}",
        )],
        "",
    );
    // Go's limit or our stack limit, whichever is reached first.
    assert!(
        error.error().reason == Reason::Limit
            || error.error().cause == "exceeded maximum template depth (100000)"
    );
    let counted = "{{ template \"c\" 5000 }}{{ define \"c\" }}{{ if . }}x\n{{ template \"c\" (sub . 1 | int) }}{{ end }}{{ end }}";
    assert_eq!(render(&[("a.yaml", counted)], "").text().len(), 10_000);
}

#[test]
fn a_render_gives_up_in_time() {
    let endless = "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}";
    let mut limits = Limits::default();
    limits.set(Limit::TemplateSteps, 10_000);
    assert_eq!(
        render_within(&[("a.yaml", endless)], "", limits)
            .error()
            .reason,
        Reason::Limit
    );
    let growing = "{{ $x := \"0123456789\" }}{{ range 40 }}{{ $x = print $x $x }}{{ end }}";
    let mut limits = Limits::default();
    limits.set(Limit::RenderText, 1 << 20);
    assert!(
        render_within(&[("a.yaml", growing)], "", limits)
            .result
            .is_err()
    );
    let itself = "{{ $m := dict }}{{ $_ := set $m \"m\" $m }}{{ $m }}";
    assert_eq!(
        render(&[("a.yaml", itself)], "").error().reason,
        Reason::Limit
    );
}

/// Forty levels that share their parts have 2^40 elements when they are visited.
#[test]
fn values_that_share_their_parts_are_charged_before_they_are_visited() {
    let shared = "{{ $a := dict \"x\" 1 }}{{ $b := dict \"x\" 1 }}{{ range until 40 }}\
                  {{ $a = dict \"l\" $a \"r\" $a }}{{ $b = dict \"l\" $b \"r\" $b }}{{ end }}\
                  {{ $l := list $a $b }}";
    for call in [
        "deepEqual $a $b",
        "has $a (list $b)",
        "merge $a $b",
        "mergeOverwrite $a $b",
        "deepCopy $a",
        "toYaml $a",
        "toJson $a",
        "toToml $a",
        "printf \"%v\" $a",
        "print $a",
        "quote $a",
        "$a",
        "uniq (concat $l $l)",
        "without $l $a",
        "join \",\" $l",
        "toStrings $l",
    ] {
        let text = format!("{shared}{{{{ {call} }}}}");
        let error = render(&[("a.yaml", &text)], "");
        assert_eq!(error.error().reason, Reason::Limit, "{call}");
    }
    // What does not visit them works.
    for call in [
        "len $l",
        "len (append $l 1)",
        "hasKey $a \"l\"",
        "len (pick $a \"l\")",
    ] {
        let text = format!("{shared}{{{{ {call} }}}}");
        assert!(render(&[("a.yaml", &text)], "").result.is_ok(), "{call}");
    }
}

#[test]
fn values_deeper_than_the_stack_are_dropped() {
    let text = "{{ $l := list }}{{ range until 300000 }}{{ $l = list $l }}{{ end }}\
                {{ $d := dict }}{{ range until 100000 }}{{ $d = dict \"d\" (list $d) }}{{ end }}x";
    assert!(render(&[("a.yaml", text)], "").result.is_ok());
}

#[test]
fn searches_that_go_to_the_end_each_time_are_charged() {
    let text = "{{ regexReplaceAll \".*[^A-Z]|[A-Z]\" (repeat 400000 \"A\") \"\" }}";
    let mut limits = Limits::default();
    limits.set(Limit::TemplateSteps, 1_000_000);
    let rendered = render_within(&[("a.yaml", text)], "", limits.clone());
    assert_eq!(rendered.error().reason, Reason::Limit);
    // Many matches of a bounded expression are cheap.
    let text = "{{ regexReplaceAll \"[bc]{2}\" (repeat 50000 \"a bb \") \"\" | len }}";
    let rendered = render_within(&[("a.yaml", text)], "", limits);
    assert!(rendered.result.is_ok());
}

#[test]
fn a_parse_error_costs_its_own_action() {
    let text = "a: {{ nope }}\n{{ if .x. }}\nb: {{ 1 }}\n{{ end }}\n{{ define \"d\" }}{{ includ \"x\" . }}D{{ end }}c\n{{ template \"e\" }";
    let mut templates = Templates::new();
    templates.add("a.yaml", SourceId::new(0, 0), text.as_bytes());
    let messages: Vec<_> = templates
        .errors()
        .iter()
        .map(|error| (error.message.as_str(), error.help.as_deref()))
        .collect();
    assert_eq!(
        messages,
        [
            (
                "template: a.yaml:1: function \"nope\" not defined",
                Some("did you mean `not`?")
            ),
            ("template: a.yaml:2: unexpected <.> in operand", None),
            (
                "template: a.yaml:5: function \"includ\" not defined",
                Some("did you mean `include`?")
            ),
            (
                "template: a.yaml:6: unexpected \"}\" in template clause",
                Some("an action ends with `}}`")
            ),
        ]
    );
    assert_eq!(
        templates.errors()[0].helm_message(),
        "parse error at (a.yaml:1): function \"nope\" not defined"
    );
    assert!(templates.names().any(|name| name == "d"));
}

#[test]
fn hostile_templates_neither_panic_nor_hang() {
    let deep = "(".repeat(20_000);
    let ifs = "{{ if 1 }}".repeat(20_000);
    let texts = [
        format!("{{{{ {deep}"),
        ifs,
        "{{ \"\\".into(),
        "{{'".into(),
        "{{- ".into(),
        "{{/*".into(),
        "{{ . -}}".into(),
        "{{\u{e9}".into(),
    ];
    crate::threads::deep(|| {
        for text in &texts {
            let mut templates = Templates::new();
            templates.add("a", SourceId::new(0, 0), text.as_bytes());
            templates.add(
                "b",
                SourceId::new(0, 0),
                &[b'{', b'{', 0xff, 0xfe, b'}', b'}', 0x80],
            );
            assert!(!templates.errors().is_empty());
        }
    });
}

#[test]
fn an_error_names_the_culprit_and_the_way_there() {
    let rendered = render(
        &[
            ("a.yaml", "x: {{ include \"h\" . }}"),
            ("_h.tpl", "{{ define \"h\" }}\n{{ .Values.a.b }}{{ end }}"),
        ],
        "c: 1",
    );
    let error = rendered.error();
    assert_eq!(error.cause, "nil pointer evaluating interface {}.b");
    assert_eq!(rendered.shown(&[error.span]), ["_h.tpl:2 .Values.a.b"]);
    assert_eq!(
        rendered.shown(&error.includes),
        ["a.yaml:1 include \"h\" ."]
    );
    let kinds = render(
        &[("a.yaml", "{{ required \"need it\" .Values.x }}")],
        "c: 1",
    );
    assert_eq!(
        (kinds.error().reason, kinds.error().cause.as_str()),
        (Reason::Required, "need it")
    );
}
