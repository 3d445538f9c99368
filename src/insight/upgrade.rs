//! Whether the upgrade from one revision of a chart to the next will go through: what the API server
//! refuses to change, what Helm refuses, deletes, or leaves as it is. Objects are compared in pairs:
//! the one that Helm finds in the cluster is the one with the same kind, namespace and name.
//!
//! Source of what Helm does: helm 3.22 and 4.3, `pkg/action/upgrade.go`, `pkg/action/hooks.go`,
//! `pkg/action/validate.go`, `pkg/kube/client.go`.

use super::diff::Deployment;
use crate::diagnostic::{Diagnostic, RuleId, Severity, ids};
use crate::kubernetes::schema;
use crate::kubernetes::update::{self, Refusal};
use crate::manifest::{Object, Violation};
use crate::rule::object_set::get;
use crate::source::Span;
use crate::yaml::{Data, Node, Path};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Group, kind, namespace and name: what Helm and the server know an object by.
type Key<'o> = (&'o str, &'o str, &'o str, &'o str);
type Objects<'o> = BTreeMap<Key<'o>, &'o Object>;

/// The faults of the upgrade of one environment, with spans in the texts of the new revision.
pub(crate) fn judge(from: &Deployment<'_>, to: &Deployment<'_>) -> Vec<Diagnostic> {
    let (Some(_), Some(environment)) = (from.environment, to.environment) else {
        // Nothing is deployed yet, or nothing will be.
        return Vec::new();
    };
    let upgrade = Upgrade { from, to };
    let (old, new) = (objects(from), objects(to));
    let mut found = Vec::new();
    for (key, object) in &new {
        match old.get(key) {
            Some(before) => upgrade.pair(before, object, &mut found),
            None => upgrade.added(object, &mut found),
        }
    }
    for (_, object) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        upgrade.removed(object, &new, &mut found);
    }
    for diagnostic in &mut found {
        diagnostic.environment = Some(environment as u16);
    }
    found
}

/// The objects of an environment that have a name of their own.
fn objects<'r>(side: &Deployment<'r>) -> Objects<'r> {
    let Some(environment) = side
        .environment
        .and_then(|i| side.rendering.environments.get(i))
    else {
        return Objects::new();
    };
    let rendering = side.rendering;
    let of =
        |o: &&Object| o.environment.map(usize::from) == side.environment && !side.is_volatile(o);
    let rendered = rendering.objects().filter(of);
    rendered
        .chain(&rendering.crds)
        .map(|object| {
            let identity = &object.identity;
            let (group, _) = schema::split_api_version(&identity.api_version);
            let namespace = identity
                .namespace
                .as_deref()
                .unwrap_or(&environment.namespace);
            ((group, &*identity.kind, namespace, &*identity.name), object)
        })
        .collect()
}

struct Upgrade<'a, 'r> {
    from: &'a Deployment<'r>,
    to: &'a Deployment<'r>,
}

impl Upgrade<'_, '_> {
    fn pair(&self, old: &Object, new: &Object, found: &mut Vec<Diagnostic>) {
        match (old.from_crds, new.from_crds) {
            (true, true) => self.definition(old, new, found),
            (true, false) => found.push(self.foreign(new, "Helm has installed it from crds/")),
            (false, true) => found.push(self.deleted(
                new,
                "the upgrade deletes it, and all of its custom resources: Helm does not install crds/ on an upgrade".into(),
                "set `helm.sh/resource-policy: keep` in a revision before the one that moves it to crds/",
            )),
            (false, false) => match (old.hooks.is_empty(), new.hooks.is_empty()) {
                (true, true) => {
                    let versions = self.to.rendering.versions;
                    let refused = update::check(old, new, versions).into_iter();
                    found.extend(refused.map(|refusal| self.refused(old, new, &refusal)));
                    self.kept(old, new, found);
                }
                (false, true) if stays(old) => found.push(self.foreign(
                    new,
                    "it was a hook, which Helm does not count as part of the release",
                )),
                (true, false) => self.hooked(new, found),
                _ => {}
            },
        }
    }

