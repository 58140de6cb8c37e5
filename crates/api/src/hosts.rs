//! By which names of the server a caller without a token may call.
//!
//! On loopback nobody is an editor, and a browser on the same machine is somebody. A page of another site cannot read
//! what we answer, unless its own name is made to lead to this machine (DNS rebinding): then it is of our origin. But it
//! calls us by that name, and so it is told from who means us: who says `localhost`, or an address, which no DNS changes.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, header};
use types::ErrorKind;

use crate::error::Error;

/// Names besides those of this machine. In MLflow's patterns: a whole name, with a port or without, and `*` for any text.
#[derive(Debug, Clone, Default)]
pub struct AllowedHosts(Arc<[String]>);

impl FromIterator<String> for AllowedHosts {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        let names = names.into_iter().map(|name| name.trim().to_ascii_lowercase());
        Self(names.filter(|name| !name.is_empty()).collect())
    }
}

impl AllowedHosts {
    /// Refuses a request by another name. One that says no host is no browser's.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`], with what to do.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Error> {
        let Some(host) = headers.get(header::HOST) else { return Ok(()) };
        let host = String::from_utf8_lossy(host.as_bytes()).to_ascii_lowercase();
        let name = without_port(&host);
        if is_own(name) || self.0.iter().any(|pattern| fits(pattern, &host) || fits(pattern, name)) {
            return Ok(());
        }
        let message = format!(
            "Invalid Host header - possible DNS rebinding attack detected: without a token this server answers to localhost \
             and to private addresses, not to `{name}`; `--allowed-hosts` names others"
        );
        Err(Error::new(ErrorKind::PermissionDenied, message))
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    }
}

/// Whether no DNS can make `name` lead here.
fn is_own(name: &str) -> bool {
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match literal.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_unspecified(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => name == "localhost",
    }
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut text) = text.strip_suffix(end) else { return false };
    for piece in middle.split('*') {
        match text.find(piece) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn allows(names: &[&str], host: &str) -> bool {
        let hosts: AllowedHosts = names.iter().map(|name| (*name).to_owned()).collect();
        hosts.check(&HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).unwrap())])).is_ok()
    }

    #[test]
    fn this_machine_is_meant_by_names_that_no_dns_changes() {
        let own =
            ["localhost", "LocalHost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000", "10.0.0.7", "192.168.1.2:1"];
        for host in own {
            assert!(allows(&[], host), "{host}");
        }
        let others = [
            "evil.example",
            "evil.example:5000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "8.8.8.8",
            "",
            ":5000",
        ];
        for host in others {
            assert!(!allows(&[], host), "{host}");
        }
        assert!(AllowedHosts::default().check(&HeaderMap::new()).is_ok());
    }

    #[test]
    fn others_are_named_as_with_mlflow() {
        let names = ["a.example", "*.b.example", "c-*-d.example:80*"];
        for host in ["a.example", "a.example:5000", "x.b.example:1", "c-1-d.example:8080"] {
            assert!(allows(&names, host), "{host}");
        }
        for host in ["b.example", "xa.example", "a.example.evil.example", "c--d.example", "c-1-d.example:90"] {
            assert!(!allows(&names, host), "{host}");
        }
        assert!(allows(&["*"], "anything.example") && allows(&[" "], "localhost") && !allows(&[" "], "x.example"));
    }
}
