//! Content into one object: in one request when it is small, else in parts that are sent while more arrives.
//!
//! S3 makes an object of parts only once it is told that they are all, so nobody sees less than the whole. An upload that
//! fails or is dropped is aborted, since its parts would be kept, and paid for, for ever. A process that is killed cannot
//! do that: for it, buckets have a lifecycle rule (`AbortIncompleteMultipartUpload`).

use bytes::Bytes;
use futures::StreamExt as _;
use object_store::{MultipartUpload, ObjectStoreExt as _, aws::AmazonS3, path::Path};
use tokio::{runtime::Handle, task::JoinSet};
use types::DigestHasher;

use crate::{ArtifactPath, Content, Error, Stored};

/// Bytes in a part. S3 takes 10,000 parts, so a file may have 78 GiB; it wants at least 5 MiB in each but the last.
const PART: usize = 8 * 1024 * 1024;
/// Parts that are on their way at once. With the one that fills up, an upload holds at most three in memory.
const ON_THEIR_WAY: usize = 2;

/// What became of a part.
type Sent = object_store::Result<()>;

pub(super) async fn put(
    client: &AmazonS3,
    path: &ArtifactPath,
    key: &Path,
    mut content: Content,
) -> Result<Stored, Error> {
    let failed = |error| Error::s3("write", path, error);
    let mut hasher = DigestHasher::default();
    let mut size = 0;
    let mut part = Vec::new();
    let mut parts: Option<Parts> = None;
    while let Some(piece) = content.next().await {
        let mut piece = piece.map_err(|source| Error::Interrupted { path: path.clone(), source })?;
        hasher.update(&piece);
        size += piece.len() as u64;
        while part.len() + piece.len() >= PART {
            part.extend_from_slice(&piece.split_to(PART - part.len()));
            let parts = match &mut parts {
                Some(parts) => parts,
                none => none.insert(Parts::begin(client, key).await.map_err(failed)?),
            };
            parts.send(std::mem::take(&mut part).into()).await.map_err(failed)?;
        }
        if !part.is_empty() {
            // More than one piece will rather be many; growing by doubling would hold twice as much for a while.
            part.reserve_exact(PART - part.len());
        }
        part.extend_from_slice(&piece);
    }
    match parts {
        None => client.put(key, part.into()).await.map(drop).map_err(failed)?,
        Some(parts) => parts.finish(part.into()).await.map_err(failed)?,
    }
    Ok(Stored { size, digest: hasher.finish() })
}

/// An object that is being put together; dropped before [`Parts::finish`], it leaves nothing.
#[derive(Debug)]
struct Parts {
    upload: Option<Box<dyn MultipartUpload>>,
    /// Dropped first, so that no part arrives after the abort.
    sending: JoinSet<Sent>,
}

impl Parts {
    async fn begin(client: &AmazonS3, key: &Path) -> object_store::Result<Self> {
        Ok(Self { upload: Some(client.put_multipart(key).await?), sending: JoinSet::new() })
    }

    /// Sends `part`, once fewer than [`ON_THEIR_WAY`] are.
    async fn send(&mut self, part: Bytes) -> Sent {
        while self.sending.len() >= ON_THEIR_WAY {
            self.arrived().await?;
        }
        if let Some(upload) = &mut self.upload {
            self.sending.spawn(upload.put_part(part.into()));
        }
        Ok(())
    }

    /// Waits for one part.
    async fn arrived(&mut self) -> Sent {
        match self.sending.join_next().await {
            None => Ok(()),
            Some(Ok(sent)) => sent,
            Some(Err(source)) => Err(object_store::Error::JoinError { source }),
        }
    }

    async fn finish(mut self, last: Bytes) -> Sent {
        if !last.is_empty() {
            self.send(last).await?;
        }
        while !self.sending.is_empty() {
            self.arrived().await?;
        }
        if let Some(upload) = &mut self.upload {
            upload.complete().await?;
        }
        self.upload = None;
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        let mut sending = std::mem::take(&mut self.sending);
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            // No part may arrive after the abort: it would stay.
            sending.shutdown().await;
            if let Err(error) = upload.abort().await {
                tracing::warn!(%error, "an interrupted upload could not be aborted; its parts stay in the bucket");
            }
        });
    }
}
