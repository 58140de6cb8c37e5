//! A receiver that is away for a while. That an hour makes no difference is tried in `alerts`, where time is the test's.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    history::Record,
    receiver::Receiver,
    report,
    scorer::Scorer,
    world::{World, until},
};

const NAME: &str = "StableMissing";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_missed_is_delivered_once_when_it_is_back_even_if_up_was_killed_meanwhile() {
    let (scorer, receiver) = (Scorer::start().await, Receiver::away());
    let mut world = World::start(&receiver.project()).await;
    world.first_version(&scorer).await;
    let record = Record::open(&world.database()).await;
    assert_eq!(record.execute("UPDATE model_versions SET version = 1001 WHERE version = 1").await, 1);
    let tried = attempts(&world, 2).await;
    world.kill();
    world.start_again().await;
    let tried = attempts(&world, tried + 1).await;

    receiver.listen().await;
    until("told", async || {
        let statuses = receiver.statuses(NAME);
        if statuses.is_empty() { Err(json!(statuses)) } else { Ok(()) }
    })
    .await;
    // What ends it is told next; had the first message been sent again, it would have come before.
    assert_eq!(record.execute("UPDATE model_versions SET version = 1 WHERE version = 1001").await, 1);
    until("told that it is over", async || {
        let statuses = receiver.statuses(NAME);
        if statuses.iter().any(|status| status == "resolved") { Ok(()) } else { Err(json!(statuses)) }
    })
    .await;
    assert_eq!(receiver.statuses(NAME), ["firing", "resolved"]);
    let keys: BTreeSet<_> = receiver.told(NAME).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    report(&format!("a receiver that was away for {tried} attempts and one kill of the sender: told once"));
}

/// How often the message was tried, once that is at least `least`.
async fn attempts(world: &World, least: u64) -> u64 {
    until("tried", async || {
        let alerts = world.get("/crosstie/v1/alerts").await;
        let of_name = |alert: &&Value| alert["name"] == NAME;
        let alert = alerts["alerts"].as_array().unwrap().iter().find(of_name).ok_or(json!("no alert"))?;
        let delivery = &alert["deliveries"][0];
        assert!(delivery["delivered_at"].is_null(), "{delivery:#}");
        let attempts = delivery["attempts"].as_u64().unwrap();
        if attempts >= least { Ok(attempts) } else { Err(delivery.clone()) }
    })
    .await
}
