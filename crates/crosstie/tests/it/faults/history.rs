//! What was decided, read from the tables: the record that answers are held against.

use std::collections::BTreeSet;

use database::{Database, Row, params};
use release::Assignment;
use runtime::Tasks;
use serde_json::Value;

use super::traffic::Answer;

/// One decision about what serves.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) revision: i64,
    /// The epoch of the controller that decided it; none if a person did.
    pub(super) epoch: Option<i64>,
    /// The versions that answer: stable, and the canary of a release that is rolling out.
    pub(super) versions: BTreeSet<u32>,
    decided_at: i64,
    /// When every live gateway had acknowledged this or what followed it.
    settled_at: Option<i64>,
}

/// One row of the audit trail about a release.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) action: String,
    pub(super) subject: String,
    pub(super) detail: Value,
}

/// The tables, read from outside.
pub(super) struct Record {
    pub(super) database: Database,
}

impl Record {
    pub(super) async fn open(uri: &str) -> Self {
        Self { database: Database::connect(uri, &Tasks::new()).await.unwrap() }
    }

    pub(super) async fn rows(&self, sql: &'static str) -> Vec<Row> {
        self.database.read(async move |tx| tx.rows(sql, params![]).await).await.unwrap()
    }

    pub(super) async fn execute(&self, sql: &'static str) -> u64 {
        self.database.write(async move |tx| tx.execute(sql, params![]).await).await.unwrap()
    }

    /// All decisions about what serves, oldest first. There is one model.
    pub(super) async fn decisions(&self) -> Vec<Decided> {
        let sql = "SELECT revision, epoch, assignment, decided_at, settled_at FROM crosstie_traffic ORDER BY revision";
        let decided = |row: &Row| {
            let assignment: Assignment = serde_json::from_str(&row.get::<String>("assignment").unwrap()).unwrap();
            let canary = assignment.canary.map(|canary| canary.pinned.version);
            Decided {
                revision: row.get("revision").unwrap(),
                epoch: row.get("epoch").unwrap(),
                versions: assignment.stable.map(|stable| stable.version).into_iter().chain(canary).collect(),
                decided_at: row.get("decided_at").unwrap(),
                settled_at: row.get("settled_at").unwrap(),
            }
        };
        self.rows(sql).await.iter().map(decided).collect()
    }

    /// The audit trail about releases, oldest first.
    pub(super) async fn audit(&self) -> Vec<Recorded> {
        let sql = "SELECT action, subject, detail FROM crosstie_audit WHERE subject LIKE 'release %' ORDER BY id";
        let recorded = |row: &Row| Recorded {
            action: row.get("action").unwrap(),
            subject: row.get("subject").unwrap(),
            detail: serde_json::from_str(&row.get::<String>("detail").unwrap()).unwrap(),
        };
        self.rows(sql).await.iter().map(recorded).collect()
    }

    /// Every release's decisions are on record, each once: they are numbered from 1, which is its creation.
    pub(super) async fn assert_complete(&self) {
        let audit = self.audit().await;
        for row in self.rows("SELECT id, sequence FROM crosstie_release ORDER BY id").await {
            let (id, last): (i64, i64) = (row.get("id").unwrap(), row.get("sequence").unwrap());
            let subject = format!("release {id}");
            let of_release = || audit.iter().filter(|recorded| recorded.subject == subject);
            assert_eq!(of_release().filter(|recorded| recorded.action == "release.create").count(), 1, "{subject}");
            let numbers: Vec<i64> = of_release().filter_map(|recorded| recorded.detail["sequence"].as_i64()).collect();
            assert_eq!(numbers, (2..=last).collect::<Vec<_>>(), "{subject}");
        }
    }

    /// The controllers that decided, in the order in which they did, never come back after a later one.
    pub(super) async fn assert_epochs_only_grow(&self) -> Vec<i64> {
        let of_traffic: Vec<i64> = self.decisions().await.iter().filter_map(|decided| decided.epoch).collect();
        let of_audit: Vec<i64> =
            self.audit().await.iter().filter_map(|recorded| recorded.detail["epoch"].as_i64()).collect();
        assert!(of_traffic.is_sorted(), "{of_traffic:?}");
        assert!(of_audit.is_sorted(), "{of_audit:?}");
        of_audit
    }
}

/// The answers of versions that nothing on record names for their time. A decision holds from when it was taken until the
/// next one was acknowledged by every live gateway, and for a process that was started after the next one, not at all.
pub(super) fn unexplained<'a>(answers: &'a [Answer], decisions: &[Decided]) -> Vec<&'a Answer> {
    let explains = |answer: &Answer, position: usize| {
        let decided = &decisions[position];
        decided.versions.contains(&answer.version)
            && decided.decided_at <= answer.answered
            && decisions.get(position + 1).is_none_or(|next| {
                answer.sent <= next.settled_at.unwrap_or(i64::MAX) && answer.since <= next.decided_at
            })
    };
    answers.iter().filter(|answer| !(0..decisions.len()).any(|position| explains(answer, position))).collect()
}

#[test]
fn an_answer_is_explained_only_by_what_was_decided_and_not_yet_followed_by_something_else() {
    let decided = |revision: i64, versions: &[u32], decided_at: i64, settled_at: Option<i64>| Decided {
        revision,
        epoch: None,
        versions: versions.iter().copied().collect(),
        decided_at,
        settled_at,
    };
    let decisions = [decided(1, &[1], 10, Some(12)), decided(2, &[1, 2], 20, Some(25)), decided(3, &[1], 30, Some(35))];
    let is_explained = |version: u32, sent: i64, since: i64| {
        unexplained(&[Answer { version, sent, answered: sent + 1, since }], &decisions).is_empty()
    };
    assert!(is_explained(1, 15, 0) && is_explained(1, 40, 0));
    assert!(!is_explained(2, 15, 0), "before its release");
    assert!(is_explained(2, 22, 0) && is_explained(2, 34, 0));
    assert!(!is_explained(2, 36, 0), "after everyone acknowledged that it was withdrawn");
    assert!(!is_explained(2, 33, 31), "by a process that never knew better");
    assert!(!is_explained(3, 22, 0));
}
