//! What gateways said last: what they serve, and what their shadows showed.

use std::collections::BTreeMap;

use database::{Transaction, params};
use serde::{Deserialize, Serialize};
use types::{Duration, ModelName, Timestamp};

use super::{from_json, to_json};
use crate::{Acknowledgement, Error, GatewayReport, ModelReport, ReleaseId, shadow};

/// A gateway that was not heard for this long is not waited for: five acknowledgements in a row are missing.
pub(crate) const LIVE: Duration = Duration::from_secs(10);

/// What a gateway said, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Said {
    gateway: String,
    models: BTreeMap<ModelName, ModelReport>,
    /// Since when it serves each model so. A version that does not load is tried again and again, and that the reason comes
    /// and goes meanwhile is no change.
    #[serde(default)]
    since: BTreeMap<ModelName, Timestamp>,
}

impl Said {
    fn now(report: &GatewayReport, before: Option<&Self>, now: Timestamp) -> Self {
        let since = report.models.iter().map(|(model, said)| {
            let same = before.filter(|before| {
                let was = before.models.get(model);
                was.is_some_and(|was| (was.revision, was.settled) == (said.revision, said.settled))
            });
            (model.clone(), same.and_then(|before| before.since.get(model).copied()).unwrap_or(now))
        });
        let since = since.collect();
        Self { gateway: report.gateway.clone(), models: report.models.clone(), since }
    }
}

/// Writes what a gateway serves. Answers whether it said something else before.
pub(crate) async fn put(tx: &mut Transaction, report: &GatewayReport, now: Timestamp) -> Result<bool, Error> {
    let before = tx.row("SELECT status FROM crosstie_gateway WHERE id = $1", params![&report.gateway]).await?;
    let before: Option<String> = before.map(|row| row.get("status")).transpose()?;
    let before = before.map(|text| from_json::<Said>("a gateway's status", &text)).transpose()?;
    let status = to_json(&Said::now(report, before.as_ref(), now))?;
    tx.execute(
        "INSERT INTO crosstie_gateway (id, seen_at, changed_at, status) VALUES ($1, $2, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, status = excluded.status, \
         changed_at = CASE WHEN crosstie_gateway.status = excluded.status THEN crosstie_gateway.changed_at \
         ELSE excluded.changed_at END",
        params![&report.gateway, now, &status],
    )
    .await?;
    Ok(before.is_none_or(|before| before.models != report.models))
}

/// What a gateway said last.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    said: Said,
    seen_at: Timestamp,
    changed_at: Timestamp,
}

/// The gateways heard since `since`, with what they said and when.
pub(crate) async fn heard(tx: &mut Transaction, since: Timestamp) -> Result<Vec<Heard>, Error> {
    let sql = "SELECT seen_at, changed_at, status FROM crosstie_gateway WHERE seen_at >= $1 ORDER BY id";
    let rows = tx.rows(sql, params![since]).await?;
    rows.iter()
        .map(|row| {
            Ok(Heard {
                said: from_json("a gateway's status", &row.get::<String>("status")?)?,
                seen_at: row.get("seen_at")?,
                changed_at: row.get("changed_at")?,
            })
        })
        .collect()
}

/// The same, as it concerns `model`.
pub(crate) fn acknowledgements(heard: &[Heard], model: &ModelName, now: Timestamp) -> Vec<Acknowledgement> {
    let of = |heard: &Heard| Acknowledgement {
        gateway: heard.said.gateway.clone(),
        seen_at: heard.seen_at,
        changed_at: heard.said.since.get(model).copied().unwrap_or(heard.changed_at),
        // One that was heard in the future was heard before the clock went back, and may be long dead.
        live: now.since(heard.seen_at) <= LIVE && heard.seen_at.since(now) <= LIVE,
        model: heard.said.models.get(model).cloned(),
    };
    heard.iter().map(of).collect()
}

/// Removes gateways that were last heard before `before`.
pub(crate) async fn forget(tx: &mut Transaction, before: Timestamp) -> Result<(), Error> {
    tx.execute("DELETE FROM crosstie_gateway WHERE seen_at < $1", params![before]).await?;
    Ok(())
}

/// Writes what a gateway's shadow showed.
pub(crate) async fn put_shadow(
    tx: &mut Transaction,
    release: ReleaseId,
    gateway: &str,
    summary: &shadow::Summary,
) -> Result<(), Error> {
    tx.execute(
        "INSERT INTO crosstie_shadow (release_id, gateway, summary) VALUES ($1, $2, $3) \
         ON CONFLICT (release_id, gateway) DO UPDATE SET summary = excluded.summary",
        params![release.0, gateway, to_json(summary)?],
    )
    .await?;
    Ok(())
}

/// What the shadow of a release showed, over all gateways; `None` if none was sent a copy.
pub(crate) async fn shadow(tx: &mut Transaction, release: ReleaseId) -> Result<Option<shadow::Summary>, Error> {
    let sql = "SELECT summary FROM crosstie_shadow WHERE release_id = $1 ORDER BY gateway";
    let mut whole: Option<shadow::Summary> = None;
    for row in tx.rows(sql, params![release.0]).await? {
        let part: shadow::Summary = from_json("a shadow's summary", &row.get::<String>("summary")?)?;
        whole.get_or_insert_default().merge(&part);
    }
    Ok(whole)
}
