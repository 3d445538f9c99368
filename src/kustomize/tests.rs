//! Each folder of `fixtures/kustomize` has kustomizations, one of them in `overlay`, and in
//! `expect.yaml` what `kustomize build overlay` prints.

use super::*;
use crate::manifest::documents_of;
use crate::yaml::{Data, Node};
use std::process::Command;

/// A tree as a text that does not depend on the order of keys.
fn canonical(node: &Node) -> String {
    match &node.data {
        Data::Map(entries) => {
            let mut texts: Vec<String> = entries
                .iter()
                .map(|e| format!("{:?}: {}", e.key, canonical(&e.value)))
                .collect();
            texts.sort();
            format!("{{{}}}", texts.join(",\n"))
        }
        Data::Seq(items) => {
            let texts: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", texts.join(",\n"))
        }
        scalar => format!("{scalar:?}"),
    }
}

/// What we build, each object as a text.
fn built(folder: &Path) -> Result<Vec<String>, Unbuilt> {
    let mut sources = Sources::default();
    let shown = |file: &Path| file.to_path_buf();
    let mut texts = Texts::new(&mut sources, SourceKind::Manifest, &shown);
    let bound = crate::source::paths::work_tree(folder).unwrap_or(Path::new("/"));
    let built = build(folder, bound, None, &mut texts)?;
    if let Some(unbuilt) = built.incomplete {
        return Err(unbuilt);
    }
    let mut all: Vec<String> = built.objects.iter().map(|o| canonical(&o.root)).collect();
    all.sort();
    Ok(all)
}

fn read(text: &[u8]) -> Vec<String> {
    let limits = &crate::limits::Limits::default();
    let roots = documents_of(text, SourceId::new(0, 0), limits);
    let roots = roots.into_iter().flatten().filter(|node| !node.is_null());
    let mut all: Vec<String> = roots.map(|node| canonical(&node)).collect();
    all.sort();
    all
}

/// The first line in which two texts differ.
fn difference(ours: &[String], theirs: &[String]) -> Option<String> {
    let (ours, theirs) = (ours.join("\n---\n"), theirs.join("\n---\n"));
    let mut lines = ours.lines().zip(theirs.lines());
    let first = lines.find(|(a, b)| a != b);
    let of_both = first.map(|(a, b)| format!("{a}\n    instead of {b}"));
    of_both.or_else(|| (ours.len() != theirs.len()).then(|| "one has more".to_owned()))
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kustomize");
    let folders = std::fs::read_dir(folder).expect("fixtures").flatten();
    folders.map(|entry| entry.path()).collect()
}

/// What kustomize itself prints. None if it fails.
fn by_kustomize(folder: &Path) -> Option<Vec<u8>> {
    let program = std::env::var_os("KUSTOMIZE").unwrap_or("kustomize".into());
    let mut command = Command::new(program);
    command.args(["build", "--load-restrictor", "LoadRestrictionsNone"]);
    let output = command.arg(folder).output().expect("kustomize");
    output.status.success().then_some(output.stdout)
}

#[test]
fn the_objects_are_those_that_kustomize_builds() {
    for folder in fixtures() {
        let expect = std::fs::read(folder.join("expect.yaml")).expect("expect.yaml");
        let ours = built(&folder.join("overlay")).expect("built");
        let difference = difference(&ours, &read(&expect));
        assert_eq!(difference, None, "{}", folder.display());
    }
}

/// `KUSTOMIZATIONS` names folders with more kustomizations. The count of those that are equal is
/// printed, with what differs.
#[test]
#[ignore]
fn needs_kustomize_the_objects_are_equal() {
    for folder in fixtures() {
        let theirs = by_kustomize(&folder.join("overlay")).expect("built");
        let expect = folder.join("expect.yaml");
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&expect, &theirs).expect("written");
        }
        let known = std::fs::read(&expect).expect("expect.yaml");
        assert_eq!(read(&theirs), read(&known), "{}", folder.display());
    }
    let (mut equal, mut wrong, mut open, mut all) = (0, 0, 0, 0);
    for folder in std::env::split_paths(&std::env::var_os("KUSTOMIZATIONS").unwrap_or_default()) {
        for entry in ignore::WalkBuilder::new(folder).build().flatten() {
            let name = entry.file_name().to_string_lossy();
            if !super::FILES.contains(&&*name) {
                continue;
            }
            let folder = entry.path().parent().expect("a folder");
            let Some(theirs) = by_kustomize(folder) else {
                continue;
            };
            all += 1;
            match built(folder) {
                Err(unbuilt) => {
                    open += 1;
                    println!("open {}: {}", folder.display(), unbuilt.why);
                }
                Ok(ours) => match difference(&ours, &read(&theirs)) {
                    None => equal += 1,
                    Some(difference) => {
                        wrong += 1;
                        println!("wrong {}:\n    {difference}", folder.display());
                    }
                },
            }
        }
    }
    println!("{equal} of {all} are equal, {wrong} differ, {open} are not built");
    assert_eq!(wrong, 0);
}
