//! Which run made a version's files. Whoever registers may name another one; what the files come from is what counts.

use database::Transaction;

use crate::{Version, brought, error::Result, repo, sources, storage};

/// The run that made a version's files; `None` if nobody can tell.
pub(crate) async fn made_by(tx: &mut Transaction, version: &Version) -> Result<Option<String>> {
    let places = [version.storage_location.as_deref(), version.source.as_deref()];
    let places: Vec<&str> = places.into_iter().flatten().filter(|uri| !uri.is_empty()).collect();
    if let Some(run) = places.iter().find_map(|uri| sources::run_of(uri)) {
        return Ok(Some(run));
    }
    let named = |run: Option<String>| run.filter(|run| !run.is_empty());
    let model = match places.iter().find_map(|uri| sources::logged_model_at(uri)) {
        Some(id) => repo::logged_models::by_id(tx, &id).await?,
        None => None,
    };
    if let Some(run) = model.and_then(|(model, _)| named(model.source_run_id)) {
        return Ok(Some(run));
    }
    let named = named(version.run_id.clone());
    if is_brought(version) {
        return Ok(named);
    }
    // Where they lie comes first; what a registry elsewhere calls its own is not this server's.
    let Some(own) = places.first().filter(|uri| storage::own_path(uri).is_ok_and(|path| path.is_some())) else {
        return Ok(named);
    };
    // Among the files of this server's runs.
    for run in sources::runs_at(own).into_iter().chain(named) {
        let found = repo::runs::by_id(tx, &run).await?;
        if found.is_some_and(|found| sources::is_within(own, &found.artifact_uri)) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}

/// Whether its files were copied from a registry elsewhere, which knows its run. What is registered here lies where its
/// source says.
fn is_brought(version: &Version) -> bool {
    let place = version.storage_location.as_deref().filter(|place| version.source.as_deref() != Some(*place));
    let path = place.and_then(|place| storage::own_path(place).ok().flatten());
    path.is_some_and(|path| path.as_str().split('/').next() == Some(brought::FOLDER))
}
