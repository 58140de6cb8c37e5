//! Files through this server, and the record of what each held when it was written.
//!
//! A record is a claim that `crosstie verify` holds the store to, so it must never be made of content that is not there.
//! Hence a file's old record goes before the file is replaced or deleted, and its new one comes after it is stored: a
//! crash between leaves a file without a record, which claims nothing. Two writers of one file at once cannot tell whose
//! content stayed, so they leave none. This process knows of its own writers only.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use artifacts::{ArtifactPath, Content, Stored};
use types::Digest;

use crate::{Service, brought, error::Result, repo};

/// What the store held of a file when it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRecord {
    /// Where it lies in the store.
    pub path: ArtifactPath,
    /// Its size in bytes.
    pub size: u64,
    /// The digest of its content; `None` when the content went around this server, as presigned uploads do.
    pub digest: Option<Digest>,
    /// When this was recorded, in milliseconds.
    pub recorded: i64,
}

impl Service {
    /// Stores `content` at `path`, replacing what was there, and records its digest. When storing fails or is dropped, the
    /// file is as it was; when recording does, it is the new one without a record.
    ///
    /// # Errors
    /// Where files are kept that were brought from a registry elsewhere; the artifact store's and the database's.
    pub async fn store_artifact(&self, path: &ArtifactPath, content: Content) -> Result<Stored> {
        brought::refuse_change(path)?;
        self.put_artifact(path, content).await
    }

    /// [`Service::store_artifact`] of what this server writes itself, wherever that is.
    pub(crate) async fn put_artifact(&self, path: &ArtifactPath, content: Content) -> Result<Stored> {
        let writing = self.writing.begin(path);
        self.forget_record(path).await?;
        let stored = self.artifacts.put(path, content).await?;
        if writing.is_alone() {
            self.record_artifact(path, stored.size, Some(stored.digest)).await?;
        }
        if !writing.is_alone() {
            self.forget_record(path).await?;
        }
        Ok(stored)
    }

    /// Records what the file at `path` holds; without a digest, that it is not known.
    ///
    /// # Errors
    /// The database's.
    pub async fn record_artifact(&self, path: &ArtifactPath, size: u64, digest: Option<Digest>) -> Result<()> {
        let record = ArtifactRecord { path: path.clone(), size, digest, recorded: self.now() };
        self.database.write(async move |tx| repo::artifact_records::put(tx, std::slice::from_ref(&record)).await).await
    }

    /// The records of the file at `prefix` and of all below it, by path.
    ///
    /// # Errors
    /// The database's.
    pub async fn artifact_records(&self, prefix: &ArtifactPath) -> Result<Vec<ArtifactRecord>> {
        let prefix = prefix.clone();
        self.database.read(async move |tx| repo::artifact_records::below(tx, &prefix).await).await
    }

    /// Deletes the file at `path`, or the folder with all below it, and the records of it; `false` if there was none.
    ///
    /// # Errors
    /// Where files are kept that were brought from a registry elsewhere; the artifact store's and the database's.
    pub async fn delete_artifacts(&self, path: &ArtifactPath) -> Result<bool> {
        brought::refuse_change(path)?;
        self.remove_artifacts(path).await
    }

    /// [`Service::delete_artifacts`] of what this server may delete itself, wherever that is.
    pub(crate) async fn remove_artifacts(&self, path: &ArtifactPath) -> Result<bool> {
        // What is refused keeps its records.
        self.artifacts.check_delete(path).await?;
        let prefix = path.clone();
        self.database.write(async move |tx| repo::artifact_records::forget(tx, &prefix).await).await?;
        Ok(self.artifacts.delete_prefix(path).await?)
    }

    /// Deletes the record of the one file at `path`, if there is one: before it is written by a way that is not seen here.
    ///
    /// # Errors
    /// Where files are kept that were brought from a registry elsewhere; the database's.
    pub async fn forget_artifact(&self, path: &ArtifactPath) -> Result<()> {
        brought::refuse_change(path)?;
        self.forget_record(path).await
    }

    /// Most writes are of new files, which cost no commit.
    async fn forget_record(&self, path: &ArtifactPath) -> Result<()> {
        let known = path.clone();
        if self.database.read(async move |tx| repo::artifact_records::get(tx, &known).await).await?.is_some() {
            let path = path.clone();
            self.database.write(async move |tx| repo::artifact_records::forget_file(tx, &path).await).await?;
        }
        Ok(())
    }
}

/// Who writes which file now, in this process.
#[derive(Debug, Default)]
pub(crate) struct Writing(Arc<Mutex<HashMap<ArtifactPath, Writers>>>);

/// The writers of one file.
#[derive(Debug, Default)]
struct Writers {
    running: usize,
    /// Whether there were ever two at once, since there was none.
    contested: bool,
}

/// One writer of one file, until it is dropped.
#[derive(Debug)]
struct Writer {
    path: ArtifactPath,
    files: Arc<Mutex<HashMap<ArtifactPath, Writers>>>,
}

impl Writing {
    fn begin(&self, path: &ArtifactPath) -> Writer {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let writers = files.entry(path.clone()).or_default();
        writers.running += 1;
        writers.contested |= writers.running > 1;
        Writer { path: path.clone(), files: Arc::clone(&self.0) }
    }
}

impl Writer {
    /// Whether this has been the file's only writer since it began.
    fn is_alone(&self) -> bool {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(&self.path).is_some_and(|writers| !writers.contested)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writers) = files.get_mut(&self.path) {
            writers.running -= 1;
            if writers.running == 0 {
                files.remove(&self.path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lone_writer_knows_what_it_left() {
        let writing = Writing::default();
        let path = ArtifactPath::parse("a").unwrap();
        let first = writing.begin(&path);
        assert!(first.is_alone());
        let second = writing.begin(&path);
        assert!(writing.begin(&ArtifactPath::parse("b").unwrap()).is_alone(), "another file");
        assert!(!first.is_alone() && !second.is_alone());
        drop(first);
        assert!(!second.is_alone(), "it does not know who was the last");
        drop(second);
        assert!(writing.begin(&path).is_alone(), "the next is alone again");
    }
}
