//! Artifacts in an S3 bucket, below a prefix. A file's key is the prefix and its path, nothing encoded, as MLflow itself
//! lays a bucket out, so that either opens what the other wrote.
//!
//! The service promises what `file:` has to do itself: an object is there whole or not at all, and once it is
//! acknowledged it stays. It knows no folders: a file and a folder of one name can be side by side.

mod connect;
mod direct;
mod upload;

use std::io;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{ObjectStore as _, ObjectStoreExt as _, aws::AmazonS3, path::Path};
use types::{Digest, DigestHasher};

use crate::{ArtifactPath, Content, Entry, Error, Object, Stored};

pub use direct::{Direct, Multipart, Part, PresignedDownload, PresignedUpload};

/// Files that are digested at once; each is a connection and a buffer.
const READERS: usize = 4;

/// A bucket and the prefix in it.
#[derive(Debug)]
pub(crate) struct S3 {
    client: AmazonS3,
    bucket: String,
    /// Without `/` at its ends; empty for the whole bucket.
    prefix: String,
}

impl S3 {
    /// The key of `path`.
    fn key(&self, path: &ArtifactPath) -> Result<Path, Error> {
        let key = match (self.prefix.is_empty(), path.is_root()) {
            (true, _) => path.to_string(),
            (false, true) => self.prefix.clone(),
            (false, false) => format!("{}/{path}", self.prefix),
        };
        Path::parse(&key).map_err(|_| Error::InvalidPath { path: path.to_string() })
    }

    /// The path of `key`; `None` for what no path in the store can name, and for the prefix itself.
    fn path(&self, key: &Path) -> Option<ArtifactPath> {
        let path = match self.prefix.as_str() {
            "" => key.as_ref(),
            prefix => key.as_ref().strip_prefix(prefix)?.strip_prefix('/')?,
        };
        ArtifactPath::parse(path).ok().filter(|path| !path.is_root())
    }

    /// The key of a file, which the root is not.
    fn file_key(&self, path: &ArtifactPath) -> Result<Path, Error> {
        if path.is_root() { Err(Error::InvalidPath { path: path.to_string() }) } else { self.key(path) }
    }

    pub(crate) fn locate(&self, uri: &str) -> Result<Option<ArtifactPath>, Error> {
        let Some(place) = uri.strip_prefix("s3://") else { return Ok(None) };
        let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
        if bucket != self.bucket {
            return Ok(None);
        }
        let key = ArtifactPath::parse(key)?;
        let prefix = ArtifactPath::parse(&self.prefix)?;
        if key == prefix {
            Ok(Some(ArtifactPath::root()))
        } else {
            key.below(&prefix).map(ArtifactPath::parse).transpose()
        }
    }

    pub(crate) async fn put(&self, path: &ArtifactPath, content: Content) -> Result<Stored, Error> {
        upload::put(&self.client, path, &self.file_key(path)?, content).await
    }

    pub(crate) async fn get(&self, path: &ArtifactPath) -> Result<Object, Error> {
        let key = self.file_key(path).map_err(|_| Error::NotFound { path: path.clone() })?;
        let found = self.client.get(&key).await.map_err(|error| Error::s3("read", path, error))?;
        let size = found.meta.size;
        Ok(Object { size, content: found.into_stream().map_err(io::Error::other).boxed() })
    }

    /// Size of the file at `path`, if there is one.
    async fn size(&self, path: &ArtifactPath) -> Result<Option<u64>, Error> {
        let Ok(key) = self.file_key(path) else { return Ok(None) };
        match self.client.head(&key).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(Error::s3("look at", path, error)),
        }
    }

    pub(crate) async fn list(&self, folder: &ArtifactPath) -> Result<Vec<Entry>, Error> {
        let key = self.key(folder)?;
        let listed = self.client.list_with_delimiter(Some(&key)).await;
        let listed = listed.map_err(|error| Error::s3("list", folder, error))?;
        let folders = listed.common_prefixes.iter().filter_map(|key| self.path(key));
        let folders = folders.map(|path| Entry { path, is_dir: true, size: 0 });
        let files = listed.objects.iter().filter_map(|object| Some((self.path(&object.location)?, object.size)));
        let files = files.map(|(path, size)| Entry { path, is_dir: false, size });
        // The folder's own key is a mark that some tools leave for an empty folder, no file in it.
        let mut found: Vec<_> = folders.chain(files).filter(|entry| entry.path.below(folder).is_some()).collect();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    pub(crate) async fn walk(&self, folder: &ArtifactPath) -> Result<Vec<Entry>, Error> {
        let listed: Vec<_> = self
            .client
            .list(Some(&self.key(folder)?))
            .try_collect()
            .await
            .map_err(|error| Error::s3("list", folder, error))?;
        let files = listed.iter().filter_map(|object| Some((self.path(&object.location)?, object.size)));
        let mut found: Vec<_> = files
            .filter(|(path, _)| path.below(folder).is_some())
            .map(|(path, size)| Entry { path, is_dir: false, size })
            .collect();
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    pub(crate) async fn delete(&self, path: &ArtifactPath) -> Result<bool, Error> {
        let key = self.file_key(path)?;
        if self.size(path).await?.is_none() {
            return Ok(false);
        }
        self.client.delete(&key).await.map_err(|error| Error::s3("delete", path, error))?;
        Ok(true)
    }

    pub(crate) fn check_delete(&self, path: &ArtifactPath) -> Result<(), Error> {
        self.file_key(path).map(drop)
    }

    pub(crate) async fn delete_prefix(&self, path: &ArtifactPath) -> Result<bool, Error> {
        self.check_delete(path)?;
        let mut keys = Vec::new();
        for entry in self.walk(path).await? {
            keys.push(Ok(self.key(&entry.path)?));
        }
        let below = !keys.is_empty();
        self.client
            .delete_stream(stream::iter(keys).boxed())
            .try_for_each(|_| async { Ok(()) })
            .await
            .map_err(|error| Error::s3("delete", path, error))?;
        Ok(self.delete(path).await? || below)
    }

    pub(crate) async fn digest(&self, path: &ArtifactPath) -> Result<Stored, Error> {
        let mut content = self.get(path).await?.content;
        let mut hasher = DigestHasher::default();
        let mut size = 0;
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(|source| Error::io("read", path, source))?;
            hasher.update(&piece);
            size += piece.len() as u64;
        }
        Ok(Stored { size, digest: hasher.finish() })
    }

    pub(crate) async fn digest_tree(&self, folder: &ArtifactPath) -> Result<Digest, Error> {
        let mut files = self.walk(folder).await?;
        if files.is_empty() {
            files.push(Entry { path: folder.clone(), is_dir: false, size: 0 });
        }
        let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
        let digests = stream::iter(paths).map(|path| async move { self.digest(&path).await });
        let digests: Vec<Stored> = digests.buffered(READERS).try_collect().await?;
        let digests = files.iter().zip(&digests).map(|(file, stored)| (&file.path, stored.digest));
        Ok(crate::store::tree_digest(folder, digests))
    }
}
