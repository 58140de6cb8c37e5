//! From MLflow's artifact URIs to paths in this server's store.

use std::path::Path;

use artifacts::{ArtifactPath, Store};

use crate::error::{Error, Result};

/// The root of artifacts that this server keeps itself; clients reach them through its proxy.
pub(crate) const OWN_ROOT: &str = "mlflow-artifacts:/";

/// `uri` and `part` below it, as MLflow joins them: a query stays at the end.
pub(crate) fn append(uri: &str, part: &str) -> String {
    let (path, query) = uri.split_at(uri.find('?').unwrap_or(uri.len()));
    format!("{}/{part}{query}", path.strip_suffix('/').unwrap_or(path))
}

/// `location` as it is kept: a local path from `folder`, if it does not say from where.
pub(crate) fn absolute(location: &str, folder: &Path) -> String {
    let is_local = !location.contains(':') && !location.starts_with('/');
    if is_local { folder.join(location).display().to_string() } else { location.to_owned() }
}

/// The path of `uri` in this server's store, if it names one there: `mlflow-artifacts:/…` or the proxy's own address.
pub(crate) fn own_path(uri: &str) -> Result<Option<ArtifactPath>> {
    /// Where the proxy is, below a server's address.
    const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts/";
    let path = if let Some(rest) = uri.strip_prefix("mlflow-artifacts:") {
        match rest.strip_prefix("//") {
            Some(authority) => authority.split_once('/').map_or("", |(_, path)| path),
            None => rest.trim_start_matches('/'),
        }
    } else if uri.starts_with("http://") || uri.starts_with("https://") {
        match uri.split_once(PROXY) {
            Some((_, path)) => path,
            None => return Ok(None),
        }
    } else {
        return Ok(None);
    };
    Ok(Some(ArtifactPath::parse(path)?))
}

/// The path in `store` of `uri`, if it lies there: as the proxy's address, or as the store's own.
pub(crate) fn located(store: &Store, uri: &str) -> Result<Option<ArtifactPath>> {
    Ok(match own_path(uri)? {
        None => store.locate(uri)?,
        path => path,
    })
}

/// The path in `store` of `uri`, which is where `subject`'s files lie.
pub(crate) fn required(store: &Store, uri: &str, subject: &str) -> Result<ArtifactPath> {
    located(store, uri)?.ok_or_else(|| Error::Elsewhere { subject: subject.to_owned(), uri: uri.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_artifacts_have_a_path_and_others_none() {
        let path = |uri: &str| own_path(uri).unwrap().map(|path| path.to_string());
        assert_eq!(path("mlflow-artifacts:/0/abc/artifacts").as_deref(), Some("0/abc/artifacts"));
        assert_eq!(path("mlflow-artifacts://host:5000/0/abc").as_deref(), Some("0/abc"));
        assert_eq!(path("http://h/api/2.0/mlflow-artifacts/artifacts/0/x").as_deref(), Some("0/x"));
        assert_eq!(path("s3://bucket/0"), None);
        assert_eq!(path("file:///srv/0"), None);
        assert!(own_path("mlflow-artifacts:/../x").is_err());
        assert_eq!(absolute("mine", Path::new("/srv")), "/srv/mine");
        assert_eq!(absolute("/mine", Path::new("/srv")), "/mine");
        assert_eq!(absolute("s3://b/mine", Path::new("/srv")), "s3://b/mine");
        assert_eq!(append(OWN_ROOT, "0"), "mlflow-artifacts:/0");
        assert_eq!(append("s3://b/root/", "m"), "s3://b/root/m");
        assert_eq!(append("mysql://h/db?driver=x", "m"), "mysql://h/db/m?driver=x");
    }
}
