//! Which of MLflow's routes hands over which files.
//!
//! A version's files lie where it was registered from. Where that is among its run's artifacts or a logged model's, the
//! server reads them, whatever store they are in; `mlflow-artifacts:` is its own store. Anything else would need
//! credentials for that store, and is refused.

use artifacts::{ArtifactPath, Content};
use registry::{OriginFile, OriginFolder, OriginVersion};
use url::Url;

use crate::{Error, RemoteMlflow, wire};

/// Files of one version or run: more would be a mistake, such as a data set in a model.
const MOST_FILES: usize = 20_000;

/// Where files lie, by the route that hands them over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A folder of a run's artifacts.
    Run { run: String, folder: String },
    /// All files of a logged model.
    LoggedModel { id: String },
    /// A folder of the server's own artifact store.
    Proxy { folder: String },
}

impl RemoteMlflow {
    pub(crate) fn place(&self, folder: OriginFolder<'_>) -> Result<Place, Error> {
        match folder {
            OriginFolder::Run(run, folder) => {
                Ok(Place::Run { run: run.run.info.id.clone(), folder: folder.to_owned() })
            }
            OriginFolder::Version(version) => self.place_of_version(version),
        }
    }

    fn place_of_version(&self, version: &OriginVersion) -> Result<Place, Error> {
        let source = version.version.source.as_deref().unwrap_or_default();
        let location = version.location.as_str();
        let logged = [source, location].into_iter().find_map(logged_model);
        if let Some(id) = logged {
            return Ok(Place::LoggedModel { id });
        }
        if let Some(run) = &version.run {
            let folder = below(location, &run.run.info.artifact_uri);
            if let Some(folder) = folder.filter(|folder| !folder.is_empty()) {
                return Ok(Place::Run { run: run.run.info.id.clone(), folder });
            }
        }
        if let Some(folder) = self.in_proxy(location) {
            return Ok(Place::Proxy { folder });
        }
        Err(Error::Unreachable {
            address: self.http.address.to_string(),
            subject: format!("{}/{}", version.version.name, version.version.version),
            location: location.to_owned(),
        })
    }

    /// The path in the server's own store, of a URI that names one there and not at another server.
    fn in_proxy(&self, uri: &str) -> Option<String> {
        let rest = uri.strip_prefix("mlflow-artifacts:")?;
        let path = match rest.strip_prefix("//") {
            Some(rest) => {
                let (host, path) = rest.split_once('/')?;
                if !host.is_empty() && !self.http.address.is_at(host) {
                    return None;
                }
                path
            }
            None => rest.trim_start_matches('/'),
        };
        ArtifactPath::parse(path).ok().map(|path| path.to_string())
    }

