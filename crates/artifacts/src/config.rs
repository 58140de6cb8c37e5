//! How stores that are reached over a network are reached. The environment is read elsewhere; this says what it held.

use std::{collections::BTreeMap, path::PathBuf};

use types::Secret;

/// What is known besides the store's URI. For `file:` nothing of it is needed.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Settings of S3 by the names that AWS's own tools read from the environment: `AWS_ACCESS_KEY_ID`,
    /// `AWS_ENDPOINT_URL`, `AWS_REGION` and so on. Without keys, credentials come from a web identity, a container's or
    /// an instance's metadata, as these settings say.
    pub s3: BTreeMap<String, Secret<String>>,
    /// A folder beside the store, as a path or `file:` URI: what clients put there themselves has a place in the store
    /// too, and is listed, read and released. Any other URI, and a store that is no folder, leave it alone; one in the
    /// store's own folder is a part of it.
    pub folder: Option<String>,
    /// Files and folders that are no artifacts, should they lie in the store's folder or in that one: to callers they are
    /// not there.
    pub private: Vec<PathBuf>,
}

impl Config {
    /// This, and the setting of S3 of that name.
    #[must_use]
    pub fn with_s3(mut self, name: &str, value: &str) -> Self {
        self.s3.insert(name.to_owned(), Secret::new(value.to_owned()));
        self
    }
}
