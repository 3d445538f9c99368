//! The editor of the `lsp` target. It makes messages from arbitrary bytes for a server with a tiny
//! chart, and checks what the server answers.

use super::parts;
use lsp_server::{Connection, Message};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// The chart is written to disk once. Changes are sent as texts of open files, so that an input
/// causes no further disk access.
static CHART: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join("thebot-lint-editor");
    for (name, text) in [
        (
            "c/Chart.yaml",
            "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: s, version: 1.0.0, condition: s.on}]\n",
        ),
        (
            "c/values.yaml",
            "a: 1\nb: {c: x}\nl: [{n: 1}]\ns: {on: true}\n",
        ),
        ("c/values-prod.yaml", "a: 2\n"),
        (
            "c/templates/a.yaml",
            "a: {{ .Values.a }}\nb: {{ include \"h\" . }}\n",
        ),
        (
            "c/templates/_h.tpl",
            "{{ define \"h\" }}{{ .Values.b.c }}{{ end }}\n",
        ),
        (
            "c/charts/s/Chart.yaml",
            "apiVersion: v2\nname: s\nversion: 1.0.0\n",
        ),
        ("c/.thebot-lint.yaml", LIMITS),
        ("notes.yaml", "a: 1\n"),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        // Do not rewrite a file that another process may be reading.
        if std::fs::read(&path).ok().as_deref() != Some(text.as_bytes()) {
            std::fs::write(path, text).expect("a file");
        }
    }
    folder
});

const LIMITS: &str = "limits: {template-steps: 20000, render-text: 1Mi, timeout: 5}\n";

const FILES: [&str; 12] = [
    "/c/templates/a.yaml",
    "/c/values.yaml",
    "/c/templates/_h.tpl",
    "/c/values-prod.yaml",
    "/c/Chart.yaml",
    "/c/.thebot-lint.yaml",
    "/c/charts/s/values.yaml",
    "/c/values.schema.json",
    "/notes.yaml",
    "/c",
    "untitled:x",
    "file:///%zz%ff/../%2e",
];

const AT_A_PLACE: [&str; 9] = [
    "hover",
    "completion",
    "definition",
    "references",
    "documentSymbol",
    "codeAction",
    "inlayHint",
    "prepareRename",
    "rename",
];

/// Further notifications and requests, which are sent with arbitrary parameters.
const ANYTHING: [&str; 12] = [
    "textDocument/didOpen",
    "textDocument/didChange",
    "textDocument/hover",
    "textDocument/codeAction",
    "workspace/executeCommand",
    "workspace/didChangeWatchedFiles",
    "workspace/didCreateFiles",
    "workspace/didRenameFiles",
    "workspace/didDeleteFiles",
    "workspace/didChangeWorkspaceFolders",
    "initialize",
    "no/such",
];

/// The longest time that an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one message per part of the input. The part holds the kind of message, the file that it is
/// about, and its parameters. Checks that every request is answered once, that no answer reports an
/// internal error, that ranges and edits lie in their texts, and that in the end every open file of
/// the chart has the diagnostics of its newest text.
pub fn lsp(data: &[u8]) {
    let (ours, connection) = Connection::memory();
    let server = std::thread::spawn(move || thebot_lint::internals::speak(ours));
    let mut editor = Editor {
        connection,
        open: BTreeMap::new(),
        published: BTreeMap::new(),
        complaints: 0,
        next: 0,
    };
    editor.request("initialize", json!({"capabilities": {}}));
    editor.notify("initialized", json!({}));
    parts(data)
        .take(24)
        .for_each(|message| editor.message(message));
    editor.settle();
    editor.request("shutdown", Value::Null);
    editor.notify("exit", Value::Null);
    let ended = server.join();
    assert!(matches!(ended, Ok(Ok(()))), "{ended:?}");
}

struct Editor {
    connection: Connection,
    /// Version and text of each open file.
    open: BTreeMap<String, (i32, Vec<u16>)>,
    published: BTreeMap<String, Value>,
    /// How many failures the server has reported.
    complaints: usize,
    next: i32,
}

/// A number that is usually small.
fn number(byte: u8) -> u32 {
    match byte {
        0xff => u32::MAX,
        0xfe => 1 << 31,
        other => u32::from(other),
    }
}

