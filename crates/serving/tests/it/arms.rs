//! Which arm answers, who may choose, and what is counted.

use std::{collections::BTreeMap, time::Duration};

use serving::{
    Arm, ArmWindow, Error, InferRequest, ModelPlan, Tensor, TensorData, TrafficPlan, VersionState, Watch,
    testing::Behaviour,
};
use types::{ErrorKind, ModelName, Principal};

use crate::{
    serving::{pair, request},
    versions::{Gateway, LONG, START, model_plan, version},
};

/// A plan of revision `revision`, with `canary` at a weight, whose release is watched.
pub(crate) fn rollout(revision: i64, weight: f64) -> BTreeMap<ModelName, ModelPlan> {
    let mut models = model_plan(Some(version(1)), Some((version(2), weight)), vec![version(3)]);
    for plan in models.values_mut() {
        plan.revision = revision;
        plan.watch = Some(Watch { release: "7".to_owned(), slow_after: Some(types::Duration::from_micros(20_000)) });
    }
    models
}

pub(crate) fn of_user(user: i64) -> InferRequest {
    request(vec![pair(0.0, 0.0), Tensor::column("user_id", TensorData::Int64(vec![user]))])
}

/// What was reported, after the current second is over.
async fn windows(gateway: &Gateway) -> Vec<ArmWindow> {
    tokio::time::sleep(Duration::from_secs(3)).await;
    gateway.reports.windows()
}

fn sum(windows: &[ArmWindow], arm: Arm, of: impl Fn(&ArmWindow) -> u64) -> u64 {
    windows.iter().filter(|window| window.arm == arm).map(of).sum()
}

#[tokio::test(start_paused = true)]
async fn each_arm_is_counted_by_request_and_by_entity() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 25.0) }).await;
    gateway.backend.behave(&version(2).version, Some(Behaviour::Fails));
    for user in (0..100).chain(0..100) {
        let answered = gateway.service.infer(of_user(user)).await;
        assert!(answered.is_ok_and(|answer| answer.version == version(1).version) || user < 100);
    }
    let windows = windows(&gateway).await;
    let on_canary = sum(&windows, Arm::Canary, |w| w.requests) / 2;
    assert!((10..=40).contains(&on_canary), "{on_canary} of 100 users are not about 25 %");
    for (arm, users, version, failing) in [(Arm::Stable, 100 - on_canary, 1, 0), (Arm::Canary, on_canary, 2, 1)] {
        assert_eq!(sum(&windows, arm, |w| w.requests), 2 * users);
        assert_eq!(sum(&windows, arm, |w| w.entities), users);
        assert_eq!(sum(&windows, arm, |w| w.failed_requests), 2 * users * failing);
        assert_eq!(sum(&windows, arm, |w| w.errors), users * failing);
        assert_eq!(sum(&windows, arm, |w| w.slow), 0);
        assert!(windows.iter().filter(|w| w.arm == arm).all(|w| w.version == version));
    }
    assert!(windows.iter().all(|w| (w.release.as_str(), w.revision) == ("7", 1) && w.second >= START));
}

