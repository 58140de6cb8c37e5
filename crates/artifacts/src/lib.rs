//! Artifacts by URI: files under one root, written whole or not at all, addressed by paths that cannot leave it.
//!
//! [`ArtifactPath`] is where escapes are refused, in every encoding; behind it no path needs a check. A put is on disk
//! (file and directory entry) before it is acknowledged, and readers see the old content or the new, never a part.
//! What the paths mean (runs, models) is not known here.
//!
//! `file:` is our own and does the syncing itself; `s3:` leaves that to the service. Both run one conformance suite
//! ([`testing`], behind the feature of that name).

mod config;
mod error;
mod local;
mod path;
mod s3;
mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use config::Config;
pub use error::Error;
pub use path::{ArtifactPath, BESIDE};
pub use s3::{Direct, Multipart, Part, PresignedDownload, PresignedUpload};
pub use store::{Content, Entry, Object, Store, Stored};
