//! A look at a rollout, in one transaction: what gateways serve and counted is read, the analysis brought up to date,
//! [`step`](crate::machine::step) asked, and what follows written. A look that decides nothing leaves no audit row.

use std::collections::BTreeMap;

use database::Transaction;
use serde_json::{Value as Json, json};
use types::Timestamp;

use super::{
    decide::{Decision, LEASE, take},
    desk::Desk,
};
use crate::{
    Acknowledgement, Assignment, Error, Judgement, Point, Release, ReleaseId, Stage,
    analysis::{Limits, Metric},
    machine::{Leg, Look, Observation},
    model_file::{LatencyLimit, Rollout},
    repo::{self, gateways, rollouts, traffic, windows},
    tally::{Route, Tally},
};

/// Windows taken by one look. What is left, as after a long absence, is taken by the next ones.
const MOST_WINDOWS: u32 = 5_000;
/// Greater evidence than this tells nobody anything more, and not every reader of JSON takes infinity.
const MOST_EVIDENCE: f64 = 1e12;

/// Looks at the rollout of a release under the lease's `epoch`. Answers the release as it is then.
pub(crate) async fn look(tx: &mut Transaction, desk: &Desk, id: ReleaseId, epoch: i64) -> Result<Release, Error> {
    tx.check_fence(LEASE, epoch).await?;
    tx.lock(repo::LOCK).await?;
    let before = repo::load(tx, id).await?;
    if before.stage != Stage::RollingOut || before.progress.leg == Leg::Starting {
        return Ok(before);
    }
    let now = desk.now(tx).await?;
    let decided = traffic::of_release(tx, id).await?;
    let limits = before.limits();
    let mut tally = rollouts::tally(tx, id).await?;
    let counted = windows::after(tx, id, tally.cursor, MOST_WINDOWS).await?;
    tally.take(&limits, &routes(&decided, &before.model_file.rollout), &counted);
    let heard = gateways::heard(tx, now - gateways::LIVE).await?;
    let gateways = gateways::acknowledgements(&heard, &before.version.model, now);

    let seen = seen(&before, &decided, &tally, &gateways, now);
    let goes_back = seen.alarm.is_some() || seen.unloadable.is_some();
    let action = if goes_back { "release.rollback" } else { "release.advance" };
    let numbers = numbers(&before, &seen, &tally, &gateways);
    let observation = Observation::Looked(seen);
    let decision = Decision { numbers: Some(numbers), ..Decision::of_controller(action, observation, epoch) };
    let latest = traffic::latest(tx, &before.version.model).await?;
    let after = take(tx, desk, before.clone(), latest, &decision, now).await?;

    let is_decided = after.sequence != before.sequence;
    if is_decided {
        tally.point_taken(now);
    }
    if is_decided || (!counted.is_empty() && tally.is_point_due(now)) {
        rollouts::add_point(tx, id, tally.points, &point(&before, &tally, now)).await?;
    }
    if is_decided || !counted.is_empty() {
        rollouts::put_tally(tx, id, &tally).await?;
    }
    Ok(after)
}

/// What each revision of a release shared out.
pub(crate) fn routes(decided: &[Assignment], rollout: &Rollout) -> BTreeMap<i64, Route> {
    decided.iter().filter_map(|assignment| Some((assignment.revision, Route::of(assignment, rollout)?))).collect()
}

/// The revision since which the release shares out what it does now.
fn routed_at(decided: &[Assignment]) -> Option<i64> {
    let route = |assignment: &Assignment| {
        let weight = assignment.canary.as_ref().map(|canary| canary.weight);
        (weight, assignment.shadow.as_ref().map(|shadow| shadow.release))
    };
    let now = route(decided.last()?);
    decided.iter().rev().take_while(|assignment| route(assignment) == now).last().map(|first| first.revision)
}

fn seen(
    release: &Release,
    decided: &[Assignment],
    tally: &Tally,
    gateways: &[Acknowledgement],
    now: Timestamp,
) -> Look {
    let limits = release.limits();
    let routed_at = routed_at(decided).unwrap_or(i64::MAX);
    let mut live = gateways.iter().filter(|gateway| gateway.live).peekable();
    let has_live = live.peek().is_some();
    let follows = |gateway: &Acknowledgement| gateway.follows(routed_at);
    let refusal = |gateway: &Acknowledgement| {
        let model = gateway.model.as_ref().filter(|model| model.revision >= routed_at)?;
        let why = model.failed.get(&release.version.version)?;
        Some(format!("gateway {} cannot load {}: {why}", gateway.gateway, release.version))
    };
    let alarm = tally.analysis.alarm(&limits);
    Look {
        step: release.step,
        settled: has_live && live.clone().all(follows),
        requests: tally.requests_under(&release.model_file.rollout, release.step),
        promotable: tally.analysis.is_promotable(&limits),
        slow_after: limits.latency.and_then(|_| tally.slow_after(floor(&release.model_file.rollout))),
        alarm: alarm.map(|alarm| format!("{alarm}; {}", tally.exposure(now))),
        unloadable: live.find_map(refusal),
    }
}

fn floor(rollout: &Rollout) -> types::Duration {
    let latency = rollout.rollback_on.as_ref().and_then(|limits| limits.latency.as_ref());
    latency.map_or(LatencyLimit::default_floor(), |latency| latency.floor)
}

/// What a decision was taken on, for the audit trail.
fn numbers(release: &Release, seen: &Look, tally: &Tally, gateways: &[Acknowledgement]) -> Json {
    let live: Vec<_> = gateways.iter().filter(|gateway| gateway.live).map(|gateway| &gateway.gateway).collect();
    json!({
        "step": release.step,
        "weight": release.weight,
        "held": release.progress.held,
        "requests_held": seen.requests.saturating_sub(release.progress.requests_before),
        "settled": seen.settled,
        "gateways": live,
        "analysis": judgement(release, tally),
        "shares": tally.shares(),
    })
}

/// Where the analysis stands.
pub(crate) fn judgement(release: &Release, tally: &Tally) -> Judgement {
    let limits = release.limits();
    let evidence =
        |limit: Option<f64>, metric| limit.map(|_| tally.analysis.e_value(&limits, metric).min(MOST_EVIDENCE));
    Judgement {
        e_errors: evidence(limits.errors, Metric::Errors),
        e_latency: evidence(limits.latency, Metric::Latency),
        threshold: limits.threshold(),
        excess_bound: tally.analysis.excess_upper_bound(),
        max_excess: limits.max_excess,
        promotable: tally.analysis.is_promotable(&limits),
        slow_after: release.progress.slow_after,
        canary_requests: tally.candidate_requests(),
        stable_requests: tally.stable_requests(),
    }
}

fn point(release: &Release, tally: &Tally, now: Timestamp) -> Point {
    let limits: Limits = release.limits();
    let evidence = |metric| tally.analysis.e_value(&limits, metric).min(MOST_EVIDENCE);
    Point {
        at: now,
        step: release.step,
        weight: release.weight,
        canary_requests: tally.candidate_requests(),
        stable_requests: tally.stable_requests(),
        e_errors: evidence(Metric::Errors),
        e_latency: evidence(Metric::Latency),
        threshold: limits.threshold(),
        excess_bound: tally.analysis.excess_upper_bound(),
    }
}
