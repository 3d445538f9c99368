//! Rules of the group `secrets`: values that look like a secret in plain text.

use super::super::pod::{Container, Pod};
use super::{Check, Report, Table};
use crate::diagnostic::ids;
use crate::manifest::Object;
use crate::yaml::Node;
use crate::yaml::Path;
use rustc_hash::FxHashSet;

pub(super) const TABLE: Table = &[
    (ids::DUPLICATE_ENV, Check::Container(duplicate_env)),
    (
        ids::SECRET_IN_ENV_VALUE,
        Check::Container(secret_in_env_value),
    ),
    (
        ids::CONFIGMAP_SENSITIVE_CONTENT,
        Check::Object(configmap_sensitive_content),
    ),
];

/// Rust, because a comparison of each variable with all before it is slow where there are many.
fn duplicate_env(report: &mut Report<'_>, _: &Object, _: &Pod<'_>, container: &Container<'_>) {
    let mut known = FxHashSet::default();
    let variables = container.node.get("env").map_or(&[][..], Node::items);
    for (i, variable) in variables.iter().enumerate() {
        if let Some(name) = variable.get("name").and_then(Node::as_str)
            && !known.insert(name)
        {
            report.add(
                container.path.key("env").index(i).key("name"),
                format!("container {} sets {name} twice", container.name()),
            );
        }
    }
}

/// A name that ends with one of these words, or with one and a number, is the name of a secret.
const SECRET_WORDS: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "bearer",
    "credential",
    "credentials",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "pass",
];

/// Pairs of words that mean a secret.
const SECRET_PAIRS: [(&str, &str); 9] = [
    ("api", "key"),
    ("access", "key"),
    ("secret", "key"),
    ("private", "key"),
    ("encryption", "key"),
    ("signing", "key"),
    ("account", "key"),
    ("batch", "key"),
    ("key", "content"),
];

/// A name that ends with one of these words is about a secret, but its value is not one.
const HARMLESS_ENDS: [&str; 55] = [
    "alg",
    "file",
    "path",
    "name",
    "url",
    "uri",
    "endpoint",
    "ttl",
    "expiry",
    "expiration",
    "expires",
    "length",
    "enabled",
    "enable",
    "disabled",
    "type",
    "algorithm",
    "policy",
    "header",
    "timeout",
    "id",
    "ref",
    "dir",
    "directory",
    "issuer",
    "audience",
    "provider",
    "method",
    "size",
    "count",
    "period",
    "duration",
    "lifetime",
    "interval",
    "field",
    "attribute",
    "regex",
    "prefix",
    "namespace",
    "keys",
    "version",
    "rotation",
    "format",
    "key",
    "required",
    "seconds",
    "minutes",
    "hours",
    "days",
    "age",
    "limit",
    "username",
    "encryption",
    "time",
    "salt",
];

/// What a Secret (the object) is for. A name that ends in one of these and "secret" holds the name
/// of a Secret: `imagePullSecret`, `tlsSecret`, `credentialsSecret`.
const OBJECTS: [&str; 14] = [
    "pull",
    "registry",
    "tls",
    "ssl",
    "cert",
    "certs",
    "certificate",
    "certificates",
    "ca",
    "existing",
    "signer",
    "password",
    "credential",
    "credentials",
];

/// The words of a name in lower case: [db, password] for `dbPassword`, `DB_PASSWORD`, `db-password`
/// and `db.password`, [access, key, id, name] for `accessKeyIDName`.
fn words(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before_is_lower = false;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        // The last capital of a run starts the next word.
        let ends_run =
            c.is_uppercase() && word.len() > 1 && chars.peek().is_some_and(|n| n.is_lowercase());
        let boundary = !c.is_alphanumeric() || (c.is_uppercase() && before_is_lower) || ends_run;
        if boundary && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before_is_lower = c.is_lowercase() || c.is_ascii_digit();
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// Whether a name suggests that its value is a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    // `password1` and `password_1` are also passwords.
    let words = words(name.trim_end_matches(|c: char| c.is_ascii_digit()));
    let words: &[String] = match words.as_slice() {
        [rest @ .., last] if !rest.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) => rest,
        all => all,
    };
    let Some(last) = words.last() else {
        return false;
    };
    let pair = words
        .windows(2)
        .any(|w| SECRET_PAIRS.contains(&(w[0].as_str(), w[1].as_str())));
    let ends_in_pair = words.len() >= 2
        && SECRET_PAIRS.contains(&(words[words.len() - 2].as_str(), last.as_str()));
    if HARMLESS_ENDS.contains(&last.as_str()) && !ends_in_pair {
        return false;
    }
    if names_an_object(words) {
        return false;
    }
    // Names such as `PUBLIC_TOKEN` are not secret. That of a cluster (etcd) keeps clusters apart.
    if words.iter().any(|w| w == "public" || w == "publishable")
        || words.ends_with(&["cluster".to_owned(), "token".to_owned()])
    {
        return false;
    }
    pair || words.iter().any(|w| {
        SECRET_WORDS.contains(&w.as_str())
            || (w.len() > 8 && (w.ends_with("password") || w.ends_with("passwd")))
    }) || last.ends_with("secret")
        || last.ends_with("token")
}

