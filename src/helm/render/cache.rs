//! A cache of parsed templates for later renders.

use crate::helm::Chart;
use crate::helm::files::{FileMap, Files};
use crate::memo::Memo;
use crate::source::{SourceId, Sources};
use crate::template;
use crate::template::Templates;
use crate::template::parser::Parsed;
use rustc_hash::FxHashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The parsed templates of a chart, for all its renders: each file, and the joined files of each
/// set of enabled subcharts.
#[derive(Debug, Default)]
pub struct Cache {
    /// The inner lock is held while a file is parsed, so that each file is parsed once.
    files: Mutex<FxHashMap<(Arc<str>, SourceId), Arc<Mutex<Option<ParsedFile>>>>>,
    sets: Mutex<FxHashMap<TemplateNames, Arc<OnceLock<Arc<Templates>>>>>,
    before: Arc<ParsedFiles>,
    /// What `.Files` of each chart contains, by the chart's place in memory: a chart of a thousand
    /// environments has as many files, and renders as often.
    contents: Mutex<FxHashMap<usize, Arc<FileMap>>>,
}

impl Cache {
    /// A cache that starts with files of an earlier run. Those that did not change are not parsed
    /// again.
    pub fn with(before: Arc<ParsedFiles>) -> Cache {
        Cache {
            before,
            ..Cache::default()
        }
    }

    /// What `.Files` of a chart contains.
    pub(crate) fn files(&self, chart: &Chart, sources: &Sources) -> Arc<FileMap> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        contents
            .entry(std::ptr::from_ref(chart) as usize)
            .or_insert_with(|| Arc::new(Files::of(chart, sources)))
            .clone()
    }

    /// Parses the templates of a release, with all that they define.
    pub fn parse(&self, names: &TemplateNames, sources: &Sources) -> Arc<Templates> {
        fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
            mutex.lock().unwrap_or_else(PoisonError::into_inner)
        }
        let set = locked(&self.sets).entry(names.clone()).or_default().clone();
        if let Some(templates) = set.get() {
            return templates.clone();
        }
        let parsed = |(name, source): &(Arc<str>, SourceId), slot: &mut Option<ParsedFile>| {
            let parse = || {
                let text = &sources.get(*source).text;
                let parse = || ParsedFile {
                    text: text.clone(),
                    parsed: Arc::new(template::parse(name, *source, text.clone())),
                };
                self.before
                    .get((name.clone(), *source), |kept| kept.text == *text, parse)
            };
            slot.get_or_insert_with(parse).parsed.clone()
        };
        let slots: Vec<_> = {
            let mut files = locked(&self.files);
            names
                .iter()
                .map(|file| files.entry(file.clone()).or_default().clone())
                .collect()
        };
        let all = set.get_or_init(|| {
            let files = names
                .iter()
                .zip(&slots)
                .map(|(file, slot)| parsed(file, &mut locked(slot)));
            Arc::new(Templates::from_parsed(files))
        });
        all.clone()
    }
}

/// Parsed files by Helm's name and source.
pub(crate) type ParsedFiles = Memo<(Arc<str>, SourceId), ParsedFile>;

/// A parsed file with all templates that it defines.
#[derive(Clone, Debug)]
pub struct ParsedFile {
    text: Arc<[u8]>,
    parsed: Arc<Parsed>,
}

/// The names and texts of a set of templates, in the order of parsing.
pub(super) type TemplateNames = Vec<(Arc<str>, SourceId)>;
