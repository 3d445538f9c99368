//! Values as fmt's `%#v` prints what go-yaml decoded; some of its errors quote them.

use super::number::{format_g, quote};
use super::{Data, Node};
use std::collections::BTreeMap;

/// Errors quote the value that they are about; one that is large is of no use to anybody.
const LIMIT: usize = 4096;

/// `%#v` of a decoded node. Keys of nested maps are printed as strings, whatever they were.
pub(super) fn go_syntax(node: &Node) -> String {
    let mut out = String::new();
    write(node, &mut out);
    out
}

fn write(node: &Node, out: &mut String) {
    if out.len() > LIMIT {
        return;
    }
    match &node.data {
        Data::Null => out.push_str("interface {}(nil)"),
        Data::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Data::Int(i) => out.push_str(&i.to_string()),
        Data::Uint(u) => out.push_str(&format!("{u:#x}")),
        Data::Float(f) => out.push_str(&format_g(*f)),
        Data::Str(text) => out.push_str(&quote(text)),
        Data::Seq(items) => {
            out.push_str("[]interface {}{");
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write(item, out);
            }
            out.push('}');
        }
        Data::Map(entries) => {
            out.push_str("map[interface {}]interface {}{");
            let sorted: BTreeMap<&str, &Node> = entries.iter().map(|e| (&*e.key, &e.value)).collect();
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                out.push_str(&quote(key));
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}