impl Editor {
    fn message(&mut self, message: &[u8]) {
        let [what, which, rest @ ..] = message else {
            return;
        };
        let byte = |at: usize| rest.get(at).copied().unwrap_or(0);
        let text = |from: usize| {
            String::from_utf8_lossy(rest.get(from..).unwrap_or_default()).into_owned()
        };
        let position =
            |at: usize| json!({"line": number(byte(at)), "character": number(byte(at + 1))});
        let range = |at: usize| json!({"start": position(at), "end": position(at + 2)});
        let uri = uri(*which);
        let document = json!({"uri": uri});
        match what % 12 {
            0 => {
                let version = self.open.get(&uri).map_or(0, |(version, _)| version + 1);
                self.open.insert(
                    uri.clone(),
                    (
                        version,
                        with_limits(&uri, &text(0)).encode_utf16().collect(),
                    ),
                );
                let item = json!({"uri": uri, "languageId": "helm", "version": version, "text": with_limits(&uri, &text(0))});
                self.notify("textDocument/didOpen", json!({"textDocument": item}));
            }
            1 => self.change(
                &uri,
                json!([{"range": range(0), "text": text(4)}, {"range": range(1), "text": ""}]),
            ),
            2 => self.change(&uri, json!([{"text": with_limits(&uri, &text(0))}])),
            3 => {
                self.open.remove(&uri);
                self.published.remove(&uri);
                self.notify("textDocument/didClose", json!({"textDocument": document}));
            }
            4 => self.notify("textDocument/didSave", json!({"textDocument": document})),
            5 => self.notify(
                "workspace/didChangeWatchedFiles",
                json!({"changes": [{"uri": uri, "type": byte(0)}]}),
            ),
            6 => self.notify(
                "workspace/didRenameFiles",
                json!({"files": [{"oldUri": uri, "newUri": self::uri(byte(0))}]}),
            ),
            7 => self.notify("$/cancelRequest", json!({"id": byte(0)})),
            8 => {
                let command = ["thebot-lint.rendered", "thebot-lint.environments", "x"]
                    [usize::from(byte(0) % 3)];
                let environment = ["prod", "default", "x"][usize::from(byte(1) % 3)];
                let argument =
                    json!({"uri": uri, "environment": environment, "template": byte(2) % 2 == 0});
                self.request(
                    "workspace/executeCommand",
                    json!({"command": command, "arguments": [argument]}),
                );
            }
            9 => {
                let method = ANYTHING[usize::from(byte(0)) % ANYTHING.len()];
                let parameters = serde_json::from_str(&text(1)).unwrap_or(Value::String(text(1)));
                if byte(0) & 0x80 == 0 {
                    self.notify(method, parameters)
                } else {
                    self.request(method, parameters)
                }
                // The texts of the files that this message opened or changed are unknown.
                self.open.clear();
                self.published.clear();
            }
            10 => self.send(json!({"id": byte(0), "result": text(1)})),
            _ => {
                let found = self
                    .published
                    .get(&uri)
                    .map_or(json!([]), |p| p["diagnostics"].clone());
                let context =
                    json!({"diagnostics": found, "includeDeclaration": byte(0) & 0x80 == 0});
                let method = AT_A_PLACE[usize::from(byte(0)) % AT_A_PLACE.len()];
                let parameters = json!({"textDocument": document, "position": position(1), "range": range(1), "context": context, "newName": text(5)});
                self.request(&format!("textDocument/{method}"), parameters);
            }
        }
    }

    fn change(&mut self, uri: &str, changes: Value) {
        let Some((version, text)) = self.open.get_mut(uri) else {
            return;
        };
        *version += 1;
        for change in changes.as_array().into_iter().flatten() {
            let new: Vec<u16> = change["text"]
                .as_str()
                .unwrap_or_default()
                .encode_utf16()
                .collect();
            match change.get("range") {
                None => *text = new,
                Some(range) => {
                    let start = offset(text, &range["start"]);
                    let end = offset(text, &range["end"]).max(start);
                    text.splice(start..end, new);
                }
            }
        }
        let document = json!({"uri": uri, "version": version});
        self.notify(
            "textDocument/didChange",
            json!({"textDocument": document, "contentChanges": changes}),
        );
    }

    fn send(&self, message: Value) {
        if let Ok(message) = serde_json::from_value::<Message>(message) {
            // The server may have ended. The next receive reports that.
            let _ = self.connection.sender.send(message);
        }
    }

    fn notify(&self, method: &str, parameters: Value) {
        self.send(json!({"method": method, "params": parameters}));
    }

    fn request(&mut self, method: &str, parameters: Value) {
        self.next += 1;
        let id = self.next;
        self.send(json!({"id": id, "method": method, "params": parameters}));
        let asked = Instant::now();
        while self.take(&format!("{method} {parameters}"), asked) != Some(id) {}
    }

