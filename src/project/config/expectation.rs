//! Reads an entry of `expect:` into an [`Expectation`].

use super::{EXPECTATION, RESOURCES, Reader};
use crate::diagnostic::did_you_mean;
use crate::kubernetes::quantity::Quantity;
use crate::rule::expectation::{Autoscaling, Expectation, Resources};
use crate::yaml::{Data, Entry, Node};
use std::collections::BTreeMap;

/// The resources that need no domain in front of their name.
const NATIVE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

impl Reader<'_> {
    pub(super) fn expectation(&mut self, entry: &Entry) -> Expectation {
        let node = &entry.value;
        if !entry.key.contains('/') {
            self.fault(
                entry.key_span,
                format!(
                    "`{}` must be KIND/NAME, as in `Deployment/*-backend`",
                    entry.key
                ),
                None,
            );
        }
        self.keys(node, "an expectation", EXPECTATION);
        let own = self.resources(node);
        let mut containers = BTreeMap::new();
        for container in self.entries(node.get("containers"), "`containers`") {
            self.keys(&container.value, "a container's expectation", RESOURCES);
            let resources = self.resources(&container.value);
            containers.insert(container.key.to_string(), resources);
        }
        Expectation {
            pattern: entry.key.to_string(),
            replicas: node.get("replicas").and_then(|n| self.replicas(n)),
            autoscaling: node.get("autoscaling").and_then(|n| self.autoscaling(n)),
            requests: own.requests,
            limits: own.limits,
            containers,
            storage: node
                .get("storage")
                .and_then(|n| self.quantity(n, "`storage`")),
            storage_class: node
                .get("storage-class")
                .and_then(|n| self.text(n, "`storage-class`")),
            declared: Some(entry.key_span),
        }
    }

    fn replicas(&mut self, node: &Node) -> Option<i64> {
        let number = node.as_i64().filter(|n| *n >= 0);
        if number.is_none() {
            self.fault(
                node.span,
                "`replicas` must be a whole number that is not negative",
                None,
            );
        }
        number
    }

    fn autoscaling(&mut self, node: &Node) -> Option<Autoscaling> {
        if node.as_bool() == Some(false) {
            return Some(Autoscaling::None);
        }
        let range = match node.items() {
            [min, max] => min.as_i64().zip(max.as_i64()),
            _ => None,
        };
        match range {
            Some((min, max)) if min <= max => return Some(Autoscaling::Between(min, max)),
            Some((min, max)) => self.fault(
                node.span,
                format!("`autoscaling` must be [min, max], and {min} is more than {max}"),
                None,
            ),
            None => self.fault(
                node.span,
                "`autoscaling` must be [min, max], or false for no autoscaler",
                None,
            ),
        }
        None
    }

    fn resources(&mut self, node: &Node) -> Resources {
        Resources {
            requests: self.quantities(node.get("requests"), "`requests`"),
            limits: self.quantities(node.get("limits"), "`limits`"),
        }
    }

    fn quantities(&mut self, node: Option<&Node>, what: &str) -> BTreeMap<String, Quantity> {
        let mut all = BTreeMap::new();
        for entry in self.entries(node, what) {
            let name = &*entry.key;
            if !NATIVE.contains(&name) && !name.contains('/') && !name.starts_with("hugepages-") {
                let near = did_you_mean(name, NATIVE).map(|near| format!("did you mean `{near}`?"));
                let known = || {
                    "a resource is cpu, memory, ephemeral-storage, hugepages-SIZE or DOMAIN/NAME"
                        .to_string()
                };
                self.fault(
                    entry.key_span,
                    format!("unknown resource `{name}` in {what}"),
                    near.or_else(|| Some(known())),
                );
                continue;
            }
            if let Some(quantity) = self.quantity(&entry.value, &format!("`{name}`")) {
                all.insert(name.to_string(), quantity);
            }
        }
        all
    }

    fn quantity(&mut self, node: &Node, what: &str) -> Option<Quantity> {
        let quantity = match node.data {
            Data::Null => None,
            _ => Quantity::of(node),
        };
        if quantity.is_none() {
            self.fault(
                node.span,
                format!("{what} must be a quantity, as in 500m, 2 or 1Gi"),
                None,
            );
        }
        quantity
    }
}
