//! A version that passed its gates and then does not load.

use serde_json::json;

use super::{
    history::{Record, unexplained},
    receiver::Receiver,
    report,
    scorer::{Mode, Scorer},
    traffic::Traffic,
    world::{World, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_that_does_not_load_goes_back_by_itself_while_stable_answers_everyone() {
    let (scorer, receiver) = (Scorer::start().await, Receiver::start().await);
    let mut world = World::start(&receiver.project()).await;
    world.first_version(&scorer).await;
    world.version(&scorer, 2).await;
    let id = world.create(2).await;
    world.release_when("through its gates", |release| release["stage"] == "awaiting_approval").await;
    // It was loaded for its gates. After a restart it must be again, and is ill by then.
    world.kill();
    scorer.set(2, Some(Mode::Ill));
    world.start_again().await;
    let traffic = Traffic::start(world.target());
    world.approve(id).await;
    let back = world.release_when("back", |release| release["stage"] == "rolled_back").await;
    let reason = back["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("rolled back by itself: gateway ") && reason.contains("cannot load ranker/2"),
        "{reason}"
    );
    assert_eq!(back["progress"]["cause"], "does_not_load");

    let alert = until("told", async || {
        receiver.told("CanaryDoesNotLoad").pop().map(|(_, alert)| alert).ok_or(json!("nothing"))
    })
    .await;
    assert_eq!((&alert["status"], &alert["severity"]), (&json!("firing"), &json!("ticket")), "{alert:#}");
    assert_eq!(alert["labels"], json!({ "model": "ranker", "release": id.to_string(), "version": "2" }));
    let listed = world.get("/crosstie/v1/alerts").await;
    assert_eq!(listed["alerts"][0]["name"], "CanaryDoesNotLoad", "{listed:#}");

    traffic.answers(50).await;
    let decisions = Record::open(&world.database()).await.decisions().await;
    let seen = traffic.seen();
    assert_eq!((&seen.failures, seen.cut_off), (&Vec::new(), 0));
    assert!(seen.answers.iter().all(|answer| answer.version == 1), "{:?}", seen.answers);
    assert!(unexplained(&seen.answers, &decisions).is_empty());
    let answers = seen.answers.len();
    report(&format!("a canary that does not load: back by itself, {answers} answers, all of stable, none failed"));
}
