//! An MLflow of which only the REST API can be reached, such as a managed one: as the registry's [`registry::Origin`], and
//! to hand calls through.
//!
//! Everything that it answers is taken for what it is, somebody else's text: bodies are bounded, paths are checked by the
//! artifact store before anything is written, and nothing takes unbounded time. What can be asked again (all of it is) is
//! asked again after 429, 5xx and broken connections, a few times. Nothing here decides what is released.

mod address;
mod credentials;
mod error;
mod files;
mod forward;
mod http;
mod origin;
mod wire;

pub use address::Address;
pub use credentials::Credentials;
pub use error::Error;
pub use forward::{Forwarded, Passed};

/// A client of an MLflow elsewhere. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RemoteMlflow {
    http: http::Http,
    /// The address as people write it.
    shown: std::sync::Arc<str>,
}

impl RemoteMlflow {
    /// A client of the MLflow at `address`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When this machine's certificates cannot be read, or the credentials fit in no header.
    pub fn new(address: Address, credentials: &Credentials) -> Result<Self, Error> {
        let shown = address.to_string().into();
        Ok(Self { http: http::Http::new(address, credentials)?, shown })
    }
}
