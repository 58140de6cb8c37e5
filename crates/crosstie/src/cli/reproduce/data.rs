//! The data that the run read, in the fresh folder: every file compared with its recorded digest before anything runs.
//!
//! A file that the commit has is the commit's; others are taken from the project's folder, as copies, since a step may
//! write where it reads. What lies elsewhere is read where it lies. Which files is said by a record that whoever may write
//! to the run could change, so nothing is written but into the fresh tree.

use std::{
    fs,
    io::{self, Write as _},
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use pipelines::{DataFault, DataManifest};

use super::recorded::Recorded;

/// Where `path`, from the folder `project` in `tree`, lies in `tree`; `None` if that is elsewhere.
pub(super) fn inside(tree: &Path, project: &Path, path: &str) -> Option<PathBuf> {
    let mut place = project.strip_prefix(tree).ok()?.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => place.push(name),
            Component::CurDir => {}
            Component::ParentDir => place.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(tree.join(place))
}

/// Provides the data and answers how many files were compared. The project is a folder of the fresh `tree`.
///
/// # Errors
/// Names every file that is not there or has another content.
pub(super) async fn provide(recorded: &Recorded, from: &Path, tree: &Path, project: &Path) -> Result<usize> {
    let Some(manifest) = recorded.data.clone() else { return Ok(0) };
    let (from, tree, project) = (from.to_owned(), tree.to_owned(), project.to_owned());
    let provided = tokio::task::spawn_blocking(move || {
        let faults = provided(&manifest, &from, &tree, &project)?;
        Ok::<_, anyhow::Error>((manifest.files.len(), faults))
    });
    let (files, faults) = provided.await.context("the data was not compared")??;
    if faults.is_empty() {
        return Ok(files);
    }
    let told: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    bail!(
        "{} of the {files} files of data that {} was trained on are not what they were; nothing was run:{}",
        faults.len(),
        recorded.lineage.version,
        told.concat()
    )
}

fn provided(manifest: &DataManifest, from: &Path, tree: &Path, project: &Path) -> Result<Vec<DataFault>> {
    // What the commit has need not be looked for; absolute paths are the same file from everywhere.
    let absent = path_of_faults(&manifest.faults(project)?);
    let wanted = DataManifest {
        version: 1,
        files: manifest.files.clone().into_iter().filter(|(path, _)| absent.contains(path)).collect(),
    };
    let faults = wanted.faults(from)?;
    if faults.is_empty() {
        for path in wanted.files.keys().filter(|path| Path::new(path).is_relative()) {
            let to = inside(tree, project, path).with_context(|| {
                format!("the data {path} lies outside of the repository: name it by its whole path in the workflow")
            })?;
            copy(&from.join(path), &to, tree).with_context(|| format!("cannot copy {path}"))?;
        }
    }
    Ok(faults)
}

fn path_of_faults(faults: &[DataFault]) -> Vec<String> {
    let path = |fault: &DataFault| match fault {
        DataFault::Absent { path } | DataFault::Differs { path, .. } => path.clone(),
    };
    faults.iter().map(path).collect()
}

fn copy(from: &Path, to: &Path, tree: &Path) -> Result<()> {
    make_room(to, tree)?;
    fs::copy(from, to)?;
    Ok(())
}

/// Writes a file of the fresh tree, in place of what the commit has there.
pub(super) fn write(to: &Path, content: &str, tree: &Path) -> Result<()> {
    make_room(to, tree)?;
    Ok(fs::File::create_new(to)?.write_all(content.as_bytes())?)
}

/// Makes the folder of a file and takes away what is in the file's place. Whoever writes follows the commit's own links: one
/// that leads out of the tree is refused before a folder is made through it, one in the file's place goes.
fn make_room(to: &Path, tree: &Path) -> Result<()> {
    let folder = to.parent().context("it has no folder")?;
    let there = folder.ancestors().find(|folder| folder.symlink_metadata().is_ok());
    check_inside(there.context("it has no folder")?, tree)?;
    fs::create_dir_all(folder)?;
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Refuses what is not in the fresh tree once links are followed.
pub(super) fn check_inside(path: &Path, tree: &Path) -> Result<()> {
    let real = path.canonicalize().with_context(|| format!("{} leads nowhere", path.display()))?;
    ensure!(real.starts_with(tree.canonicalize()?), "{} leads out of the fresh folder", path.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(project: &Path, path: &str) -> DataManifest {
        DataManifest::collect(project, [&project.join(path)]).unwrap()
    }

    #[test]
    fn nothing_is_written_outside_of_the_fresh_tree() {
        let dir = tempfile::tempdir().unwrap();
        let (from, tree) = (dir.path().join("home/ranking"), dir.path().join("home/ranking/.crosstie/r/tree"));
        let project = tree.join("ranking");
        for folder in [&from, &project, &dir.path().join("home/shared"), &dir.path().join("data")] {
            fs::create_dir_all(folder).unwrap();
        }
        for file in ["home/shared/x", "data/x", "home/ranking/y"] {
            fs::write(dir.path().join(file), file).unwrap();
        }
        let beside = provided(&manifest(&from, "../shared/x"), &from, &tree, &project).unwrap();
        assert!(beside.is_empty() && tree.join("shared/x").is_file(), "beside the project, in the repository");
        let out = provided(&manifest(&from, "../../data/x"), &from, &tree, &project).unwrap_err().to_string();
        assert!(out.contains("../../data/x lies outside of the repository"), "{out}");
        assert!(!tree.join("../data").exists());

        // Links that the commit has.
        let (victim, linked) = (dir.path().join("victim"), manifest(&from, "y"));
        std::os::unix::fs::symlink(&victim, project.join("y")).unwrap();
        provided(&linked, &from, &tree, &project).unwrap();
        assert!(!victim.exists() && !project.join("y").is_symlink());
        fs::create_dir(&victim).unwrap();
        fs::create_dir_all(from.join("d/sub")).unwrap();
        std::os::unix::fs::symlink(&victim, project.join("d")).unwrap();
        for file in ["d/z", "d/sub/z"] {
            fs::write(from.join(file), "z").unwrap();
            let error = provided(&manifest(&from, file), &from, &tree, &project).unwrap_err();
            assert!(format!("{error:#}").contains("leads out of the fresh folder"), "{error:#}");
        }
        assert_eq!(fs::read_dir(&victim).unwrap().count(), 0, "no folder is made there either");
        write(&project.join("d/crosstie.yaml"), "version: 1", &tree).unwrap_err();
        fs::remove_dir(&victim).unwrap();
        let error = provided(&manifest(&from, "d/sub/z"), &from, &tree, &project).unwrap_err();
        assert!(format!("{error:#}").contains("leads nowhere") && !victim.exists(), "{error:#}");
    }

    #[test]
    fn a_file_is_written_in_place_of_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, victim) = (dir.path().join("tree"), dir.path().join("victim"));
        fs::create_dir(&tree).unwrap();
        fs::write(&victim, "theirs").unwrap();
        let file = tree.join("crosstie.yaml");
        std::os::unix::fs::symlink(&victim, &file).unwrap();
        for content in ["version: 1\n", "version: 1"] {
            write(&file, content, &tree).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), content);
        }
        assert!(!file.is_symlink() && fs::read_to_string(&victim).unwrap() == "theirs");
        check_inside(&tree, &tree).unwrap();
        std::os::unix::fs::symlink(dir.path(), tree.join("project")).unwrap();
        check_inside(&tree.join("project"), &tree).unwrap_err();
    }

    #[test]
    fn a_path_is_followed_without_a_look_at_the_disk() {
        let (tree, project) = (Path::new("/t"), Path::new("/t/p"));
        assert_eq!(inside(tree, project, "w/./x.yaml").as_deref(), Some(Path::new("/t/p/w/x.yaml")));
        assert_eq!(inside(tree, project, "../x.yaml").as_deref(), Some(Path::new("/t/x.yaml")));
        for outside in ["../../t/x", "/etc/passwd", "a/../../../x"] {
            assert_eq!(inside(tree, project, outside), None, "{outside}");
        }
    }
}
