//! The store by URI, and what it answers.

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use serde::{Deserialize, Serialize};
use types::{Digest, DigestHasher};

use crate::{ArtifactPath, Config, Direct, Error, local::Local, s3::S3};

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
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Local(Arc<Local>),
    S3(Arc<S3>),
}

impl Store {
    /// Opens the store at `uri`, for which no settings are needed: `file:DIR`, `file:///DIR` or a plain path. The folder
    /// is made if it is missing.
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub fn open(uri: &str) -> Result<Self, Error> {
        Self::open_with(uri, &Config::default())
    }

    /// Opens the store at `uri`: as [`Store::open`], or `s3://BUCKET/PREFIX`, of which nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::UnsupportedScheme`] for stores that are not built in, [`Error::MalformedS3`] and [`Error::MalformedUri`]
    /// when the URI or a setting cannot be used, [`Error::Root`] when the folder cannot.
    pub fn open_with(uri: &str, config: &Config) -> Result<Self, Error> {
        let kind = if uri.starts_with("s3:") {
            Kind::S3(Arc::new(S3::open(uri, config)?))
        } else {
            let beside = config.folder.as_deref().and_then(|uri| folder_of(uri).ok());
            let beside = beside.filter(|folder| folder.is_absolute());
            Kind::Local(Arc::new(Local::open(folder_of(uri)?, beside, &config.private)?))
        };
        Ok(Self { kind })
    }

    /// Looks whether the store can be used: asks S3 for one key.
    ///
    /// # Errors
    /// [`Error::NoBucket`], or [`Error::S3`], of which the kind says whether trying again may help.
    pub async fn check(&self) -> Result<(), Error> {
        match &self.kind {
            Kind::Local(_) => Ok(()),
            Kind::S3(s3) => s3.check().await,
        }
    }

