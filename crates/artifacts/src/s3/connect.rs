//! From `s3://bucket/prefix` and settings to a client.

use std::time::Duration;

use futures::TryStreamExt as _;
use object_store::{
    ClientOptions, ObjectStore as _, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
};
use url::{Host, Url};

use super::S3;
use crate::{ArtifactPath, Config, Error, error::status};

/// How long a request is tried again before its caller hears of it; our own callers wait meanwhile.
const TRIED_FOR: Duration = Duration::from_secs(20);
/// How often, within that.
const TRIES: usize = 5;
/// How long a service may send nothing. It is silent while it puts the parts of a large upload together.
const SILENCE: Duration = Duration::from_secs(300);
/// Settings that are addresses of the service, the one that counts first.
const ENDPOINTS: [&str; 3] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
/// Set to `true` where the service is to be spoken to without TLS across a network.
const ALLOW_HTTP: &str = "AWS_ALLOW_HTTP";

impl S3 {
    /// The store at `uri`. Nothing is asked of the service yet.
    pub(crate) fn open(uri: &str, config: &Config) -> Result<Self, Error> {
        let malformed = |reason: String| Error::MalformedS3 { uri: uri.to_owned(), reason };
        let rest = uri.strip_prefix("s3://").ok_or_else(|| malformed("it does not begin with s3://".to_owned()))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() || !bucket.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)) {
            return Err(malformed("it names no bucket".to_owned()));
        }
        let prefix = ArtifactPath::parse(prefix).map_err(|_| malformed("its prefix is not a path".to_owned()))?;
        runtime::tls::use_ring();
        let options = ClientOptions::new()
            .with_timeout_disabled()
            .with_read_timeout(SILENCE)
            .with_allow_http(allows_http(config).map_err(malformed)?);
        let retry = RetryConfig { max_retries: TRIES, retry_timeout: TRIED_FOR, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new().with_client_options(options).with_retry(retry);
        for (name, value) in &config.s3 {
            // What is no setting of the client (`AWS_PAGER`) is some other program's business.
            match name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
                Ok(key) if name != ALLOW_HTTP => builder = builder.with_config(key, value.expose()),
                Ok(_) | Err(_) => {}
            }
        }
        let client = builder.with_bucket_name(bucket).build().map_err(|error| malformed(error.to_string()))?;
        Ok(Self { client, bucket: bucket.to_owned(), prefix: prefix.to_string() })
    }

    /// Asks the service for one key: an error says what it refuses, or that it does not answer.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        let root = ArtifactPath::root();
        let key = self.key(&root)?;
        match self.client.list(Some(&key)).try_next().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(404) => Err(Error::NoBucket { bucket: self.bucket.clone() }),
            Err(error) => Err(Error::s3("list", &root, error)),
        }
    }
}

/// Whether the service may be spoken to without TLS: on this machine, or where that is asked for.
fn allows_http(config: &Config) -> Result<bool, String> {
    let setting = |name: &str| config.s3.get(name).map(|value| value.expose().as_str());
    if setting(ALLOW_HTTP).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1") {
        return Ok(true);
    }
    let Some(endpoint) = ENDPOINTS.iter().find_map(|name| setting(name)) else { return Ok(false) };
    let url = Url::parse(endpoint).map_err(|_| format!("`{endpoint}` is not the address of a service"))?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !local {
        return Err(format!(
            "{endpoint} has no TLS and is not on this machine; to send artifacts over it all the same, set {ALLOW_HTTP}=true"
        ));
    }
    Ok(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_name_a_bucket_and_a_prefix() {
        let config = Config::default().with_s3("AWS_ACCESS_KEY_ID", "k").with_s3("AWS_SECRET_ACCESS_KEY", "s");
        let prefix = |uri: &str| S3::open(uri, &config).map(|store| store.prefix);
        assert_eq!(prefix("s3://bucket").unwrap(), "");
        assert_eq!(prefix("s3://bucket/").unwrap(), "");
        assert_eq!(prefix("s3://bucket/a/b/").unwrap(), "a/b");
        for uri in ["s3:bucket", "s3://", "s3:///a", "s3://bucket/../b", "s3://bucket/a//b", "s3://b?x/a", "s3://b\\c"]
        {
            assert!(matches!(prefix(uri), Err(Error::MalformedS3 { .. })), "{uri}");
        }
    }

    #[test]
    fn artifacts_cross_a_network_without_tls_only_where_that_is_asked_for() {
        let at = |endpoint: &str| Config::default().with_s3("AWS_ENDPOINT_URL", endpoint);
        assert_eq!(allows_http(&Config::default()), Ok(false));
        for local in ["http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"] {
            assert_eq!(allows_http(&at(local)), Ok(true), "{local}");
        }
        assert_eq!(allows_http(&at("https://minio.example")), Ok(false));
        assert!(allows_http(&at("http://minio:9000")).unwrap_err().contains("AWS_ALLOW_HTTP=true"));
        assert_eq!(allows_http(&at("http://minio:9000").with_s3(ALLOW_HTTP, "true")), Ok(true));
        assert!(allows_http(&at("minio")).is_err());
    }
}
