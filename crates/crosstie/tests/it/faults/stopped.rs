//! Two processes on one Postgres, of which the one that leads is stopped in the middle of a decision.

use std::sync::Arc;
use std::time::Duration;

use database::{params, testing::PostgresDatabase};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};

use super::{
    history::{Record, unexplained},
    now, report,
    scorer::{Mode, Scorer},
    traffic::Traffic,
    world::{World, until},
};

/// How long the process is stopped: longer than its lease, than the time after which a gateway counts as dead, and than
/// the time for which Postgres keeps its transaction.
const STOPPED: Duration = Duration::from_secs(60);
/// How often the transaction that holds the other up does something.
const ALIVE: Duration = Duration::from_secs(1);
/// Answers that are looked at when all is over.
const AFTERWARDS: usize = 100;
/// Sessions that wait to write an audit row: whoever is in the middle of a decision.
const DECIDING: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'INSERT INTO crosstie_audit%'";
/// Sessions that hold a transaction and do nothing; Postgres may have decided that it will not be committed.
const IDLE: &str = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
    AND state LIKE 'idle in transaction%' AND query LIKE 'INSERT INTO crosstie_audit%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_stopped_for_a_minute_in_the_middle_of_a_decision_is_replaced_and_changes_nothing_more() {
    let Some(database) = PostgresDatabase::create().await else { return };
    let (scorer, store) = (Scorer::start().await, tempfile::tempdir().unwrap());
    let artifacts = format!("file:{}", store.path().display());
    let flags = ["--database", &database.uri(), "--artifacts", &artifacts].map(str::to_owned);
    let mut first = World::start_with("version: 1\n", &flags, None).await;
    first.first_version(&scorer).await;
    let mut second = World::start_with("version: 1\n", &flags, Some(first.token().to_owned())).await;
    assert!(first.leads().await && !second.leads().await);
    let traffic = [Traffic::start(first.target()), Traffic::start(second.target())];
    let record = Record::open(&database.uri()).await;

    first.version(&scorer, 2).await;
    first.roll_out(2).await;
    first.release_when("at 25 %", |release| release["step"] == 3).await;
    scorer.set(2, Some(Mode::Failing));
    stop_in_a_decision(&first, &record, &database.uri()).await;
    let (stopped, stopped_at) = (Instant::now(), now());
    let before = record.decisions().await;
    let epoch = before.iter().filter_map(|decided| decided.epoch).max().unwrap();

    let back = second.release_when("back", |release| release["stage"] == "rolled_back").await;
    let took = stopped.elapsed();
    assert!(took < STOPPED / 2, "the other one waited for {took:?}");
    assert!(back["reason"].as_str().unwrap().starts_with("rolled back by itself"), "{back:#}");
    // The world goes on without it.
    second.version(&scorer, 3).await;
    second.roll_out(3).await;
    second.release_when("stable", |release| release["stage"] == "done").await;
    assert!(stopped.elapsed() < STOPPED, "it was to be stopped for longer than all of that");
    sleep_until(stopped + STOPPED).await;

    first.signal(Signal::CONT);
    let (resumed, resumed_at) = (Instant::now(), now());
    let last = record.decisions().await.last().unwrap().revision;
    until("followed by both gateways", async || {
        let followed = followed(&record).await;
        if followed == [last, last] { Ok(()) } else { Err(json!({ "last": last, "followed": followed })) }
    })
    .await;
    let (caught_up, caught_up_at) = (resumed.elapsed(), now());
    let after = traffic[0].answers(AFTERWARDS).await;
    assert!(after.iter().all(|answer| answer.version == 3), "after it has caught up: {after:?}");
    until("one leads", async || {
        let leads = (first.leads().await, second.leads().await);
        if leads == (false, true) { Ok(()) } else { Err(json!(leads)) }
    })
    .await;

    let decisions = record.decisions().await;
    assert_eq!(decisions.last().unwrap().revision, last, "nothing was decided after it woke up");
    let late = decisions.iter().skip(before.len()).filter(|decided| decided.epoch.is_some_and(|late| late <= epoch));
    assert_eq!(late.count(), 0, "{decisions:#?}");
    record.assert_complete().await;
    let epochs = record.assert_epochs_only_grow().await;
    let stale = stale_answers(&traffic, &decisions, stopped_at, resumed_at, caught_up_at);
    report(&format!(
        "stopped for {STOPPED:?} in the middle of a decision: the other controller acted after {:.1} s, in {} decisions \
         none of the stale epoch; caught up {:.2} s after it went on, with {stale} answers of what it knew before",
        took.as_secs_f64(),
        epochs.len(),
        caught_up.as_secs_f64(),
    ));
    drop(traffic);
    first.kill();
    second.kill();
    database.remove().await;
}

/// Lets the leader begin a decision, and stops it before it can commit: the audit trail is locked until it waits there,
/// with everything else written and locked.
async fn stop_in_a_decision(leader: &World, record: &Record, uri: &str) {
    let (locked, free) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let other = Record::open(uri).await;
    let (lock, until_free) = (Arc::clone(&locked), Arc::clone(&free));
    let holding = tokio::spawn(async move {
        let hold = async move |tx: &mut database::Transaction| {
            tx.execute("LOCK TABLE crosstie_audit IN SHARE MODE", params![]).await?;
            lock.notify_one();
            // The server ends what does nothing for long.
            while timeout(ALIVE, until_free.notified()).await.is_err() {
                tx.execute("SELECT 1", params![]).await?;
            }
            Ok::<_, database::Error>(())
        };
        other.database.write(hold).await
    });
    locked.notified().await;
    one_session(record, "deciding", DECIDING).await;
    assert!(leader.leads().await, "the machine stood still for so long that it lost its lease");
    leader.signal(Signal::STOP);
    free.notify_one();
    holding.await.unwrap().unwrap();
    one_session(record, "left in its transaction", IDLE).await;
}

async fn one_session(record: &Record, what: &str, sessions: &'static str) {
    until(what, async || {
        let sessions = record.rows(sessions).await.len();
        if sessions == 1 { Ok(()) } else { Err(json!(sessions)) }
    })
    .await;
}

/// The revision that each gateway acknowledged.
async fn followed(record: &Record) -> Vec<i64> {
    let rows = record.rows("SELECT status FROM crosstie_gateway").await;
    let revision = |row: &database::Row| {
        let status: Value = serde_json::from_str(&row.get::<String>("status").unwrap()).unwrap();
        let model = &status["models"]["ranker"];
        if model["settled"] == true { model["revision"].as_i64().unwrap() } else { 0 }
    };
    rows.iter().map(revision).collect()
}

/// How many answers the gateway that was stopped gave before it had caught up. All others are on record: those of the one
/// that was not, and those before and after.
fn stale_answers(
    traffic: &[Traffic; 2],
    decisions: &[super::history::Decided],
    stopped_at: i64,
    resumed_at: i64,
    caught_up_at: i64,
) -> usize {
    let [first, second] = traffic.each_ref().map(|traffic| traffic.seen().answers.clone());
    let is_between = |sent: i64| (stopped_at..caught_up_at).contains(&sent);
    let (between, others): (Vec<_>, Vec<_>) = first.into_iter().partition(|answer| is_between(answer.sent));
    for answers in [&second, &others] {
        assert_eq!(unexplained(answers, decisions).first(), None, "{decisions:#?}");
    }
    assert!(between.iter().all(|answer| answer.answered >= resumed_at), "{between:?}");
    unexplained(&between, decisions).len()
}
