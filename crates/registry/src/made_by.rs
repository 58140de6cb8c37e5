//! Which run made a version's files. Whoever registers may name another one; in whose folder the files lie is what counts.
//!
//! Places are compared as paths in this server's store, since one place has several addresses: the proxy's, with or
//! without a host, and the store's own.

use artifacts::{ArtifactPath, Store};
use database::Transaction;

use crate::{
    Version, brought,
    error::Result,
    repo,
    sources::{self, Source},
    storage,
};

/// The run that made a version's files; `None` if nobody can tell.
pub(crate) async fn made_by(tx: &mut Transaction, store: &Store, version: &Version) -> Result<Option<String>> {
    let named = present(version.run_id.clone());
    let uris = [version.storage_location.as_deref(), version.source.as_deref()];
    let Some(uri) = uris.into_iter().flatten().find(|uri| !uri.is_empty()) else { return Ok(named) };
    let (uri, said) = match sources::parse(uri) {
        Ok(Source::Run { id, path }) => match repo::runs::by_id(tx, &id).await? {
            Some(run) if path.is_empty() => (run.artifact_uri, Some(id)),
            Some(run) => (storage::append(&run.artifact_uri, &path), Some(id)),
            None => return Ok(Some(id)),
        },
        Ok(Source::LoggedModel { id }) => match repo::logged_models::by_id(tx, &id).await? {
            Some((model, _)) => (model.artifact_uri, present(model.source_run_id).or(named)),
            None => return Ok(named),
        },
        Ok(Source::Registered { .. } | Source::Local | Source::Own | Source::Elsewhere) | Err(_) => {
            (uri.to_owned(), named)
        }
    };
    // What begins in the store and leads out of it is nobody's.
    let Some(place) = Place::of(store, &uri) else { return Ok(None) };
    if let Some(run) = owner(tx, store, &place).await? {
        return Ok(Some(run));
    }
    match (&place, said) {
        // What a registry elsewhere calls its own is not this server's to look at.
        (Place::Elsewhere(_), said) => Ok(said),
        (Place::Here(_), Some(run)) => Ok(holds_run(tx, store, &run, &place).await?.then_some(run)),
        (Place::Here(_), None) => Ok(None),
    }
}

/// The run in whose folder, or in whose logged model's, the place is: the innermost one. What was brought has the run that
/// was recorded with it.
async fn owner(tx: &mut Transaction, store: &Store, place: &Place) -> Result<Option<String>> {
    if let Place::Here(path) = place
        && brought::is_below(path)
        && let Some(run) = repo::brought::run_at(tx, path).await?
    {
        return Ok(Some(run));
    }
    for part in place.as_str().rsplit('/') {
        if let Some(run) = sources::runs_at(part).pop() {
            if holds_run(tx, store, &run, place).await? {
                return Ok(Some(run));
            }
        } else if let Some(id) = sources::logged_model_at(part)
            && let Some((model, _)) = repo::logged_models::by_id(tx, &id).await?
            && place.is_in(store, &model.artifact_uri)
            && let Some(run) = present(model.source_run_id)
        {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// Whether there is such a run, and the place is in its folder.
async fn holds_run(tx: &mut Transaction, store: &Store, run: &str, place: &Place) -> Result<bool> {
    let found = repo::runs::by_id(tx, run).await?;
    Ok(found.is_some_and(|found| place.is_in(store, &found.artifact_uri)))
}

fn present(run: Option<String>) -> Option<String> {
    run.filter(|run| !run.is_empty())
}

/// Where files lie.
#[derive(Debug)]
enum Place {
    /// In this server's store.
    Here(ArtifactPath),
    /// Under a URI of which this server keeps nothing.
    Elsewhere(String),
}

impl Place {
    /// `None` for what names a place in the store and no path in it.
    fn of(store: &Store, uri: &str) -> Option<Self> {
        match storage::located(store, uri) {
            Ok(Some(path)) => Some(Self::Here(path)),
            Ok(None) => Some(Self::Elsewhere(uri.to_owned())),
            Err(_) => None,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Here(path) => path.as_str(),
            Self::Elsewhere(uri) => uri,
        }
    }

    /// Whether it is the folder at `root`, or in it. The whole store is nobody's folder.
    fn is_in(&self, store: &Store, root: &str) -> bool {
        match (self, Self::of(store, root)) {
            (Self::Here(path), Some(Self::Here(root))) => {
                !root.is_root() && (*path == root || path.below(&root).is_some())
            }
            (Self::Elsewhere(uri), Some(Self::Elsewhere(root))) => sources::is_within(uri, &root),
            (Self::Here(_), Some(Self::Elsewhere(_)) | None) | (Self::Elsewhere(_), Some(Self::Here(_)) | None) => {
                false
            }
        }
    }
}