    /// A change that the API server refuses.
    fn refused(&self, old: &Object, new: &Object, refusal: &Refusal) -> Diagnostic {
        let was = value(self.from, old, &refusal.at, refusal.old.as_ref());
        let is = value(self.to, new, &refusal.at, refusal.new.as_ref());
        let others = match refusal.others {
            0 => String::new(),
            1 => "; one more place differs".into(),
            n => format!("; {n} more places differ"),
        };
        let place = match refusal.at.get(&old.root) {
            Some(_) => {
                let (file, line) = self.from.origin(refusal.at.place(&old.root));
                format!(" ({file}:{line})")
            }
            None => String::new(),
        };
        let message = format!(
            "the API server will refuse the upgrade: {}: {}; {} was {was}{place} and is now {is}{others}",
            refusal.field, refusal.reason, refusal.at
        );
        let versions = self.to.rendering.versions;
        new.place(Violation {
            rule: ids::UPGRADE_REFUSED,
            severity: Severity::Error,
            message,
            help: Some(refusal.remedy.help(&new.identity.kind, &new.identity.name)),
            path: refusal.at.clone(),
            at_key: false,
            kubernetes: (refusal.versions != versions).then_some(refusal.versions),
        })
    }

    /// An object that is in the cluster without Helm's marks of ownership.
    fn foreign(&self, new: &Object, why: &str) -> Diagnostic {
        let (kind, name) = (&new.identity.kind, &new.identity.name);
        let message = format!(
            "Helm will refuse the upgrade: {kind}/{name} exists and cannot be imported into the release; {why}"
        );
        about(new, ids::UPGRADE_REFUSED, message).help(format!(
            "delete it before the upgrade (`kubectl delete {} {name}`), upgrade with --take-ownership, or give the new one another name",
            kind.to_lowercase()
        ))
    }

    fn deleted(&self, object: &Object, message: String, help: &str) -> Diagnostic {
        about(object, ids::UPGRADE_DELETES_OBJECT, message).help(help)
    }

    /// An object that has become a hook. Helm deletes what the last revision had and this one has
    /// not, after the hooks before an upgrade and before those after it.
    fn hooked(&self, new: &Object, found: &mut Vec<Diagnostic>) {
        let runs = |event: &str| new.hooks.iter().any(|hook| &**hook == event);
        // What runs to its end is not missed afterwards.
        let is_done = matches!(&*new.identity.kind, "Job" | "Pod");
        if runs("post-upgrade") || is_done {
            return;
        }
        let events = new.hooks.join(", ");
        let message = match runs("pre-upgrade") {
            true => format!(
                "the upgrade deletes it: it has become a hook ({events}), and Helm deletes the object of the last revision after that hook"
            ),
            false => format!(
                "the upgrade deletes it: it has become a hook that an upgrade does not run ({events})"
            ),
        };
        let help = "keep it as an object of the release, or give the hook another name";
        found.push(self.deleted(new, message, help));
    }

    /// What the server or Helm keeps although the new revision does not write it any more.
    fn kept(&self, old: &Object, new: &Object, found: &mut Vec<Diagnostic>) {
        match &*new.identity.kind {
            "Service" => self.headless(old, new, found),
            "Secret" => self.keys(old, new, found),
            _ => {}
        }
    }

    fn headless(&self, old: &Object, new: &Object, found: &mut Vec<Diagnostic>) {
        let text = |object: &Object, path: &str| {
            get(&object.root, path)
                .and_then(Node::as_str)
                .map(str::to_owned)
        };
        let was_headless = text(old, "spec.clusterIP").is_some_and(|ip| ip == "None");
        let is_open = get(&new.root, "spec.clusterIP").is_none_or(Node::is_null)
            && get(&new.root, "spec.clusterIPs").is_none();
        let kind = text(new, "spec.type").unwrap_or_default();
        if was_headless && is_open && matches!(&*kind, "" | "ClusterIP") {
            let name = &new.identity.name;
            let message = format!(
                "Service/{name} stays headless: the server keeps `clusterIP: None` where a patch does not name it"
            );
            let help = format!("delete it before the upgrade (`kubectl delete service {name}`)");
            found.push(at(new, "spec", ids::UPGRADE_WITHOUT_EFFECT, message).help(help));
        }
    }

