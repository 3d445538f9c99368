//! Formats what go-yaml decoded with fmt's `%#v`, because some of its errors quote values.

use super::node::{Data, Entry, Node};
use crate::go::strconv::{format_g, quote};
use std::collections::BTreeMap;

/// The limit in bytes on a quoted value. A larger one helps nobody.
const LIMIT: usize = 4096;

/// `%#v` of nil inside a collection, where it has a type.
pub(super) const NIL: &str = "interface {}(nil)";

/// `%#v` of a decoded node. `key` formats the key of an entry, because the node only has its text.
pub(super) fn go_syntax(node: &Node, key: &dyn Fn(&Entry) -> String) -> String {
    if node.is_null() {
        return "<nil>".into();
    }
    let mut out = String::new();
    write(node, key, &mut out);
    out
}

fn write(node: &Node, print_key: &dyn Fn(&Entry) -> String, out: &mut String) {
    if out.len() > LIMIT {
        return;
    }
    match &node.data {
        Data::Null => out.push_str(NIL),
        Data::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Data::Int(i) => out.push_str(&i.to_string()),
        Data::Uint(u) => out.push_str(&format!("{u:#x}")),
        Data::Float(f) => out.push_str(&format_g(*f)),
        Data::Str(text) => out.push_str(&quote(&**text)),
        Data::Seq(items) => {
            out.push_str("[]interface {}{");
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write(item, print_key, out);
            }
            out.push('}');
        }
        Data::Map(entries) => {
            out.push_str("map[interface {}]interface {}{");
            let sorted: BTreeMap<String, &Node> = entries
                .iter()
                .map(|entry| (print_key(entry), &entry.value))
                .collect();
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(&key);
                out.push(':');
                write(value, print_key, out);
            }
            out.push('}');
        }
    }
}
