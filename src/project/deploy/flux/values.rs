//! The values of a HelmRelease: `valuesFiles` of its chart, then `valuesFrom` in its order, then
//! `values`. What a Secret holds is not known.

use super::super::application::{Text, text};
use super::super::release::{Declaring, Parameter, Release, Values};
use super::chart::values_files;
use super::{Declared, Given, Tree, is_config_map};
use crate::FlagKind;
use crate::manifest;
use crate::manifest::Object;
use crate::source::paths::from_here;
use crate::source::{Source, SourceKind};
use crate::yaml::Node;
use rustc_hash::FxHashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The key of values where none is said.
const KEY: &str = "values.yaml";

/// A reference in `valuesFrom`.
struct From {
    name: Text,
    key: String,
    path: Option<Text>,
    is_optional: bool,
}

impl Tree<'_, '_> {
    /// Adds the values; `Err` says why they are not known.
    pub(super) fn values(
        &mut self,
        declared: &Declared,
        spec: &Node,
        given: Option<&Given<'_>>,
        release: &mut Release,
    ) -> Result<(), String> {
        for name in values_files(spec) {
            let file = self
                .reading
                .repository
                .inside(&name)
                .filter(|f| f.is_file());
            if let Some(file) = file {
                release.values.push(Values::file(from_here(&file)));
            }
        }
        for from in spec.get("valuesFrom").map(Node::items).unwrap_or_default() {
            let Some(name) = text(from, "name") else {
                continue;
            };
            let reference = From {
                name,
                key: text(from, "valuesKey").map_or(KEY.into(), |(key, _)| key),
                path: text(from, "targetPath"),
                is_optional: from.get("optional").and_then(Node::as_bool) == Some(true),
            };
            match text(from, "kind").map(|(kind, _)| kind).as_deref() {
                Some("ConfigMap") => self.of_map(declared, &reference, given, release)?,
                _ => of_secret(&reference, release)?,
            }
        }
        if let Some(values) = spec.get("values").filter(|v| !v.entries().is_empty()) {
            release
                .values
                .push(Values::Inline(Arc::new(values.clone())));
        }
        Ok(())
    }

    /// The values in a ConfigMap.
    fn of_map(
        &mut self,
        declared: &Declared,
        from: &From,
        given: Option<&Given<'_>>,
        release: &mut Release,
    ) -> Result<(), String> {
        let (name, span) = &from.name;
        let near = self.reading.root.join(&declared.file);
        let folder = given.map_or(near.parent().unwrap_or(&near), |given| given.folder);
        let generated = self.kustomizations.generated(name, folder).cloned();
        if let Some(files) = generated {
            return match files.get(&from.key).filter(|_| from.path.is_none()) {
                Some(file) => {
                    release.values.push(Values::file(from_here(file)));
                    Ok(())
                }
                None => Err(format!("what the ConfigMap {name} holds is not known")),
            };
        }
        let of_given = given.map_or(&[][..], |given| given.objects);
        let applied = of_given.iter().find(|o| is_config_map(o, name)).cloned();
        let Some(map) = applied.or_else(|| self.map_elsewhere(name, &declared.file, release))
        else {
            let message = format!("no ConfigMap {name} is declared in this repository");
            if !from.is_optional && !name.contains("${") && !self.kustomizations.fetch() {
                let help = "Correct the name, add the ConfigMap, or set `optional`.";
                self.fault(declared, *span, message.clone(), help);
            }
            return if from.is_optional {
                Ok(())
            } else {
                Err(message)
            };
        };
        let value = map.root.get("data").and_then(|data| data.get(&from.key));
        let Some(value) = value else {
            let message = format!("the ConfigMap {name} has no key {}", from.key);
            if !from.is_optional {
                let help = "Correct `valuesKey`, or add the key to the ConfigMap.";
                self.fault(declared, *span, message.clone(), help);
            }
            return if from.is_optional {
                Ok(())
            } else {
                Err(message)
            };
        };
        if let Some(path) = &from.path {
            let value = value.as_str().unwrap_or_default().to_owned();
            release.parameters.push(Parameter {
                kind: FlagKind::Set,
                name: path.clone(),
                value: (value, *span),
            });
            return Ok(());
        }
        let read = Values::text(value, &release.place.texts.sources);
        release.values.push(read.map_err(|error| {
            format!(
                "{} of the ConfigMap {name} is no YAML: {}",
                from.key, error.message
            )
        })?);
        Ok(())
    }

    /// A ConfigMap that another file declares; that file becomes one of the texts of the release.
    fn map_elsewhere(&mut self, name: &str, near: &str, release: &mut Release) -> Option<Object> {
        let file = self.file_of_map(name, near)?;
        let mut texts = Declaring {
            sources: release.place.texts.sources.clone(),
            values: release.place.texts.values.clone(),
        };
        let text = texts.sources.read_file(&file).ok()?;
        let shown: Arc<str> = file.display().to_string().into();
        let source = Source::new(shown.clone(), text, SourceKind::Deployment);
        let id = texts.sources.add(source);
        let (text, limits) = (&texts.sources.get(id).text, &texts.sources.limits);
        let objects = manifest::read_within(text, id, &shown, None, limits, &mut Vec::new());
        let map = objects.into_iter().find(|o| is_config_map(o, name))?;
        release.place.texts = Arc::new(texts);
        Some(map)
    }

    /// The file that declares a ConfigMap; of several, the one nearest to `near`.
    pub(super) fn file_of_map(&mut self, name: &str, near: &str) -> Option<PathBuf> {
        if self.names_of_maps.is_none() {
            let mut names: FxHashMap<String, Vec<PathBuf>> = FxHashMap::default();
            for file in self.maps {
                let objects = Declaring::file(file, self.reading.sources());
                for object in objects.into_iter().flat_map(|(_, objects)| objects) {
                    if is_config_map(&object, &object.identity.name) {
                        let of = names.entry(object.identity.name.to_string()).or_default();
                        of.push(file.clone());
                    }
                }
            }
            self.names_of_maps = Some(names);
        }
        let files = self.names_of_maps.as_ref()?.get(name)?;
        let near = self.reading.root.join(near);
        let common = |file: &PathBuf| {
            let whole = crate::source::Unsaved::key(file);
            let parts = whole.iter().zip(Path::iter(&near));
            parts.take_while(|(a, b)| a == b).count()
        };
        files.iter().max_by_key(|file| common(file)).cloned()
    }
}

/// A value in a Secret is a variable that is never known, so that no finding rests on it. Which
/// values a whole file in a Secret sets is not known either.
fn of_secret(from: &From, release: &mut Release) -> Result<(), String> {
    let (name, span) = &from.name;
    let Some(path) = &from.path else {
        return match from.is_optional {
            true => Ok(()),
            false => Err(format!(
                "its values are in the Secret {name}, which is not known"
            )),
        };
    };
    let letters = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let variable: String = name.chars().map(letters).collect();
    release.parameters.push(Parameter {
        kind: FlagKind::String,
        name: path.clone(),
        value: (format!("${{SECRET_{variable}}}"), *span),
    });
    Ok(())
}
