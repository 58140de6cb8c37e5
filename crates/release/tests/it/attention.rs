//! What wants a person's attention is listed while it holds, and no longer.

use std::sync::atomic::Ordering;

use database::{Database, testing::on_both};
use release::{Attention, AttentionKind, GatewayReport, ModelReport, Stage, shadow};
use types::{Duration, Value};

use crate::{
    fleet::{Fleet, Gateway},
    world::{model, operator, version},
};

async fn attention(fleet: &Fleet) -> Vec<Attention> {
    fleet.world.service.attention().await.unwrap()
}

fn kinds(attention: &[Attention]) -> Vec<AttentionKind> {
    attention.iter().map(|attention| attention.kind).collect()
}

on_both! {
    async fn a_version_that_went_back_by_itself_is_told_until_the_next_release(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        assert_eq!(attention(&fleet).await, []);
        fleet.fails = 0.5;
        fleet.until(id, "rolled back", |release| release.stage == Stage::RolledBack).await;
        let told = attention(&fleet).await;
        assert_eq!(kinds(&told), [AttentionKind::RolledBack]);
        assert_eq!((told[0].release, told[0].version), (id, 2));
        assert!(told[0].summary.starts_with("ranker/2: rolled back by itself: the canary fails"), "{}", told[0].summary);
        fleet.seconds(5).await;
        assert_eq!(attention(&fleet).await, told, "the same, with the same beginning");
        fleet.world.create(3).await;
        assert_eq!(attention(&fleet).await, []);
        fleet.stop().await;
    }

    async fn a_version_that_a_person_sent_back_needs_no_attention(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.world.service.rollback(&operator(), &version(2).model, None, None).await.unwrap();
        assert_eq!(attention(&fleet).await, []);
        fleet.stop().await;
    }

    async fn a_canary_that_one_gateway_cannot_load_goes_back_and_is_told(db: Database) {
        let mut fleet = Fleet::new(db).await;
        fleet.gateways[1].cannot_load = Some(2);
        let id = fleet.gradual().await;
        let back = fleet.until(id, "rolled back", |release| release.stage == Stage::RolledBack).await;
        let reason = "rolled back by itself: gateway b cannot load ranker/2: no memory";
        assert_eq!(back.reason.as_deref(), Some(reason));
        assert_eq!(kinds(&attention(&fleet).await), [AttentionKind::CanaryDoesNotLoad]);
        assert_eq!(fleet.world.stable().await, Some(1));
        fleet.stop().await;
    }

    async fn a_step_that_takes_too_long_is_held_for_a_person_and_told(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.rate = 0.0;
        let held = fleet.until(id, "held", |release| release.paused).await;
        assert_eq!(held.stage, Stage::RollingOut);
        assert_eq!(kinds(&attention(&fleet).await), [AttentionKind::Held]);
        assert!(fleet.report(id).await.hold.unwrap().overdue);
        fleet.rate = 100.0;
        fleet.seconds(10).await;
        assert_eq!(fleet.get(id).await.step, held.step, "it waits for a person, whatever comes");
        fleet.world.service.resume(&operator(), id).await.unwrap();
        assert_eq!(attention(&fleet).await, []);
        fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        fleet.stop().await;
    }

    async fn a_gateway_that_does_not_follow_holds_the_step_up_and_is_told_until_it_is_dead(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 5.0).await;
        fleet.gateways[1].is_stuck = true;
        fleet.until(id, "at 25 %", |release| release.weight.percent() == 25.0).await;
        fleet.seconds(50).await;
        assert_eq!(attention(&fleet).await, [], "it may take its time");
        fleet.seconds(20).await;
        let told = attention(&fleet).await;
        assert_eq!(kinds(&told), [AttentionKind::Unsettled]);
        assert!(told[0].summary.ends_with(": b"), "{}", told[0].summary);
        assert_eq!(fleet.get(id).await.step, 3);
        assert_eq!(fleet.report(id).await.settled_at, None);
        // A gateway that is not heard any more is not waited for.
        fleet.gateways[1].is_dead = true;
        fleet.until(id, "done", |release| release.stage == Stage::Done).await;
        fleet.seconds(2).await;
        assert!(fleet.report(id).await.settled_at.is_some());
        assert_eq!(attention(&fleet).await, []);
        fleet.stop().await;
    }

    async fn files_that_were_overwritten_on_the_way_end_the_rollout_and_are_told(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until_weight(id, 25.0).await;
        fleet.world.registry.overwrite(fleet.get(id).await.version.version);
        fleet.until(id, "failed", |release| release.stage == Stage::Failed).await;
        let told = attention(&fleet).await;
        assert_eq!(kinds(&told), [AttentionKind::Failed]);
        assert!(told[0].summary.contains("the artifact changed after its gates"), "{}", told[0].summary);
        fleet.stop().await;
    }

    async fn a_gateway_that_was_just_started_has_its_time_to_load(db: Database) {
        let mut fleet = Fleet::new(db).await;
        fleet.seconds(90).await;
        assert_eq!(attention(&fleet).await, [], "everybody follows what was decided long ago");
        let mut young = Gateway::new("young");
        young.is_stuck = true;
        fleet.gateways.push(young);
        fleet.seconds(50).await;
        assert_eq!(attention(&fleet).await, []);
        fleet.seconds(20).await;
        assert_eq!(kinds(&attention(&fleet).await), [AttentionKind::Unsettled]);
        fleet.stop().await;
    }

    async fn a_gateway_that_tries_again_and_again_to_load_what_serves_is_told(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let revision = fleet.world.assignment().await.revision;
        for second in 0..70 {
            // Between two attempts it says why the last one failed.
            let failed = (second % 2 == 0).then(|| (1, "no memory".to_owned())).into_iter().collect();
            let report = ModelReport { revision, settled: false, failed };
            let models = [(model(), report)].into();
            fleet.world.service.acknowledge(&GatewayReport { gateway: "c".to_owned(), models }).await.unwrap();
            fleet.second().await;
        }
        let told = attention(&fleet).await;
        assert_eq!(kinds(&told), [AttentionKind::Unsettled]);
        assert!(told[0].summary.ends_with(": c"), "{}", told[0].summary);
        fleet.stop().await;
    }

    async fn with_no_gateway_at_all_nothing_moves(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.gateways.iter_mut().for_each(|gateway| gateway.is_dead = true);
        fleet.clock.advance(Duration::from_secs(20));
        fleet.seconds(30).await;
        assert_eq!(fleet.get(id).await.step, 0);
        assert_eq!(attention(&fleet).await, []);
        fleet.stop().await;
    }

    async fn a_stable_version_that_vanished_is_told_and_a_store_that_is_away_changes_nothing(db: Database) {
        let mut fleet = Fleet::new(db).await;
        assert_eq!(attention(&fleet).await, []);
        fleet.world.registry.removed.lock().unwrap().insert(1);
        let told = attention(&fleet).await;
        assert_eq!(kinds(&told), [AttentionKind::StableMissing]);
        fleet.seconds(3).await;
        fleet.world.registry.is_away.store(true, Ordering::SeqCst);
        assert_eq!(attention(&fleet).await, told, "nobody can tell, so it is as it was");
        fleet.world.registry.is_away.store(false, Ordering::SeqCst);
        fleet.world.registry.removed.lock().unwrap().clear();
        assert_eq!(attention(&fleet).await, []);
        fleet.world.registry.is_away.store(true, Ordering::SeqCst);
        assert_eq!(attention(&fleet).await, []);
        assert_eq!(fleet.world.stable().await, Some(1), "traffic stays where it is");
        fleet.stop().await;
    }

    async fn what_two_gateways_shadowed_adds_up_in_the_report(db: Database) {
        let mut fleet = Fleet::new(db).await;
        let id = fleet.gradual().await;
        fleet.until(id, "shadowed", |release| release.step == 0 && fleet_holds(release)).await;
        let score = |score: f64| vec![("score".to_owned(), vec![Value::Float64(score)])];
        let mut summary = shadow::Summary::default();
        summary.compare(&shadow::Comparison {
            features: vec![("user_country".to_owned(), Value::String("US".to_owned()))],
            primary: score(0.5),
            shadow: score(0.25),
            primary_latency: std::time::Duration::from_millis(9),
            shadow_latency: std::time::Duration::from_millis(3),
        });
        let service = fleet.world.service.clone();
        // A gateway tells all that it compared each time.
        for gateway in ["a", "b", "a"] {
            service.shadowed(gateway, id, &summary).await.unwrap();
        }
        let report = fleet.report(id).await;
        let shadow = report.shadow.unwrap();
        assert_eq!((shadow.rows, shadow.differing, shadow.max_difference), (2, 2, 0.25));
        assert!(report.explanation[0].starts_with("2 rows compared, 2 differ"), "{:?}", report.explanation);
        fleet.stop().await;
    }
}

fn fleet_holds(release: &release::Release) -> bool {
    release.progress.leg == release::machine::Leg::Holding
}
