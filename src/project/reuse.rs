//! What one run of a chart leaves to the next. The editor asks again after every keystroke, and
//! between two of them almost nothing changes.

use crate::diagnostic::{Diagnostic, Versions};
use crate::helm::render::{Output, ParsedFiles};
use crate::limits::Limits;
use crate::manifest::{self, Object, Violation};
use crate::memo::Memo;
use crate::source::SourceId;
use std::sync::Arc;

/// Objects read from a text, and what was wrong with it.
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

/// All that is kept of a chart under one configuration. The default keeps nothing.
#[derive(Debug, Default)]
pub struct Reuse {
    pub(crate) parsed: Arc<ParsedFiles>,
    /// By the text, the environment and the versions that it is for.
    manifests: Memo<(SourceId, Option<u16>, Option<Versions>), Arc<Manifests>>,
    /// By what else they rest on, and the object's fingerprint.
    pub(crate) judged: Memo<(u64, u64), Arc<[Violation]>>,
}

impl Reuse {
    /// What is read from a text, where it was not read before for the same environment and
    /// versions.
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

    /// For the next run, of the same chart under the same configuration: what this one made and
    /// used.
    pub fn next(&self) -> Reuse {
        Reuse {
            parsed: Arc::new(self.parsed.next()),
            manifests: self.manifests.next(),
            judged: self.judged.next(),
        }
    }
}
