//! Messages that arrive although their receivers do what they can against it.

use alerts::Status;
use database::{Database, testing::on_both};
use runtime::testing::eventually;
use telemetry::Severity;
use types::{Duration, Timestamp};

use crate::world::{LONG, Mode, Receiver, World, condition};

on_both! {
    async fn a_receiver_that_was_away_for_an_hour_gets_its_message_once(db: Database) {
        let receiver = Receiver::start(Mode::Down).await;
        let world = World::new(db, &[(&receiver, Severity::Page)]).await;
        world.holds(vec![condition("a", Severity::Page)]).await;
        world.until_attempted(1).await;
        for minute in 1..=60 {
            world.clock.advance(Duration::from_secs(60));
            world.service.look();
            world.until_attempted(minute + 1).await;
        }
        assert_eq!(receiver.refused(), 61, "no wait is longer than a minute, and it is not pestered");
        receiver.set(Mode::Takes);
        world.clock.advance(Duration::from_secs(60));
        world.service.look();
        receiver.until_heard(&["firing page a"]).await;
        for _ in 0..5 {
            world.clock.advance(Duration::from_secs(60));
            world.look().await;
        }
        assert_eq!(receiver.heard().len(), 1);
        let [alert] = world.list().await.try_into().unwrap();
        let delivery = &alert.deliveries[0];
        assert_eq!(delivery.attempts as usize, receiver.refused() + 1);
        assert!(delivery.delivered_at.is_some() && delivery.next_attempt_at.is_none() && delivery.error.is_none());
        world.stop().await;
    }

    async fn what_happened_meanwhile_is_told_in_its_order(db: Database) {
        let receiver = Receiver::start(Mode::Down).await;
        let world = World::new(db, &[(&receiver, Severity::Info)]).await;
        for key in ["a", "a", "b"] {
            world.clock.advance(Duration::from_secs(60));
            world.holds(vec![condition(key, Severity::Ticket)]).await;
            world.holds(vec![]).await;
            world.settle().await;
        }
        receiver.set(Mode::Takes);
        let a = ["firing ticket a", "resolved ticket a", "firing ticket a", "resolved ticket a"];
        let b = ["firing ticket b", "resolved ticket b"];
        eventually(LONG, async || {
            world.clock.advance(Duration::from_secs(60));
            world.look().await;
            let heard = receiver.heard();
            if heard.len() == a.len() + b.len() { Ok(()) } else { Err(format!("{heard:?}")) }
        })
        .await;
        let (of_a, of_b): (Vec<_>, Vec<_>) = receiver.heard().into_iter().partition(|message| message.ends_with('a'));
        assert_eq!(of_a, a);
        assert_eq!(of_b, b);
        world.stop().await;
    }

    async fn a_receiver_that_hangs_holds_up_no_other(db: Database) {
        let (hanging, well) = (Receiver::start(Mode::Hangs).await, Receiver::start(Mode::Takes).await);
        let world = World::new(db, &[(&hanging, Severity::Info), (&well, Severity::Info)]).await;
        let keys: Vec<String> = (0..20).map(|number| format!("k{number:02}")).collect();
        world.holds(keys.iter().map(|key| condition(key, Severity::Page)).collect()).await;
        let open = eventually(LONG, async || {
            let alerts = world.list().await;
            let deliveries = alerts.into_iter().flat_map(|alert| alert.deliveries);
            let (delivered, open): (Vec<_>, Vec<_>) = deliveries.partition(|one| one.delivered_at.is_some());
            if delivered.len() == keys.len() { Ok(open) } else { Err(format!("{delivered:?}")) }
        })
        .await;
        assert_eq!((well.heard().len(), open.len()), (keys.len(), keys.len()));
        assert!(hanging.heard().len() <= 4, "one that does not answer is not given everything at once");
        world.kill().await;
    }

    async fn a_clock_that_is_set_back_stops_no_message(db: Database) {
        let receiver = Receiver::start(Mode::Down).await;
        let world = World::new(db, &[(&receiver, Severity::Info)]).await;
        world.holds(vec![condition("a", Severity::Page)]).await;
        world.until_attempted(1).await;
        world.clock.set(Timestamp::parse("2020-01-01").unwrap());
        receiver.set(Mode::Takes);
        world.service.look();
        receiver.until_heard(&["firing page a"]).await;
        world.stop().await;
    }

    async fn a_clock_that_jumps_ahead_gives_up_no_message(db: Database) {
        let receiver = Receiver::start(Mode::Down).await;
        let world = World::new(db, &[(&receiver, Severity::Info)]).await;
        world.holds(vec![condition("a", Severity::Page)]).await;
        world.until_attempted(1).await;
        world.clock.set(Timestamp::parse("2031-01-01").unwrap());
        world.service.look();
        world.until_attempted(2).await;
        receiver.set(Mode::Takes);
        world.clock.advance(Duration::from_secs(60));
        world.service.look();
        receiver.until_heard(&["firing page a"]).await;
        assert_eq!(world.list().await[0].status, Status::Firing);
        world.stop().await;
    }
}
