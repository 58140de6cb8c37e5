//! What fires, what resolves, and what says nothing.

use alerts::{Filter, Status};
use database::{Database, testing::on_both};
use serde_json::json;
use telemetry::Severity;
use types::{Duration, ModelName};

use crate::world::{Mode, Receiver, World, condition};

on_both! {
    async fn a_condition_fires_once_and_resolves_once(db: Database) {
        let receiver = Receiver::start(Mode::Takes).await;
        let world = World::new(db, &[(&receiver, Severity::Info)]).await;
        world.holds(vec![condition("a", Severity::Page)]).await;
        receiver.until_heard(&["firing page a"]).await;
        for _ in 0..5 {
            world.clock.advance(Duration::from_secs(60));
            world.look().await;
        }
        assert_eq!(receiver.heard().len(), 1, "it goes on, and nobody is told again");
        world.holds(vec![]).await;
        world.settle().await;
        receiver.until_heard(&["firing page a", "resolved page a"]).await;
        world.settle().await;
        let [alert] = world.list().await.try_into().unwrap();
        assert_eq!((alert.status, alert.sequence), (Status::Resolved, 2));
        assert_eq!(receiver.heard().len(), 2);
        world.stop().await;
    }

    async fn a_message_says_everything_that_a_receiver_needs(db: Database) {
        let receiver = Receiver::start(Mode::Takes).await;
        let world = World::new(db, &[(&receiver, Severity::Info)]).await;
        world.holds(vec![condition("a", Severity::Page)]).await;
        receiver.until_heard(&["firing page a"]).await;
        let [alert] = world.list().await.try_into().unwrap();
        let [(key, body)] = receiver.taken().try_into().unwrap();
        assert_eq!(key, format!("{}-1", alert.id));
        let expected = json!({
            "version": 1,
            "id": alert.id,
            "sequence": 1,
            "status": "firing",
            "severity": "page",
            "source": "drift",
            "key": "a",
            "name": "NewCategories",
            "summary": "new categories in a",
            "model": "click-ranker",
            "labels": { "customer_id": "acme" },
            "details": { "share": 0.25 },
            "since": "2026-11-23T13:59:00Z",
            "at": "2026-11-23T14:00:00Z",
        });
        assert_eq!(body, expected);
        assert!(!format!("{:?}", world.list().await).contains("secret"), "a receiver's URL is not shown");
        world.stop().await;
    }

    async fn one_that_flickers_is_one_alert(db: Database) {
        let receiver = Receiver::start(Mode::Takes).await;
        let world = World::new(db, &[(&receiver, Severity::Info)]).await;
        for _ in 0..10 {
            world.holds(vec![condition("a", Severity::Page)]).await;
            world.holds(vec![]).await;
            world.clock.advance(Duration::from_secs(9));
        }
        world.holds(vec![condition("a", Severity::Page)]).await;
        receiver.until_heard(&["firing page a"]).await;
        assert_eq!(world.list().await.len(), 1);
        world.stop().await;
    }

    async fn one_that_comes_back_after_its_end_is_another_alert(db: Database) {
        let receiver = Receiver::start(Mode::Takes).await;
        let world = World::new(db, &[(&receiver, Severity::Info)]).await;
        for _ in 0..2 {
            world.clock.advance(Duration::from_secs(60));
            world.holds(vec![condition("a", Severity::Page)]).await;
            world.holds(vec![]).await;
            world.settle().await;
        }
        let story = ["firing page a", "resolved page a", "firing page a", "resolved page a"];
        receiver.until_heard(&story).await;
        let [newer, older] = world.list().await.try_into().unwrap();
        assert_ne!(newer.id, older.id);
        world.stop().await;
    }

    async fn one_that_becomes_worse_speaks_again_and_one_that_swings_does_not(db: Database) {
        let (pager, desk) = (Receiver::start(Mode::Takes).await, Receiver::start(Mode::Takes).await);
        let world = World::new(db, &[(&pager, Severity::Page), (&desk, Severity::Ticket)]).await;
        world.holds(vec![condition("a", Severity::Ticket)]).await;
        desk.until_heard(&["firing ticket a"]).await;
        for _ in 0..3 {
            world.holds(vec![condition("a", Severity::Page)]).await;
            world.holds(vec![condition("a", Severity::Ticket)]).await;
        }
        desk.until_heard(&["firing ticket a", "firing page a"]).await;
        pager.until_heard(&["firing page a"]).await;
        world.holds(vec![]).await;
        world.settle().await;
        pager.until_heard(&["firing page a", "resolved page a"]).await;
        desk.until_heard(&["firing ticket a", "firing page a", "resolved page a"]).await;
        world.stop().await;
    }

    async fn a_source_that_fails_changes_nothing(db: Database) {
        let receiver = Receiver::start(Mode::Takes).await;
        let world = World::new(db, &[(&receiver, Severity::Info)]).await;
        world.holds(vec![condition("a", Severity::Page)]).await;
        for failure in ["the log cannot be read", "panic"] {
            world.source.set(Err(failure.to_owned()));
            for _ in 0..3 {
                world.clock.advance(Duration::from_secs(3_600));
                world.look().await;
            }
        }
        assert_eq!(world.list().await[0].status, Status::Firing);
        world.holds(vec![condition("a", Severity::Page)]).await;
        receiver.until_heard(&["firing page a"]).await;
        let metrics = world.metrics.render();
        assert!(metrics.contains(r#"crosstie_alerts_source_failures_total{source="drift"}"#), "{metrics}");
        assert!(metrics.contains(r#"crosstie_alerts_firing{severity="page"} 1"#), "{metrics}");
        world.stop().await;
    }

    async fn alerts_are_listed_newest_first_and_by_model(db: Database) {
        let world = World::new(db, &[]).await;
        world.holds(vec![condition("a", Severity::Info)]).await;
        world.clock.advance(Duration::from_secs(60));
        let mut other = condition("b", Severity::Ticket);
        other.model = None;
        world.holds(vec![other]).await;
        world.settle().await;
        let listed = async |filter: Filter| {
            let alerts = world.service.list(filter).await.unwrap();
            alerts.into_iter().map(|alert| alert.key).collect::<Vec<_>>()
        };
        assert_eq!(listed(Filter::default()).await, ["b", "a"]);
        assert_eq!(listed(Filter { limit: 1, ..Filter::default() }).await, ["b"]);
        assert_eq!(listed(Filter { firing_only: true, ..Filter::default() }).await, ["b"]);
        let model = Some(ModelName::parse("click-ranker").unwrap());
        assert_eq!(listed(Filter { model, ..Filter::default() }).await, ["a"]);
        world.stop().await;
    }
}
