//! The store by URI, and what it answers.

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use serde::{Deserialize, Serialize};
use types::{Digest, DigestHasher};

use crate::{ArtifactPath, Error, local::Local};

/// Content on its way, piece by piece.
pub type Content = BoxStream<'static, io::Result<Bytes>>;

/// What a put stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Bytes written.
    pub size: u64,
    /// Their digest.
    pub digest: Digest,
}

/// A file or folder in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it lies, from the root.
    pub path: ArtifactPath,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Its size in bytes; 0 for a folder.
    pub size: u64,
}

/// A stored file, open for reading.
pub struct Object {
    /// Its size in bytes.
    pub size: u64,
    /// Its content.
    pub content: Content,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Object").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Where artifacts lie. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    local: Arc<Local>,
}

impl Store {
    /// Opens the store at `uri`: `file:DIR`, `file:///DIR` or a plain path, which is made if it is missing.
    ///
    /// # Errors
    /// [`Error::UnsupportedScheme`] for stores that are not built in (`s3:` among them), [`Error::Root`] when the
    /// folder cannot be used.
    pub fn open(uri: &str) -> Result<Self, Error> {
        Ok(Self { local: Arc::new(Local::open(folder_of(uri)?)?) })
    }

    /// Stores `content` at `path`, replacing what was there. When this returns, it is on disk; when it fails or is
    /// dropped, nothing has changed.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the content breaks off, [`Error::InvalidPath`] when a folder is there, else
    /// [`Error::Io`].
    pub async fn put(&self, path: &ArtifactPath, mut content: Content) -> Result<Stored, Error> {
        let mut upload = self.local.upload(path).await?;
        let mut hasher = DigestHasher::default();
        let mut size = 0;
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(|source| Error::Interrupted { path: path.clone(), source })?;
            hasher.update(&piece);
            size += piece.len() as u64;
            upload.write(&piece).await?;
        }
        upload.finish().await?;
        Ok(Stored { size, digest: hasher.finish() })
    }

    /// [`Store::put`] of what is in memory.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn put_bytes(&self, path: &ArtifactPath, content: impl Into<Bytes>) -> Result<Stored, Error> {
        let content = content.into();
        self.put(path, futures::stream::once(async move { Ok(content) }).boxed()).await
    }

    /// Opens the file at `path`.
    ///
    /// # Errors
    /// [`Error::NotFound`], also for a folder; else [`Error::Io`].
    pub async fn get(&self, path: &ArtifactPath) -> Result<Object, Error> {
        self.local.get(path).await
    }

    /// The whole file at `path`, in memory.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn get_bytes(&self, path: &ArtifactPath) -> Result<Bytes, Error> {
        let object = self.get(path).await?;
        let pieces: Vec<Bytes> =
            object.content.try_collect().await.map_err(|source| Error::io("read", path, source))?;
        Ok(pieces.concat().into())
    }

    /// Files and folders directly in `folder`, by name. A folder that does not exist is empty.
    ///
    /// # Errors
    /// [`Error::Io`]; a file in place of the folder lists as empty.
    pub async fn list(&self, folder: &ArtifactPath) -> Result<Vec<Entry>, Error> {
        let (local, folder) = (Arc::clone(&self.local), folder.clone());
        in_background(move || local.list(&folder)).await
    }

    /// Every file below `folder`, sorted by path.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub async fn walk(&self, folder: &ArtifactPath) -> Result<Vec<Entry>, Error> {
        let (local, folder) = (Arc::clone(&self.local), folder.clone());
        in_background(move || local.walk(&folder)).await
    }

    /// Deletes the file at `path`; `false` if there was none.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for a folder, else [`Error::Io`].
    pub async fn delete(&self, path: &ArtifactPath) -> Result<bool, Error> {
        let (local, path) = (Arc::clone(&self.local), path.clone());
        in_background(move || local.delete(&path)).await
    }

    /// Deletes the file at `path`, or the folder with all below it; `false` if there was neither.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for the root, else [`Error::Io`].
    pub async fn delete_prefix(&self, path: &ArtifactPath) -> Result<bool, Error> {
        let (local, path) = (Arc::clone(&self.local), path.clone());
        in_background(move || local.delete_prefix(&path)).await
    }

    /// The digest of everything below `folder`, or of the single file there: of each file's digest and its path from
    /// the folder, in order. Equal digests mean equal trees.
    ///
    /// # Errors
    /// [`Error::NotFound`] when nothing lies there, else [`Error::Io`].
    pub async fn digest_tree(&self, folder: &ArtifactPath) -> Result<Digest, Error> {
        let (local, folder) = (Arc::clone(&self.local), folder.clone());
        in_background(move || local.digest_tree(&folder)).await
    }
}

/// The folder that `uri` names.
fn folder_of(uri: &str) -> Result<PathBuf, Error> {
    let malformed = || Error::MalformedUri { uri: uri.to_owned() };
    if let Some(rest) = uri.strip_prefix("file:") {
        if rest.starts_with("//") {
            let url = url::Url::parse(uri).map_err(|_| malformed())?;
            return url.to_file_path().map_err(|()| malformed());
        }
        return if rest.is_empty() { Err(malformed()) } else { Ok(PathBuf::from(rest)) };
    }
    match uri.split_once(':') {
        Some((scheme, _)) if scheme.len() > 1 && scheme.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'+') => {
            Err(Error::UnsupportedScheme { uri: uri.to_owned(), scheme: scheme.to_owned() })
        }
        _ if uri.is_empty() => Err(malformed()),
        _ => Ok(PathBuf::from(uri)),
    }
}

/// Runs file system work off the async runtime.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("blocking work is never cancelled"),
        },
    }
}
