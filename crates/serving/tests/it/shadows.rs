//! Copies of requests: what they tell, and that they cost nobody anything.

use std::time::Duration;

use serving::{Arm, Shadowed, TrafficPlan, Watch, testing::Behaviour};
use tokio::time::Instant;
use types::Value;

use crate::{
    arms::of_user,
    versions::{Gateway, model_plan, version},
};

/// A gateway that serves version 1, with version 2 as its shadow.
async fn with_shadow() -> Gateway {
    let gateway = Gateway::new();
    let mut models = model_plan(Some(version(1)), None, vec![]);
    for plan in models.values_mut() {
        plan.revision = 1;
        plan.shadow = Some(version(2));
        plan.watch = Some(Watch { release: "7".to_owned(), slow_after: None });
    }
    gateway.serve(TrafficPlan { revision: 1, models }).await;
    gateway
}

/// Asks for `users` one after another; none may fail or wait.
async fn ask(gateway: &Gateway, users: std::ops::Range<i64>) {
    let started = Instant::now();
    for user in users {
        assert_eq!(gateway.service.infer(of_user(user)).await.unwrap().version.version, 1);
    }
    assert_eq!(started.elapsed(), Duration::ZERO, "a request waited for a shadow");
}

/// What the shadow did, once all is done.
async fn shadowed(gateway: &Gateway) -> Vec<Shadowed> {
    tokio::time::sleep(Duration::from_secs(600)).await;
    gateway.shadows.take()
}

#[tokio::test(start_paused = true)]
async fn a_shadow_answers_the_same_request_and_is_compared_row_by_row() {
    let gateway = with_shadow().await;
    gateway.backend.behave(&version(2).version, Some(Behaviour::Takes(Duration::from_millis(30))));
    ask(&gateway, 0..1).await;
    let [shadowed] = <[Shadowed; 1]>::try_from(shadowed(&gateway).await).unwrap();
    assert_eq!((shadowed.release.as_str(), shadowed.primary, shadowed.shadow.version), ("7", version(1).version, 2));
    let (rows, took) = shadowed.outcome.unwrap();
    assert_eq!((took, shadowed.primary_latency), (Duration::from_millis(30), Duration::ZERO));
    let sums = |rows: &[serving::ServedRow]| rows[0].outputs[0].1[0].clone();
    assert_eq!((sums(&shadowed.primary_rows), sums(&rows)), (Value::Float64(1_000.0), Value::Float64(2_000.0)));
    assert_eq!((shadowed.primary_rows[0].arm, rows[0].arm), (Arm::Stable, Arm::Shadow));
    assert_ne!(shadowed.primary_rows[0].id, rows[0].id);
    assert_eq!(gateway.predictions.take(), shadowed.primary_rows, "a shadow's rows are not served");
}

#[tokio::test(start_paused = true)]
async fn a_shadow_that_hangs_panics_or_fails_costs_nobody_anything_and_is_counted() {
    for (behaviour, reason) in [
        (Behaviour::Hangs, "no answer within 5s"),
        (Behaviour::Panics, "it panicked"),
        (Behaviour::Fails, "model version ranker/2 failed: the model failed: told to"),
    ] {
        let gateway = with_shadow().await;
        gateway.backend.behave(&version(2).version, Some(behaviour));
        ask(&gateway, 0..20).await;
        let shadowed = shadowed(&gateway).await;
        assert_eq!(shadowed.len(), 20);
        for shadowed in shadowed {
            let said = shadowed.outcome.unwrap_err();
            assert!(said.contains(reason), "{behaviour:?}: {said}");
        }
        let windows = gateway.reports.windows();
        let errors = |arm| windows.iter().filter(|window| window.arm == arm).map(|window| window.errors).sum::<u64>();
        assert_eq!((errors(Arm::Stable), errors(Arm::Shadow)), (0, 20));
        assert_eq!(gateway.predictions.take().len(), 20);
    }
}

#[tokio::test(start_paused = true)]
async fn copies_beyond_the_queue_are_dropped_and_counted() {
    let gateway = with_shadow().await;
    gateway.backend.behave(&version(2).version, Some(Behaviour::Hangs));
    ask(&gateway, 0..1_000).await;
    let executed = shadowed(&gateway).await.len();
    assert!((250..=270).contains(&executed), "{executed} copies of 1,000 requests");
    let exposed = gateway.metrics.render();
    for (outcome, count) in [("dropped", 1_000 - executed), ("failed", executed)] {
        let line = format!(r#"crosstie_shadow_copies_total{{model="ranker",outcome="{outcome}",version="2"}} {count}"#);
        assert!(exposed.lines().any(|shown| shown == line), "`{line}` is not in:\n{exposed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_stops_though_its_shadow_hangs() {
    let gateway = with_shadow().await;
    gateway.backend.behave(&version(2).version, Some(Behaviour::Hangs));
    ask(&gateway, 0..20).await;
    let started = Instant::now();
    assert!(gateway.service.drain(Duration::from_secs(10)).await);
    assert_eq!(gateway.tasks.shutdown(Duration::from_secs(10)).await, Vec::<String>::new());
    assert_eq!(started.elapsed(), Duration::ZERO);
}
