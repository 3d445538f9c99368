//! Results of one run of a chart that the next run reuses. The editor lints after every keystroke,
//! and almost nothing changes between two of them.

use crate::diagnostic::{Diagnostic, Versions};
use crate::helm::render::{Output, ParsedFiles};
use crate::limits::Limits;
use crate::manifest::{self, Object, Violation};
use crate::memo::Memo;
use crate::project::dependencies::Indexes;
use crate::project::deploy::Known;
use crate::source::SourceId;
use std::sync::Arc;

/// The objects of a text, and the faults found while reading it.
#[derive(Clone, Debug)]
pub(crate) struct Manifests {
    text: Arc<[u8]>,
    template: Arc<str>,
    pub objects: Vec<Object>,
    pub problems: Vec<Diagnostic>,
}

impl Manifests {
    /// See [`manifest::read_within`].
    pub(crate) fn read(
        text: &Arc<[u8]>,
        output: &Output,
        environment: Option<u16>,
        limits: &Limits,
    ) -> Manifests {
        let mut problems = Vec::new();
        let objects = manifest::read_within(
            text,
            output.text,
            &output.name,
            environment,
            limits,
            &mut problems,
        );
        Manifests {
            text: text.clone(),
            template: output.name.clone(),
            objects,
            problems,
        }
    }
}

/// The cached results for a chart under one configuration. The default caches nothing.
#[derive(Debug, Default)]
pub struct Reuse {
    pub(crate) parsed: Arc<ParsedFiles>,
    /// By text, environment and versions.
    manifests: Memo<(SourceId, Option<u16>, Option<Versions>), Arc<Manifests>>,
    /// By the hash of the context (see `lint::judge`) and the fingerprint of the object.
    pub(crate) judged: Memo<(u64, u64), Arc<[Violation]>>,
    /// The charts in the repository. It is kept in any case: all units of a run use it.
    pub(crate) indexes: Arc<Indexes>,
    /// What repositories deploy, kept for the same reason.
    pub(crate) deployments: Arc<Known>,
}

impl Reuse {
    /// The objects of a text, from the cache if the same text was read before for the same
    /// environment and versions.
    pub(crate) fn manifests(
        &self,
        text: &Arc<[u8]>,
        output: &Output,
        environment: Option<u16>,
        holds: Option<Versions>,
        read: impl FnOnce() -> Manifests,
    ) -> Manifests {
        let same = |kept: &Arc<Manifests>| kept.text == *text && kept.template == output.name;
        Arc::unwrap_or_clone(
            self.manifests
                .get((output.text, environment, holds), same, || Arc::new(read())),
        )
    }

    /// Forgets what was read of repositories, because files may have changed.
    pub(crate) fn forget_repositories(&self) {
        self.indexes.forget();
        self.deployments.forget();
    }

    /// The cache for the next run of the same chart under the same configuration: the entries that
    /// this run added or used.
    pub fn next(&self) -> Reuse {
        Reuse {
            parsed: Arc::new(self.parsed.next()),
            manifests: self.manifests.next(),
            judged: self.judged.next(),
            indexes: self.indexes.clone(),
            deployments: self.deployments.clone(),
        }
    }
}
