//! What a name means, and whether one may connect to that.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Name, Resolve, Resolving};
use url::{Host, Url};

use crate::address::is_public;

/// Looks a name up.
pub(crate) type Lookup = dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync;

/// An address or scheme that nothing may be sent to. Found in the chain of an HTTP client's error, it tells refusals from
/// failures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// Why a name cannot be connected to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    /// It may not be.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It means nothing.
    #[error("Cannot resolve Webhook URL hostname '{name}': {source}")]
    Unknown {
        /// The name.
        name: String,
        /// What the system says.
        source: io::Error,
    },
}

/// Resolves names to addresses that may be connected to, and to nothing if one of them may not be.
#[derive(Clone)]
pub(crate) struct Guard {
    lookup: Arc<Lookup>,
    allow_private: bool,
    allowed_schemes: Arc<[String]>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

impl Guard {
    /// With the system's resolver.
    pub(crate) fn new(allow_private: bool, allowed_schemes: &[String]) -> Self {
        let lookup = |name: String| {
            let looked_up = async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|at| at.ip()).collect()) };
            Box::pin(looked_up) as Pin<Box<dyn Future<Output = _> + Send>>
        };
        Self { lookup: Arc::new(lookup), allow_private, allowed_schemes: allowed_schemes.into() }
    }

    /// With another resolver.
    #[cfg(test)]
    pub(crate) fn with_lookup(self, lookup: Arc<Lookup>) -> Self {
        Self { lookup, ..self }
    }

    /// Whether private addresses are let through.
    pub(crate) const fn allows_private(&self) -> bool {
        self.allow_private
    }

    /// The addresses of a host.
    pub(crate) async fn resolve(&self, host: Host<&str>) -> Result<Vec<IpAddr>, Unreachable> {
        let name = match host {
            Host::Ipv4(address) => return Ok(vec![self.permitted(&address.to_string(), address.into())?]),
            Host::Ipv6(address) => return Ok(vec![self.permitted(&address.to_string(), address.into())?]),
            Host::Domain(name) => name.to_owned(),
        };
        let unknown = |source| Unreachable::Unknown { name: name.clone(), source };
        let found = (self.lookup)(name.clone()).await.map_err(unknown)?;
        if found.is_empty() {
            return Err(unknown(io::Error::new(io::ErrorKind::NotFound, "it has no address")));
        }
        found.into_iter().map(|address| Ok(self.permitted(&name, address)?)).collect()
    }

    fn permitted(&self, name: &str, address: IpAddr) -> Result<IpAddr, Refused> {
        if self.allow_private || is_public(address) {
            return Ok(address);
        }
        Err(Refused(format!(
            "Webhook URL must not resolve to a non-public IP address. '{name}' resolves to {address}."
        )))
    }

    /// Whether a URL may be connected to as far as it says itself: what names mean is asked by the connection.
    pub(crate) fn check(&self, url: &Url) -> Result<(), Refused> {
        if !self.allowed_schemes.iter().any(|scheme| scheme == url.scheme()) {
            let schemes = self.allowed_schemes.join(", ");
            return Err(Refused(format!(
                "Invalid webhook URL scheme: '{}'. Allowed schemes are: {schemes}.",
                url.scheme()
            )));
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.permitted(&address.to_string(), address.into()).map(drop),
            Some(Host::Ipv6(address)) => self.permitted(&address.to_string(), address.into()).map(drop),
            Some(Host::Domain(_)) => Ok(()),
            None => Err(Refused("Webhook URL must include a hostname".to_owned())),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = guard.resolve(Host::Domain(name.as_str())).await?;
            // The port is the URL's.
            let addresses = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Box<dyn Iterator<Item = SocketAddr> + Send>)
        })
    }
}