    /// The server adds the keys of `stringData` to `data`, and a patch that takes one away takes
    /// away nothing.
    fn keys(&self, old: &Object, new: &Object, found: &mut Vec<Diagnostic>) {
        let has =
            |field: &str, key: &str| get(&new.root, field).is_some_and(|n| n.get(key).is_some());
        let texts = get(&old.root, "stringData").map_or(&[][..], Node::entries);
        let kept: Vec<&str> = texts
            .iter()
            .map(|entry| &*entry.key)
            .filter(|key| !has("stringData", key) && !has("data", key))
            .collect();
        if !kept.is_empty() {
            let message = format!(
                "Secret/{} keeps {}: a key that leaves `stringData` stays in the cluster",
                new.identity.name,
                kept.join(", ")
            );
            let help = "delete the Secret before the upgrade, or write secrets as `data`";
            found.push(at(new, "stringData", ids::UPGRADE_WITHOUT_EFFECT, message).help(help));
        }
    }

    /// A definition in `crds/` that has changed.
    fn definition(&self, old: &Object, new: &Object, found: &mut Vec<Diagnostic>) {
        if old.fingerprint != new.fingerprint {
            found.push(self.uninstalled(
                new,
                "Helm does not update the changed definitions in crds/: it installs them only with the first install",
            ));
        }
    }

    fn added(&self, new: &Object, found: &mut Vec<Diagnostic>) {
        if new.from_crds {
            found.push(self.uninstalled(
                new,
                "the upgrade does not install the new definitions in crds/: Helm installs them only with the first install",
            ));
        }
    }

    fn uninstalled(&self, new: &Object, message: &str) -> Diagnostic {
        let help = "apply the folder before the upgrade: `kubectl apply --server-side -f crds/`";
        about(new, ids::UPGRADE_WITHOUT_EFFECT, message.into()).help(help)
    }

    /// An object that the new revision does not have.
    fn removed(&self, old: &Object, new: &Objects<'_>, found: &mut Vec<Diagnostic>) {
        let annotation =
            get(&old.root, "metadata.annotations").and_then(|a| a.get("helm.sh/resource-policy"));
        let is_kept = annotation
            .and_then(Node::as_str)
            .is_some_and(|policy| policy.trim().eq_ignore_ascii_case("keep"));
        if !old.hooks.is_empty() || old.from_crds || is_kept {
            return;
        }
        let (kind, name) = (&*old.identity.kind, &*old.identity.name);
        let (what, help) = match kind {
            "PersistentVolumeClaim" => ("and the data of its volume", KEEP),
            "Namespace" => ("and everything in it", KEEP),
            "CustomResourceDefinition" => ("and all of its custom resources", KEEP),
            "StatefulSet" => match self.successor(old, new) {
                Some(next) => {
                    let message = format!(
                        "the upgrade deletes StatefulSet/{name} and makes StatefulSet/{} instead, whose pods get new volumes: the data stays in the claims of the old one",
                        next.identity.name
                    );
                    found.push(self.deleted(
                        next,
                        message,
                        "keep the name, or copy the data to the new claims",
                    ));
                    return;
                }
                None => return,
            },
            _ => return,
        };
        let (file, line) = self
            .from
            .origin(Path::parse("metadata.name").place(&old.root));
        let message = format!("the upgrade deletes {kind}/{name} ({file}:{line}) {what}");
        let head = self.to.rendering.chart.head();
        found.extend(head.map(|head| {
            Diagnostic {
                object: Some(old.identity.clone()),
                ..Diagnostic::new(
                    ids::UPGRADE_DELETES_OBJECT,
                    Severity::Warning,
                    head,
                    message,
                )
            }
            .help(help)
        }));
    }

