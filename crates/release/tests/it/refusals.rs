//! Who may not, and what cannot be.

use std::sync::atomic::Ordering;

use database::{Database, testing::on_both};
use release::{GateName, Stage};
use types::{ErrorKind, Principal, Role};

use crate::{
    lifecycle::waiver,
    world::{World, approver, author, editor, model, operator, version},
};

on_both! {
    async fn the_author_and_an_anonymous_caller_cannot_approve_and_the_trail_says_who_tried(db: Database) {
        let world = World::new(db).await;
        let id = world.create(1).await.id;
        world.until(id, Stage::AwaitingApproval).await;
        for (caller, message) in [
            (author(), "`ada` registered this version and cannot approve: someone else must"),
            (Principal::anonymous(), "to approve needs a token with the role approver or higher; an anonymous caller cannot"),
            (editor(), "`edith` has the role editor, and to approve takes approver or higher"),
        ] {
            let refused = world.service.approve(&caller, id, None).await.unwrap_err();
            assert_eq!((refused.kind(), refused.to_string().as_str()), (ErrorKind::PermissionDenied, message));
        }
        let actions = world.actions().await;
        assert!(actions.contains(&"release.approve.refused by ada on release 1".to_owned()), "{actions:?}");
        assert_eq!(world.service.get(id).await.unwrap().approvals, []);
        world.stop().await;
    }

    async fn a_release_with_a_waiver_that_is_not_the_callers_to_give_is_not_created(db: Database) {
        let world = World::without_controller(db).await;
        let waivers = || vec![waiver(GateName::Lineage)];
        for caller in [Principal::anonymous(), editor(), author()] {
            let refused = world.service.create(&caller, &version(1), waivers()).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        }
        let mut empty = waiver(GateName::Lineage);
        empty.reason = "  ".to_owned();
        let refused = world.service.create(&approver(), &version(1), vec![empty]).await.unwrap_err();
        assert_eq!(refused.to_string(), "the reason is empty");
        assert_eq!(world.service.list(release::Filter::default()).await.unwrap(), []);
        assert_eq!(world.actions().await, [""; 0], "nothing was decided, so nothing is on record");
        world.stop().await;
    }

    async fn a_version_that_serves_is_not_rolled_out_beside_itself_as_something_else(db: Database) {
        let world = World::new(db).await;
        for number in [1, 2] {
            world.promote(number).await;
        }
        world.registry.overwrite(2);
        let refused = world.service.create(&editor(), &version(2), Vec::new()).await.unwrap_err();
        let message = "ranker/2 serves since release 2, with other files than it has now, and cannot stand beside itself: \
                       register it again, as a new version";
        assert_eq!((refused.kind(), refused.to_string().as_str()), (ErrorKind::FailedPrecondition, message));
        world.service.rollback(&operator(), &model(), None, None).await.unwrap();
        world.registry.is_redefined.store(true, Ordering::SeqCst);
        let refused = world.service.create(&editor(), &version(1), Vec::new()).await.unwrap_err();
        assert!(refused.to_string().contains("with other feature definitions"), "{refused}");
        // What does not serve may be anything.
        world.service.create(&editor(), &version(2), Vec::new()).await.unwrap();
        world.stop().await;
    }

    async fn versions_that_do_not_exist_or_serve_already_are_refused(db: Database) {
        let world = World::new(db).await;
        let unknown = world.service.create(&editor(), &version(101), Vec::new()).await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::NotFound);
        assert!(unknown.to_string().contains("there is no version ranker/101"), "{unknown}");
        world.promote(1).await;
        let serving = world.service.create(&editor(), &version(1), Vec::new()).await.unwrap_err();
        assert_eq!(serving.kind(), ErrorKind::AlreadyExists);
        let viewer = Principal::known("vera", Role::Viewer);
        let refused = world.service.create(&viewer, &version(2), Vec::new()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
        let missing = world.service.get(release::ReleaseId(77)).await.unwrap_err();
        assert_eq!((missing.kind(), missing.to_string().as_str()), (ErrorKind::NotFound, "there is no release 77"));
        world.stop().await;
    }
}