#[tokio::test(start_paused = true)]
async fn slow_answers_and_callers_who_left_late_are_slow_and_those_who_left_early_are_nothing() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 100.0) }).await;
    for (user, takes) in [(1, 20), (2, 21), (3, 400)] {
        gateway.backend.behave(&version(2).version, Some(Behaviour::Takes(Duration::from_millis(takes))));
        gateway.service.infer(of_user(user)).await.unwrap();
    }
    gateway.backend.behave(&version(2).version, Some(Behaviour::Hangs));
    for (user, patience) in [(4, 10), (5, 500)] {
        let left = tokio::time::timeout(Duration::from_millis(patience), gateway.service.infer(of_user(user))).await;
        assert!(left.is_err());
    }
    let windows = windows(&gateway).await;
    let of = |of: fn(&ArmWindow) -> u64| sum(&windows, Arm::Canary, of);
    assert_eq!((of(|w| w.requests), of(|w| w.slow), of(|w| w.errors)), (4, 3, 0));
    let answers: u32 = windows.iter().flat_map(|w| &w.latency).map(|(_, count)| count).sum();
    assert_eq!(answers, 3);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 100.0) }).await;
    gateway.backend.behave(&version(2).version, Some(Behaviour::Panics));
    let service = gateway.service.clone();
    tokio::spawn(async move { service.infer(of_user(1)).await }).await.unwrap_err();
    let windows = windows(&gateway).await;
    assert_eq!((sum(&windows, Arm::Canary, |w| w.errors), sum(&windows, Arm::Canary, |w| w.requests)), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_counted_without_a_rollout_or_while_a_version_stands_in() {
    let gateway = Gateway::serving(version(1)).await;
    gateway.service.infer(of_user(1)).await.unwrap();
    gateway.backend.refuse(&version(2).version, Some("broken"));
    gateway.follow(2, rollout(2, 50.0));
    runtime::testing::eventually(LONG, async || match gateway.state(2) {
        VersionState::Failed { .. } => Ok(()),
        state @ (VersionState::Loading | VersionState::Ready | VersionState::Unloaded) => Err(format!("{state:?}")),
    })
    .await;
    gateway.service.infer(of_user(1)).await.unwrap();
    assert_eq!(windows(&gateway).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_version_outside_production_is_named_with_a_token_only_and_counts_for_nobody() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 5.0) }).await;
    let naming = |version, principal: &Principal| InferRequest {
        version: Some(version),
        principal: principal.clone(),
        ..request(vec![pair(0.0, 0.0)])
    };
    let (token, nobody) = (Principal::known("tester", types::Role::Viewer), Principal::anonymous());
    for (number, principal) in [(1, &nobody), (1, &token), (2, &token), (3, &token)] {
        let answer = gateway.service.infer(naming(number, principal)).await.unwrap();
        assert_eq!(answer.version.version, number);
    }
    assert!(gateway.predictions.take().iter().all(|row| row.arm == Arm::Explicit));
    for number in [2, 3] {
        let error = gateway.service.infer(naming(number, &nobody)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(
            error.to_string(),
            format!(
                "naming version {number} of model `ranker` needs a token: without one, only the version in production \
                 can be named (1)"
            )
        );
    }
    for principal in [&nobody, &token] {
        let error = gateway.service.infer(naming(9, principal)).await.unwrap_err();
        assert!(matches!(error, Error::UnknownVersion { .. }), "{error}");
    }
    assert_eq!(windows(&gateway).await, []);
    let exposed = gateway.metrics.render();
    let line = r#"crosstie_inference_seconds_count{arm="explicit",model="ranker",outcome="ok",version="2"} 1"#;
    assert!(exposed.lines().any(|shown| shown == line), "{exposed}");
}

#[tokio::test(start_paused = true)]
async fn weights_that_grow_under_traffic_send_nobody_back_and_fail_nobody() {
    let gateway = Gateway::new();
    gateway.serve(TrafficPlan { revision: 1, models: rollout(1, 5.0) }).await;
    gateway.backend.behave(&version(1).version, Some(Behaviour::Takes(Duration::from_millis(3))));
    let service = gateway.service.clone();
    // Each of four callers asks for its own users in turn; a user's versions must never fall.
    let callers = (0..4).map(|caller| {
        let service = service.clone();
        tokio::spawn(async move {
            let mut last = BTreeMap::new();
            for round in 0..40 {
                for user in (caller..200).step_by(4) {
                    let version = service.infer(of_user(user)).await.unwrap().version.version;
                    let before = last.insert(user, version).unwrap_or(version);
                    assert!(before <= version, "user {user} was sent back in round {round}");
                }
            }
            last.into_values().filter(|version| *version == 2).count()
        })
    });
    let callers: Vec<_> = callers.collect();
    for (revision, weight) in [(2, 25.0), (3, 50.0), (4, 100.0)] {
        tokio::time::sleep(Duration::from_secs(1)).await;
        gateway.change(revision, rollout(revision, weight)).await;
    }
    let mut on_canary = 0;
    for caller in callers {
        on_canary += caller.await.unwrap();
    }
    assert_eq!(on_canary, 200, "all are on the canary at the end");
    let windows = windows(&gateway).await;
    let revisions: std::collections::BTreeSet<i64> = windows.iter().map(|w| w.revision).collect();
    assert_eq!(revisions.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(windows.iter().map(|w| w.requests).sum::<u64>(), 4 * 40 * 50, "every request is in one window");
}