    /// The StatefulSet that takes the place of one with another name: it has volumes of the same
    /// names, and only this one is new.
    fn successor<'o>(&self, old: &Object, new: &Objects<'o>) -> Option<&'o Object> {
        let claims = |object: &Object| -> Vec<String> {
            let all = get(&object.root, "spec.volumeClaimTemplates").map_or(&[][..], Node::items);
            let names = all
                .iter()
                .filter_map(|claim| get(claim, "metadata.name")?.as_str());
            names.map(str::to_owned).collect()
        };
        let (wanted, before) = (claims(old), objects(self.from));
        let is_next = |(key, object): &(&Key<'o>, &&'o Object)| {
            let is_set = key.1 == "StatefulSet" && !before.contains_key(*key);
            is_set && !wanted.is_empty() && claims(object) == wanted
        };
        let mut all = new.iter().filter(is_next);
        let (first, second) = (all.next(), all.next());
        first
            .filter(|_| second.is_none())
            .map(|(_, object)| *object)
    }
}

const KEEP: &str = "if that is meant, ignore this; otherwise set `helm.sh/resource-policy: keep` in a revision before this one";

/// Whether the object of a hook is still in the cluster when the next upgrade begins.
fn stays(hook: &Object) -> bool {
    let ran = |event: &str| hook.hooks.iter().any(|hook| &**hook == event);
    let annotation =
        get(&hook.root, "metadata.annotations").and_then(|a| a.get("helm.sh/hook-delete-policy"));
    let policies = annotation.and_then(Node::as_str).unwrap_or_default();
    let is_deleted = policies
        .split(',')
        .any(|policy| policy.trim().eq_ignore_ascii_case("hook-succeeded"));
    !is_deleted
        && ["pre-install", "post-install"]
            .iter()
            .any(|event| ran(event))
}

/// A finding about a whole object.
fn about(object: &Object, rule: RuleId, message: String) -> Diagnostic {
    at(object, "metadata.name", rule, message)
}

fn at(object: &Object, path: &str, rule: RuleId, message: String) -> Diagnostic {
    let severity = match rule == ids::UPGRADE_REFUSED {
        true => Severity::Error,
        false => Severity::Warning,
    };
    object.place(Violation {
        rule,
        severity,
        message,
        help: None,
        path: Path::parse(path),
        at_key: false,
        kubernetes: None,
    })
}

/// A value as its manifest has it; if it is not there, its default.
fn value(side: &Deployment<'_>, object: &Object, path: &Path, default: Option<&Data>) -> String {
    /// Longer texts are cut.
    const MOST: usize = 80;
    let written = path.get(&object.root).filter(|node| !node.is_null());
    let text = match (written, default) {
        (Some(node), _) => {
            let shown = side.show(node.span);
            let text = match (&node.data, &shown) {
                // Without the quotes of YAML.
                (Data::Str(text), Cow::Borrowed(_)) => text,
                _ => shown.trim(),
            };
            let mut lines = text.lines();
            let first = lines.next().unwrap_or_default().to_owned();
            if lines.next().is_some() {
                first + " …"
            } else {
                first
            }
        }
        (None, Some(Data::Str(text))) => text.to_string(),
        (None, Some(Data::Bool(b))) => b.to_string(),
        (None, Some(Data::Int(n))) => n.to_string(),
        (None, _) => return "not set".into(),
    };
    let cut: String = text.chars().take(MOST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("`{cut}{more}`")
}

impl Deployment<'_> {
    /// Whether another render gives the object another name: Helm then never changes it.
    fn is_volatile(&self, object: &Object) -> bool {
        let name: Span = Path::parse("metadata.name").place(&object.root);
        let trace = self.sources.trace(name);
        let is_numbered = |place: &Span| {
            memchr::memmem::find(self.sources.text(*place), b".Release.Revision").is_some()
        };
        let renders = self.rendering.renders.iter();
        let mut calls = renders.flat_map(|render| &render.rendered.record.volatile);
        trace.templates.iter().any(is_numbered)
            || calls.any(|call| trace.templates.iter().any(|place| place.holds(*call)))
    }
}
