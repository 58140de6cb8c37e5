//! The words of the house: ids, names, digests, times, values, principals and error kinds.
//!
//! Every crate may use this one and it uses none, so nothing here does I/O, reads a clock or knows a protocol.
//! Text is parsed at the edge into these types; behind the edge an ill-formed name cannot exist.

mod audit;
mod digest;
mod duration;
mod error;
mod model;
mod percent;
mod percent_encoding;
mod prediction;
mod principal;
mod schema;
mod secret;
mod timestamp;
mod value;

pub use audit::AuditEntry;
pub use digest::{Digest, DigestHasher};
pub use duration::Duration;
pub use error::{ErrorKind, ParseError};
pub use model::{ModelName, ModelVersion};
pub use percent::Percent;
pub use percent_encoding::{percent_decoded, percent_decoded_bytes};
pub use prediction::PredictionId;
pub use principal::{Principal, Role};
pub use schema::{Schema, TensorSpec, TensorType};
pub use secret::Secret;
pub use timestamp::Timestamp;
pub use value::{Value, ValueType};
