//! Around this server: addresses at which whoever holds them may read or write one object, for a while, and uploads in
//! parts of which only beginning and end pass here. The content is not seen, so its digest is not known.

use std::time::Duration;

use http::{HeaderValue, Method, header::CONTENT_TYPE};
use object_store::{
    MultipartId,
    multipart::{MultipartStore as _, PartId},
    path::Path,
    signer::{SignedUrlOptions, Signer as _},
};

use super::S3;
use crate::{ArtifactPath, Error, error::status};

/// How long parts may be uploaded after the upload was begun.
const UPLOAD_WITHIN: Duration = Duration::from_secs(60 * 60);

/// A store that clients may reach without this server, where they are shown a signed address.
#[derive(Debug, Clone, Copy)]
pub struct Direct<'a>(pub(crate) &'a S3);

/// An upload in parts that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multipart {
    /// Its id.
    pub id: String,
    /// Where each part is to be put, from the first.
    pub urls: Vec<String>,
}

/// A part that a client has put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1.
    pub number: u32,
    /// What the store answered for it.
    pub etag: String,
}

/// An address to read a file at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresignedDownload {
    /// The address.
    pub url: String,
    /// The file's size in bytes.
    pub size: u64,
}

/// An address to write a file at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresignedUpload {
    /// The address.
    pub url: String,
    /// The `Content-Type` that must be sent with it.
    pub content_type: String,
}

impl Direct<'_> {
    /// Begins an upload of `parts` parts to `path`; nothing is there until it is completed.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for the root, else the service's.
    pub async fn create_multipart(&self, path: &ArtifactPath, parts: u32) -> Result<Multipart, Error> {
        let failed = |error| Error::s3("write", path, error);
        let key = self.0.file_key(path)?;
        let id = self.0.client.create_multipart(&key).await.map_err(failed)?;
        let mut urls = Vec::new();
        for number in 1..=parts {
            let query = [("partNumber", number.to_string()), ("uploadId", id.clone())];
            let options = SignedUrlOptions::default().with_query(query);
            urls.push(self.sign(Method::PUT, &key, UPLOAD_WITHIN, options).await.map_err(failed)?);
        }
        Ok(Multipart { id, urls })
    }

    /// Makes a file of the parts that were put, and answers its size.
    ///
    /// # Errors
    /// [`Error::Parts`] when their numbers are not 1, 2, 3 and so on; the service's.
    pub async fn complete_multipart(&self, path: &ArtifactPath, id: &str, mut parts: Vec<Part>) -> Result<u64, Error> {
        parts.sort_by_key(|part| part.number);
        if parts.is_empty() || !parts.iter().map(|part| part.number).eq((1..).take(parts.len())) {
            return Err(Error::Parts { path: path.clone() });
        }
        let key = self.0.file_key(path)?;
        let parts = parts.into_iter().map(|part| PartId { content_id: part.etag }).collect();
        let completed = self.0.client.complete_multipart(&key, &MultipartId::from(id), parts).await;
        completed.map_err(|error| {
            // Parts that are too small, or of which there is none with that tag.
            if status(&error) == Some(400) {
                Error::Parts { path: path.clone() }
            } else {
                Error::s3("write", path, error)
            }
        })?;
        self.0.size(path).await?.ok_or_else(|| Error::NotFound { path: path.clone() })
    }

    /// Gives up an upload and the parts that were put.
    ///
    /// # Errors
    /// The service's.
    pub async fn abort_multipart(&self, path: &ArtifactPath, id: &str) -> Result<(), Error> {
        let key = self.0.file_key(path)?;
        let aborted = self.0.client.abort_multipart(&key, &MultipartId::from(id)).await;
        aborted.map_err(|error| Error::s3("write", path, error))
    }

    /// An address to read the file at `path` at. A browser that opens it saves the file as `disposition` says.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such file; the service's.
    pub async fn presigned_download(
        &self,
        path: &ArtifactPath,
        within: Duration,
        disposition: &str,
    ) -> Result<PresignedDownload, Error> {
        let size = self.0.size(path).await?.ok_or_else(|| Error::NotFound { path: path.clone() })?;
        let query = [("response-content-disposition", disposition)];
        let options = SignedUrlOptions::default().with_query(query);
        let url = self.sign(Method::GET, &self.0.file_key(path)?, within, options).await;
        Ok(PresignedDownload { url: url.map_err(|error| Error::s3("read", path, error))?, size })
    }

    /// An address to write the file at `path` at, as `content_type`.
    ///
    /// # Errors
    /// [`Error::InvalidPath`] for the root, else the service's.
    pub async fn presigned_upload(
        &self,
        path: &ArtifactPath,
        within: Duration,
        content_type: &'static str,
    ) -> Result<PresignedUpload, Error> {
        let options =
            SignedUrlOptions::default().with_signed_header(CONTENT_TYPE, HeaderValue::from_static(content_type));
        let url = self.sign(Method::PUT, &self.0.file_key(path)?, within, options).await;
        let url = url.map_err(|error| Error::s3("write", path, error))?;
        Ok(PresignedUpload { url, content_type: content_type.to_owned() })
    }

    async fn sign(
        &self,
        method: Method,
        key: &Path,
        within: Duration,
        options: SignedUrlOptions,
    ) -> object_store::Result<String> {
        Ok(self.0.client.signed_url_opts(method, key, within, &options).await?.to_string())
    }
}
