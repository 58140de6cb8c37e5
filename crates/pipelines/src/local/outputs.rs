//! Output parameters: files that a step wrote.
//!
//! In a pod such a file cannot be older than the step. Here it can be left from an earlier run, so a file that the step
//! did not touch is not its output.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tokio::fs;

use crate::executor::{ExecutorError, OutputFile, Step};

use super::lines::{OUTPUT_LIMIT, without_last_line_end};

/// Enough to see that a file was written anew.
type Fingerprint = (u64, u64, Option<SystemTime>);

/// The declared files as they were before the step.
#[derive(Debug)]
pub(super) struct Before(Vec<Option<Fingerprint>>);

impl Before {
    pub(super) async fn look(step: &Step) -> Self {
        let mut files = Vec::with_capacity(step.outputs.len());
        for output in &step.outputs {
            files.push(fingerprint(&path_of(step, output)).await);
        }
        Self(files)
    }

    /// The values that the step left.
    pub(super) async fn read(self, step: &Step) -> Result<BTreeMap<String, String>, ExecutorError> {
        let mut values = BTreeMap::new();
        for (output, before) in step.outputs.iter().zip(self.0) {
            let path = path_of(step, output);
            let now = fingerprint(&path).await;
            let name = output.name.clone();
            let value = match now {
                Some(_) if now != before => content(&name, path).await?,
                Some(_) | None => match &output.default {
                    Some(default) => default.clone(),
                    None => return Err(ExecutorError::OutputMissing { name, path }),
                },
            };
            values.insert(name, value);
        }
        Ok(values)
    }
}

fn path_of(step: &Step, output: &OutputFile) -> PathBuf {
    step.working_dir.join(&output.path)
}

async fn fingerprint(path: &Path) -> Option<Fingerprint> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).await.ok()?;
    Some((metadata.ino(), metadata.len(), metadata.modified().ok()))
}

async fn content(name: &str, path: PathBuf) -> Result<String, ExecutorError> {
    let bytes = match fs::read(&path).await {
        Ok(bytes) => bytes,
        Err(source) => return Err(ExecutorError::Output { name: name.to_owned(), path, source }),
    };
    if bytes.len() > OUTPUT_LIMIT {
        let what = format!("output parameter `{name}`");
        return Err(ExecutorError::OutputTooLong { what, limit: OUTPUT_LIMIT });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(without_last_line_end(&text)),
        Err(error) => {
            let source = io::Error::new(io::ErrorKind::InvalidData, error.utf8_error());
            Err(ExecutorError::Output { name: name.to_owned(), path, source })
        }
    }
}
