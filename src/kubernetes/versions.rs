//! Parses sets of Kubernetes versions, and formats them for messages.

use crate::diagnostic::Versions;
use crate::go::semver::{Constraint, Version};

/// Parses `1.31`, `1.25,1.31`, `1.25-1.31` (and lists of those), or a constraint such as `>=1.25`
/// or `>=1.25 <1.30`.
///
/// # Errors
/// A sentence about what cannot be parsed, or about an unknown version.
pub(crate) fn parse_versions(text: &str) -> Result<Versions, String> {
    let text = text.trim();
    if text.contains(['<', '>', '=', '~', '^', '!', '*', '|']) {
        let versions = parse_kube_version(text)?;
        return if versions.is_empty() {
            Err(format!(
                "no known Kubernetes version satisfies `{text}`; {KNOWN}"
            ))
        } else {
            Ok(versions)
        };
    }
    let mut all = Versions::NONE;
    for part in text.split(',') {
        let (from, to) = range(part).unwrap_or((part, part));
        let (from, to) = (minor(from)?, minor(to)?);
        if from > to {
            return Err(format!(
                "`{}` is in descending order; write `1.{to}-1.{from}`",
                part.trim()
            ));
        }
        all = (from..=to).fold(all, |all, m| all.or(Versions::minor(m)));
    }
    Ok(all)
}

const KNOWN: &str = "known versions are 1.20 to 1.37";

/// The ends of `1.25-1.31`. In `1.31.2-gke.1000` no version follows the hyphen, so it is no range.
fn range(part: &str) -> Option<(&str, &str)> {
    let (from, to) = part.rsplit_once('-')?;
    let mut numbers = to.trim().trim_start_matches('v').split('.');
    let mut number = || numbers.next().is_some_and(|n| n.parse::<u32>().is_ok());
    (number() && number()).then_some((from, to))
}

/// The version without the suffix of a distribution: `1.31.2` for `1.31.2-gke.1000` and
/// `1.31.2+k3s1`.
fn without_suffix(text: &str) -> &str {
    let Some((version, suffix)) = text.split_once(['+', '-']) else {
        return text;
    };
    let good = !suffix.is_empty()
        && suffix
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c));
    // A hyphen directly after the minor version is that of a range.
    let of_range = text[version.len()..].starts_with('-') && version.split('.').count() < 3;
    if good && !of_range { version } else { text }
}

fn minor(text: &str) -> Result<u32, String> {
    let text = text.trim();
    let version = without_suffix(text);
    let mut numbers = version
        .strip_prefix('v')
        .unwrap_or(version)
        .split('.')
        .map(|n| n.parse::<u32>().ok());
    let (major, minor, patch) = (
        numbers.next().flatten(),
        numbers.next().flatten(),
        numbers.next(),
    );
    match (major, minor, patch, numbers.next()) {
        (Some(1), Some(minor), None | Some(Some(_)), None)
            if !Versions::minor(minor).is_empty() =>
        {
            Ok(minor)
        }
        (Some(_), Some(_), None | Some(Some(_)), None) => {
            Err(format!("Kubernetes {text} is not known; {KNOWN}"))
        }
        _ => Err(format!(
            "`{text}` is not a Kubernetes version; write `1.31`, `1.25,1.31`, `1.25-1.31` or `>=1.25`"
        )),
    }
}

/// The known minor versions that Chart.yaml's `kubeVersion` allows: those whose first or last patch
/// release satisfies the constraint. The set may be empty.
///
/// # Errors
/// The text of Masterminds' semver, as Helm prints it.
pub(crate) fn parse_kube_version(constraint: &str) -> Result<Versions, String> {
    let constraint = Constraint::parse(constraint)?;
    let allows = |minor, patch| {
        Version::parse(&format!("1.{minor}.{patch}")).is_ok_and(|v| constraint.check(&v))
    };
    let minors = (Versions::OLDEST..=Versions::NEWEST).filter(|&m| allows(m, 0) || allows(m, 99));
    Ok(minors.fold(Versions::NONE, |all, m| all.or(Versions::minor(m))))
}

/// Formats a set of versions for use in a sentence: `1.25`, `1.20 to 1.24`, `1.20 to 1.22 and
/// 1.25`.
pub(crate) fn sentence(versions: Versions) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for minor in versions.iter() {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == minor => *last = minor,
            _ => runs.push((minor, minor)),
        }
    }
    let words: Vec<String> = runs
        .into_iter()
        .map(|(a, b)| {
            if a == b {
                format!("1.{a}")
            } else {
                format!("1.{a} to 1.{b}")
            }
        })
        .collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => "no version".to_owned(),
    }
}

/// The known versions from 1.`minor` on.
pub(super) fn since(minor: u32) -> Versions {
    Versions::ALL.without(before(minor))
}

/// The known versions before 1.`minor`.
pub(super) fn before(minor: u32) -> Versions {
    (Versions::OLDEST..minor).fold(Versions::NONE, |all, m| all.or(Versions::minor(m)))
}

/// The oldest version of a set.
pub(super) fn oldest(versions: Versions) -> Option<u32> {
    versions.iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        parse_versions(text).map(sentence)
    }

    #[test]
    fn versions_in_all_forms() {
        assert_eq!(read("1.31").as_deref(), Ok("1.31"));
        assert_eq!(read("v1.31.4").as_deref(), Ok("1.31"));
        assert_eq!(read("1.25,1.31").as_deref(), Ok("1.25 and 1.31"));
        assert_eq!(
            read("1.25-1.31, 1.33").as_deref(),
            Ok("1.25 to 1.31 and 1.33")
        );
        assert_eq!(read("1.31.2-gke.1000").as_deref(), Ok("1.31"));
        assert_eq!(read("v1.31.2+k3s1").as_deref(), Ok("1.31"));
        assert_eq!(read("1.30.4-eks-a737599").as_deref(), Ok("1.30"));
        assert_eq!(
            read("1.29.1-gke.1-1.31.2+k3s1,1.33").as_deref(),
            Ok("1.29 to 1.31 and 1.33")
        );
        assert_eq!(read(">=1.35").as_deref(), Ok("1.35 to 1.37"));
        assert_eq!(read(">=1.25 <1.28").as_deref(), Ok("1.25 to 1.27"));
        for bad in [
            "",
            "1",
            "2.0",
            "1.19",
            "1.99",
            "1.31-1.25",
            "latest",
            ">=1.99",
            "1.2.3.4",
            "1.31-",
            "1.31-gke.1000",
            "1.31.2-",
            "1.31.2-g ke",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn kube_version_as_helm_reads_it() {
        let read = |text: &str| parse_kube_version(text).map(sentence);
        assert_eq!(read(">=1.35.3-0").as_deref(), Ok("1.35 to 1.37"));
        assert_eq!(read("^1.36").as_deref(), Ok("1.36 to 1.37"));
        assert_eq!(read("<1.22.0").as_deref(), Ok("1.20 to 1.21"));
        assert_eq!(read(">= 2").as_deref(), Ok("no version"));
        assert!(read("newest").is_err());
    }
}
