//! What a gateway tells: which plan it follows, and what it counted.

use std::{collections::BTreeSet, time::Duration};

use serving::{Arm, GatewayStatus, TrafficPlan, VersionState};
use types::Timestamp;

use crate::{
    arms::{of_user, rollout},
    versions::{Gateway, LONG, START, model_plan, version},
};

async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn settled(status: &GatewayStatus) -> Vec<(i64, bool)> {
    status.models.iter().map(|model| (model.revision, model.settled)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_change_is_acknowledged_at_once_and_otherwise_the_gateway_shows_that_it_lives() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 5.0) }).await;
    after(1).await;
    assert_eq!(gateway.reports.acknowledged().last().map(settled), Some(vec![(1, true)]));
    after(20).await;
    let alive = gateway.reports.acknowledged().len();
    assert!((9..=11).contains(&alive), "{alive} times in 20 seconds");
    gateway.change(2, rollout(2, 25.0)).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(gateway.reports.acknowledged().last().map(settled), Some(vec![(2, true)]));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_load_is_told_with_its_reason() {
    let gateway = Gateway::new();
    gateway.backend.refuse(&version(2).version, Some("no such operator"));
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 5.0) }).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let status = gateway.reports.acknowledged().pop().unwrap();
    assert_eq!(settled(&status), [(1, false)]);
    let failed = status.models[0].versions.iter().find(|status| status.arm == Arm::Canary).unwrap();
    assert!(
        matches!(&failed.state, VersionState::Failed { reason, is_passing: false } if reason.contains("no such operator"))
    );
    assert_eq!((status.models[0].stable, status.models[0].canary), (Some(1), None));
}

#[tokio::test(start_paused = true)]
async fn a_shadow_that_is_not_loaded_leaves_the_model_unsettled() {
    let gateway = Gateway::new();
    gateway.backend.refuse(&version(2).version, Some("broken"));
    let mut models = model_plan(Some(version(1)), None, vec![]);
    for plan in models.values_mut() {
        plan.shadow = Some(version(2));
    }
    gateway.serve(TrafficPlan { revision: 1, models: models.clone() }).await;
    assert!(!gateway.service.status().models[0].settled);
    gateway.backend.refuse(&version(2).version, None);
    gateway.change(2, models).await;
    assert_eq!(gateway.service.status().models[0].shadow, Some(2));
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_while_the_receiver_was_away_arrives_once_it_is_back() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 50.0) }).await;
    after(3).await;
    gateway.reports.set_away(true);
    assert_eq!(gateway.reports.windows(), []);
    for user in 0..90 {
        gateway.service.infer(of_user(user)).await.unwrap();
        after(1).await;
    }
    assert_eq!(gateway.reports.windows(), []);
    gateway.reports.set_away(false);
    after(3).await;
    let windows = gateway.reports.windows();
    assert_eq!(windows.iter().map(|window| window.requests).sum::<u64>(), 90);
    let keys: BTreeSet<_> = windows.iter().map(|window| (window.revision, window.second, window.arm)).collect();
    assert_eq!(keys.len(), windows.len(), "a second is there once");
    assert!(windows.is_sorted_by_key(|window| window.second), "the oldest come first");
    let exposed = gateway.metrics.render();
    for report in ["windows", "acknowledge"] {
        let line = format!(r#"crosstie_gateway_report_failures_total{{report="{report}"}}"#);
        assert!(exposed.lines().any(|shown| shown.starts_with(&line)), "`{line}` is not in:\n{exposed}");
    }
    assert!(!gateway.reports.acknowledged().is_empty(), "it is heard again, too");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_reports_its_last_second_and_says_so() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 50.0) }).await;
    after(3).await;
    gateway.service.infer(of_user(7)).await.unwrap();
    assert_eq!(gateway.reports.windows(), [], "the second is not over");
    assert!(gateway.service.drain(LONG).await);
    assert_eq!(gateway.reports.windows().len(), 1);
    assert!(gateway.reports.acknowledged().pop().unwrap().draining);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_away_holds_no_gateway_up() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 50.0) }).await;
    gateway.reports.hang(true);
    gateway.service.infer(of_user(7)).await.unwrap();
    let started = tokio::time::Instant::now();
    assert!(gateway.service.drain(LONG).await);
    assert!(started.elapsed() <= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(gateway.tasks.shutdown(Duration::from_secs(10)).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_loses_no_count_and_repeats_no_second() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 50.0) }).await;
    for (user, jump) in [0, 3_600, -7_200, 0, 86_400, -86_400].into_iter().enumerate() {
        gateway.clock.set(Timestamp::from_millis((START + jump) * 1_000));
        gateway.service.infer(of_user(i64::try_from(user).unwrap())).await.unwrap();
        after(2).await;
    }
    after(2).await;
    let windows = gateway.reports.windows();
    assert_eq!(windows.iter().map(|window| window.requests).sum::<u64>(), 6);
    assert!(windows.is_sorted_by(|one, next| one.second < next.second), "{windows:?}");
}
