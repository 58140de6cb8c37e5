//! Processes that end in the middle, that run beside each other, and that come back with other routes.

use alerts::Status;
use database::{
    Database,
    testing::{PostgresDatabase, on_both},
};
use runtime::{Tasks, testing::eventually};
use telemetry::Severity;
use types::Duration;

use crate::world::{LONG, Mode, Receiver, World, condition};

/// Dies after the receiver took a message and before that was recorded; the database is opened anew.
async fn killed_between_the_message_and_its_record(uri: &str) {
    let receiver = Receiver::start(Mode::Hangs).await;
    let open = async || Database::connect(uri, &Tasks::new()).await.unwrap();
    let world = World::new(open().await, &[(&receiver, Severity::Info)]).await;
    world.holds(vec![condition("a", Severity::Page)]).await;
    receiver.until_heard(&["firing page a"]).await;
    world.kill().await;
    world.database.close().await;

    receiver.set(Mode::Takes);
    world.clock.advance(Duration::from_secs(60));
    let again = world.beside(open().await, &[(&receiver, Severity::Info)]).await;
    receiver.until_heard(&["firing page a", "firing page a"]).await;
    let [first, second] = receiver.taken().try_into().unwrap();
    assert_eq!(first, second, "the same key and the same body: the receiver can tell");
    for _ in 0..3 {
        again.clock.advance(Duration::from_secs(60));
        again.look().await;
    }
    assert_eq!(receiver.heard().len(), 2, "what is recorded is not sent again");
    assert_eq!(again.list().await.len(), 1);
    again.stop().await;
    again.database.close().await;
}

#[tokio::test]
async fn a_message_survives_its_process_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("sqlite:{}", folder.path().join("alerts.db").display());
    killed_between_the_message_and_its_record(&uri).await;
}

#[tokio::test]
async fn a_message_survives_its_process_on_postgres() {
    let Some(database) = PostgresDatabase::create().await else { return };
    killed_between_the_message_and_its_record(&database.uri()).await;
    database.remove().await;
}

on_both! {
    async fn of_two_processes_one_speaks(db: Database) {
        let receiver = Receiver::start(Mode::Takes).await;
        let world = World::new(db.clone(), &[(&receiver, Severity::Info)]).await;
        world.holds(vec![condition("a", Severity::Page)]).await;
        let other = world.beside(db, &[(&receiver, Severity::Info)]).await;
        for _ in 0..5 {
            other.service.look();
            world.look().await;
        }
        receiver.until_heard(&["firing page a"]).await;
        assert!(world.metrics.render().contains("crosstie_alerts_watcher_leader 1"));
        world.stop().await;
        // The lease was given back, so the other goes on at once.
        world.source.set(Ok(vec![condition("a", Severity::Page), condition("b", Severity::Page)]));
        eventually(LONG, async || {
            other.service.look();
            let heard = receiver.heard();
            if heard == ["firing page a", "firing page b"] { Ok(()) } else { Err(format!("{heard:?}")) }
        })
        .await;
        assert!(other.metrics.render().contains("crosstie_alerts_watcher_leader 1"));
        other.stop().await;
    }

    async fn a_new_route_is_told_what_fires_and_one_that_is_gone_holds_up_nothing(db: Database) {
        let (old, new) = (Receiver::start(Mode::Down).await, Receiver::start(Mode::Takes).await);
        let world = World::new(db.clone(), &[(&old, Severity::Info)]).await;
        world.holds(vec![condition("a", Severity::Page)]).await;
        world.until_attempted(1).await;
        world.stop().await;

        world.clock.advance(Duration::from_secs(60));
        let again = world.beside(db, &[(&new, Severity::Info)]).await;
        new.until_heard(&["firing page a"]).await;
        again.holds(vec![]).await;
        again.settle().await;
        new.until_heard(&["firing page a", "resolved page a"]).await;
        eventually(LONG, async || {
            again.look().await;
            let [alert] = again.list().await.try_into().unwrap();
            let done = |one: &alerts::Delivery| one.next_attempt_at.is_none();
            if alert.deliveries.iter().all(done) { Ok(alert) } else { Err(format!("{alert:?}")) }
        })
        .await;
        let [alert] = again.list().await.try_into().unwrap();
        assert_eq!(alert.status, Status::Resolved);
        let given_up = alert.deliveries.iter().filter(|one| one.abandoned_at.is_some()).count();
        assert_eq!((given_up, alert.deliveries.len()), (1, 3), "{alert:?}");
        again.stop().await;
    }
}