    /// What the store offers to clients that go around this server; `None` if they cannot.
    #[must_use]
    pub fn direct(&self) -> Option<Direct<'_>> {
        match &self.kind {
            Kind::Local(_) => None,
            Kind::S3(s3) => Some(Direct(s3)),
        }
    }

    /// Where in this store `uri` lies, if it names something in it as the store itself does: an address in its bucket, or
    /// a path or `file:` URI below its folder or the one beside it ([`Config::folder`]).
    ///
    /// # Errors
    /// [`Error::InvalidPath`] when it begins there and leads out of it.
    pub fn locate(&self, uri: &str) -> Result<Option<ArtifactPath>, Error> {
        match &self.kind {
            Kind::Local(local) => local.locate(uri),
            Kind::S3(s3) => s3.locate(uri),
        }
    }

    /// The place in this store of the folder beside it ([`Config::folder`]), of which a listing of the root does not tell.
    #[must_use]
    pub fn beside(&self) -> Option<ArtifactPath> {
        match &self.kind {
            Kind::Local(local) => local.beside(),
            Kind::S3(_) => None,
        }
    }

    /// Stores `content` at `path`, replacing what was there. When this returns, it will stay: on disk, or as S3 promises.
    /// When it fails or is dropped, nothing has changed.
    ///
    /// # Errors
    /// [`Error::Interrupted`] when the content breaks off, [`Error::InvalidPath`] when the store has folders and one is
    /// there, else [`Error::Io`] or [`Error::S3`].
    pub async fn put(&self, path: &ArtifactPath, content: Content) -> Result<Stored, Error> {
        match &self.kind {
            Kind::Local(local) => local.put(path, content).await,
            Kind::S3(s3) => s3.put(path, content).await,
        }
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
    /// [`Error::NotFound`], also for a folder; else [`Error::Io`] or [`Error::S3`].
    pub async fn get(&self, path: &ArtifactPath) -> Result<Object, Error> {
        match &self.kind {
            Kind::Local(local) => local.get(path).await,
            Kind::S3(s3) => s3.get(path).await,
        }
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
    /// [`Error::Io`] or [`Error::S3`]; a file in place of the folder lists as empty.
    pub async fn list(&self, folder: &ArtifactPath) -> Result<Vec<Entry>, Error> {
        let folder = folder.clone();
        match &self.kind {
            Kind::Local(local) => in_background(local, move |local| local.list(&folder)).await,
            Kind::S3(s3) => s3.list(&folder).await,
        }
    }

    /// Every file below `folder`, sorted by path.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::S3`].
    pub async fn walk(&self, folder: &ArtifactPath) -> Result<Vec<Entry>, Error> {
        let folder = folder.clone();
        match &self.kind {
            Kind::Local(local) => in_background(local, move |local| local.walk(&folder)).await,
            Kind::S3(s3) => s3.walk(&folder).await,
        }
    }

    /// Deletes the file at `path`; `false` if there was none.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for a folder that the store has as such, else [`Error::Io`] or [`Error::S3`].
    pub async fn delete(&self, path: &ArtifactPath) -> Result<bool, Error> {
        let path = path.clone();
        match &self.kind {
            Kind::Local(local) => in_background(local, move |local| local.delete(&path)).await,
            Kind::S3(s3) => s3.delete(&path).await,
        }
    }

    /// Whether [`Store::delete_prefix`] takes `path`.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for the root, and for what is private or holds it.
    pub async fn check_delete(&self, path: &ArtifactPath) -> Result<(), Error> {
        let path = path.clone();
        match &self.kind {
            Kind::Local(local) => in_background(local, move |local| local.check_delete(&path)).await,
            Kind::S3(s3) => s3.check_delete(&path),
        }
    }

    /// Deletes the file at `path`, or the folder with all below it; `false` if there was neither.
    ///
    /// # Errors
    /// As [`Store::check_delete`], else [`Error::Io`] or [`Error::S3`].
    pub async fn delete_prefix(&self, path: &ArtifactPath) -> Result<bool, Error> {
        let path = path.clone();
        match &self.kind {
            Kind::Local(local) => in_background(local, move |local| local.delete_prefix(&path)).await,
            Kind::S3(s3) => s3.delete_prefix(&path).await,
        }
    }

    /// Size and digest of the file at `path`, which is read for it.
    ///
    /// # Errors
    /// As [`Store::get`].
    pub async fn digest(&self, path: &ArtifactPath) -> Result<Stored, Error> {
        let path = path.clone();
        match &self.kind {
            Kind::Local(local) => in_background(local, move |local| local.digest(&path)).await,
            Kind::S3(s3) => s3.digest(&path).await,
        }
    }

    /// The digest of everything below `folder`, or of the single file there: of each file's digest and its path from
    /// the folder, in order. Equal digests mean equal trees. Every file is read for it, however long that takes: what
    /// was recorded of them when they were written cannot tell what became of them since.
    ///
    /// # Errors
    /// [`Error::NotFound`] when nothing lies there, else [`Error::Io`] or [`Error::S3`].
    pub async fn digest_tree(&self, folder: &ArtifactPath) -> Result<Digest, Error> {
        let folder = folder.clone();
        match &self.kind {
            Kind::Local(local) => in_background(local, move |local| local.digest_tree(&folder)).await,
            Kind::S3(s3) => s3.digest_tree(&folder).await,
        }
    }
}

/// The digest of a tree, of its files' paths and digests, sorted by path.
pub(crate) fn tree_digest<'a>(
    folder: &ArtifactPath,
    files: impl IntoIterator<Item = (&'a ArtifactPath, Digest)>,
) -> Digest {
    let mut tree = DigestHasher::default();
    for (path, digest) in files {
        let relative = path.below(folder).unwrap_or_else(|| path.name());
        tree.update(format!("{digest} {relative}\n").as_bytes());
    }
    tree.finish()
}

/// The folder that `uri` names: `file:DIR`, `file:///DIR` or a plain path.
///
/// # Errors
/// [`Error::UnsupportedScheme`] and [`Error::MalformedUri`].
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
async fn in_background<T: Send + 'static>(local: &Arc<Local>, work: impl FnOnce(&Local) -> T + Send + 'static) -> T {
    let local = Arc::clone(local);
    match tokio::task::spawn_blocking(move || work(&local)).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => unreachable!("blocking work is never cancelled"),
        },
    }
}
