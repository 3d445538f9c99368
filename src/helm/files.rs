//! `.Files`: the files of a chart that are neither templates nor metadata.

use crate::go::glob::Glob;
use crate::helm::Chart;
use crate::helm::File;
use crate::source::{Origin, OriginId, Origins, SourceId, Sources, Span};
use crate::value::{Bytes, Kind, List, Map, MapData, Object, Text, TextBuilder, Value};
use crate::yaml;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// How many bytes of a file are copied in one step.
const BYTES_PER_STEP: u64 = 128;

/// Go's type `engine.files`.
#[derive(Debug)]
pub(crate) struct Files {
    files: Arc<FileMap>,
}

/// The files of a chart by their names. All renders of a chart share them.
pub(crate) type FileMap = BTreeMap<Arc<[u8]>, Entry>;

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    text: Arc<[u8]>,
    source: SourceId,
}

impl Entry {
    /// One origin that covers all files.
    fn whole(&self, origins: &mut Origins) -> OriginId {
        origins.add(Origin::Data(Span::new(self.source, 0, self.text.len())))
    }

    fn bytes(&self) -> Value {
        Value::bytes(
            Text {
                bytes: self.text[..].into(),
                pieces: None,
            },
            OriginId::NONE,
        )
    }
}

impl Files {
    /// The files that templates of a chart can read.
    pub(crate) fn of(chart: &Chart, sources: &Sources) -> FileMap {
        let entry = |File { name, source }: &File| {
            let entry = Entry {
                text: sources.get(*source).text.clone(),
                source: *source,
            };
            (Arc::from(name.as_bytes()), entry)
        };
        chart.files.iter().map(entry).collect()
    }

    /// The value of `.Files`.
    pub(crate) fn value(files: Arc<FileMap>) -> Value {
        Files { files }.into_value()
    }

    fn into_value(self) -> Value {
        Kind::Object(Rc::new(self)).into()
    }

    fn text(&self, name: &[u8], origins: &mut Origins) -> Value {
        self.files.get(name).map_or_else(
            || Value::str(""),
            |file| Value::file(&file.text, file.source, origins),
        )
    }

    fn glob(&self, pattern: &[u8]) -> Value {
        let glob = Glob::parse(&String::from_utf8_lossy(pattern));
        // Helm takes all files where it cannot parse the pattern.
        let takes = |name: &[u8]| {
            glob.as_ref()
                .is_none_or(|g| g.matches(&String::from_utf8_lossy(name)))
        };
        let files = self
            .files
            .iter()
            .filter(|(name, _)| takes(name))
            .map(|(name, file)| (name.clone(), file.clone()))
            .collect();
        Files {
            files: Arc::new(files),
        }
        .into_value()
    }

    /// A map of base names to texts, as YAML. Where files share a base name, the last one in the
    /// order of full names wins.
    fn as_map(&self, origins: &mut Origins, text: impl Fn(&Entry, &mut Origins) -> Value) -> Value {
        let mut map = MapData {
            go_type: "map[string]string",
            ..MapData::default()
        };
        for (name, file) in self.files.iter() {
            let base = name.rsplit(|&b| b == b'/').next().unwrap_or(name);
            map.insert(base, OriginId::NONE, text(file, origins));
        }
        let value = Kind::Map(Map(Rc::new(std::cell::RefCell::new(map)))).into();
        let text = yaml::emit(&value, origins).unwrap_or_else(|_| Value::str(""));
        let Some(whole) = text.as_text() else {
            return text;
        };
        let mut trimmed = TextBuilder::default();
        trimmed.push_slice(
            whole,
            text.origin,
            0..whole
                .bytes
                .strip_suffix(b"\n")
                .unwrap_or(&whole.bytes)
                .len(),
        );
        trimmed.finish()
    }

