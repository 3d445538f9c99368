//! Values files that SOPS encrypted. Their keys are in the clear, and each encrypted value says its
//! type: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:str]`. What the value is cannot be known, so a
//! placeholder of the type is used instead.

use crate::source::PLACEHOLDER;
use crate::yaml::{Data, Node};

/// The key below which SOPS keeps what it needs.
pub(crate) const KEY: &str = "sops";

/// Whether the bytes of a scalar are an encrypted value.
pub(crate) fn is_encrypted(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let text = text
        .strip_prefix(b"\"")
        .or(text.strip_prefix(b"'"))
        .unwrap_or(text);
    text.starts_with(b"ENC[AES256_GCM,data:")
}

/// Whether the bytes of a scalar name a secret that vals fetches: `ref+vault://path#key`.
pub(crate) fn is_reference(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let text = text
        .strip_prefix(b"\"")
        .or(text.strip_prefix(b"'"))
        .unwrap_or(text);
    text.starts_with(b"ref+") && memchr::memmem::find(text, b"://").is_some()
}

/// Whether SOPS encrypted the file.
fn is_of_sops(root: &Node) -> bool {
    let kept = root.get(KEY);
    kept.is_some_and(|kept| kept.get("mac").is_some() || kept.get("version").is_some())
}

/// Whether SOPS encrypted a file that it did not read as YAML: it has no keys of its own then.
pub(crate) fn is_opaque(root: &Node) -> bool {
    let mut own = root.entries().iter().filter(|entry| &*entry.key != KEY);
    let data = own.next();
    let is_whole = data.is_some_and(|data| &*data.key == "data" && type_of(&data.value).is_some());
    is_of_sops(root) && own.next().is_none() && (data.is_none() || is_whole)
}

/// Replaces encrypted values by placeholders of their types, and removes what SOPS keeps for itself.
/// Other files stay as they are.
pub(crate) fn replace(root: &mut Node) {
    if !is_of_sops(root) {
        return;
    }
    if let Data::Map(entries) = &mut root.data {
        let all = std::mem::take(entries).into_vec().into_iter();
        *entries = all.filter(|entry| &*entry.key != KEY).collect();
    }
    replace_in(root);
}

fn replace_in(node: &mut Node) {
    if let Some(kind) = type_of(node) {
        node.data = match kind {
            "int" => Data::Int(1),
            "float" => Data::Float(1.5),
            "bool" => Data::Bool(true),
            _ => Data::Str(PLACEHOLDER.into()),
        };
        return;
    }
    match &mut node.data {
        Data::Seq(items) => items.iter_mut().for_each(replace_in),
        Data::Map(entries) => entries.iter_mut().for_each(|e| replace_in(&mut e.value)),
        _ => {}
    }
}

/// The type that an encrypted value had.
fn type_of(node: &Node) -> Option<&str> {
    let text = node.as_str()?.trim();
    let inner = text.strip_prefix("ENC[AES256_GCM,data:")?;
    inner.strip_suffix(']')?.rsplit_once(",type:").map(|p| p.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;
    use crate::yaml;

    fn encrypted(kind: &str) -> String {
        format!("ENC[AES256_GCM,data:abc=,iv:x,tag:y,type:{kind}]")
    }

    #[test]
    fn encrypted_values_keep_their_types() {
        let [text, int, float, bool] = ["str", "int", "float", "bool"].map(encrypted);
        let file = format!(
            "a: {text}\nb: [\"{int}\", '{bool}']\nc:\n  d: {float}\ne: plain\nsops:\n  mac: m\n"
        );
        let mut root = yaml::parse(file.as_bytes(), SourceId::new(0, 0), 0).expect("YAML");
        assert!(!is_opaque(&root));
        replace(&mut root);
        let data = |key: &str| root.get(key).expect("a key").data.clone();
        assert_eq!(data("a"), Data::Str(PLACEHOLDER.into()));
        let items = root.get("b").expect("b").items();
        assert_eq!(
            (&items[0].data, &items[1].data),
            (&Data::Int(1), &Data::Bool(true))
        );
        assert_eq!(
            root.get("c").expect("c").get("d").expect("d").data,
            Data::Float(1.5)
        );
        assert_eq!(data("e"), Data::Str("plain".into()));
        assert!(root.get(KEY).is_none());
    }

    #[test]
    fn only_files_of_sops_have_placeholders() {
        for (file, opaque) in [
            (format!("data: {}\n", encrypted("str")), false),
            (
                format!("data: {}\nsops: {{mac: m}}\n", encrypted("str")),
                true,
            ),
            ("sops: {mac: m}\n".to_string(), true),
            ("data: plain\nsops: {mac: m}\n".to_string(), false),
            ("sops: {enabled: true}\n".to_string(), false),
        ] {
            let mut root = yaml::parse(file.as_bytes(), SourceId::new(0, 0), 0).expect("YAML");
            assert_eq!(is_opaque(&root), opaque, "{file}");
            if file.starts_with("data: ENC") && !opaque {
                let before = root.clone();
                replace(&mut root);
                assert_eq!(root, before);
            }
        }
    }
}
