//! Who calls, shown by tokens of which only digests are kept, and the trail of what was decided.
//!
//! A principal is a name with a role. Its tokens are shown once, when they are made; the database has their SHA-256, and
//! 32 random bytes need no slow hash. Names are never given to someone else: revoking takes a principal's tokens, and a
//! new token for the same name is the same principal, so that author, approver and trail stay comparable.
//!
//! What a role may do is decided by the route table of `api`, except that only an admin makes or revokes tokens, which is
//! checked here as well.

mod audit;
mod error;
mod first_token;
mod repo;
mod service;
#[cfg(test)]
mod tests;
mod token;

pub use audit::AuditFilter;
pub use error::Error;
pub use service::{Service, TokenInfo};

/// What this crate's operations answer.
pub type Result<T, E = Error> = std::result::Result<T, E>;
