//! Rollouts step by step, in a time that the test moves.

use database::{Database, params, testing::on_both};
use release::{Controller, Kind, Stage, StepProgress, machine::Leg};
use serde_json::json;
use types::{Duration, Percent};

use crate::{
    fleet::{Fleet, gradual},
    world::{World, model, operator},
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

    async fn a_clock_that_jumps_forwards_or_backwards_ends_no_hold(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let steps = json!([{ "set_weight": 5 }, { "pause": { "duration": "30s" } }, { "set_weight": 100 }]);
        *fleet.world.registry.rollout.lock().unwrap() = Some(json!({ "steps": steps }));
        let id = fleet.release(2).await;
        fleet.until_weight(id, 5.0).await;
        for jump in [86_400, -7 * 86_400, 3_600] {
            let now = runtime::Clock::now(&fleet.clock);
            fleet.clock.set(types::Timestamp::from_micros(now.as_micros() + jump * 1_000_000));
            fleet.second().await;
            assert_eq!(fleet.get(id).await.step, 1, "after {jump} seconds");
        }
        let held = fleet.get(id).await.progress.held;
        assert!(held <= Duration::from_secs(12), "{held}");
        assert!(fleet.get(id).await.progress.overdue.is_none());
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

    async fn a_rollout_goes_on_after_a_restart_in_each_of_its_states(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        let mut seen = Vec::new();
        for _ in 0..120 {
            fleet.restart().await;
            fleet.second().await;
            let release = fleet.until(id, "there", |_| true).await;
            seen.push((release.step, release.progress.leg));
            if release.stage == Stage::Done {
                break;
            }
        }
        seen.dedup();
        assert_eq!(fleet.get(id).await.stage, Stage::Done, "{seen:?}");
        assert_eq!(fleet.history().await, ["nothing", "1", "1, 2 shadows", "1, 2 at 5%", "1, 2 at 25%", "2"]);
        fleet.stop().await;
    }

    async fn a_controller_that_slept_through_its_replacement_changes_nothing(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.rate = 0.0;
        fleet.seconds(5).await;
        fleet.end_lease().await;
        let mut awake = Controller::new(fleet.world.service.clone(), fleet.world.tasks.clone());
        awake.pass().await;
        // What the sleeper would decide now, it may not.
        fleet.rate = 1_000.0;
        fleet.clock.advance(Duration::from_secs(1));
        fleet.tell().await;
        let before = fleet.get(id).await;
        fleet.controller.pass().await;
        assert_eq!(fleet.get(id).await, before, "its epoch is over");
        awake.pass().await;
        let after = fleet.get(id).await;
        assert!(after.sequence > before.sequence, "{after:?}");
        let leases = "SELECT epoch FROM crosstie_traffic WHERE epoch IS NOT NULL ORDER BY revision";
        let rows = fleet.world.database.read(async move |tx| tx.rows(leases, params![]).await).await.unwrap();
        let epochs: Vec<i64> = rows.iter().map(|row| row.get("epoch").unwrap()).collect();
        assert!(epochs.is_sorted() && epochs.last() > epochs.first(), "{epochs:?}");
        fleet.stop().await;
    }

    async fn windows_that_come_twice_or_late_count_once(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        let counted = async |fleet: &Fleet| fleet.report(id).await.analysis.unwrap();
        fleet.controller.pass().await;
        let before = counted(&fleet).await;
        fleet.clock.advance(Duration::from_secs(1));
        fleet.tell().await;
        // The answer was lost, so the gateway tells the same second again.
        let mut again = fleet.gateways.remove(0);
        again.follows = None;
        fleet.gateways.push(again);
        let told = "SELECT COUNT(*) AS many FROM crosstie_arm_window";
        let many = |row: Option<database::Row>| row.unwrap().get::<i64>("many").unwrap();
        let first = many(fleet.world.database.read(async move |tx| tx.row(told, params![]).await).await.unwrap());
        fleet.tell().await;
        let second = many(fleet.world.database.read(async move |tx| tx.row(told, params![]).await).await.unwrap());
        assert_eq!(first, second);
        fleet.controller.pass().await;
        let after = counted(&fleet).await;
        assert_eq!(after.stable_requests + after.canary_requests, before.stable_requests + before.canary_requests + 200);
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

    async fn two_gateways_may_count_at_the_same_time(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        let service = fleet.world.service.clone();
        let follows = fleet.world.assignment().await;
        let window = |gateway: i64, second: i64| release::ArmWindow {
            model: model(),
            release: id,
            revision: follows.revision,
            second: 2_000_000_000 + second,
            arm: release::Arm::Canary,
            version: 2,
            requests: 1,
            entities: 1,
            errors: 0,
            slow: 0,
            failed_requests: 0,
            latency: vec![(gateway.unsigned_abs() + 1, 1)],
        };
        let before = fleet.report(id).await.analysis.unwrap().canary_requests;
        let told = (0..8_i64).map(|gateway| {
            let (service, windows) = (service.clone(), (0..5).map(|second| window(gateway, second)).collect::<Vec<_>>());
            async move {
                for window in windows {
                    service.count(&format!("gateway {gateway}"), vec![window]).await.unwrap();
                }
            }
        });
        futures::future::join_all(told).await;
        fleet.controller.pass().await;
        assert_eq!(fleet.report(id).await.analysis.unwrap().canary_requests, before + 40);
        fleet.stop().await;
    }

    async fn what_gateways_counted_is_kept_for_a_day_after_the_release_is_over(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        let many = async |fleet: &Fleet, table: &'static str| -> i64 {
            let sql = format!("SELECT COUNT(*) AS many FROM {table}");
            let row = fleet.world.database.read(async move |tx| tx.row(&sql, params![]).await).await.unwrap();
            row.unwrap().get("many").unwrap()
        };
        assert!(many(&fleet, "crosstie_arm_window").await > 20);
        for (hours, gateways) in [(20, 2), (30, 0)] {
            fleet.clock.advance(Duration::from_secs(hours * 3_600));
            fleet.restart().await;
            let before = many(&fleet, "crosstie_arm_window").await;
            fleet.controller.pass().await;
            let kept = many(&fleet, "crosstie_arm_window").await;
            assert_eq!(kept, if gateways == 0 { 1 } else { before }, "after {hours} hours more");
            assert_eq!(many(&fleet, "crosstie_gateway").await, gateways);
        }
        assert_eq!(fleet.report(id).await.shares.len(), 3, "what came out of it stays");
        // A release that begins now counts on from the last number.
        let next = fleet.release(3).await;
        fleet.until(next, "done", |release| release.stage == Stage::Done).await;
        fleet.stop().await;
    }

    async fn a_release_of_before_there_were_rollouts_says_that_its_steps_were_not_executed(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        let sql = "DELETE FROM crosstie_rollout";
        fleet.world.database.write(async move |tx| tx.execute(sql, params![]).await).await.unwrap();
        let note = &fleet.get(id).await.notes[0];
        assert!(note.ends_with("it was released by a Crosstie that did not execute steps yet"), "{note}");
        fleet.stop().await;
    }

    async fn what_was_decided_before_there_were_rollouts_is_read_as_it_was_meant(db: Database) {
        let world = World::without_controller(db).await;
        let release = world.create(1).await;
        let sql = "SELECT assignment FROM crosstie_traffic";
        let row = world.database.read(async move |tx| tx.row(sql, params![]).await).await.unwrap().unwrap();
        let mut old: serde_json::Value = serde_json::from_str(&row.get::<String>("assignment").unwrap()).unwrap();
        assert_eq!(old["candidates"][0]["backend"], "onnx");
        old["candidates"][0].as_object_mut().unwrap().remove("backend");
        let text = old.to_string();
        let sql = "UPDATE crosstie_traffic SET assignment = $1";
        world.database.write(async move |tx| tx.execute(sql, params![&text]).await).await.unwrap();
        assert_eq!(world.assignment().await.candidates[0].backend, "onnx");
        let sql = "UPDATE crosstie_release SET stage = 'rolling_out'";
        world.database.write(async move |tx| tx.execute(sql, params![]).await).await.unwrap();
        assert_eq!(world.service.get(release.id).await.unwrap().progress.leg, Leg::Starting);
        world.stop().await;
    }
}
