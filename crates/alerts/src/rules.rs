//! What follows from what holds: pure, so that every order of events can be tried.
//!
//! An alert is one episode of a condition. It is raised when the condition is first seen, resolved when the condition was
//! not seen for a while (so that one that flickers is one alert and not fifty), and as urgent as it ever was, so that one
//! that swings between two severities speaks once.

use std::collections::BTreeMap;

use telemetry::Severity;
use types::{Duration, Timestamp};

use crate::{Alert, Condition, Status};

/// What a source said in one look.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    /// The source.
    pub(crate) source: &'a str,
    /// What holds; `None` when it could not say, which changes nothing.
    pub(crate) conditions: Option<&'a [Condition]>,
}

/// One thing to write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// An alert that is new.
    Raise {
        /// The source.
        source: String,
        /// What it said.
        condition: Condition,
    },
    /// An alert as it is now; its sequence says whether there is something to tell.
    Update(Alert),
}

/// The changes from `firing`, all alerts that fire, to what was `said`. Alerts of a source that is not among them resolve
/// like any other: whoever said so is gone for good.
pub(crate) fn changes(firing: &[Alert], said: &[Said<'_>], now: Timestamp, resolve_after: Duration) -> Vec<Change> {
    let mut changes = Vec::new();
    for Said { source, conditions } in said {
        let Some(conditions) = conditions else { continue };
        for condition in worst_by_key(conditions).into_values() {
            let known = firing.iter().find(|alert| alert.source == *source && alert.key == condition.key);
            match known {
                None => changes.push(Change::Raise { source: (*source).to_owned(), condition: condition.clone() }),
                Some(alert) => {
                    let next = seen(alert, condition);
                    if next != *alert {
                        changes.push(Change::Update(next));
                    }
                }
            }
        }
    }
    for alert in firing {
        let answer = said.iter().find(|said| said.source == alert.source);
        let holds = match answer.map(|said| said.conditions) {
            Some(None) => true,
            Some(Some(conditions)) => conditions.iter().any(|condition| condition.key == alert.key),
            None => false,
        };
        if !holds {
            let next = missed(alert, now, resolve_after);
            if next != *alert {
                changes.push(Change::Update(next));
            }
        }
    }
    changes
}

/// The conditions by key; of two with one key, which is a defect of the source, the more urgent.
fn worst_by_key(conditions: &[Condition]) -> BTreeMap<&str, &Condition> {
    let mut by_key: BTreeMap<&str, &Condition> = BTreeMap::new();
    for condition in conditions {
        let known = by_key.entry(&condition.key).or_insert(condition);
        if condition.severity > known.severity {
            *known = condition;
        }
    }
    by_key
}

/// The alert when its condition was seen again.
fn seen(alert: &Alert, condition: &Condition) -> Alert {
    let worse = condition.severity > alert.severity;
    Alert {
        name: condition.name.clone(),
        severity: Severity::max(alert.severity, condition.severity),
        summary: condition.summary.clone(),
        model: condition.model.clone(),
        labels: condition.labels.clone(),
        details: condition.details.clone(),
        since: condition.since,
        sequence: alert.sequence + i64::from(worse),
        missing_since: None,
        ..alert.clone()
    }
}

/// The alert when its condition was not seen.
fn missed(alert: &Alert, now: Timestamp, resolve_after: Duration) -> Alert {
    // A time to come is that of a clock which was set back.
    let since = alert.missing_since.map_or(now, |since| since.min(now));
    if now.since(since) < resolve_after {
        return Alert { missing_since: Some(since), ..alert.clone() };
    }
    Alert {
        status: Status::Resolved,
        sequence: alert.sequence + 1,
        resolved_at: Some(now),
        missing_since: Some(since),
        ..alert.clone()
    }
}

#[cfg(test)]
mod tests;