    fn lines(&self, name: &[u8], origins: &mut Origins) -> Value {
        let mut lines = Vec::new();
        if let Some(file) = self.files.get(name).filter(|f| !f.text.is_empty()) {
            let text = file.text.strip_suffix(b"\n").unwrap_or(&file.text);
            let mut start = 0;
            for line in text.split(|&b| b == b'\n') {
                let origin = origins.add(Origin::Data(Span::new(
                    file.source,
                    start,
                    start + line.len(),
                )));
                lines.push(Value::str_from(line, origin));
                start += line.len() + 1;
            }
        }
        Kind::List(List::new(lines, "[]string")).into()
    }
}

impl Object for Files {
    fn go_type(&self) -> &str {
        "engine.files"
    }
    fn kind(&self) -> &str {
        "map"
    }
    fn field(&self, name: &str) -> Option<Value> {
        // A field of a map is its key, so `.Files.README` finds a file. Names with a dot cannot be
        // reached this way.
        self.files.get(name.as_bytes()).map(Entry::bytes)
    }
    fn parameters(&self, method: &str) -> Option<&'static [&'static str]> {
        match method {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(&["string"]),
            "AsConfig" | "AsSecrets" => Some(&[]),
            _ => None,
        }
    }
    fn call_tracked(
        &self,
        method: &str,
        arguments: &[Value],
        origins: &mut Origins,
    ) -> Option<Result<Value, String>> {
        let name = || {
            arguments
                .first()
                .and_then(Value::as_text)
                .map(|t| t.bytes.clone())
                .unwrap_or_default()
        };
        Some(Ok(match method {
            "Get" => self.text(&name(), origins),
            "GetBytes" => match self.files.get(&*name()) {
                Some(file) => file.bytes(),
                None => Value::bytes(Text::default(), OriginId::NONE),
            },
            "Glob" => self.glob(&name()),
            "Lines" => self.lines(&name(), origins),
            "AsConfig" => self.as_map(origins, |file, origins| {
                Value::file(&file.text, file.source, origins)
            }),
            "AsSecrets" => self.as_map(origins, |file, origins| {
                Value::str_from(
                    data_encoding::BASE64.encode(&file.text),
                    file.whole(origins),
                )
            }),
            _ => return None,
        }))
    }
    fn cost(&self, method: &str, arguments: &[Value]) -> u64 {
        let given = || arguments.first().and_then(Value::as_text);
        let file = || given().and_then(|name| self.files.get(&*name.bytes));
        let length = |file: &Entry| file.text.len() as u64;
        match method {
            "Get" | "GetBytes" => file().map_or(0, length) / BYTES_PER_STEP,
            // Each line becomes a value.
            "Lines" => file().map_or(0, length) / 4,
            "Glob" => {
                let names: u64 = self.files.keys().map(|name| name.len() as u64).sum();
                let pattern = given().map_or(0, |pattern| pattern.bytes.len() as u64);
                self.files.len() as u64 + pattern * 4 + names * pattern / BYTES_PER_STEP
            }
            "AsConfig" | "AsSecrets" => {
                let all: u64 = self.files.values().map(length).sum();
                self.files.len() as u64 + all / BYTES_PER_STEP * 8
            }
            _ => 0,
        }
    }
    fn print(&self) -> Vec<u8> {
        let mut out = b"map[".to_vec();
        for (i, (name, file)) in self.files.iter().enumerate() {
            if i > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(name);
            out.push(b':');
            out.extend(
                Bytes(Text {
                    bytes: file.text[..].into(),
                    pieces: None,
                })
                .print(),
            );
        }
        out.push(b']');
        out
    }
    fn plain(&self) -> Option<Value> {
        let mut map = MapData {
            go_type: "engine.files",
            ..MapData::default()
        };
        for (name, file) in self.files.iter() {
            map.insert(name, OriginId::NONE, file.bytes());
        }
        Some(Value::map(map))
    }
    fn truth(&self) -> bool {
        !self.files.is_empty()
    }
    fn weight(&self) -> u64 {
        let files = self.files.values();
        files.map(|file| 1 + file.text.len() as u64 / 32).sum()
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}