/// Whether a name is that of a Secret, or of a key of one: `existingSecret`, `tlsSecret`,
/// `passwordSecretKey`.
fn names_an_object(words: &[String]) -> bool {
    let is_secret = |word: &String| SECRET_WORDS.contains(&word.as_str());
    match words {
        [first, .., last] if first == "existing" && last == "secret" => true,
        [.., before, secret, key] if secret == "secret" && key == "key" => {
            is_secret(before) || matches!(before.as_str(), "existing" | "username" | "account")
        }
        [.., before, secret] if secret == "secret" => OBJECTS.contains(&before.as_str()),
        _ => words
            .windows(2)
            .any(|w| w[0] == "existing" && w[1] == "secret"),
    }
}

/// Whether a value is not a secret: it is empty, a flag, a path, a reference or a placeholder, or it
/// says that nobody uses it.
pub(crate) fn is_harmless(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'']).trim();
    let lower = value.to_ascii_lowercase();
    let words = lower.replace(['_', ' '], "-");
    value.is_empty()
        || ["unused", "not-used", "do-not-use"].iter().any(|start| words.starts_with(start))
        || value.starts_with(['$', '/', '{', '<', '%', '[', '*', '|', '>'])
        || value.starts_with("./")
        || value.contains("${")
        || value.contains("$(")
        || value.contains("{{")
        || value.contains("://")
        // Options of a way to make tokens, which name the file of a key: `jwt,priv-key=/etc/key`.
        || value.contains("=/")
        || matches!(
            lower.as_str(),
            "true"
                | "false"
                | "yes"
                | "no"
                | "null"
                | "none"
                | "nil"
                | "on"
                | "off"
                | "0"
                | "1"
                | "~"
        )
}

/// Whether a text contains a private key or a well-known kind of token.
pub(crate) fn is_secret_text(text: &str) -> bool {
    let has = |part: &str| memchr::memmem::find(text.as_bytes(), part.as_bytes()).is_some();
    if has("-----BEGIN ") && has("PRIVATE KEY-----") {
        return true;
    }
    ["AKIA", "ASIA", "ghp_", "github_pat_"].into_iter().any(has)
        && text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .any(|word| {
                let of_length =
                    |prefix: &str, length: usize| word.starts_with(prefix) && word.len() >= length;
                // AWS access keys, GitHub tokens and Slack tokens. They have fixed prefixes so that
                // scanners find them.
                (word.len() == 20
                    && (word.starts_with("AKIA") || word.starts_with("ASIA"))
                    && word
                        .bytes()
                        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()))
                    || of_length("ghp_", 40)
                    || of_length("github_pat_", 40)
            })
}

/// Whether a text contains a URL with a password in it: `amqp://user:pass@host`. Variables and
/// placeholders such as `$(PASSWORD)` and `<password>` are none.
fn has_url_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, separator)| {
        let has_scheme = text[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
        let rest = &text[at + separator.len()..];
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | '`' | ','))
            .unwrap_or(rest.len());
        let Some((user, _host)) = rest[..end].rsplit_once('@') else {
            return false;
        };
        let password = user.split_once(':').map_or("", |(_, password)| password);
        has_scheme && !is_harmless(password) && !password.contains(['$', '{', '<', '%', '*'])
    })
}

/// The lines of a text that are no comments.
fn without_comments(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', ';', '*']) && !line.starts_with("//"))
}

fn secret_in_env_value(
    report: &mut Report<'_>,
    _: &Object,
    _: &Pod<'_>,
    container: &Container<'_>,
) {
    let env = container.path.key("env");
    for (i, variable) in container
        .node
        .get("env")
        .map_or(&[][..], |n| n.items())
        .iter()
        .enumerate()
    {
        let Some(name) = variable.get("name").and_then(Node::as_str) else {
            continue;
        };
        let Some(value) = variable.get("value").and_then(Node::as_str) else {
            continue;
        };
        let what = if (is_secret_name(name) && !is_harmless(value)) || is_secret_text(value) {
            name.to_owned()
        } else if has_url_password(value) {
            format!("the password in the URL of {name}")
        } else {
            continue;
        };
        report.add(
            env.index(i).key("value"),
            format!("container {} has {what} in plain text", container.name()),
        );
    }
}

