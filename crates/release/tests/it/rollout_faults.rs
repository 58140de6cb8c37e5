//! Rollouts whose controller dies, doubles or sleeps, whose clock jumps, and whose gateways repeat themselves.

use database::{Database, params, testing::on_both};
use release::{Controller, Stage, machine::Leg};
use serde_json::json;
use types::Duration;

use crate::{
    fleet::Fleet,
    world::{World, model},
};

on_both! {
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

    async fn a_gateway_that_died_before_the_clock_went_back_is_not_waited_for(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.gateways[1].is_dead = true;
        let now = runtime::Clock::now(&fleet.clock);
        fleet.clock.set(types::Timestamp::from_micros(now.as_micros() - 3_600_000_000));
        fleet.until_weight(id, 25.0).await;
        fleet.until(id, "done", |release| release.stage == Stage::Done).await;
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
