//! The controller dies, doubles, and meets ports that fail.

use std::sync::atomic::Ordering;

use database::{Database, Transaction, params, testing::on_both};
use release::{GateName, Stage, Verdict};
use runtime::testing::eventually;
use types::{Duration, ErrorKind};

use crate::world::{LONG, World, approver, operator};

on_both! {
    async fn a_gate_without_a_verdict_is_asked_again_and_then_failed_with_the_error_as_evidence(db: Database) {
        let world = World::new(db).await;
        world.gates[&GateName::Schema].answers([Err(ErrorKind::Unavailable)]);
        world.gates[&GateName::Parity].answers([Err(ErrorKind::Internal)]);
        let id = world.create(1).await.id;
        let failed = world.until(id, Stage::GatesFailed).await;
        assert_eq!((failed.gates[1].verdict, failed.gates[1].attempts), (Verdict::Passed, 1), "asked once more");
        let parity = &failed.gates[2];
        assert_eq!(parity.verdict, Verdict::Failed);
        assert_eq!(parity.summary.as_deref(), Some("no verdict: cannot look"));
        assert_eq!(parity.evidence.as_ref().unwrap()["causes"][0], "the dog ate it");
        world.stop().await;
    }

    async fn a_gate_that_panics_fails_its_release_and_nothing_else(db: Database) {
        let world = World::new(db).await;
        world.gates[&GateName::Schema].panics.store(true, Ordering::SeqCst);
        let id = world.create(1).await.id;
        let failed = world.until(id, Stage::GatesFailed).await;
        assert!(failed.gates[1].summary.as_ref().unwrap().contains("panicked"));
        world.gates[&GateName::Schema].panics.store(false, Ordering::SeqCst);
        world.promote(2).await;
        world.stop().await;
    }

    async fn a_controller_that_starts_later_goes_on_where_the_last_one_ended(db: Database) {
        let first = World::without_controller(db.clone()).await;
        let id = first.create(1).await.id;
        first.gates[&GateName::Parity].hangs.store(true, Ordering::SeqCst);
        first.service.controller(&first.tasks);
        first.until_is(id, "at parity", |release| release.gates[1].verdict == Verdict::Passed).await;
        first.stop().await;

        let second = World::beside(db).await;
        second.service.controller(&second.tasks);
        second.until(id, Stage::AwaitingApproval).await;
        assert_eq!(second.gates[&GateName::Lineage].asked.load(Ordering::SeqCst), 0, "its verdict was on record");
        assert_eq!(second.gates[&GateName::Parity].asked.load(Ordering::SeqCst), 1);
        second.service.approve(&approver(), id, None).await.unwrap();
        second.until(id, Stage::Done).await;
        second.traffic.until_told(second.assignment().await.revision).await;
        second.stop().await;
    }

    async fn of_two_controllers_one_acts(db: Database) {
        let first = World::new(db.clone()).await;
        let second = World::beside(db).await;
        second.service.controller(&second.tasks);
        for number in 1..=3 {
            first.promote(number).await;
        }
        for gate in [GateName::Lineage, GateName::Schema, GateName::Parity] {
            let asked = |world: &World| world.gates[&gate].asked.load(Ordering::SeqCst);
            assert_eq!(asked(&first) + asked(&second), 3, "{gate} was asked once for each release");
        }
        let revision = first.assignment().await.revision;
        eventually(LONG, async || {
            let told = |world: &World| world.traffic.applied.lock().unwrap().len();
            let told = told(&first) + told(&second);
            if told >= usize::try_from(revision).unwrap() { Ok(()) } else { Err(told) }
        })
        .await;
        first.stop().await;
        second.stop().await;
    }

    async fn a_controller_that_lost_its_lease_changes_nothing_until_it_has_it_again(db: Database) {
        let world = World::new(db.clone()).await;
        let id = world.create(1).await.id;
        world.until(id, Stage::AwaitingApproval).await;
        // As if this process had slept while another took over.
        let taken = "UPDATE crosstie_lease SET holder = 'another', epoch = epoch + 1";
        db.write(async move |tx| tx.execute(taken, params![]).await).await.unwrap();
        let renewed = async || {
            let sql = "UPDATE crosstie_lease SET expires_at = $1";
            let renew = async move |tx: &mut Transaction| {
                let until = tx.now().await? + Duration::from_secs(4);
                tx.execute(sql, params![until]).await
            };
            db.write::<_, _, database::Error>(renew).await.unwrap();
        };
        renewed().await;
        world.service.approve(&approver(), id, None).await.unwrap();
        let gates = GateName::ALL.map(|gate| world.gates[&gate].asked.load(Ordering::SeqCst));
        let leader = "crosstie_release_controller_leader 0";
        eventually(LONG, async || {
            renewed().await;
            let metrics = world.metrics.render();
            if metrics.contains(leader) { Ok(()) } else { Err(metrics) }
        })
        .await;
        assert_eq!(world.service.get(id).await.unwrap().stage, Stage::RollingOut, "signed, and nobody acts on it");
        assert_eq!(GateName::ALL.map(|gate| world.gates[&gate].asked.load(Ordering::SeqCst)), gates);
        let given_back = "UPDATE crosstie_lease SET expires_at = 0";
        db.write(async move |tx| tx.execute(given_back, params![]).await).await.unwrap();
        world.until(id, Stage::Done).await;
        world.stop().await;
    }

    async fn what_serves_is_told_in_order_once_someone_listens_again(db: Database) {
        let world = World::new(db).await;
        world.traffic.is_away.store(true, Ordering::SeqCst);
        world.promote(1).await;
        assert_eq!(world.traffic.applied.lock().unwrap().len(), 0);
        world.traffic.is_away.store(false, Ordering::SeqCst);
        let revision = world.assignment().await.revision;
        world.traffic.until_told(revision).await;
        let told: Vec<_> = world.traffic.applied.lock().unwrap().iter().map(|assignment| assignment.revision).collect();
        assert_eq!(told, (1..=revision).collect::<Vec<_>>());
        world.stop().await;
    }

    async fn a_stable_version_that_is_gone_does_not_keep_what_serves_after_it_from_being_told(db: Database) {
        let world = World::new(db).await;
        world.promote(1).await;
        world.traffic.until_told(world.assignment().await.revision).await;
        world.traffic.gone.lock().unwrap().insert(1);
        world.promote(2).await;
        world.traffic.until_told(world.assignment().await.revision).await;
        world.stop().await;
    }

    async fn aborting_a_release_stops_the_gate_that_runs(db: Database) {
        let world = World::new(db).await;
        world.gates[&GateName::Schema].hangs.store(true, Ordering::SeqCst);
        let id = world.create(1).await.id;
        world.until_is(id, "at schema", |release| release.gates[0].verdict == Verdict::Passed).await;
        world.service.abort(&operator(), id, None).await.unwrap();
        world.gates[&GateName::Schema].hangs.store(false, Ordering::SeqCst);
        world.promote(2).await;
        assert_eq!(world.service.get(id).await.unwrap().stage, Stage::Aborted);
        world.stop().await;
    }
}
