//! Where it is: `mlflow+https://HOST[:PORT][/PREFIX]`, and the paths below.

use std::{fmt, str::FromStr};

use url::Url;

use crate::Error;

/// Rounds of percent-decoding in which dots are looked for; no client encodes more than twice.
const DECODINGS: usize = 8;

/// The address of an MLflow server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Ends with `/`.
    base: Url,
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Address { reason: reason.to_owned() };
        let plain =
            text.strip_prefix("mlflow+").filter(|rest| rest.starts_with("http://") || rest.starts_with("https://"));
        let plain = plain.ok_or_else(|| wrong("it does not begin with `mlflow+https://` or `mlflow+http://`"))?;
        let mut base = Url::parse(plain).map_err(|error| wrong(&error.to_string()))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong(
                "it holds a user or password, which belong into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            ));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("it has a query or fragment"));
        }
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { base })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.as_str().trim_end_matches('/'))
    }
}

impl Address {
    /// The URL of `path`, as it is written, below this address; `None` if it would lead somewhere else.
    pub(crate) fn at(&self, path: &str, query: Option<&str>) -> Option<Url> {
        let whole = format!("{}{}", self.base.path(), path.strip_prefix('/')?);
        let mut url = self.base.clone();
        url.set_path(&whole);
        url.set_query(query);
        // What a URL cannot hold is not what was written any more.
        (url.path() == whole && !leads_out(path)).then_some(url)
    }

    /// The URL of these segments, whatever is in them.
    pub(crate) fn of(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Whether `host` (with a port, if one is given) names this server.
    pub(crate) fn is_at(&self, host: &str) -> bool {
        let name = self.base.host_str().unwrap_or_default();
        let port = self.base.port_or_known_default().unwrap_or_default();
        host == name || host == format!("{name}:{port}")
    }
}

/// Whether `path` has a `.` or `..` among its parts, in any encoding: servers and their proxies decode `%2f` before they
/// follow dots.
fn leads_out(path: &str) -> bool {
    let mut form = path.to_owned();
    for _ in 0..DECODINGS {
        if form.split(['/', '\\']).any(|part| matches!(part, "." | "..")) {
            return true;
        }
        let decoded = types::percent_decoded(&form);
        if decoded == form {
            return false;
        }
        form = decoded;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_without_secrets() {
        let address: Address = "mlflow+https://host/mlflow".parse().unwrap();
        assert_eq!(address.to_string(), "https://host/mlflow");
        for wrong in [
            "https://host",
            "mlflow+ftp://host",
            "mlflow+https://me:secret@host",
            "mlflow+https://h?a=b",
            "mlflow+http://",
        ] {
            let said = wrong.parse::<Address>().unwrap_err().to_string();
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn paths_stay_below_it() {
        let address: Address = "mlflow+http://host:5000/mlflow".parse().unwrap();
        let at = |path| address.at(path, None).map(|url| url.to_string());
        assert_eq!(at("/api/2.0/x").as_deref(), Some("http://host:5000/mlflow/api/2.0/x"));
        assert_eq!(at("/a%20b/%C3%A4").as_deref(), Some("http://host:5000/mlflow/a%20b/%C3%A4"));
        for path in ["/a/..%2f..%2Fadmin", "/a/%2e%2e%2fb", "/a%5c..%5Cb", "/a/..%252f..%25252fb", "/a/%2E%252e/b"] {
            assert_eq!(at(path), None, "{path}");
        }
        assert!(at("/artifacts/a..b/..c/100%25").is_some());
        for path in ["/a/../../b", "/a/%2e%2E/b", "/../x", "/a/./b", "relative"] {
            assert_eq!(at(path), None, "{path}");
        }
        assert_eq!(address.of(&["a b", "c/d", "ä"]).as_str(), "http://host:5000/mlflow/a%20b/c%2Fd/%C3%A4");
        assert!(address.is_at("host:5000") && !address.is_at("other:5000"));
    }
}