    /// All files at `place` and below, by their paths from there.
    pub(crate) async fn walk(&self, place: &Place) -> Result<Vec<OriginFile>, Error> {
        let (mut files, mut folders, mut visited) = (Vec::new(), vec![String::new()], 0);
        while let Some(folder) = folders.pop() {
            visited += 1;
            for entry in self.list(place, &folder).await? {
                if entry.is_dir {
                    folders.push(entry.path);
                } else {
                    files.push(OriginFile { path: entry.path, size: entry.size });
                }
                self.check_count(files.len() + folders.len() + visited)?;
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Whatever a server answers, a listing ends.
    fn check_count(&self, count: usize) -> Result<(), Error> {
        if count <= MOST_FILES {
            return Ok(());
        }
        let (address, what) = (self.http.address.to_string(), "files in one place".to_owned());
        Err(Error::TooMuch { address, what, limit: MOST_FILES })
    }

    /// What lies in `folder` of `place`, by its path from the place.
    async fn list(&self, place: &Place, folder: &str) -> Result<Vec<wire::Listed>, Error> {
        let (call, root) = match place {
            Place::Run { folder, .. } => ("api/2.0/mlflow/artifacts/list".to_owned(), folder.as_str()),
            Place::LoggedModel { id } => (format!("api/2.0/mlflow/logged-models/{id}/artifacts/directories"), ""),
            Place::Proxy { folder } => ("api/2.0/mlflow-artifacts/artifacts".to_owned(), folder.as_str()),
        };
        let at = joined(root, folder);
        let mut found = Vec::new();
        let (mut token, mut pages) = (String::new(), 0);
        loop {
            pages += 1;
            self.check_count(found.len() + pages)?;
            let mut query = vec![(
                if matches!(place, Place::LoggedModel { .. }) { "artifact_directory_path" } else { "path" },
                at.as_str(),
            )];
            if at.is_empty() {
                query.clear();
            }
            if let Place::Run { run, .. } = place {
                query.push(("run_id", run));
            }
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let answer = self.http.get_at(&call, &query).await?;
            for entry in wire::list(&answer["files"]) {
                let mut entry = wire::listed(entry).map_err(|reason| self.http.strange(&call, reason))?;
                // The proxy names them from the folder that was asked for, the others from the root of all artifacts.
                let path = match place {
                    Place::Proxy { .. } => joined(folder, &entry.path),
                    Place::Run { .. } | Place::LoggedModel { .. } => {
                        let from = joined("", root);
                        let inside =
                            if from.is_empty() { Some(entry.path.as_str()) } else { strip(&entry.path, &from) };
                        inside.ok_or_else(|| self.http.strange(&call, format!("it lists {:?}", entry.path)))?.to_owned()
                    }
                };
                if strip(&path, folder).is_none_or(|name| name.is_empty() || name.contains('/')) {
                    return Err(self.http.strange(&call, format!("it lists {:?} in {folder:?}", entry.path)));
                }
                entry.path = path;
                found.push(entry);
            }
            match answer["next_page_token"].as_str() {
                Some(next) if !next.is_empty() && next != token => token = next.to_owned(),
                Some(_) | None => return Ok(found),
            }
        }
    }

    /// The content of a file of `place`.
    pub(crate) async fn read(&self, place: &Place, path: &str) -> Result<Content, Error> {
        let address = &self.http.address;
        let of = |path: &str| -> Url { address.of(&path.split('/').collect::<Vec<_>>()) };
        match place {
            Place::Run { run, folder } => {
                let path = joined(folder, path);
                self.http.file(of("get-artifact"), &[("run_id", run), ("path", &path)]).await
            }
            Place::LoggedModel { id } => {
                let url = of(&format!("ajax-api/2.0/mlflow/logged-models/{id}/artifacts/files"));
                self.http.file(url, &[("artifact_file_path", path)]).await
            }
            Place::Proxy { folder } => {
                let url = of(&format!("api/2.0/mlflow-artifacts/artifacts/{}", joined(folder, path)));
                self.http.file(url, &[]).await
            }
        }
    }
}

/// The logged model that a URI names: `models:/m-…`, or the place where its files lie.
fn logged_model(uri: &str) -> Option<String> {
    let id = match uri.strip_prefix("models:/") {
        Some(rest) => rest.trim_start_matches('/'),
        None => uri.strip_suffix("/artifacts")?.rsplit_once("/models/")?.1,
    };
    let is_one = id.starts_with("m-") && id[2..].bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_one.then(|| id.to_owned())
}

/// The path of `uri` below `root`.
fn below(uri: &str, root: &str) -> Option<String> {
    let rest = uri.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/')?;
    ArtifactPath::parse(rest).ok().map(|path| path.to_string())
}

fn joined(folder: &str, path: &str) -> String {
    match (folder.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (_, true) => folder.to_owned(),
        (false, false) => format!("{folder}/{path}"),
    }
}

/// The rest of `path` below `folder`.
fn strip<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logged_models_are_known_by_their_ids() {
        assert_eq!(logged_model("models:/m-0a1b").as_deref(), Some("m-0a1b"));
        assert_eq!(logged_model("mlflow-artifacts:/3/models/m-0a1b/artifacts").as_deref(), Some("m-0a1b"));
        assert_eq!(logged_model("models:/ranker/3"), None);
        assert_eq!(logged_model("s3://b/models/m-0a/../artifacts"), None);
    }

    #[test]
    fn places_are_below_their_roots() {
        assert_eq!(below("s3://b/0/r/artifacts/model", "s3://b/0/r/artifacts").as_deref(), Some("model"));
        assert_eq!(below("s3://b/0/r/artifacts2/model", "s3://b/0/r/artifacts"), None);
        assert_eq!(below("s3://b/a/../x", "s3://b/a"), None);
    }
}
