//! The way of a release that goes well, and of one whose gates do not.

use std::sync::atomic::Ordering;

use database::{Database, testing::on_both};
use release::{Error, GateName, NewWaiver, Stage, Verdict};
use types::{Duration, ErrorKind, Percent, Timestamp};

use crate::world::{World, approver, editor, operator, version};

pub(crate) fn waiver(gate: GateName) -> NewWaiver {
    let until = Timestamp::parse("2999-01-01").unwrap();
    NewWaiver { gate, reason: "the lineage was lost with the old laptop".to_owned(), until }
}

on_both! {
    async fn a_release_waits_for_gates_and_approval_and_becomes_stable(db: Database) {
        let world = World::new(db).await;
        let created = world.create(1).await;
        assert_eq!((created.stage, created.id.0), (Stage::Gating, 1), "create does not wait for gates");
        let waiting = world.until(created.id, Stage::AwaitingApproval).await;
        let names: Vec<_> = waiting.gates.iter().map(|report| report.gate).collect();
        assert_eq!(names, [GateName::Lineage, GateName::Schema, GateName::Parity]);
        assert!(waiting.gates.iter().all(|report| report.verdict == Verdict::Passed && report.evidence.is_some()));
        assert_eq!(world.stable().await, None);
        assert_eq!(world.assignment().await.candidates.len(), 1, "gates can load it");

        world.service.approve(&approver(), created.id, Some("looks right".to_owned())).await.unwrap();
        let done = world.until(created.id, Stage::Done).await;
        assert_eq!(done.approvals[0].comment.as_deref(), Some("looks right"));
        assert_eq!(done.weight, Percent::ALL);
        assert_eq!(done.notes, [""; 0]);
        let assignment = world.assignment().await;
        assert_eq!(assignment.stable.as_ref().unwrap().version, 1);
        assert_eq!((assignment.candidates, assignment.previous), (vec![], None));
        world.traffic.until_told(assignment.revision).await;

        let actions = world.actions().await;
        assert_eq!(actions.first().unwrap(), "release.create by edith on release 1");
        assert!(actions.contains(&"release.gate by controller on release 1".to_owned()), "{actions:?}");
        assert!(actions.contains(&"release.approve by grace on release 1".to_owned()), "{actions:?}");
        assert_eq!(actions.last().unwrap(), "release.advance by controller on release 1");
        world.stop().await;
    }

    async fn a_failed_gate_stops_the_release_until_it_is_waived(db: Database) {
        let world = World::new(db).await;
        world.gates[&GateName::Lineage].answers([Ok(false)]);
        let id = world.create(1).await.id;
        let failed = world.until(id, Stage::GatesFailed).await;
        assert_eq!(failed.gates[0].verdict, Verdict::Failed);
        assert_eq!(failed.gates[0].summary.as_deref(), Some("7 rows, false"));
        assert_eq!(failed.gates[2].verdict, Verdict::Passed, "the others ran all the same");
        let refused = world.service.approve(&approver(), id, None).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::FailedPrecondition);

        let waived = world.service.waive(&approver(), id, waiver(GateName::Lineage)).await.unwrap();
        assert_eq!(waived.stage, Stage::AwaitingApproval);
        assert_eq!((waived.waivers[0].principal.as_str(), waived.waivers[0].gate), ("grace", GateName::Lineage));
        world.service.approve(&approver(), id, None).await.unwrap();
        let done = world.until(id, Stage::Done).await;
        assert_eq!(done.waivers.len(), 1, "the waiver shows");
        world.stop().await;
    }

    async fn a_waiver_given_at_creation_counts_when_the_gate_fails(db: Database) {
        let world = World::new(db).await;
        world.gates[&GateName::Lineage].answers([Ok(false)]);
        let waivers = vec![waiver(GateName::Lineage)];
        let id = world.service.create(&approver(), &version(1), waivers).await.unwrap().id;
        world.until(id, Stage::AwaitingApproval).await;
        world.stop().await;
    }

    async fn a_waiver_that_runs_out_takes_the_release_back(db: Database) {
        let world = World::new(db).await;
        world.gates[&GateName::Lineage].answers([Ok(false)]);
        let id = world.create(1).await.id;
        world.until(id, Stage::GatesFailed).await;
        let mut short = waiver(GateName::Lineage);
        short.until = runtime::Clock::now(&runtime::SystemClock) + Duration::from_secs(2);
        world.service.waive(&approver(), id, short).await.unwrap();
        world.until(id, Stage::AwaitingApproval).await;
        world.until(id, Stage::GatesFailed).await;
        world.stop().await;
    }

    async fn only_one_release_of_a_model_is_active_and_a_failed_one_gives_way(db: Database) {
        let world = World::new(db).await;
        world.gates[&GateName::Parity].answers([Ok(false)]);
        let first = world.create(1).await;
        world.until(first.id, Stage::GatesFailed).await;
        let second = world.create(2).await;
        assert_eq!(world.until(first.id, Stage::Failed).await.reason.unwrap(), "its gates failed, and release 2 took its place");
        let refused = world.service.create(&editor(), &version(3), Vec::new()).await.unwrap_err();
        assert!(matches!(&refused, Error::AlreadyActive { active, .. } if *active == second.id));
        assert!(refused.to_string().starts_with("release 2 of ranker/2 is still"), "{refused}");
        let candidates = world.assignment().await.candidates;
        assert_eq!(candidates.iter().map(|pinned| pinned.version).collect::<Vec<_>>(), [2]);
        world.stop().await;
    }

    async fn an_artifact_that_changed_after_its_gates_is_not_promoted(db: Database) {
        let world = World::new(db).await;
        let id = world.create(1).await.id;
        world.until(id, Stage::AwaitingApproval).await;
        world.registry.overwrite(1);
        world.service.approve(&approver(), id, None).await.unwrap();
        let failed = world.until(id, Stage::Failed).await;
        assert!(failed.reason.unwrap().contains("the artifact changed after its gates"));
        assert_eq!(world.stable().await, None);
        world.stop().await;
    }

    async fn a_store_that_is_away_delays_the_promotion_and_does_not_fail_it(db: Database) {
        let world = World::new(db).await;
        let id = world.create(1).await.id;
        world.until(id, Stage::AwaitingApproval).await;
        world.registry.is_away.store(true, Ordering::SeqCst);
        world.service.approve(&approver(), id, None).await.unwrap();
        world.until(id, Stage::RollingOut).await;
        world.registry.is_away.store(false, Ordering::SeqCst);
        world.until(id, Stage::Done).await;
        world.stop().await;
    }

    async fn pause_resume_and_abort_need_an_operator_and_take_effect(db: Database) {
        let world = World::new(db).await;
        let id = world.create(1).await.id;
        world.until(id, Stage::AwaitingApproval).await;
        assert_eq!(world.service.pause(&approver(), id).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
        assert!(world.service.pause(&operator(), id).await.unwrap().paused);
        let held = world.service.approve(&approver(), id, None).await.unwrap();
        assert_eq!(held.stage, Stage::AwaitingApproval, "signed, and held");
        let aborted = world.service.abort(&operator(), id, Some("wrong week".to_owned())).await.unwrap();
        assert_eq!(aborted.reason.as_deref(), Some("aborted by otto: wrong week"));
        assert_eq!(world.assignment().await.candidates, []);
        let late = world.service.resume(&operator(), id).await.unwrap_err();
        assert_eq!(late.to_string(), "this release is aborted: nothing can resume it any more");
        world.stop().await;
    }
}
