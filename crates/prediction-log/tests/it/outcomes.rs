//! Outcomes are taken once, whoever repeats them and whenever.

use prediction_log::{Error, OutcomeReport, Scan};
use types::{PredictionId, Timestamp};
use uuid::Uuid;

use crate::world::{World, id, minutes, outcome, record, start};

#[tokio::test]
async fn an_outcome_counts_once_by_prediction_and_event_before_and_after_a_restart_and_a_roll() {
    let world = World::new();
    let served = record(start(), 0);
    let batch = || vec![outcome(served.id, "click"), outcome(served.id, "purchase"), outcome(served.id, "click")];
    let again = OutcomeReport { accepted: 0, duplicates: 3 };

    let process = world.open();
    process.log.append(std::slice::from_ref(&served)).unwrap();
    let first = process.log.append_outcomes(batch()).await.unwrap();
    assert_eq!(first, OutcomeReport { accepted: 2, duplicates: 1 });
    assert_eq!(process.log.append_outcomes(batch()).await.unwrap(), again);
    process.end().await;

    let process = world.open();
    assert_eq!(process.log.append_outcomes(batch()).await.unwrap(), again, "after a restart");
    process.log.roll().await.unwrap();
    assert_eq!(process.log.append_outcomes(batch()).await.unwrap(), again, "after a roll");
    process.end().await;

    let process = world.open();
    assert_eq!(process.log.append_outcomes(batch()).await.unwrap(), again, "after a roll and a restart");
    let (found, outcomes) = process.log.find(served.id).await.unwrap().unwrap();
    assert_eq!(found, served);
    assert_eq!(outcomes.iter().map(|outcome| outcome.event.as_str()).collect::<Vec<_>>(), ["click", "purchase"]);
    process.end().await;
}

#[tokio::test]
async fn outcomes_may_come_late_and_before_their_prediction() {
    let world = World::new();
    let process = world.open();
    let (old, new) = (id(start() - minutes(60 * 24 * 9), 0), id(start(), 0));
    process.log.append_outcomes(vec![outcome(new, "click")]).await.unwrap();
    process.log.roll().await.unwrap();
    process.log.append_outcomes(vec![outcome(old, "click"), outcome(new, "label")]).await.unwrap();
    let all = process.log.outcomes(Scan::newest(10)).await.unwrap();
    assert_eq!(all.iter().map(|outcome| outcome.prediction).collect::<Vec<_>>(), [new, new, old]);
    let since = Scan { since: start() - minutes(1), ..Scan::newest(10) };
    assert_eq!(process.log.outcomes(since).await.unwrap().len(), 2);
    assert!(process.log.find(new).await.unwrap().is_none(), "there is no prediction to show");
    process.end().await;
}

#[tokio::test]
async fn a_batch_with_a_malformed_outcome_is_refused_whole() {
    let world = World::new();
    let process = world.open();
    let good = outcome(id(start(), 0), "click");
    let mut endless = good.clone();
    endless.value = Some(f64::INFINITY);
    let foreign = outcome(PredictionId::new(Uuid::from_u128(7), 0), "click");
    for bad in [outcome(good.prediction, ""), endless, foreign] {
        let refused = process.log.append_outcomes(vec![good.clone(), bad]).await.unwrap_err();
        assert!(matches!(refused, Error::InvalidOutcome { index: 1, .. }), "{refused}");
    }
    assert_eq!(process.log.outcomes(Scan::newest(10)).await.unwrap(), []);
    assert_eq!(process.log.append_outcomes(vec![good]).await.unwrap().accepted, 1);
    process.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_report_the_same_at_once_one_is_accepted() {
    let world = World::new();
    let process = world.open();
    let prediction = id(start(), 0);
    let reports = (0..16).map(|_| {
        let log = process.log.clone();
        tokio::spawn(async move { log.append_outcomes(vec![outcome(prediction, "click")]).await.unwrap().accepted })
    });
    let mut accepted = 0;
    for report in reports.collect::<Vec<_>>() {
        accepted += report.await.unwrap();
    }
    assert_eq!(accepted, 1);
    let scan = Scan { until: Timestamp::MAX, ..Scan::newest(10) };
    assert_eq!(process.log.outcomes(scan).await.unwrap().len(), 1);
    process.end().await;
}
