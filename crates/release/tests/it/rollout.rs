//! Rollouts step by step, in a time that the test moves.

use database::{Database, params, testing::on_both};
use release::{Kind, Stage, StepProgress, machine::Leg};
use serde_json::json;
use types::{Duration, Percent};

use crate::{
    fleet::{Fleet, gradual},
    world::{model, operator},
};

fn percent(percent: f64) -> Percent {
    Percent::new(percent).unwrap()
}

fn threshold() -> f64 {
    release::analysis::Limits::default().threshold()
}

on_both! {
    async fn a_good_version_goes_through_its_steps_in_order_and_becomes_stable(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        let holding = fleet.until_weight(id, 5.0).await;
        assert_eq!((holding.step, holding.stage), (2, Stage::RollingOut));
        let assignment = fleet.world.assignment().await;
        assert_eq!((assignment.stable.unwrap().version, assignment.canary.unwrap().weight), (1, percent(5.0)));
        assert!(assignment.slow_after.is_some(), "frozen during the shadow: {:?}", assignment.slow_after);

        let done = fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        assert_eq!((done.weight, done.previous, done.step), (Percent::ALL, Some(1), 5));
        assert_eq!(done.notes, [""; 0]);
        assert_eq!(fleet.history().await, ["nothing", "1", "1, 2 shadows", "1, 2 at 5%", "1, 2 at 25%", "2"]);
        let last = fleet.world.assignment().await;
        assert_eq!((last.canary, last.shadow, last.slow_after, last.candidates), (None, None, None, vec![]));

        let report = fleet.report(id).await;
        assert!(report.steps.iter().all(|step| step.progress == StepProgress::Done));
        let shares: Vec<_> = report.shares.iter().map(|share| (share.step, share.intended, share.is_shadow)).collect();
        assert_eq!(shares, [(0, Percent::ALL, true), (1, percent(5.0), false), (3, percent(25.0), false)]);
        let real = report.shares[2].of_requests.unwrap().percent();
        assert!((24.0..26.0).contains(&real), "{real}");
        assert_eq!(report.shares[2].canary.p95, Some(Duration::from_micros(4_000)));
        let last = report.points.last().unwrap();
        assert!(last.e_errors < last.threshold && last.excess_bound < 0.05, "{last:?}");
        assert!(report.points.len() > 5 && report.analysis.is_some_and(|analysis| analysis.promotable));
        fleet.stop().await;
    }

    async fn looks_write_an_audit_row_only_when_something_is_decided_and_then_with_the_numbers(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        // Nothing moves it, for want of requests.
        fleet.rate = 0.0;
        let (before, sequence) = (fleet.world.actions().await.len(), fleet.get(id).await.sequence);
        fleet.seconds(20).await;
        assert_eq!(fleet.world.actions().await.len(), before);
        assert_eq!(fleet.get(id).await.sequence, sequence);
        fleet.rate = 100.0;
        fleet.until_weight(id, 25.0).await;
        let actions = fleet.world.actions().await;
        assert_eq!(actions.last().unwrap(), "release.advance by controller on release 2");
        fleet.until(id, "at the next pause", |release| release.step == 4).await;
        let numbers = &fleet.world.last_detail().await["numbers"];
        assert_eq!(numbers["gateways"], json!(["a", "b"]));
        assert_eq!(numbers["analysis"]["threshold"], threshold());
        assert!(numbers["shares"][1]["canary"]["requests"].as_u64().unwrap() >= 20, "{numbers}");
        fleet.stop().await;
    }

    async fn the_report_of_a_version_that_went_back_says_what_it_was_held_against(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.fails = 0.5;
        fleet.until(id, "rolled back", |release| release.stage == Stage::RolledBack).await;
        let report = fleet.report(id).await;
        assert_eq!(report.stable, Some(1));
        let analysis = report.analysis.unwrap();
        assert!(analysis.e_errors.unwrap() >= analysis.threshold, "{analysis:?}");
        assert_eq!(report.hold, None);
        let first = fleet.report(release::ReleaseId(1)).await;
        assert_eq!((first.stable, first.analysis), (None, None), "there was nothing to hold it against");
        fleet.stop().await;
    }

    async fn what_was_counted_of_a_rollout_of_days_is_kept_for_one(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.world.service.pause(&operator(), id).await.unwrap();
        fleet.seconds(20).await;
        let many = async |fleet: &Fleet| -> i64 {
            let sql = "SELECT COUNT(*) AS many FROM crosstie_arm_window";
            let row = fleet.world.database.read(async move |tx| tx.row(sql, params![]).await).await.unwrap();
            row.unwrap().get("many").unwrap()
        };
        let before = many(&fleet).await;
        let counted = fleet.report(id).await.analysis.unwrap();
        fleet.clock.advance(Duration::from_secs(30 * 3_600));
        // The controller that ended had not taken these.
        fleet.tell().await;
        fleet.restart().await;
        fleet.second().await;
        let after = many(&fleet).await;
        assert!(after <= 10 && before > 50, "{before}, {after}");
        let now = fleet.report(id).await.analysis.unwrap();
        let requests = |of: &release::Judgement| of.canary_requests + of.stable_requests;
        assert_eq!(requests(&now), requests(&counted) + 400, "each second of both gateways counts once");
        fleet.stop().await;
    }

    async fn with_no_traffic_a_hold_waits_and_goes_on_when_there_is_some(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.rate = 0.0;
        fleet.seconds(30).await;
        let waiting = fleet.get(id).await;
        assert_eq!(waiting.weight, percent(5.0));
        assert!(waiting.progress.held >= Duration::from_secs(29), "{:?}", waiting.progress);
        let hold = fleet.report(id).await.hold.unwrap();
        assert_eq!((hold.min_requests, hold.begun), (20, true));
        assert!(hold.waits_for[0].starts_with("requests: "), "{:?}", hold.waits_for);
        fleet.rate = 100.0;
        fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        fleet.stop().await;
    }

    async fn a_shadow_without_requests_waits_too(db: Database) {
        let mut fleet = Fleet::new(db).await;
        fleet.rate = 0.0;
        let id = fleet.gradual().await;
        fleet.seconds(30).await;
        let waiting = fleet.get(id).await;
        assert_eq!((waiting.stage, waiting.step, waiting.weight), (Stage::RollingOut, 0, Percent::NONE));
        assert!(fleet.world.assignment().await.shadow.is_some());
        fleet.stop().await;
    }

    async fn requests_that_are_needed_by_themselves_are_as_many_as_the_bound_takes(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let steps = json!([
            { "set_weight": 50 },
            { "pause": { "duration": "1s", "min_requests": "auto" } },
            { "set_weight": 100 },
        ]);
        *fleet.world.registry.rollout.lock().unwrap() = Some(json!({ "steps": steps }));
        let id = fleet.release(2).await;
        fleet.until_weight(id, 50.0).await;
        let needed = release::analysis::requests_needed(&release::analysis::Limits::default());
        assert_eq!(fleet.report(id).await.hold.unwrap().min_requests, needed);
        fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        let report = fleet.report(id).await;
        assert!(report.shares[0].canary.requests >= needed, "{report:?}");
        fleet.stop().await;
    }

    async fn a_canary_that_fails_goes_back_by_itself_while_stable_serves_on(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.fails = 0.5;
        let back = fleet.until(id, "rolled back", |release| release.stage == Stage::RolledBack).await;
        assert_eq!((back.kind, back.weight), (Kind::Release, Percent::NONE));
        let reason = back.reason.unwrap();
        assert!(reason.starts_with("rolled back by itself: the canary fails more often than stable"), "{reason}");
        assert!(reason.contains("the candidate answered "), "{reason}");
        let after = fleet.world.assignment().await;
        assert_eq!((after.stable.unwrap().version, after.canary, after.slow_after), (1, None, None));
        assert_eq!(fleet.world.actions().await.last().unwrap(), "release.rollback by controller on release 2");
        let detail = fleet.world.last_detail().await;
        assert!(detail["numbers"]["analysis"]["e_errors"].as_f64().unwrap() >= threshold(), "{detail}");
        let report = fleet.report(id).await;
        assert!(report.shares[1].canary.requests <= 120, "{:?}", report.shares[1]);
        assert!(report.points.last().unwrap().e_errors >= threshold());
        fleet.stop().await;
    }

    async fn a_canary_that_is_slow_goes_back_by_itself(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.slow = 0.5;
        let back = fleet.until(id, "rolled back", |release| release.stage == Stage::RolledBack).await;
        assert!(back.reason.unwrap().contains("the canary is slow more often than stable"));
        fleet.stop().await;
    }

    async fn while_a_person_holds_it_the_analysis_goes_on_and_an_alarm_still_rolls_back(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.world.service.pause(&operator(), id).await.unwrap();
        fleet.seconds(30).await;
        let held = fleet.get(id).await;
        assert_eq!((held.weight, held.paused), (percent(5.0), true), "its time and its requests are over");
        assert!(fleet.report(id).await.points.last().unwrap().canary_requests > 100);
        fleet.fails = 0.5;
        fleet.until(id, "rolled back", |release| release.stage == Stage::RolledBack).await;
        fleet.stop().await;
    }

    async fn all_traffic_waits_for_the_bound_on_the_excess_and_not_only_for_silence(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let mut rollout = gradual();
        rollout["rollback_on"]["errors"]["max_excess"] = json!("0.5%");
        *fleet.world.registry.rollout.lock().unwrap() = Some(rollout);
        fleet.rate = 20.0;
        let id = fleet.release(2).await;
        fleet.until_weight(id, 25.0).await;
        fleet.seconds(20).await;
        let waiting = fleet.get(id).await;
        assert_eq!((waiting.weight, waiting.progress.leg), (percent(25.0), Leg::Holding));
        let hold = fleet.report(id).await.hold.unwrap();
        assert!(hold.waits_for[0].starts_with("the analysis: "), "{:?}", hold.waits_for);
        fleet.rate = 1_000.0;
        fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        fleet.stop().await;
    }

    async fn the_first_version_of_a_model_gets_everything_at_once_and_the_record_says_so(db: Database) {
        let mut fleet = Fleet::without_stable(db).await;
        *fleet.world.registry.rollout.lock().unwrap() = Some(gradual());
        let id = fleet.release(1).await;
        let done = fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        let note = "the version got all traffic at once, without its steps: no version was stable to compare it with";
        assert_eq!(done.notes, [note]);
        assert_eq!(fleet.history().await, ["nothing", "1"]);
        let report = fleet.report(id).await;
        assert_eq!((report.steps[0].progress, report.steps[5].progress), (StepProgress::Skipped, StepProgress::Done));
        assert_eq!(report.analysis, None);
        fleet.stop().await;
    }

    async fn a_version_without_declared_steps_gets_everything_at_once(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.release(2).await;
        let done = fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        assert_eq!(done.notes, [""; 0]);
        assert_eq!(fleet.history().await, ["nothing", "1", "2"]);
        fleet.stop().await;
    }

    async fn abort_and_rollback_by_hand_take_the_traffic_away_at_every_step(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let shadow = fleet.gradual().await;
        fleet.until(shadow, "shadowed", |release| release.progress.leg == Leg::Holding).await;
        fleet.world.service.abort(&operator(), shadow, None).await.unwrap();
        let after = fleet.world.assignment().await;
        assert_eq!((after.shadow, after.canary, after.stable.unwrap().version), (None, None, 1));
        let canary = fleet.release(3).await;
        fleet.until_weight(canary, 5.0).await;
        let back = fleet.world.service.rollback(&operator(), &model(), None, None).await.unwrap();
        assert_eq!((back.id, back.stage), (canary, Stage::RolledBack));
        assert_eq!(fleet.world.assignment().await.canary, None);
        fleet.stop().await;
    }

    async fn a_pause_before_the_start_keeps_everything_from_traffic(db: Database) {
        let mut fleet = Fleet::new(db).await;
        *fleet.world.registry.rollout.lock().unwrap() = Some(gradual());
        let id = fleet.world.create(2).await.id;
        fleet.until(id, "waits", |release| release.stage == Stage::AwaitingApproval).await;
        fleet.world.service.pause(&operator(), id).await.unwrap();
        fleet.world.service.approve(&crate::world::approver(), id, None).await.unwrap();
        fleet.seconds(10).await;
        assert_eq!(fleet.world.assignment().await.shadow, None);
        fleet.world.service.resume(&operator(), id).await.unwrap();
        fleet.until_weight(id, 5.0).await;
        fleet.stop().await;
    }
}