    /// Receives the next message of the server. Returns the id of the request that it answers.
    fn take(&mut self, waiting_for: &str, since: Instant) -> Option<i32> {
        let left = PATIENCE.saturating_sub(since.elapsed());
        let message = self
            .connection
            .receiver
            .recv_timeout(left)
            .unwrap_or_else(|_| panic!("no answer to {waiting_for}"));
        let message = serde_json::to_value(message).expect("JSON");
        // The words of a message alone prove nothing, because they may come from the fuzzer.
        let panicked = message["error"]["code"] == -32603
            || message["params"]["message"]
                .as_str()
                .is_some_and(|text| text.contains("please report it"));
        assert!(!panicked, "{waiting_for}: {message}");
        self.lies_in_texts(&message);
        match message["method"].as_str() {
            Some("textDocument/publishDiagnostics") => {
                let uri = message["params"]["uri"]
                    .as_str()
                    .expect("a URI")
                    .to_string();
                if let Some((newest, _)) = self.open.get(&uri) {
                    assert!(
                        message["params"]["version"].as_i64() <= Some(i64::from(*newest)),
                        "{message}"
                    );
                    self.published.insert(uri, message["params"].clone());
                }
                None
            }
            Some("window/logMessage") => {
                self.complaints += 1;
                None
            }
            Some(_) => None,
            None => {
                let id = message["id"].as_i64().and_then(|id| i32::try_from(id).ok());
                assert_eq!(id, Some(self.next), "an answer to no request: {message}");
                id
            }
        }
    }

    /// Waits until all open files of the chart have the diagnostics of their newest texts, or the
    /// server has reported why not.
    fn settle(&mut self) {
        let (since, complaints) = (Instant::now(), self.complaints);
        let open: Vec<String> = self
            .open
            .keys()
            .filter(|uri| uri.contains("/c/"))
            .cloned()
            .collect();
        for uri in open {
            while self.complaints == complaints
                && self.published.get(&uri).and_then(|p| p["version"].as_i64())
                    != Some(i64::from(self.open[&uri].0))
            {
                self.take(&uri, since);
            }
        }
    }

    /// Checks that ranges begin before they end, and that edits lie in the newest version of their
    /// text and do not overlap.
    fn lies_in_texts(&self, message: &Value) {
        let place = |at: &Value| (at["line"].as_u64(), at["character"].as_u64());
        let mut stack = vec![message];
        while let Some(value) = stack.pop() {
            if let (Some(start), Some(end)) = (value.get("start"), value.get("end")) {
                assert!(place(start) <= place(end), "{message}");
            }
            if let (Some(document), Some(edits)) =
                (value.get("textDocument"), value["edits"].as_array())
                && let Some((version, text)) =
                    self.open.get(document["uri"].as_str().unwrap_or_default())
            {
                assert_eq!(
                    document["version"].as_i64(),
                    Some(i64::from(*version)),
                    "{message}"
                );
                let range = |edit: &Value| {
                    let of = |at: &Value| {
                        let offset = offset(text, at);
                        let line = text[..offset]
                            .iter()
                            .rposition(|unit| *unit == u16::from(b'\n'))
                            .map_or(0, |at| at + 1);
                        assert_eq!(
                            at["character"].as_u64(),
                            Some((offset - line) as u64),
                            "{message}"
                        );
                        offset
                    };
                    (of(&edit["range"]["start"]), of(&edit["range"]["end"]))
                };
                let mut ranges: Vec<(usize, usize)> = edits.iter().map(range).collect();
                ranges.sort_unstable();
                assert!(
                    ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0),
                    "{message}"
                );
            }
            stack.extend(value.as_array().into_iter().flatten());
            stack.extend(
                value
                    .as_object()
                    .into_iter()
                    .flat_map(serde_json::Map::values),
            );
        }
    }
}

fn uri(which: u8) -> String {
    let file = FILES[usize::from(which) % FILES.len()];
    if file.starts_with('/') {
        format!("file://{}{file}", CHART.display())
    } else {
        file.to_string()
    }
}

/// Adds limits to a configuration, because a template could run for a long time without them. Also
/// removes all slashes, because its paths could lead anywhere on the machine.
fn with_limits(uri: &str, text: &str) -> String {
    if uri.ends_with(".thebot-lint.yaml") {
        format!("{}\n{LIMITS}", text.replace('/', ""))
    } else {
        text.to_string()
    }
}

/// The offset of a position. As in the protocol, a position behind the end of a line or text is
/// that end.
fn offset(text: &[u16], at: &Value) -> usize {
    let number = |name: &str| at[name].as_u64().unwrap_or(0) as usize;
    let newline = u16::from(b'\n');
    let starts = std::iter::once(0).chain(
        text.iter()
            .enumerate()
            .filter(|(_, unit)| **unit == newline)
            .map(|(at, _)| at + 1),
    );
    let Some(start) = starts.into_iter().nth(number("line")) else {
        return text.len();
    };
    let line = &text[start..];
    let line = &line[..line
        .iter()
        .position(|unit| *unit == newline)
        .unwrap_or(line.len())];
    let line = line.strip_suffix(&[u16::from(b'\r')]).unwrap_or(line);
    let column = number("character").min(line.len());
    // A position within a surrogate pair becomes the start of the pair.
    let inside = column > 0
        && line
            .get(column)
            .is_some_and(|unit| (0xdc00..0xe000).contains(unit))
        && (0xd800..0xdc00).contains(&line[column - 1]);
    start + column - usize::from(inside)
}
