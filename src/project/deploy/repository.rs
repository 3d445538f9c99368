//! Whether a URL means this repository.

use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The repository whose deployments are read.
#[derive(Debug, Default)]
pub(super) struct Repository {
    root: PathBuf,
    /// The URLs of its remotes, see [`plain`].
    remotes: Vec<String>,
    /// The URLs that mean it because of the paths that sources with them name.
    by_paths: FxHashSet<String>,
}

impl Repository {
    pub(super) fn new(root: &Path) -> Repository {
        Repository {
            root: root.to_path_buf(),
            remotes: remotes(root),
            by_paths: FxHashSet::default(),
        }
    }

    /// Decides by the paths that declarations name which of their URLs mean this repository. That is
    /// asked only where the remotes do not say it: without any, or for a fork.
    pub(super) fn learn(&mut self, named: impl Iterator<Item = (String, String)>) {
        let mut paths: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (url, path) in named {
            let url = plain(&url);
            if !url.is_empty() {
                let (here, all) = paths.entry(url).or_default();
                *here += usize::from(self.has(&path));
                *all += 1;
            }
        }
        for (url, (here, all)) in paths {
            let is_fork = |remote: &String| last(remote) == last(&url);
            let may_be = self.remotes.is_empty() || self.remotes.iter().any(is_fork);
            if may_be && here * 2 >= all {
                self.by_paths.insert(url);
            }
        }
    }

    /// Whether a path is in the repository. If it is the root, that must have something to deploy, or
    /// else every repository would have it.
    fn has(&self, path: &str) -> bool {
        match self.inside(path) {
            Some(path) if path == self.root => ["Chart.yaml", "kustomization.yaml"]
                .iter()
                .any(|file| path.join(file).is_file()),
            Some(path) => path.exists(),
            None => false,
        }
    }

    /// The absolute path of a path from the root; none if it leads out of the repository.
    pub(super) fn inside(&self, path: &str) -> Option<PathBuf> {
        let mut inside = self.root.clone();
        for part in Path::new(path).components() {
            match part {
                Component::Normal(part) => inside.push(part),
                Component::ParentDir if inside != self.root => {
                    inside.pop();
                }
                Component::ParentDir => return None,
                _ => {}
            }
        }
        // A link may lead out of it as well.
        match inside.canonicalize() {
            Ok(real) => real.starts_with(&self.root).then_some(inside),
            Err(_) => Some(inside),
        }
    }

    pub(super) fn is_this(&self, url: &str) -> bool {
        let url = plain(url);
        !url.is_empty() && (self.remotes.contains(&url) || self.by_paths.contains(&url))
    }
}

/// A URL as host, owner and name: `git@github.com:team/deploy.git` and
/// `https://github.com/team/deploy` are the same.
pub(super) fn plain(url: &str) -> String {
    let url = url.trim();
    let url = url.split_once("://").map_or(url, |(_, rest)| rest);
    let server = url.find('/').map_or(url, |at| &url[..at]);
    let url = server.rfind('@').map_or(url, |at| &url[at + 1..]);
    let (host, path) = url
        .find(['/', ':'])
        .map_or((url, ""), |at| url.split_at(at));
    // A port is no part of the path.
    let path = path.trim_start_matches([':', '/']);
    let path = match path.split_once('/') {
        Some((port, rest)) if port.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => path,
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    format!("{host}/{path}")
        .trim_end_matches('/')
        .to_lowercase()
}

fn last(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// The URLs of the remotes in the configuration of a git work tree.
fn remotes(root: &Path) -> Vec<String> {
    let beside = root.join(".git");
    // In a further work tree, `.git` is a file that names the folder.
    let folder = match std::fs::read_to_string(&beside) {
        Ok(text) => {
            let named = text
                .trim()
                .strip_prefix("gitdir:")
                .unwrap_or_default()
                .trim();
            let own = root.join(named);
            let common = std::fs::read_to_string(own.join("commondir")).unwrap_or_default();
            own.join(common.trim())
        }
        Err(_) => beside,
    };
    let text = std::fs::read_to_string(folder.join("config")).unwrap_or_default();
    let mut is_remote = false;
    let mut urls = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            is_remote = line.starts_with("[remote ");
        } else if let Some((key, url)) = line.split_once('=')
            && is_remote
            && key.trim() == "url"
        {
            urls.push(plain(url));
        }
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_the_same_however_it_is_written() {
        for url in [
            "https://github.com/Team/deploy.git",
            "git@github.com:team/deploy.git",
            "git@github.com/team/deploy",
            "ssh://git@github.com:22/team/deploy/",
            "https://user:token@github.com/team/deploy",
        ] {
            assert_eq!(plain(url), "github.com/team/deploy", "{url}");
        }
        assert_eq!(plain("https://charts.example.com"), "charts.example.com");
    }

    #[test]
    fn the_remotes_of_a_work_tree_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".git")).expect("a folder");
        let text = "[core]\n\turl = no\n[remote \"origin\"]\n\turl = git@x.org:a/b.git\n";
        std::fs::write(folder.path().join(".git/config"), text).expect("a file");
        assert_eq!(remotes(folder.path()), ["x.org/a/b"]);
        assert!(remotes(&folder.path().join("none")).is_empty());
    }
}
