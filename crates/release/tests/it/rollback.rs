//! Going back.

use std::sync::atomic::Ordering;

use database::{Database, testing::on_both};
use release::{Filter, Kind, Stage};
use types::ErrorKind;

use crate::world::{World, approver, model, operator};

on_both! {
    async fn rolling_back_leads_to_what_was_stable_before_and_then_further_back(db: Database) {
        let world = World::new(db).await;
        for number in 1..=3 {
            world.promote(number).await;
        }
        let before = world.assignment().await;
        assert_eq!(before.previous.as_ref().unwrap().version, 2);
        let back = world.service.rollback(&operator(), &model(), None, Some("it is slow".to_owned())).await.unwrap();
        assert_eq!((back.kind, back.stage, back.version.version), (Kind::Rollback, Stage::Done, 2));
        assert_eq!((back.previous, back.reason.as_deref()), (Some(3), Some("it is slow")));
        let after = world.assignment().await;
        assert_eq!(after.stable, before.previous, "the same version with the same digests");
        assert_eq!(after.previous.as_ref().unwrap().version, 1);
        assert!(after.revision > before.revision);
        world.traffic.until_told(after.revision).await;

        world.service.rollback(&operator(), &model(), None, None).await.unwrap();
        assert_eq!(world.stable().await, Some(1));
        let refused = world.service.rollback(&operator(), &model(), None, None).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::FailedPrecondition);
        assert!(world.actions().await.contains(&"release.rollback by otto on release 4".to_owned()));
        world.stop().await;
    }

    async fn a_named_version_must_have_been_released_before(db: Database) {
        let world = World::new(db).await;
        assert_eq!(
            world.service.rollback(&operator(), &model(), None, None).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        for number in [1, 2] {
            world.promote(number).await;
        }
        let refused = world.service.rollback(&operator(), &model(), Some(9), None).await.unwrap_err();
        assert_eq!(refused.to_string(), "cannot roll back `ranker`: version 9 was never released");
        assert_eq!(
            world.service.rollback(&operator(), &model(), Some(2), None).await.unwrap_err().kind(),
            ErrorKind::AlreadyExists
        );
        world.service.rollback(&operator(), &model(), Some(1), None).await.unwrap();
        assert_eq!(world.stable().await, Some(1));
        world.service.rollback(&operator(), &model(), Some(2), None).await.unwrap();
        assert_eq!(world.stable().await, Some(2), "a version that was left may come back by name");
        world.stop().await;
    }

    async fn an_approver_cannot_roll_back(db: Database) {
        let world = World::new(db).await;
        for number in [1, 2] {
            world.promote(number).await;
        }
        let refused = world.service.rollback(&approver(), &model(), None, None).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        assert_eq!(world.stable().await, Some(2));
        assert_eq!(world.actions().await.last().unwrap(), "release.rollback.refused by grace on ranker");
        world.stop().await;
    }

    async fn other_bytes_are_not_rolled_back_to_but_an_absent_store_is_not_waited_for(db: Database) {
        let world = World::new(db).await;
        for number in [1, 2] {
            world.promote(number).await;
        }
        world.registry.overwrite(1);
        let refused = world.service.rollback(&operator(), &model(), None, None).await.unwrap_err();
        assert!(refused.to_string().contains("the files of ranker/1 changed since release 1"), "{refused}");
        world.registry.is_away.store(true, Ordering::SeqCst);
        world.service.rollback(&operator(), &model(), None, None).await.unwrap();
        assert_eq!(world.stable().await, Some(1));
        world.stop().await;
    }

    async fn rolling_back_during_a_rollout_ends_it_and_keeps_what_is_stable(db: Database) {
        let world = World::new(db).await;
        world.promote(1).await;
        let id = world.create(2).await.id;
        world.until(id, Stage::AwaitingApproval).await;
        world.registry.is_away.store(true, Ordering::SeqCst);
        world.service.approve(&approver(), id, None).await.unwrap();
        let sent_back = world.service.rollback(&operator(), &model(), None, None).await.unwrap();
        assert_eq!((sent_back.id, sent_back.stage), (id, Stage::RolledBack));
        assert_eq!(world.stable().await, Some(1));
        world.registry.is_away.store(false, Ordering::SeqCst);
        let id = world.create(3).await.id;
        world.until(id, Stage::AwaitingApproval).await;
        world.registry.is_away.store(true, Ordering::SeqCst);
        world.service.approve(&approver(), id, None).await.unwrap();
        let sent_back = world.service.rollback(&operator(), &model(), Some(1), None).await.unwrap();
        assert_eq!((sent_back.id, sent_back.stage), (id, Stage::RolledBack), "also for who names what is stable");
        let releases = world.service.list(Filter { open_only: true, ..Filter::default() }).await.unwrap();
        assert_eq!(releases, []);
        world.stop().await;
    }
}
