//! Rows that were brought from a registry elsewhere, and are brought up to date; and `crosstie_brought`, the record of what
//! lies where.

use artifacts::ArtifactPath;
use database::{Transaction, params};

use crate::{Version, error::Result};

/// Brings a version up to date; how many there are, which is one or none.
pub(crate) async fn update_version(tx: &mut Transaction, version: &Version) -> Result<u64> {
    let update = "UPDATE model_versions
        SET creation_time = $3, last_updated_time = $4, description = $5, user_id = $6, current_stage = $7, source = $8,
            storage_location = $9, run_id = $10, status = $11, status_message = $12, run_link = $13
        WHERE workspace = 'default' AND name = $1 AND version = $2";
    let Version { name, version: number, created, updated, description, user_id, stage, source, .. } = version;
    let Version { storage_location, run_id, status, status_message, run_link, .. } = version;
    let values = params![
        name,
        number,
        created,
        *updated,
        description.as_ref(),
        user_id.as_ref(),
        stage,
        source.as_ref(),
        storage_location.as_ref(),
        run_id.as_ref(),
        status,
        status_message.as_ref(),
        run_link.as_ref()
    ];
    let changed = tx.execute(update, values).await?;
    tx.execute(
        "DELETE FROM model_version_tags WHERE workspace = 'default' AND name = $1 AND version = $2",
        params![name, number],
    )
    .await?;
    Ok(changed)
}

/// Forgets what was logged on a run, before it is written as it is now.
pub(crate) async fn forget_logged(tx: &mut Transaction, run_id: &str) -> Result<()> {
    for delete in [
        "DELETE FROM params WHERE run_uuid = $1",
        "DELETE FROM tags WHERE run_uuid = $1",
        "DELETE FROM latest_metrics WHERE run_uuid = $1",
        "DELETE FROM metrics WHERE run_uuid = $1",
        "DELETE FROM input_tags WHERE input_uuid IN
            (SELECT input_uuid FROM inputs WHERE destination_type = 'RUN' AND destination_id = $1)",
        "DELETE FROM inputs WHERE destination_type = 'RUN' AND destination_id = $1",
    ] {
        tx.execute(delete, params![run_id]).await?;
    }
    Ok(())
}

/// Where a run's artifacts lie now.
pub(crate) async fn set_location(tx: &mut Transaction, run_id: &str, uri: &str) -> Result<()> {
    tx.execute("UPDATE runs SET artifact_uri = $2 WHERE run_uuid = $1", params![run_id, uri]).await?;
    Ok(())
}

/// Records that the files of a version were brought to `place`, and which run made them.
pub(crate) async fn record(tx: &mut Transaction, place: &ArtifactPath, run_id: Option<&str>) -> Result<()> {
    let insert = "INSERT INTO crosstie_brought (path, run_id) VALUES ($1, $2)
        ON CONFLICT (path) DO UPDATE SET run_id = excluded.run_id";
    tx.execute(insert, params![place.as_str(), run_id]).await?;
    Ok(())
}

/// The run that made what was brought to `path`, or to a folder that it lies in; `None` if nothing was, or no run is known.
pub(crate) async fn run_at(tx: &mut Transaction, path: &ArtifactPath) -> Result<Option<String>> {
    let mut folder = Some(path.clone());
    while let Some(path) = folder {
        let found = tx.row("SELECT run_id FROM crosstie_brought WHERE path = $1", params![path.as_str()]).await?;
        if let Some(row) = found {
            return Ok(row.get("run_id")?);
        }
        folder = path.parent();
    }
    Ok(None)
}
