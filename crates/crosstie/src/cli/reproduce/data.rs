//! The data that the run read, in the fresh folder: every file compared with its recorded digest before anything runs.
//!
//! A file that the commit has is the commit's; others are taken from the project's folder, as copies, since a step may
//! write where it reads. What lies elsewhere is read where it lies.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use pipelines::{DataFault, DataManifest};

use super::recorded::Recorded;

/// Provides the data and answers how many files were compared.
///
/// # Errors
/// Names every file that is not there or has another content.
pub(super) async fn provide(recorded: &Recorded, from: &Path, project: &Path) -> Result<usize> {
    let Some(manifest) = recorded.data.clone() else { return Ok(0) };
    let (from, project) = (from.to_owned(), project.to_owned());
    let provided = tokio::task::spawn_blocking(move || {
        let faults = provided(&manifest, &from, &project)?;
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

fn provided(manifest: &DataManifest, from: &Path, project: &Path) -> Result<Vec<DataFault>> {
    // What the commit has need not be looked for; absolute paths are the same file from everywhere.
    let absent = path_of_faults(&manifest.faults(project)?);
    let wanted = DataManifest {
        version: 1,
        files: manifest.files.clone().into_iter().filter(|(path, _)| absent.contains(path)).collect(),
    };
    let faults = wanted.faults(from)?;
    if faults.is_empty() {
        for path in wanted.files.keys().filter(|path| Path::new(path).is_relative()) {
            copy(&from.join(path), &project.join(path)).with_context(|| format!("cannot copy {path}"))?;
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

fn copy(from: &PathBuf, to: &PathBuf) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).map(drop)
}
