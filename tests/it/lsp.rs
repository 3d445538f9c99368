//! The language server, driven over stdin and stdout as an editor does.

use crate::broken::thebot_lint;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// An editor: a running server, a copy of a chart, and the open texts.
struct Editor {
    server: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    folder: tempfile::TempDir,
    open: HashMap<String, (i64, String)>,
    published: HashMap<String, Value>,
    next: i64,
}

const PATIENCE: Duration = Duration::from_secs(120);

impl Editor {
    /// An editor with a copy of charts/thebot.
    fn with_the_chart() -> Editor {
        let folder = tempfile::tempdir().expect("a folder");
        crate::copy(Path::new("charts/thebot"), folder.path());
        Editor::at(folder)
    }

    /// An editor with a chart of these files.
    fn with(files: &[(&str, &str)]) -> Editor {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            crate::write(folder.path(), name, text);
        }
        Editor::at(folder)
    }

    fn at(folder: tempfile::TempDir) -> Editor {
        let mut server = thebot_lint()
            .arg("lsp")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server");
        let input = server.stdin.take().expect("stdin");
        let mut output = BufReader::new(server.stdout.take().expect("stdout"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut editor = Editor {
            server,
            input,
            messages,
            folder,
            open: HashMap::new(),
            published: HashMap::new(),
            next: 0,
        };
        let answer = editor.request(
            "initialize",
            json!({"processId": null, "rootUri": null, "capabilities": {}}),
        );
        assert_eq!(
            answer["capabilities"]["textDocumentSync"]["change"], 2,
            "{answer}"
        );
        editor.notify("initialized", json!({}));
        editor
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn uri(&self, file: &str) -> String {
        format!("file://{}", self.path(file).display())
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len())
            .expect("the server listens");
        self.input.flush().expect("the server listens");
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn take(&mut self) -> Value {
        let message = self
            .messages
            .recv_timeout(PATIENCE)
            .expect("the server says something");
        if message["method"] == "textDocument/publishDiagnostics" {
            let uri = message["params"]["uri"]
                .as_str()
                .expect("a URI")
                .to_string();
            // Diagnostics are never published for an old version of a text.
            if let (Some(version), Some((newest, _))) =
                (message["params"]["version"].as_i64(), self.open.get(&uri))
            {
                assert!(version <= *newest, "{message}");
            }
            self.published.insert(uri, message["params"].clone());
        }
        assert_ne!(message["method"], "window/logMessage", "{message}");
        message
    }

    fn answer(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.take();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
        }
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        let answer = self.answer(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn open(&mut self, file: &str) {
        let text = std::fs::read_to_string(self.path(file)).expect("a file");
        let uri = self.uri(file);
        self.open.insert(uri.clone(), (1, text.clone()));
        self.notify(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": uri, "languageId": "helm", "version": 1, "text": text}}),
        );
    }

    fn text(&self, file: &str) -> &str {
        &self.open[&self.uri(file)].1
    }

    /// Replaces the first `old` by `new` in one change.
    fn edit(&mut self, file: &str, old: &str, new: &str) {
        let start = self
            .text(file)
            .find(old)
            .unwrap_or_else(|| panic!("{file} has no {old}"));
        self.splice(file, start, start + old.len(), new);
    }

    fn splice(&mut self, file: &str, start: usize, end: usize, new: &str) {
        let uri = self.uri(file);
        let (version, text) = self.open.get_mut(&uri).expect("an open file");
        let range = json!({"start": position(text, start), "end": position(text, end)});
        text.replace_range(start..end, new);
        *version += 1;
        let params = json!({"textDocument": {"uri": uri, "version": *version}, "contentChanges": [{"range": range, "text": new}]});
        self.notify("textDocument/didChange", params);
    }

    /// Waits for the diagnostics of the newest text of a file.
    fn diagnostics(&mut self, file: &str) -> Vec<Value> {
        let uri = self.uri(file);
        let newest = self.open.get(&uri).map(|(version, _)| *version);
        loop {
            if let Some(published) = self.published.get(&uri)
                && published["version"].as_i64() == newest
            {
                return published["diagnostics"].as_array().expect("a list").clone();
            }
            self.take();
        }
    }

    /// The position where `text` begins in a file.
    fn at_text(&self, file: &str, text: &str) -> Value {
        let all = self.text(file);
        position(
            all,
            all.find(text)
                .unwrap_or_else(|| panic!("{file} has no {text}")),
        )
    }

    fn close(mut self) {
        self.request("shutdown", Value::Null);
        self.notify("exit", Value::Null);
        assert!(self.server.wait().expect("it ends").success());
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().ok()?
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

fn position(text: &str, offset: usize) -> Value {
    let line_start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    json!({"line": text[..offset].matches('\n').count(), "character": text[line_start..offset].encode_utf16().count()})
}

fn of_rule<'d>(diagnostics: &'d [Value], rule: &str) -> Vec<&'d Value> {
    diagnostics.iter().filter(|d| d["code"] == rule).collect()
}

#[test]
fn the_chart_that_ships_here_has_nothing_to_say_until_it_is_broken_and_is_mended() {
    let mut editor = Editor::with_the_chart();
    let file = "templates/backend-deployment.yaml";
    editor.open(file);
    assert_eq!(editor.diagnostics(file), Vec::<Value>::new());
    editor.edit(
        file,
        "kind: Deployment",
        "kind: Deployment\nsmiley: \"😀\" {{ .Values.",
    );
    let found = editor.diagnostics(file);
    assert!(
        !found.is_empty() && found.iter().all(|d| d["source"] == "thebot-lint"),
        "{found:?}"
    );
    editor.edit(file, "\nsmiley: \"😀\" {{ .Values.", "");
    assert_eq!(editor.diagnostics(file), Vec::<Value>::new());
    editor.close();
}

const CHART: &str = "apiVersion: v2\nname: demo\nversion: 1.0.0\ndescription: A demo\nicon: https://example.org/x.svg\n";

fn demo() -> Editor {
    Editor::with(&[
        ("Chart.yaml", CHART),
        (
            "values.yaml",
            "port: 80\nname: café 😀\nimage:\n  repository: ghcr.io/x/y\n  tag: \"1.0\"\n",
        ),
        ("values-prod.yaml", "port: 8080\nimage:\n  tag: \"2.0\"\n"),
        (
            "templates/_helpers.tpl",
            "{{- define \"demo.name\" -}}\n{{ .Values.name }}-{{ .Release.Name }}\n{{- end }}\n",
        ),
        (
            "templates/service.yaml",
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: x\n  annotations:\n    n: {{ include \"demo.name\" . | quote }}\n    i: {{ .Values.image.tag | quote }}\nspec:\n  selector: {a: b}\n  ports:\n    - port: {{ .Values.port }}\n      name: http\n",
        ),
    ])
}

#[test]
fn a_values_line_and_the_template_line_name_each_other() {
    let mut editor = demo();
    editor.open("templates/service.yaml");
    editor.open("values-prod.yaml");
    assert_eq!(
        of_rule(
            &editor.diagnostics("templates/service.yaml"),
            "field-type-mismatch"
        )
        .len(),
        0
    );
    // The change is not saved.
    editor.edit("values-prod.yaml", "8080", "99999999");
    let values = editor.diagnostics("values-prod.yaml");
    let template = editor.diagnostics("templates/service.yaml");
    let broken: Vec<&Value> = template
        .iter()
        .filter(|d| {
            d["message"]
                .as_str()
                .is_some_and(|m| m.contains("99999999") || m.contains("port"))
        })
        .collect();
    assert!(!broken.is_empty(), "{template:?}");
    let related = &broken[0]["relatedInformation"][0];
    assert_eq!(
        related["location"]["uri"],
        editor.uri("values-prod.yaml"),
        "{template:?}"
    );
    assert_eq!(
        related["location"]["range"]["start"],
        editor.at_text("values-prod.yaml", "99999999")
    );
    let there: Vec<&Value> = values
        .iter()
        .filter(|d| d["code"] == broken[0]["code"])
        .collect();
    assert_eq!(
        there[0]["relatedInformation"][0]["location"]["uri"],
        editor.uri("templates/service.yaml"),
        "{values:?}"
    );
    assert!(
        broken[0]["message"]
            .as_str()
            .is_some_and(|m| m.contains("in prod")),
        "{broken:?}"
    );
    editor.edit("values-prod.yaml", "99999999", "8080");
    assert_eq!(editor.diagnostics("values-prod.yaml"), Vec::<Value>::new());
    editor.close();
}

#[test]
fn chart_yaml_and_the_configuration_are_judged_as_they_are_typed() {
    let mut editor = Editor::with_the_chart();
    editor.open("Chart.yaml");
    editor.open(".thebot-lint.yaml");
    assert_eq!(editor.diagnostics("Chart.yaml"), Vec::<Value>::new());
    assert_eq!(editor.diagnostics(".thebot-lint.yaml"), Vec::<Value>::new());
    editor.edit("Chart.yaml", "version:", "versio:");
    let found = editor.diagnostics("Chart.yaml");
    assert!(!of_rule(&found, "chart-metadata").is_empty(), "{found:?}");
    editor.edit("Chart.yaml", "versio:", "version:");
    editor.edit(".thebot-lint.yaml", "fail-on: warning", "fail-onn: warning");
    let found = editor.diagnostics(".thebot-lint.yaml");
    let fault = of_rule(&found, "configuration-invalid");
    assert!(
        fault[0]["message"]
            .as_str()
            .is_some_and(|m| m.contains("did you mean `fail-on`?")),
        "{found:?}"
    );
    assert_eq!(editor.diagnostics("Chart.yaml"), Vec::<Value>::new());
    editor.edit(".thebot-lint.yaml", "fail-onn", "fail-on");
    assert_eq!(editor.diagnostics(".thebot-lint.yaml"), Vec::<Value>::new());
    editor.close();
}

/// A burst of edits ends with the diagnostics of the last one; the server survives invalid
/// messages.
#[test]
fn only_the_newest_text_counts() {
    let mut editor = demo();
    editor.open("templates/service.yaml");
    editor.diagnostics("templates/service.yaml");
    for i in 0..40 {
        editor.edit(
            "templates/service.yaml",
            "name: http",
            &format!("name: http\n# {i} {{{{ if"),
        );
        editor.edit("templates/service.yaml", &format!("\n# {i} {{{{ if"), "");
    }
    let found = editor.diagnostics("templates/service.yaml");
    assert!(of_rule(&found, "template-syntax").is_empty(), "{found:?}");
    editor.notify("textDocument/didChange", json!({"nonsense": 1}));
    editor.notify("no/such", json!(null));
    assert!(editor.answer("no/such/request", json!({}))["error"]["message"].is_string());
    editor.close();
}

/// The answer to a request at a text of a file, `further` bytes after its start.
fn at(editor: &mut Editor, method: &str, file: &str, text: &str, further: usize) -> Value {
    let all = editor.text(file);
    let place = position(
        all,
        all.find(text)
            .unwrap_or_else(|| panic!("{file} has no {text}"))
            + further,
    );
    let context = json!({"includeDeclaration": true, "triggerKind": 1});
    editor.request(
        method,
        json!({"textDocument": {"uri": editor.uri(file)}, "position": place, "context": context}),
    )
}

/// The locations as `file:line`, lines from 1.
fn shown(editor: &Editor, locations: &Value) -> Vec<String> {
    let front = editor.uri("");
    let show = |l: &Value| {
        let uri = l["uri"]
            .as_str()
            .or(l["targetUri"].as_str())
            .expect("a URI");
        format!(
            "{}:{}",
            uri.trim_start_matches(&front),
            l["range"]["start"]["line"].as_i64().expect("a line") + 1
        )
    };
    let mut all: Vec<String> = locations
        .as_array()
        .expect("a list")
        .iter()
        .map(show)
        .collect();
    all.sort();
    all
}

const SERVICE: &str = "templates/service.yaml";

#[test]
fn hovering_shows_values_functions_helpers_and_rules() {
    let mut editor = demo();
    editor.open(SERVICE);
    editor.open("values-prod.yaml");
    let hovered = at(
        &mut editor,
        "textDocument/hover",
        SERVICE,
        ".Values.image.tag",
        16,
    );
    let hovered = hovered["contents"]["value"].as_str().expect("text");
    assert!(
        hovered.contains("| default | `\"1.0\"` | [values.yaml:5]("),
        "{hovered}"
    );
    assert!(
        hovered.contains("| prod | `\"2.0\"` | [values-prod.yaml:3](")
            && hovered.contains("`\"1.0\"` ([values.yaml:5]("),
        "{hovered}"
    );
    // Unsaved text counts.
    editor.edit("values-prod.yaml", "2.0", "2.1");
    let hovered = at(
        &mut editor,
        "textDocument/hover",
        SERVICE,
        ".Values.image.tag",
        16,
    );
    assert!(
        hovered["contents"]["value"]
            .as_str()
            .is_some_and(|t| t.contains("`\"2.1\"`")),
        "{hovered}"
    );
    let hovered = at(&mut editor, "textDocument/hover", SERVICE, "quote", 2);
    assert!(
        hovered["contents"]["value"]
            .as_str()
            .is_some_and(|t| t.contains("quote(...interface {})")),
        "{hovered}"
    );
    let hovered = at(&mut editor, "textDocument/hover", SERVICE, "demo.name", 3);
    assert!(
        hovered["contents"]["value"]
            .as_str()
            .is_some_and(|t| t.contains("{{ .Values.name }}-{{ .Release.Name }}")),
        "{hovered}"
    );
    assert!(
        hovered["contents"]["value"].as_str().is_some_and(
            |t| t.contains("Rendered in default, prod:\n```yaml\ncafé 😀-release-name\n```")
        ),
        "{hovered}"
    );
    let hovered = at(&mut editor, "textDocument/hover", SERVICE, "quote", 2);
    assert!(
        hovered["contents"]["value"]
            .as_str()
            .is_some_and(|t| t.contains("gives")),
        "{hovered}"
    );
    let hovered = at(&mut editor, "textDocument/hover", SERVICE, "selector", 2);
    assert!(
        hovered["contents"]["value"]
            .as_str()
            .is_some_and(|t| t.contains("map of string, in all known versions")),
        "{hovered}"
    );
    editor.edit(SERVICE, "port: {{ .Values.port }}", "port: 99999999");
    editor.diagnostics(SERVICE);
    let hovered = at(&mut editor, "textDocument/hover", SERVICE, "99999999", 2);
    assert!(
        hovered["contents"]["value"]
            .as_str()
            .is_some_and(|t| t.contains("**Fix:**")),
        "{hovered}"
    );
    editor.close();
}

#[test]
fn going_to_definitions_and_finding_references() {
    let mut editor = demo();
    editor.open(SERVICE);
    editor.open("values.yaml");
    let found = at(
        &mut editor,
        "textDocument/definition",
        SERVICE,
        ".Values.image.tag",
        15,
    );
    assert_eq!(
        shown(&editor, &found),
        ["values-prod.yaml:3", "values.yaml:5"]
    );
    let found = at(
        &mut editor,
        "textDocument/definition",
        SERVICE,
        "demo.name",
        3,
    );
    assert_eq!(shown(&editor, &found), ["templates/_helpers.tpl:1"]);
    let found = at(
        &mut editor,
        "textDocument/references",
        "values.yaml",
        "image:",
        2,
    );
    assert_eq!(
        shown(&editor, &found),
        [
            "templates/service.yaml:7",
            "values-prod.yaml:2",
            "values.yaml:3"
        ]
    );
    let found = at(
        &mut editor,
        "textDocument/references",
        SERVICE,
        "demo.name",
        3,
    );
    assert_eq!(
        shown(&editor, &found),
        ["templates/_helpers.tpl:1", "templates/service.yaml:6"]
    );
    // The template is incomplete and was not judged yet.
    editor.edit(SERVICE, "spec:", "x: {{ if .Values.port\nspec:");
    let found = at(
        &mut editor,
        "textDocument/references",
        "values.yaml",
        "port:",
        2,
    );
    assert_eq!(
        shown(&editor, &found),
        [
            "templates/service.yaml:12",
            "templates/service.yaml:8",
            "values-prod.yaml:1",
            "values.yaml:1"
        ]
    );
    editor.close();
}

#[test]
fn symbols_are_helpers_objects_and_keys() {
    let mut editor = demo();
    for (file, want) in [
        ("templates/_helpers.tpl", "demo.name"),
        (SERVICE, "Service"),
        ("values.yaml", "image"),
    ] {
        editor.open(file);
        let symbols = editor.request(
            "textDocument/documentSymbol",
            json!({"textDocument": {"uri": editor.uri(file)}}),
        );
        let symbol = symbols
            .as_array()
            .expect("a list")
            .iter()
            .find(|s| s["name"] == want)
            .unwrap_or_else(|| panic!("{file}: {symbols}"));
        assert_eq!(
            file == "values.yaml",
            symbol["children"][1]["name"] == "tag",
            "{symbol}"
        );
    }
    editor.close();
}

/// Applies the edits of a renaming to the files on disk, and gives their number.
fn apply(editor: &Editor, edit: &Value) -> usize {
    let changes = edit["documentChanges"].as_array().expect("changes");
    for change in changes {
        let uri = change["textDocument"]["uri"].as_str().expect("a URI");
        let path = uri.strip_prefix("file://").expect("a file");
        let mut text = std::fs::read_to_string(path).expect("a file");
        let offset = |text: &str, place: &Value| {
            let line = place["line"].as_u64().expect("a line") as usize;
            let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
            let mut units = place["character"].as_u64().expect("a character") as usize;
            let mut at = start;
            for c in text[start..].chars() {
                if units == 0 {
                    break;
                }
                units -= c.len_utf16();
                at += c.len_utf8();
            }
            at
        };
        let mut edits: Vec<(usize, usize, String)> = change["edits"]
            .as_array()
            .expect("edits")
            .iter()
            .map(|e| {
                (
                    offset(&text, &e["range"]["start"]),
                    offset(&text, &e["range"]["end"]),
                    e["newText"].as_str().expect("text").to_string(),
                )
            })
            .collect();
        edits.sort();
        for (start, end, new) in edits.into_iter().rev() {
            text.replace_range(start..end, &new);
        }
        std::fs::write(path, text).expect("a file");
    }
    assert!(editor.folder.path().exists());
    changes.len()
}

fn rendered(editor: &Editor, environment: &str) -> String {
    let values = editor.path(&format!("values-{environment}.yaml"));
    let mut command = thebot_lint();
    command
        .arg("template")
        .arg("x")
        .arg(editor.folder.path())
        .arg("-f")
        .arg(values);
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn renaming_a_value_and_a_helper_changes_nothing_that_is_rendered() {
    let mut editor = Editor::with_the_chart();
    let before = rendered(&editor, "prod");
    editor.open("values.yaml");
    let place = editor.at_text("values.yaml", "cacheTimeout");
    let uri = editor.uri("values.yaml");
    let rename = |new: &str, place: &Value| json!({"textDocument": {"uri": uri}, "position": place, "newName": new});
    let edit = editor.request("textDocument/rename", rename("cacheSeconds", &place));
    assert!(apply(&editor, &edit) >= 4, "{edit}");
    assert_eq!(rendered(&editor, "prod"), before);
    // An invalid new name is refused with a reason.
    for new in ["a-b", "yes", "logLevel"] {
        let answer = editor.answer("textDocument/rename", rename(new, &place));
        assert!(
            answer["error"]["message"]
                .as_str()
                .is_some_and(|m| m.contains(new)),
            "{answer}"
        );
    }
    let taken_whole = editor.at_text("values.yaml", "cpu:");
    let answer = editor.answer("textDocument/rename", rename("cpus", &taken_whole));
    assert!(
        answer["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("as a whole at templates/")),
        "{answer}"
    );
    editor.close();

    let mut editor = demo();
    let before = rendered(&editor, "prod");
    editor.open("templates/_helpers.tpl");
    let place = editor.at_text("templates/_helpers.tpl", "demo.name");
    let params = json!({"textDocument": {"uri": editor.uri("templates/_helpers.tpl")}, "position": place, "newName": "demo.fullname"});
    let edit = editor.request("textDocument/rename", params);
    assert_eq!(apply(&editor, &edit), 2);
    assert!(
        std::fs::read_to_string(editor.path(SERVICE))
            .expect("a file")
            .contains("include \"demo.fullname\"")
    );
    assert_eq!(rendered(&editor, "prod"), before);
    editor.close();
}

fn labels(items: &Value) -> Vec<String> {
    items
        .as_array()
        .expect("a list")
        .iter()
        .map(|i| i["label"].as_str().expect("a label").to_string())
        .collect()
}

#[test]
fn completion_knows_values_functions_helpers_keys_and_rules() {
    let mut editor = Editor::with_the_chart();
    let file = "templates/backend-deployment.yaml";
    for file in [file, "values-prod.yaml", ".thebot-lint.yaml"] {
        editor.open(file);
    }
    // Text is incomplete while it is completed.
    for (typed, want) in [
        ("{{ .Values.", "backend"),
        ("{{ .Values.backend.ima", "image"),
        ("{{ $.Values.backend.image.", "repository"),
        ("{{ with .Values.backend }}{{ .", "image"),
        ("{{ $b := .Values.backend }}{{ $b.", "image"),
        ("{{ .Release.", "Namespace"),
        ("{{ toY", "toYaml"),
        ("{{ .Values.x | ", "default"),
        ("{{ include \"", "thebot.fullname"),
        ("# thebot-lint: ignore[", "image-tag-latest"),
        (
            "{{ range $c := list \"backend\" }}{{ $b := index $.Values $c }}{{ $b.",
            "image",
        ),
        ("{{ $.ctx.Values.backend.image.", "repository"),
        ("kind: Horiz", "HorizontalPodAutoscaler"),
    ] {
        editor.edit(file, "kind:", &format!("{typed}\nkind:"));
        let items = at(
            &mut editor,
            "textDocument/completion",
            file,
            &format!("{typed}\nkind:"),
            typed.len(),
        );
        assert!(
            labels(&items).iter().any(|l| l == want),
            "{typed}: {:?}",
            labels(&items)
        );
        editor.edit(file, &format!("{typed}\nkind:"), "kind:");
    }
    for (typed, want) in [
        ("spec:\n  repl", "replicas"),
        (
            "spec:\n  template:\n    spec:\n      containers:\n        - na",
            "name",
        ),
    ] {
        let end = editor.text(file).len();
        editor.splice(
            file,
            end,
            end,
            &format!("\n---\napiVersion: apps/v1\nkind: Deployment\n{typed}"),
        );
        let end = editor.text(file).len();
        let place = position(editor.text(file), end);
        let items = editor.request(
            "textDocument/completion",
            json!({"textDocument": {"uri": editor.uri(file)}, "position": place}),
        );
        assert!(
            labels(&items).iter().any(|l| l == want),
            "{typed}: {:?}",
            labels(&items)
        );
    }
    let end = editor.text("values-prod.yaml").len();
    editor.splice("values-prod.yaml", end, end, "\nnetw");
    let items = at(
        &mut editor,
        "textDocument/completion",
        "values-prod.yaml",
        "\nnetw",
        5,
    );
    let known = std::fs::read_to_string(editor.path("values.yaml")).expect("values");
    let missing: Vec<String> = labels(&items);
    assert!(
        !missing.is_empty() && missing.iter().all(|l| known.contains(&format!("\n{l}:"))),
        "{missing:?}"
    );
    let configuration = ".thebot-lint.yaml";
    for (typed, want) in [
        ("rules:\n  ign", "ignore"),
        ("rules:\n  select: [recommended, ", "image-tag-latest"),
        ("suppress:\n  - rule: ", "image-tag-latest"),
        ("suppress:\n  - rule: x\n    rea", "reason"),
    ] {
        let end = editor.text(configuration).len();
        editor.splice(configuration, end, end, &format!("\n{typed}"));
        let items = at(
            &mut editor,
            "textDocument/completion",
            configuration,
            &format!("\n{typed}"),
            typed.len() + 1,
        );
        assert!(
            labels(&items).iter().any(|l| l == want),
            "{typed}: {:?}",
            labels(&items)
        );
        editor.edit(configuration, &format!("\n{typed}"), "");
    }
    editor.close();
}

#[test]
fn ignoring_a_finding_takes_it_away_once_there_is_a_reason() {
    let mut editor = demo();
    editor.open(SERVICE);
    editor.edit(SERVICE, "port: {{ .Values.port }}", "port: 99999999");
    let found = editor.diagnostics(SERVICE);
    let diagnostic = found
        .iter()
        .find(|d| {
            d["message"]
                .as_str()
                .is_some_and(|m| m.contains("99999999"))
        })
        .unwrap_or_else(|| panic!("{found:?}"))
        .clone();
    let rule = diagnostic["code"].as_str().expect("a rule").to_string();
    let params = json!({"textDocument": {"uri": editor.uri(SERVICE)}, "range": diagnostic["range"], "context": {"diagnostics": [diagnostic]}});
    let actions = editor.request("textDocument/codeAction", params);
    let action = actions
        .as_array()
        .expect("a list")
        .iter()
        .find(|a| a["title"] == format!("Ignore `{rule}` here, with a reason"));
    let edit = &action.unwrap_or_else(|| panic!("{actions}"))["edit"]["documentChanges"][0];
    assert_eq!(edit["textDocument"]["version"], 2);
    let new = edit["edits"][0]["newText"]
        .as_str()
        .expect("text")
        .to_string();
    let start = editor.text(SERVICE).find("    - port").expect("the port");
    assert_eq!(
        edit["edits"][0]["range"]["start"],
        position(editor.text(SERVICE), start)
    );
    editor.splice(SERVICE, start, start, &new);
    let found = editor.diagnostics(SERVICE);
    assert!(
        of_rule(&found, &rule).is_empty()
            && !of_rule(&found, "suppression-without-reason").is_empty(),
        "{found:?}"
    );
    editor.edit(SERVICE, "]  */", "] a test of the port */");
    let found = editor.diagnostics(SERVICE);
    assert!(
        of_rule(&found, &rule).is_empty()
            && of_rule(&found, "suppression-without-reason").is_empty(),
        "{found:?}"
    );
    editor.close();
}

#[test]
fn hints_and_rendered_manifests_tell_environments_apart() {
    let mut editor = demo();
    editor.open(SERVICE);
    let range = json!({"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}});
    let hints = editor.request(
        "textDocument/inlayHint",
        json!({"textDocument": {"uri": editor.uri(SERVICE)}, "range": range}),
    );
    let all: Vec<&str> = hints
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|h| h["label"].as_str())
        .collect();
    assert_eq!(
        all,
        ["default: \"1.0\", prod: \"2.0\"", "default: 80, prod: 8080"]
    );
    let command =
        |command: &str, argument: Value| json!({"command": command, "arguments": [argument]});
    let names = editor.request(
        "workspace/executeCommand",
        command(
            "thebot-lint.environments",
            json!({"uri": editor.uri(SERVICE)}),
        ),
    );
    assert_eq!(names, json!(["default", "prod"]));
    let wanted = json!({"uri": editor.uri(SERVICE), "environment": "prod", "template": true});
    let answer = editor.request(
        "workspace/executeCommand",
        command("thebot-lint.rendered", wanted),
    );
    let text = answer["text"].as_str().expect("text");
    assert!(
        text.contains("# Source: demo/templates/service.yaml")
            && text.contains("n: \"café 😀-release-name\""),
        "{text}"
    );
    let line = text
        .lines()
        .position(|l| l.contains("port: 8080"))
        .expect("the port");
    assert_eq!(
        answer["lines"][line]["template"],
        json!({"uri": editor.uri(SERVICE), "line": 10})
    );
    assert_eq!(
        answer["lines"][line]["values"],
        json!({"uri": editor.uri("values-prod.yaml"), "line": 0})
    );
    editor.close();
}

/// The titles of the actions at a text of a file, each with its edits.
fn actions(editor: &mut Editor, file: &str, text: &str, found: &[Value]) -> Vec<(String, Value)> {
    let place = editor.at_text(file, text);
    let context = json!({"diagnostics": found});
    let params = json!({"textDocument": {"uri": editor.uri(file)}, "range": {"start": place, "end": place}, "context": context});
    let actions = editor.request("textDocument/codeAction", params);
    let title = |a: &Value| {
        (
            a["title"].as_str().expect("a title").to_string(),
            a["edit"].clone(),
        )
    };
    actions
        .as_array()
        .expect("a list")
        .iter()
        .map(title)
        .collect()
}

#[test]
fn a_value_is_set_for_one_environment() {
    let mut editor = demo();
    let before = rendered(&editor, "prod");
    editor.open(SERVICE);
    editor.open("values.yaml");
    let all = actions(&mut editor, "values.yaml", "repository", &[]);
    let (_, edit) = all
        .iter()
        .find(|(title, _)| title == "Set `image.repository` in values-prod.yaml")
        .unwrap_or_else(|| panic!("{all:?}"));
    assert_eq!(apply(&editor, edit), 1);
    let text = std::fs::read_to_string(editor.path("values-prod.yaml")).expect("a file");
    assert_eq!(
        text,
        "port: 8080\nimage:\n  tag: \"2.0\"\n  repository: ghcr.io/x/y\n"
    );
    assert_eq!(rendered(&editor, "prod"), before);
    // A value that the environment sets already is not offered.
    let all = actions(&mut editor, "values.yaml", "tag", &[]);
    assert!(
        all.iter().all(|(title, _)| !title.starts_with("Set ")),
        "{all:?}"
    );
    editor.close();
}

#[test]
fn a_sure_fix_is_offered_and_takes_the_finding_away() {
    let mut editor = demo();
    editor.open(SERVICE);
    editor.edit(
        SERVICE,
        "    i: {{ .Values.image.tag | quote }}",
        "    i: {{ 8080 }}",
    );
    let found = editor.diagnostics(SERVICE);
    let broken: Vec<Value> = of_rule(&found, "wrong-type").into_iter().cloned().collect();
    assert!(!broken.is_empty(), "{found:?}");
    let all = actions(&mut editor, SERVICE, "i: {{ 8080 }}", &broken);
    let (_, edit) = all
        .iter()
        .find(|(title, _)| title == "Fix `wrong-type`")
        .unwrap_or_else(|| panic!("{all:?}"));
    let change = &edit["documentChanges"][0];
    assert_eq!(
        (
            change["textDocument"]["version"].as_i64(),
            change["edits"][0]["newText"].as_str()
        ),
        (Some(2), Some(" | quote")),
        "{edit}"
    );
    editor.edit(SERVICE, "8080 }}", "8080 | quote }}");
    let found = editor.diagnostics(SERVICE);
    assert!(of_rule(&found, "wrong-type").is_empty(), "{found:?}");
    editor.close();
}

#[test]
fn a_fix_that_would_change_something_else_is_not_offered() {
    let mut editor = Editor::with(&[
        ("Chart.yaml", CHART),
        ("values.yaml", "alone: {n: 1}\nshared: {n: 2}\n"),
        (
            "templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {{- toYaml .Values.alone | nindent 2 }}\n",
        ),
        (
            "templates/b.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {{- toYaml .Values.shared | nindent 2 }}\n",
        ),
        (
            "templates/c.yaml",
            "apiVersion: x.io/v1\nkind: C\nmetadata: {name: c}\nspec: {{- toYaml .Values.shared | nindent 2 }}\n",
        ),
    ]);
    editor.open("values.yaml");
    let found = editor.diagnostics("values.yaml");
    let mut titles = |text: &str| -> Vec<String> {
        let start = editor.at_text("values.yaml", text);
        let here: Vec<Value> = of_rule(&found, "wrong-type")
            .into_iter()
            .filter(|d| d["range"]["start"]["line"] == start["line"])
            .cloned()
            .collect();
        assert_eq!(here.len(), 1, "{found:?}");
        actions(&mut editor, "values.yaml", text, &here)
            .into_iter()
            .map(|(title, _)| title)
            .collect()
    };
    let is_fix = |title: &String| title == "Fix `wrong-type`";
    assert!(titles("alone").iter().any(is_fix));
    assert!(!titles("shared").iter().any(is_fix));
    editor.close();
}

#[test]
fn completion_knows_the_items_of_lists_and_maps() {
    let mut editor = Editor::with(&[
        ("Chart.yaml", CHART),
        (
            "values.yaml",
            "hosts:\n- {host: a, paths: [{path: /}]}\n- {name: b}\nworkers:\n  fast: {queue: q}\n  slow: {size: 1}\n",
        ),
        ("values-prod.yaml", "hosts: [{tls: true}]\n"),
        (
            "charts/sub/Chart.yaml",
            "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
        ),
        ("charts/sub/values.yaml", "list: [{inner: 1}]\n"),
        ("charts/sub/templates/a.yaml", "# x\n"),
        ("templates/a.yaml", "# x\n"),
    ]);
    editor.open("templates/a.yaml");
    for (typed, want) in [
        (
            "{{ range .Values.hosts }}{{ .",
            &["host", "paths", "name", "tls"][..],
        ),
        (
            "{{ range $i, $h := .Values.hosts }}{{ $h.",
            &["host", "paths", "name", "tls"],
        ),
        ("{{ range .Values.hosts }}{{ range .paths }}{{ .", &["path"]),
        (
            "{{ range $name, $w := .Values.workers }}{{ $w.",
            &["queue", "size"],
        ),
        (
            "{{ range .Values.workers }}{{ with . }}{{ .",
            &["queue", "size"],
        ),
        ("{{ range .Values.sub.list }}{{ .", &["inner"]),
        (
            "{{ range .Values.hosts }}{{ $.Values.",
            &["hosts", "sub", "workers"],
        ),
    ] {
        editor.edit("templates/a.yaml", "# x", &format!("{typed}# x"));
        let items = at(
            &mut editor,
            "textDocument/completion",
            "templates/a.yaml",
            typed,
            typed.len(),
        );
        let (mut offered, mut want) = (labels(&items), want.to_vec());
        offered.sort();
        want.sort_unstable();
        assert_eq!(offered, want, "{typed}");
        editor.edit("templates/a.yaml", typed, "");
    }
    editor.open("charts/sub/templates/a.yaml");
    let typed = "{{ range .Values.list }}{{ .";
    editor.edit("charts/sub/templates/a.yaml", "# x", typed);
    let items = at(
        &mut editor,
        "textDocument/completion",
        "charts/sub/templates/a.yaml",
        typed,
        typed.len(),
    );
    assert_eq!(labels(&items), ["inner"]);
    editor.close();
}

/// Positions hold with Windows line breaks and with characters beyond the BMP on both sides of a
/// finding.
#[test]
fn values_are_completed_and_described_from_their_use() {
    let values = "# How much it may use.\nresources: {}\nservice:\n  type: ClusterIP\n";
    let template = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  type: {{ .Values.service.type }}\n  ports: [{port: {{ .Values.service.port | default 80 }}}]\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: a:1\n    {{- with .Values.resources }}\n    resources: {{- toYaml . | nindent 6 }}\n    {{- end }}\n";
    let mut editor = Editor::with(&[
        ("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
        ("values.yaml", values),
        ("values-prod.yaml", "x: 1\n"),
        ("templates/a.yaml", template),
    ]);
    editor.open("values.yaml");
    editor.open("values-prod.yaml");
    editor.diagnostics("values-prod.yaml");
    for (typed, want) in [
        ("resources:\n  lim", "limits"),
        ("resources:\n  limits:\n    cpu: 1\n  req", "requests"),
        // In no values file.
        ("service:\n  po", "port"),
        ("service:\n  type: ", "LoadBalancer"),
    ] {
        let length = editor.text("values-prod.yaml").len();
        editor.splice("values-prod.yaml", 0, length, typed);
        let items = at(
            &mut editor,
            "textDocument/completion",
            "values-prod.yaml",
            typed,
            typed.len(),
        );
        let labels = labels(&items);
        assert!(labels.iter().any(|l| l == want), "{typed}: {labels:?}");
    }
    for (word, want) in [
        ("resources", "How much it may use."),
        ("type", "`LoadBalancer`"),
    ] {
        let found = at(&mut editor, "textDocument/hover", "values.yaml", word, 1);
        let text = found["contents"]["value"].as_str().expect("a text");
        assert!(text.contains(want), "{text}");
    }
    editor.close();
}

#[test]
fn positions_hold_with_crlf_and_emoji() {
    let mut editor = Editor::with(&[
        ("Chart.yaml", CHART),
        ("values.yaml", "a: 😀\r\nb: {x: 😀, port: 80}\r\n"),
        (
            "templates/service.yaml",
            "apiVersion: v1\r\nkind: Service\r\nmetadata: {name: x}\r\nspec:\r\n  ports: [{name: \"😀\", port: {{ .Values.b.port }}}]\r\n",
        ),
    ]);
    editor.open(SERVICE);
    editor.open("values.yaml");
    let found = at(&mut editor, "textDocument/definition", SERVICE, "b.port", 4);
    assert_eq!(
        found[0]["range"]["start"],
        editor.at_text("values.yaml", "port: 80"),
        "{found}"
    );
    editor.edit("values.yaml", "port: 80", "port: 99999999");
    let found = editor.diagnostics("values.yaml");
    let start = editor.at_text("values.yaml", "99999999");
    assert!(
        found.iter().any(|d| d["range"]["start"] == start),
        "{found:?}"
    );
    editor.edit("values.yaml", "99999999", "80");
    assert!(
        editor
            .diagnostics("values.yaml")
            .iter()
            .all(|d| d["range"]["start"] != start)
    );
    editor.close();
}

#[test]
fn files_outside_of_charts_have_nothing_and_closed_ones_are_as_on_disk() {
    let mut editor = Editor::with(&[
        ("notes.txt", "x"),
        ("loose.yaml", "a: [1\n"),
        ("one/Chart.yaml", CHART),
        ("one/values.yaml", "a: 1\n"),
        ("one/templates/a.yaml", "a: {{ .Values.a }}\n"),
        ("two/Chart.yaml", CHART),
        (
            "two/templates/a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n",
        ),
    ]);
    editor.open("loose.yaml");
    assert_eq!(
        at(&mut editor, "textDocument/hover", "loose.yaml", "a", 0),
        Value::Null
    );
    assert_eq!(
        at(&mut editor, "textDocument/definition", "loose.yaml", "a", 0),
        Value::Null
    );
    // Two charts are open at once; each gets its own diagnostics.
    for file in ["one/templates/a.yaml", "two/templates/a.yaml"] {
        editor.open(file);
    }
    assert!(!editor.diagnostics("one/templates/a.yaml").is_empty());
    let quiet = editor.diagnostics("two/templates/a.yaml");
    editor.edit(
        "two/templates/a.yaml",
        "kind: ConfigMap",
        "kind: ConfigMapp",
    );
    assert!(editor.diagnostics("two/templates/a.yaml").len() > quiet.len());
    // After closing without saving, the diagnostics of the unsaved text are cleared.
    let uri = editor.uri("two/templates/a.yaml");
    editor.published.remove(&uri);
    editor.open.remove(&uri);
    editor.notify(
        "textDocument/didClose",
        json!({"textDocument": {"uri": uri}}),
    );
    while editor
        .published
        .get(&uri)
        .is_none_or(|p| !p["diagnostics"].as_array().expect("a list").is_empty())
    {
        editor.take();
    }
    // A file of an open chart is deleted on disk: the chart is judged without it.
    let uri = editor.uri("one/templates/a.yaml");
    editor.open.remove(&uri);
    editor.notify(
        "textDocument/didClose",
        json!({"textDocument": {"uri": uri}}),
    );
    editor.open("one/values.yaml");
    std::fs::remove_file(editor.path("one/templates/a.yaml")).expect("it is there");
    editor.notify(
        "workspace/didChangeWatchedFiles",
        json!({"changes": [{"uri": uri, "type": 3}]}),
    );
    loop {
        let found = editor.take();
        if found["params"]["uri"] == uri && found["params"]["diagnostics"] == json!([]) {
            break;
        }
    }
    editor.close();
}

/// `tests/client`: the server with another client, pytest-lsp. `PYTHON` names an interpreter that
/// has pytest-lsp.
#[test]
#[ignore = "needs pytest-lsp"]
fn needs_pytest_lsp_a_real_client_is_served() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let program = env!("CARGO_BIN_EXE_thebot-lint");
    let run = std::process::Command::new(&python)
        .args(["-m", "pytest", "-q", "tests/client"])
        .env("THEBOT_LINT", program)
        .output()
        .expect("pytest runs");
    assert!(
        run.status.success(),
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
}

/// Waits until the diagnostics of a file are as wanted, and ignores earlier ones.
fn until(editor: &mut Editor, file: &str, wanted: impl Fn(&[Value]) -> bool) {
    let uri = editor.uri(file);
    while !editor
        .published
        .get(&uri)
        .is_some_and(|p| wanted(p["diagnostics"].as_array().expect("a list")))
    {
        editor.take();
    }
}

#[test]
fn files_that_come_go_and_move_on_disk_are_heeded() {
    let helper = "{{ define \"x.name\" }}x{{ end }}\n";
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include \"x.name\" . }}}\ndata: {a: b}\n";
    let mut editor = Editor::with(&[
        ("one/Chart.yaml", CHART),
        ("one/templates/a.yaml", template),
        ("two/Chart.yaml", CHART),
        ("two/templates/a.yaml", "kind: {{\n"),
    ]);
    let file = "one/templates/a.yaml";
    let is_missing = |found: &[Value]| {
        found
            .iter()
            .any(|d| d["message"].as_str().is_some_and(|m| m.contains("x.name")))
    };
    let is_there = |found: &[Value]| !is_missing(found);
    editor.open(file);
    until(&mut editor, file, is_missing);
    let path = |name: &str| editor.path(name);
    let (helpers, elsewhere) = (path("one/templates/h"), path("one/h"));
    let uri = |path: &Path| format!("file://{}", path.display());
    std::fs::create_dir(&helpers).expect("a folder");
    std::fs::write(helpers.join("_h.tpl"), helper).expect("a file");
    editor.notify(
        "workspace/didCreateFiles",
        json!({"files": [{"uri": uri(&helpers.join("_h.tpl"))}]}),
    );
    until(&mut editor, file, is_there);
    // For a folder that moves, the editor reports only the folder.
    std::fs::rename(&helpers, &elsewhere).expect("it moves");
    editor.notify(
        "workspace/didRenameFiles",
        json!({"files": [{"oldUri": uri(&helpers), "newUri": uri(&elsewhere)}]}),
    );
    until(&mut editor, file, is_missing);
    std::fs::rename(&elsewhere, &helpers).expect("it moves");
    editor.notify(
        "workspace/didRenameFiles",
        json!({"files": [{"oldUri": uri(&elsewhere), "newUri": uri(&helpers)}]}),
    );
    until(&mut editor, file, is_there);
    std::fs::remove_dir_all(&helpers).expect("it goes");
    editor.notify(
        "workspace/didDeleteFiles",
        json!({"files": [{"uri": uri(&helpers)}]}),
    );
    until(&mut editor, file, is_missing);
    // For a chart without open files nothing is published, even if its files change.
    for name in [
        "two/templates/a.yaml",
        "two/templates/b.yaml",
        "two",
        "elsewhere",
        "one/templates/_h.tpl",
    ] {
        let event = json!({"uri": editor.uri(name), "type": 2});
        editor.notify(
            "workspace/didChangeWatchedFiles",
            json!({"changes": [event, {"uri": "untitled:x", "type": 1}]}),
        );
    }
    std::fs::write(editor.path("one/templates/_h.tpl"), helper).expect("a file");
    editor.notify(
        "workspace/didChangeWatchedFiles",
        json!({"changes": [{"uri": editor.uri("one/templates/_h.tpl"), "type": 1}]}),
    );
    until(&mut editor, file, is_there);
    let of_two = editor.uri("two");
    assert!(
        editor.published.keys().all(|uri| !uri.starts_with(&of_two)),
        "{:?}",
        editor.published
    );
    // The chart's Chart.yaml is created later.
    editor.open("two/templates/a.yaml");
    until(&mut editor, "two/templates/a.yaml", |found| {
        !found.is_empty()
    });
    editor.close();
}

#[test]
fn an_open_file_whose_chart_comes_later_is_judged() {
    let mut editor = Editor::with(&[
        ("values.yaml", "a: 1\n"),
        ("templates/a.yaml", "kind: {{\n"),
    ]);
    editor.open("templates/a.yaml");
    assert_eq!(
        at(
            &mut editor,
            "textDocument/hover",
            "templates/a.yaml",
            "kind",
            0
        ),
        Value::Null
    );
    std::fs::write(editor.path("Chart.yaml"), CHART).expect("a file");
    editor.notify(
        "workspace/didChangeWatchedFiles",
        json!({"changes": [{"uri": editor.uri("Chart.yaml"), "type": 1}]}),
    );
    until(&mut editor, "templates/a.yaml", |found| {
        !of_rule(found, "template-syntax").is_empty()
    });
    editor.close();
}

#[test]
fn several_roots_are_served_each_with_its_configuration() {
    let template = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: {{ .Values.port }}}]}\n";
    let mut editor = Editor::with(&[
        ("shared/values-prod.yaml", "port: 99999999\n"),
        (
            "one/.thebot-lint.yaml",
            "environments:\n  prod: {values: [../shared/values-prod.yaml]}\n",
        ),
        ("one/Chart.yaml", CHART),
        ("one/values.yaml", "port: 80\n"),
        ("one/templates/a.yaml", template),
        (
            "two/.thebot-lint.yaml",
            "environments:\n  stage: {values: [../../shared/values-prod.yaml]}\n",
        ),
        ("two/chart/Chart.yaml", CHART),
        ("two/chart/values.yaml", "port: 80\n"),
        ("two/chart/templates/a.yaml", template),
    ]);
    let files = [
        "one/templates/a.yaml",
        "two/chart/templates/a.yaml",
        "shared/values-prod.yaml",
    ];
    files.iter().for_each(|file| editor.open(file));
    let in_environment = |name: &'static str| {
        move |found: &[Value]| {
            found.iter().any(|d| {
                d["message"]
                    .as_str()
                    .is_some_and(|m| m.contains(&format!("(in {name})")))
            })
        }
    };
    until(&mut editor, files[0], in_environment("prod"));
    until(&mut editor, files[1], in_environment("stage"));
    // The file that both charts read shows the findings of both, for its unsaved text.
    editor.edit(files[2], "99999999", "99999998");
    let wanted = |found: &[Value]| {
        let of = |root: &str| {
            found.iter().any(|d| {
                d["relatedInformation"][0]["location"]["uri"]
                    .as_str()
                    .is_some_and(|uri| uri.contains(root))
            })
        };
        found.iter().all(|d| {
            d["message"]
                .as_str()
                .is_some_and(|m| m.contains("99999998"))
        }) && of("/one/")
            && of("/two/")
    };
    until(&mut editor, files[2], wanted);
    // Removing a workspace folder does not clear the diagnostics of its open files.
    let folder = json!({"uri": editor.uri("one"), "name": "one"});
    editor.notify(
        "workspace/didChangeWorkspaceFolders",
        json!({"event": {"added": [], "removed": [folder]}}),
    );
    editor.edit(files[2], "99999998", "8080");
    for file in files {
        until(&mut editor, file, |found| {
            found
                .iter()
                .all(|d| !d["message"].as_str().is_some_and(|m| m.contains("9999999")))
        });
    }
    editor.close();
}

/// A chart with findings in a template and none in the helpers.
fn faulty() -> Editor {
    Editor::with(&[
        ("Chart.yaml", CHART),
        ("values.yaml", "port: 80\nname: x\n"),
        (
            SERVICE,
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Values.name }}\nspec:\n  prots: []\n  ports:\n    - port: {{ .Values.port }}\n      naem: http\n",
        ),
    ])
}

fn of_other_rules(found: &[Value]) -> Vec<(Value, Value)> {
    let others = found.iter().filter(|d| d["code"] != "template-syntax");
    others
        .map(|d| (d["code"].clone(), d["range"]["start"].clone()))
        .collect()
}

#[test]
fn what_is_half_written_keeps_the_findings_of_everything_else() {
    let mut editor = faulty();
    editor.open(SERVICE);
    editor.open("values.yaml");
    let all = of_other_rules(&editor.diagnostics(SERVICE));
    assert!(all.len() >= 2, "{all:?}");
    // The findings below move with their lines.
    editor.edit(SERVICE, "metadata:", "x: {{ .Values.\nmetadata:");
    let found = editor.diagnostics(SERVICE);
    let lines = |all: &[(Value, Value)], more: i64| -> Vec<i64> {
        let line = |(_, start): &(Value, Value)| start["line"].as_i64().expect("a line") + more;
        all.iter().map(line).collect()
    };
    assert_eq!(
        lines(&of_other_rules(&found), 0),
        lines(&all, 1),
        "{found:?}"
    );
    let faults = of_rule(&found, "template-syntax");
    assert_eq!(faults.len(), 1, "{found:?}");
    assert_eq!(
        faults[0]["range"]["start"],
        editor.at_text(SERVICE, "{{ .Values.\n")
    );
    editor.edit(SERVICE, "x: {{ .Values.\n", "");
    assert_eq!(of_other_rules(&editor.diagnostics(SERVICE)), all);
    // Values that cannot be parsed are those of the last text that could be.
    editor.edit("values.yaml", "name: x", "name: [x");
    let found = editor.diagnostics("values.yaml");
    assert_eq!(of_rule(&found, "values-syntax").len(), 1, "{found:?}");
    assert_eq!(of_other_rules(&editor.diagnostics(SERVICE)), all);
    let hovered = at(
        &mut editor,
        "textDocument/hover",
        SERVICE,
        ".Values.port",
        9,
    );
    let text = hovered["contents"]["value"].as_str().expect("text");
    assert!(
        text.contains("`80`") && text.contains("values.yaml cannot be parsed"),
        "{text}"
    );
    editor.close();
}

#[test]
fn what_is_not_closed_is_reported_where_it_begins_and_alone() {
    for (text, at) in [
        (
            "a: 1\nb: {{ .Values.x\nc: {{ if .Values.y }}1{{ end }}\n",
            "{{ .Values.x\n",
        ),
        ("a: 1\nb: {{ .Values.x\nc: 1\n", "{{ .Values.x\n"),
        (
            "a: 1\n{{ if .Values.x\nb: 1\n{{ end }}\nc: {{ .Values.y }}\n",
            "{{ if .Values.x\n",
        ),
        ("a: 1\n{{ if .Values.x }}\nb: 1\n", "{{ if .Values.x }}"),
        (
            "{{ with .Values.a }}\na: 1\n  {{ if .Values.x }}\n  b: 1\n{{ end }}\n",
            "{{ if .Values.x }}",
        ),
        ("{{ define \"x\" }}\na: 1\n", "{{ define \"x\" }}"),
    ] {
        let mut editor = Editor::with(&[("Chart.yaml", CHART), ("templates/a.yaml", text)]);
        editor.open("templates/a.yaml");
        let found = editor.diagnostics("templates/a.yaml");
        let faults = of_rule(&found, "template-syntax");
        assert_eq!(faults.len(), 1, "{text}: {found:?}");
        assert_eq!(
            faults[0]["range"]["start"],
            editor.at_text("templates/a.yaml", at),
            "{text}"
        );
        editor.close();
    }
}

#[test]
fn buffers_that_are_not_saved_are_files_of_the_chart() {
    let mut editor = faulty();
    let new = |editor: &mut Editor, file: &str, text: &str| {
        let uri = editor.uri(file);
        editor.open.insert(uri.clone(), (1, text.to_string()));
        let document = json!({"uri": uri, "languageId": "helm", "version": 1, "text": text});
        editor.notify("textDocument/didOpen", json!({"textDocument": document}));
    };
    new(&mut editor, "templates/deep/new.yaml", "a: {{ .Values.");
    let items = at(
        &mut editor,
        "textDocument/completion",
        "templates/deep/new.yaml",
        "Values.",
        7,
    );
    assert_eq!(labels(&items), ["port", "name"]);
    editor.edit(
        "templates/deep/new.yaml",
        "a: {{ .Values.",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndta: {}\n",
    );
    let found = editor.diagnostics("templates/deep/new.yaml");
    assert_eq!(of_rule(&found, "unknown-field").len(), 1, "{found:?}");
    new(&mut editor, "values-stage.yaml", "port: 99999999\n");
    editor.open(SERVICE);
    until(&mut editor, SERVICE, |found| {
        found.iter().any(|d| {
            d["message"]
                .as_str()
                .is_some_and(|m| m.contains("in stage"))
        })
    });
    // Where no chart is on disk.
    new(
        &mut editor,
        "new/templates/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndta: {}\n",
    );
    new(&mut editor, "new/Chart.yaml", CHART);
    until(&mut editor, "new/templates/a.yaml", |found| {
        !of_rule(found, "unknown-field").is_empty()
    });
    // What is deleted while it is open is no part of the chart.
    let uri = editor.uri(SERVICE);
    std::fs::remove_file(editor.path(SERVICE)).expect("it is there");
    editor.notify("workspace/didDeleteFiles", json!({"files": [{"uri": uri}]}));
    until(&mut editor, SERVICE, |found| found.is_empty());
    editor.close();
}

#[test]
fn only_what_changed_is_published_again_and_a_cancelled_request_is_refused() {
    let mut editor = faulty();
    editor.open(SERVICE);
    editor.open("values.yaml");
    editor.diagnostics(SERVICE);
    editor.diagnostics("values.yaml");
    let service = editor.uri(SERVICE);
    editor.published.remove(&service);
    editor.edit("values.yaml", "port: 80", "port: 81");
    editor.diagnostics("values.yaml");
    assert!(!editor.published.contains_key(&service));
    // Both messages arrive before the first is handled.
    let params =
        json!({"textDocument": {"uri": service}, "position": {"line": 7, "character": 22}});
    let request =
        json!({"jsonrpc": "2.0", "id": "slow", "method": "textDocument/hover", "params": params});
    editor.edit("values.yaml", "port: 81", "port: 82");
    editor.send(&request);
    editor.notify("$/cancelRequest", json!({"id": "slow"}));
    loop {
        let message = editor.take();
        if message["id"] == "slow" {
            // It may have been answered already.
            let code = message["error"]["code"].as_i64();
            assert!(code.is_none_or(|code| code == -32800), "{message}");
            break;
        }
    }
    editor.close();
}

#[test]
fn many_findings_of_one_rule_are_counted() {
    let ports: String = (0..150)
        .map(|i| format!("    - naem{i}: 1\n      port: {i}\n"))
        .collect();
    let mut editor = Editor::with(&[
        ("Chart.yaml", CHART),
        (
            SERVICE,
            &format!(
                "apiVersion: v1\nkind: Service\nmetadata: {{name: x}}\nspec:\n  ports:\n{ports}"
            ),
        ),
    ]);
    editor.open(SERVICE);
    let found = editor.diagnostics(SERVICE);
    let shown = of_rule(&found, "unknown-field");
    assert_eq!(shown.len(), 100);
    let says = |d: &Value| {
        d["message"]
            .as_str()
            .is_some_and(|m| m.contains("50 more findings of unknown-field"))
    };
    assert_eq!(shown.iter().filter(|d| says(d)).count(), 1);
    editor.close();
}

#[test]
fn the_manifest_is_that_of_the_newest_text_with_what_stops_it() {
    let mut editor = faulty();
    editor.open(SERVICE);
    editor.open("values.yaml");
    let ask = |editor: &mut Editor, template: bool| {
        let wanted =
            json!({"uri": editor.uri(SERVICE), "environment": "default", "template": template});
        let answer = editor.request(
            "workspace/executeCommand",
            json!({"command": "thebot-lint.rendered", "arguments": [wanted]}),
        );
        (
            answer["text"].as_str().expect("text").to_string(),
            answer["problem"].clone(),
        )
    };
    editor.edit("values.yaml", "port: 80", "port: 81");
    let (text, problem) = ask(&mut editor, true);
    assert!(
        text.contains("port: 81") && problem.is_null(),
        "{text} {problem}"
    );
    for (broken, said) in [
        (
            "{{ .Values.",
            "parse error at (demo/templates/service.yaml:",
        ),
        (
            "{{ fail \"no\" }}",
            "execution error at (demo/templates/service.yaml:",
        ),
    ] {
        editor.edit(SERVICE, "spec:", &format!("x: {broken}\nspec:"));
        for template in [true, false] {
            let (text, problem) = ask(&mut editor, template);
            assert!(text.contains("port: 81"), "{broken}: {text}");
            assert!(
                problem.as_str().is_some_and(|p| p.contains(said)),
                "{broken}: {problem}"
            );
        }
        editor.edit(SERVICE, &format!("x: {broken}\n"), "");
    }
    editor.edit("values.yaml", "name: x", "name: [x");
    let (text, problem) = ask(&mut editor, true);
    assert!(text.contains("port: 81"), "{text}");
    assert!(
        problem
            .as_str()
            .is_some_and(|p| p.contains("cannot load values.yaml")),
        "{problem}"
    );
    editor.close();
}

#[test]
fn keys_that_occur_twice_in_values_are_found_there() {
    let mut editor = Editor::with(&[("Chart.yaml", CHART), ("values.yaml", "a: 1\nb: 1\na: 2\n")]);
    editor.open("values.yaml");
    let found = editor.diagnostics("values.yaml");
    assert_eq!(
        of_rule(&found, "values-duplicate-key").len(),
        1,
        "{found:?}"
    );
    editor.close();
}

/// A chart whose value `host` and helper `app.name` are read at one place, and further files.
fn renaming(files: &[(&str, &str)]) -> Editor {
    let mut all = vec![
        ("Chart.yaml", CHART),
        ("values.yaml", "host: h\nother: {host: o}\n"),
        ("templates/_h.tpl", "{{ define \"app.name\" }}n{{ end }}\n"),
        (
            "templates/t.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include \"app.name\" . }}}\ndata:\n  z: {{ .Values.host }}\n",
        ),
    ];
    for (name, text) in files {
        all.retain(|(known, _)| known != name);
        all.push((name, text));
    }
    let mut editor = Editor::with(&all);
    editor.open("templates/t.yaml");
    editor.open("templates/_h.tpl");
    editor
}

/// The answer to a renaming of the value `host`, or of the helper.
fn renamed(editor: &mut Editor, word: &str, new: &str) -> Value {
    let (file, text) = if word == "host" {
        ("templates/t.yaml", ".Values.host")
    } else {
        ("templates/_h.tpl", "app.name")
    };
    let mut place = editor.at_text(file, text);
    if word == "host" {
        place["character"] = json!(place["character"].as_i64().expect("a number") + 9);
    }
    let params =
        json!({"textDocument": {"uri": editor.uri(file)}, "position": place, "newName": new});
    editor.answer("textDocument/rename", params)
}

/// The manifest as Helm would print it.
fn manifest(editor: &Editor) -> String {
    let output = thebot_lint()
        .arg("template")
        .arg("x")
        .arg(editor.folder.path())
        .output()
        .expect("runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn renaming_edits_every_place_that_names_a_value() {
    let mut editor = renaming(&[
        ("values.yaml", "host: h\ntext: \"{{ .Values.host }}!\"\n"),
        (
            "templates/t.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ include \"app.name\" . }}}\ndata:\n  z: {{ .Values.host }}\n  a: {{ tpl \"{{ .Values.host }}\" . }}\n  b: {{ tpl .Values.text . }}\n  c: {{ tpl (.Files.Get \"c.txt\") . }}\n",
        ),
        ("c.txt", "{{ .Values.host }}?"),
        (
            "values.schema.json",
            "{\"type\": \"object\", \"required\": [\"host\"],\n\"additionalProperties\": false, \"properties\": {\"host\": {\"type\": \"string\"}, \"text\": {}}}",
        ),
        ("ci/a-values.yaml", "host: c\n"),
        ("values-example.yaml", "host: e\n"),
        (
            "tests/t_test.yaml",
            "suite: t\nset: {host: s}\ntests:\n- it: works\n  set:\n    host: x\n    other.host: y\n",
        ),
        (
            ".thebot-lint.yaml",
            "environments:\n  ci: true\n  prod: {set: {host: p}}\n",
        ),
    ]);
    let before = manifest(&editor);
    let answer = renamed(&mut editor, "host", "hostname");
    assert!(answer.get("error").is_none(), "{answer}");
    apply(&editor, &answer["result"]);
    assert_eq!(manifest(&editor), before);
    for (file, wanted) in [
        (
            "values.yaml",
            "hostname: h\ntext: \"{{ .Values.hostname }}!\"\n",
        ),
        ("c.txt", "{{ .Values.hostname }}?"),
        ("ci/a-values.yaml", "hostname: c\n"),
        ("values-example.yaml", "hostname: e\n"),
        (
            "tests/t_test.yaml",
            "suite: t\nset: {hostname: s}\ntests:\n- it: works\n  set:\n    hostname: x\n    other.host: y\n",
        ),
        (
            ".thebot-lint.yaml",
            "environments:\n  ci: true\n  prod: {set: {hostname: p}}\n",
        ),
    ] {
        assert_eq!(
            std::fs::read_to_string(editor.path(file)).expect("a file"),
            wanted,
            "{file}"
        );
    }
    let schema = std::fs::read_to_string(editor.path("values.schema.json")).expect("a file");
    assert_eq!(schema.matches("\"hostname\"").count(), 2, "{schema}");
    editor.close();
}

#[test]
fn renaming_is_refused_where_a_place_cannot_be_followed() {
    let with = |line: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ include \"app.name\" . }}}}}}\ndata:\n  z: {{{{ .Values.host }}}}\n{line}"
        )
    };
    for (word, line, values, place) in [
        (
            "app.name",
            "  a: {{ include (printf \"%s.name\" \"app\") . }}\n",
            "host: h\n",
            "templates/t.yaml:6",
        ),
        (
            "app.name",
            "  {{ if .Values.no }}a: {{ include (printf \"%s.name\" .Values.no) . }}{{ end }}\n",
            "host: h\n",
            "templates/t.yaml:6",
        ),
        (
            "app.name",
            "  {{ $n := \"app.name\" }}a: {{ include $n . }}\n",
            "host: h\n",
            "templates/t.yaml:6",
        ),
        (
            "host",
            "  a: {{ get .Values (printf \"ho%s\" \"st\") }}\n",
            "host: h\n",
            "templates/t.yaml:6",
        ),
        (
            "host",
            "  {{ if .Values.no }}{{ $v := dict \"x\" .Values }}{{ $v.x.host }}{{ end }}\n",
            "host: h\n",
            "templates/t.yaml:6",
        ),
        (
            "host",
            "  a: {{ .Values | toJson | quote }}\n",
            "host: h\n",
            "templates/t.yaml:6",
        ),
    ] {
        let text = with(line);
        let mut editor = renaming(&[("values.yaml", values), ("templates/t.yaml", &text)]);
        let answer = renamed(&mut editor, word, "another");
        let why = answer["error"]["message"]
            .as_str()
            .unwrap_or_else(|| panic!("{line}: {answer}"));
        assert!(why.contains(place), "{line}: {why}");
        editor.close();
    }
    let shared = "{\"$defs\": {\"v\": {\"properties\": {\"host\": {}}}}, \"allOf\": [{\"$ref\": \"#/$defs/v\"}]}";
    let mut editor = renaming(&[("values.schema.json", shared)]);
    let answer = renamed(&mut editor, "host", "another");
    assert!(
        answer["error"]["message"]
            .as_str()
            .is_some_and(|m| m.contains("values.schema.json:1")),
        "{answer}"
    );
    editor.close();
    // A helper that a text in the values calls is renamed there.
    let text = with("  a: {{ tpl .Values.text . }}\n");
    let mut editor = renaming(&[
        (
            "values.yaml",
            "host: h\ntext: '{{ include \"app.name\" . }}'\n",
        ),
        ("templates/t.yaml", &text),
    ]);
    let before = manifest(&editor);
    let answer = renamed(&mut editor, "app.name", "app.title");
    apply(&editor, &answer["result"]);
    assert_eq!(manifest(&editor), before, "{answer}");
    editor.close();
}

#[test]
fn items_of_loops_and_helms_objects_are_known() {
    let mut editor = Editor::with(&[
        ("Chart.yaml", CHART),
        ("values.yaml", "hosts:\n- name: a\n- name: b\nport: 80\n"),
        ("values-prod.yaml", "hosts:\n- {name: p}\n"),
        ("notes.txt", "x\n"),
        (
            "templates/a.yaml",
            "# {{ .Chart.Version }} {{ .Release.Name }} {{ .Capabilities.KubeVersion.Version }} {{ .Files.Get \"notes.txt\" }}\n{{ range .Values.hosts }}\n# {{ .name }}\n{{ end }}\n# {{ .Values.port }}\n",
        ),
    ]);
    let file = "templates/a.yaml";
    for file in [file, "values.yaml", "Chart.yaml"] {
        editor.open(file);
    }
    editor.diagnostics(file);
    for (file, text, further, wanted) in [
        (
            file,
            "{{ .name",
            5,
            &[
                "| default | `\"a\"`, `\"b\"` |",
                "| prod | `\"p\"` |",
                "templates/a.yaml:3",
            ][..],
        ),
        (
            file,
            ".Chart.Version",
            8,
            &["`\"1.0.0\"`, from [Chart.yaml:3]"],
        ),
        (
            file,
            ".Release.Name",
            10,
            &["The name of the release", "| default | `release-name` |"],
        ),
        (file, ".Capabilities", 3, &["What the cluster can do"]),
        (
            "values.yaml",
            "name: a",
            1,
            &["field of each item", "templates/a.yaml:3"],
        ),
        (
            "values.yaml",
            "port",
            1,
            &["Read at 1 place: [templates/a.yaml:5]"],
        ),
        ("Chart.yaml", "version", 1, &["semantic version"]),
    ] {
        let found = at(&mut editor, "textDocument/hover", file, text, further);
        let found = found["contents"]["value"]
            .as_str()
            .unwrap_or_else(|| panic!("{text}"));
        for part in wanted {
            assert!(found.contains(part), "{text}: {found}");
        }
    }
    for (method, file, text, further, wanted) in [
        (
            "definition",
            file,
            "{{ .name",
            5,
            &["values-prod.yaml:2", "values.yaml:2", "values.yaml:3"][..],
        ),
        ("definition", file, ".Chart.Version", 8, &["Chart.yaml:3"]),
        (
            "definition",
            "values.yaml",
            "port",
            1,
            &["templates/a.yaml:5"],
        ),
        (
            "references",
            "values.yaml",
            "name: a",
            1,
            &[
                "templates/a.yaml:3",
                "values-prod.yaml:2",
                "values.yaml:2",
                "values.yaml:3",
            ],
        ),
    ] {
        let found = at(
            &mut editor,
            &format!("textDocument/{method}"),
            file,
            text,
            further,
        );
        assert_eq!(shown(&editor, &found), wanted, "{method} {text}");
    }
    let links = editor.request(
        "textDocument/documentLink",
        json!({"textDocument": {"uri": editor.uri(file)}}),
    );
    assert_eq!(links[0]["target"], editor.uri("notes.txt"), "{links}");
    editor.close();
}

#[test]
fn blocks_fold_actions_are_coloured_and_formatted() {
    let mut editor = demo();
    let file = "templates/_helpers.tpl";
    editor.open(file);
    editor.diagnostics(file);
    let asked = json!({"textDocument": {"uri": editor.uri(file)}, "options": {"tabSize": 2, "insertSpaces": true}});
    let folds = editor.request("textDocument/foldingRange", asked.clone());
    assert_eq!(folds[0]["endLine"], 1, "{folds}");
    let tokens = editor.request("textDocument/semanticTokens/full", asked.clone());
    assert!(
        tokens["data"]
            .as_array()
            .is_some_and(|data| data.len() >= 25),
        "{tokens}"
    );
    assert_eq!(
        editor.request("textDocument/formatting", asked.clone()),
        json!([])
    );
    editor.edit(file, "{{ .Values.name }}", "{{.Values.name}}");
    let edits = editor.request("textDocument/formatting", asked);
    assert_eq!(edits[0]["newText"], "{{ .Values.name }}", "{edits}");
    editor.close();
}

#[test]
fn the_calls_of_helpers_are_a_hierarchy() {
    let mut editor = Editor::with(&[
        ("Chart.yaml", CHART),
        (
            "templates/_h.tpl",
            "{{ define \"inner\" }}1{{ end }}\n{{ define \"outer\" }}{{ include \"inner\" . }}{{ include \"inner\" . }}{{ end }}\n",
        ),
        ("templates/a.yaml", "# {{ include \"outer\" . }}\n"),
    ]);
    let file = "templates/_h.tpl";
    editor.open(file);
    let prepared = at(
        &mut editor,
        "textDocument/prepareCallHierarchy",
        file,
        "\"outer",
        3,
    );
    assert_eq!(prepared[0]["name"], "outer");
    let asked = json!({"item": prepared[0]});
    let incoming = editor.request("callHierarchy/incomingCalls", asked.clone());
    assert_eq!(incoming[0]["from"]["name"], "a.yaml", "{incoming}");
    let outgoing = editor.request("callHierarchy/outgoingCalls", asked);
    assert_eq!(outgoing[0]["to"]["name"], "inner", "{outgoing}");
    assert_eq!(outgoing[0]["fromRanges"].as_array().map(Vec::len), Some(2));
    editor.close();
}

#[test]
fn completion_knows_words_of_fields_chart_yaml_and_numbers_for_nindent() {
    let mut editor = demo();
    for file in [SERVICE, "Chart.yaml", ".thebot-lint.yaml"] {
        if file == ".thebot-lint.yaml" {
            std::fs::write(editor.path(file), "fail-on: error\n").expect("a file");
        }
        editor.open(file);
    }
    editor.diagnostics(SERVICE);
    for (file, before, typed, want) in [
        (SERVICE, "  selector:", "  type: ", "LoadBalancer"),
        (
            SERVICE,
            "  selector:",
            "  labels:\n    {{- toYaml .x | ",
            "nindent 4",
        ),
        (
            SERVICE,
            "  selector:",
            "  labels: {{- ",
            "include \"demo.name\" . | nindent 4",
        ),
        ("Chart.yaml", "description", "dependencies:\n- ali", "alias"),
        ("Chart.yaml", "description", "typ", "type"),
        ("Chart.yaml", "description", "type: ", "library"),
        (
            ".thebot-lint.yaml",
            "fail-on",
            "rules:\n  severity:\n    image-tag-latest: ",
            "info",
        ),
    ] {
        editor.edit(file, before, &format!("{typed}\n{before}"));
        let items = at(
            &mut editor,
            "textDocument/completion",
            file,
            &format!("{typed}\n{before}"),
            typed.len(),
        );
        assert!(
            labels(&items).iter().any(|l| l == want),
            "{typed}: {:?}",
            labels(&items)
        );
        editor.edit(file, &format!("{typed}\n{before}"), before);
    }
    let found = at(
        &mut editor,
        "textDocument/hover",
        ".thebot-lint.yaml",
        "fail-on",
        2,
    );
    let found = found["contents"]["value"].as_str().expect("text");
    assert!(
        found.contains("exit code") && found.contains("`never`"),
        "{found}"
    );
    editor.close();
}

#[test]
fn manifests_outside_of_charts_are_judged_with_those_beside_them() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  prots: []\n  ports: [{port: 80}]\n";
    let mut editor = Editor::with(&[
        ("k8s/service.yaml", service),
        ("k8s/other.yaml", "just: data\n"),
        ("k8s/notes.txt", "x\n"),
    ]);
    editor.open("k8s/service.yaml");
    let found = editor.diagnostics("k8s/service.yaml");
    assert_eq!(of_rule(&found, "unknown-field").len(), 1, "{found:?}");
    let found = at(
        &mut editor,
        "textDocument/hover",
        "k8s/service.yaml",
        "ports:",
        2,
    );
    assert!(
        found["contents"]["value"]
            .as_str()
            .is_some_and(|t| t.contains("list of ServicePort")),
        "{found}"
    );
    editor.edit("k8s/service.yaml", "  prots: []\n", "  ty\n");
    let items = at(
        &mut editor,
        "textDocument/completion",
        "k8s/service.yaml",
        "  ty\n",
        4,
    );
    assert!(
        labels(&items).iter().any(|l| l == "type"),
        "{:?}",
        labels(&items)
    );
    let length = editor.text("k8s/service.yaml").len();
    editor.splice(
        "k8s/service.yaml",
        0,
        length,
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n",
    );
    let found = editor.diagnostics("k8s/service.yaml");
    assert!(of_rule(&found, "unknown-field").is_empty(), "{found:?}");
    editor.close();
}

/// Every value and helper of a chart is renamed, each in a copy; what Helm prints stays the same.
/// Returns how many were renamed and how many refused.
fn rename_everything(chart: &Path, most: usize) -> (usize, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    crate::copy(chart, folder.path());
    let mut editor = Editor::at(folder);
    let printed = |editor: &Editor| {
        let output = thebot_lint()
            .arg("template")
            .arg("x")
            .arg(editor.folder.path())
            .output();
        let output = output.expect("runs");
        (output.status.success(), output.stdout)
    };
    let before = printed(&editor);
    let mut places: Vec<(String, Value)> = Vec::new();
    let mut stack: Vec<(String, Value)> = Vec::new();
    let templates = std::fs::read_dir(editor.path("templates"))
        .into_iter()
        .flatten()
        .flatten();
    let names = templates
        .filter(|t| t.path().is_file())
        .map(|t| t.file_name().to_string_lossy().into_owned());
    let helpers = names
        .filter(|name| name.ends_with(".tpl"))
        .map(|name| format!("templates/{name}"));
    for file in std::iter::once("values.yaml".to_string()).chain(helpers) {
        if std::fs::read_to_string(editor.path(&file)).is_err() {
            continue;
        }
        editor.open(&file);
        let asked = json!({"textDocument": {"uri": editor.uri(&file)}});
        let symbols = editor.request("textDocument/documentSymbol", asked);
        stack.extend(
            symbols
                .as_array()
                .expect("a list")
                .iter()
                .map(|s| (file.clone(), s.clone())),
        );
    }
    while let Some((file, symbol)) = stack.pop() {
        let below = symbol["children"].as_array().into_iter().flatten();
        stack.extend(below.map(|s| (file.clone(), s.clone())));
        places.push((file, symbol["selectionRange"]["start"].clone()));
    }
    // As many of the first as of the last.
    let step = places.len().div_ceil(most).max(1);
    let (mut renamed, mut refused) = (0, 0);
    for (i, (file, place)) in places.into_iter().step_by(step).enumerate() {
        let new = format!("renamed{i}");
        let params =
            json!({"textDocument": {"uri": editor.uri(&file)}, "position": place, "newName": new});
        let answer = editor.answer("textDocument/rename", params);
        if answer.get("error").is_some() || answer["result"].is_null() {
            refused += 1;
            continue;
        }
        renamed += 1;
        // The edits are applied on disk, and undone.
        let changes = answer["result"]["documentChanges"]
            .as_array()
            .expect("changes");
        let files = changes
            .iter()
            .map(|change| change["textDocument"]["uri"].as_str().expect("a URI"));
        let files = files.map(|uri| PathBuf::from(uri.strip_prefix("file://").expect("a file")));
        let texts: Vec<(PathBuf, Vec<u8>)> = files
            .map(|f| (f.clone(), std::fs::read(f).expect("a file")))
            .collect();
        apply(&editor, &answer["result"]);
        assert!(
            printed(&editor) == before,
            "{} {file} {place}: {answer}",
            chart.display()
        );
        for (file, text) in texts {
            std::fs::write(file, text).expect("a file");
        }
    }
    (renamed, refused)
}

#[test]
fn no_renaming_changes_what_a_chart_renders_to() {
    for (chart, wanted) in [
        ("charts/thebot", 10),
        ("fixtures/usage/subcharts", 1),
        ("fixtures/usage/values", 1),
        ("fixtures/usage/environments", 1),
    ] {
        let (renamed, refused) = rename_everything(Path::new(chart), 60);
        assert!(
            renamed >= wanted,
            "{chart}: {renamed} renamed, {refused} refused"
        );
    }
}

/// `CHARTS` names a folder of charts.
#[test]
#[ignore = "needs a folder of charts"]
fn needs_charts_no_renaming_changes_what_they_render_to() {
    let folder = std::env::var("CHARTS").expect("CHARTS names a folder");
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut charts: Vec<PathBuf> = entries
        .map(|e| e.path())
        .filter(|p| p.join("Chart.yaml").is_file())
        .collect();
    charts.sort();
    let (mut renamed, mut refused) = (0, 0);
    for chart in charts.iter().take(50) {
        let (done, not) = rename_everything(chart, 20);
        renamed += done;
        refused += not;
        println!("{}: {done} renamed, {not} refused", chart.display());
    }
    println!(
        "{renamed} renamed, {refused} refused in {} charts",
        charts.len().min(50)
    );
    assert!(renamed > 0);
}