fn configmap_sensitive_content(report: &mut Report<'_>, object: &Object) {
    let data = Path::parse("data");
    // A value that begins with the object's name and a dash is the name of another object of the release.
    let owner = &*object.identity.name;
    let names_another = |value: &str| {
        !owner.is_empty()
            && value
                .strip_prefix(owner)
                .is_some_and(|rest| rest.starts_with('-'))
    };
    for entry in data.get(&object.root).map_or(&[][..], |n| n.entries()) {
        let Some(value) = entry.value.as_str() else {
            continue;
        };
        let what = if is_secret_name(&entry.key)
            && !is_harmless(value)
            && !names_another(value)
            && !value.contains('\n')
        {
            format!("the key {}", entry.key)
        } else if is_secret_text(value) {
            format!("{} holds a private key or token", entry.key)
        } else if let Some(name) = assigned_secret(value, names_another) {
            format!("{} sets {name}", entry.key)
        } else if without_comments(value).any(has_url_password) {
            format!("{} has a URL with a password", entry.key)
        } else {
            continue;
        };
        report.add(
            data.key(&entry.key),
            format!(
                "ConfigMap {} holds a secret in plain text: {what}",
                object.identity.name
            ),
        );
    }
}

/// The first name of a secret with a value, in lines of the form `name = value` or `name: value`.
fn assigned_secret(text: &str, is_reference: impl Fn(&str) -> bool) -> Option<&str> {
    // Long texts are programs or dashboards, not settings.
    text.lines().take(2000).find_map(|line| {
        let line = line
            .trim()
            .trim_start_matches("export ")
            .trim_start_matches("- ");
        if line.starts_with(['#', ';', '/', '*']) {
            return None;
        }
        let at = line.find(['=', ':'])?;
        let (name, value) = (
            line[..at].trim().trim_matches(['"', '\'']),
            line[at + 1..].trim().trim_end_matches([',', ';']),
        );
        let is_name = !name.is_empty()
            && name.len() <= 64
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        // A value with spaces or brackets is a sentence or code.
        let plain =
            !value.contains(char::is_whitespace) && !value.contains(['(', ')', '{', '}', '=', '[']);
        let is_secret = is_secret_name(name)
            && !is_harmless(value)
            && !is_reference(value.trim_matches(['"', '\'']));
        (is_name && plain && is_secret).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for name in [
            "DB_PASSWORD",
            "dbPassword",
            "AZURE_BATCH_KEY",
            "OCI_CLI_KEY_CONTENT",
            "token",
            "API_KEY",
            "apikey",
            "client-secret",
            "AWS_SECRET_ACCESS_KEY",
            "password1",
            "secretKey",
            "s3SecretKey",
            "APIKey",
            "ACCESS_TOKEN_SECRET",
            "clientSecret",
            "webhook_secret",
            "DBPassword",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "DB_PASSWORD_FILE",
            "TOKEN_TTL",
            "SECRET_NAME",
            "KEY",
            "PUBLIC_KEY",
            "AWS_ACCESS_KEY_ID",
            "MONKEY",
            "PASSWORD_MIN_LENGTH",
            "compass",
            "s3AccessKeyIDName",
            "ETCD_INITIAL_CLUSTER_TOKEN",
            "password_encryption",
            "token_cache_time",
            "accessKeyIDName",
            "passwordSecretKey",
            "tokenSecretKey",
            "existingSecret",
            "EXISTING_SECRET",
            "existingSecretPasswordKey",
            "existingSecretKey",
            "existingPasswordSecret",
            "imagePullSecret",
            "IMAGE_PULL_SECRET",
            "tlsSecret",
            "passwordSecret",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn passwords_in_urls() {
        for url in [
            "amqp://user:pass@mq:5672/x",
            "redis://:hunter2@redis/0",
            "a=http://u:p@h b",
        ] {
            assert!(has_url_password(url), "{url}");
        }
        for url in [
            "http://host:80/a@b",
            "redis://:$(REDIS_PASSWORD)@redis/0",
            "amqp://${USER}:${PASS}@mq",
            "ssh://git@example.com/x",
            "https://<user>:<password>@h",
            "http://a, b:c@d",
        ] {
            assert!(!has_url_password(url), "{url}");
        }
    }

    #[test]
    fn settings_inside_of_text() {
        assert_eq!(
            assigned_secret("a=1\nREDIS_PASSWORD=hunter2\n", |_| false),
            Some("REDIS_PASSWORD")
        );
        for harmless in [
            "REDIS_PASSWORD=",
            "REDIS_PASSWORD=${REDIS_PASSWORD}",
            "# password: x",
            "token: the token of the user",
            "password = get(x)",
        ] {
            assert_eq!(assigned_secret(harmless, |_| false), None, "{harmless}");
        }
    }
}
