//! The stable version deleted by hand: refused where it can be, told where it cannot.

use reqwest::Method;
use serde_json::json;

use super::{
    history::Record,
    receiver::Receiver,
    report,
    scorer::Scorer,
    traffic::Traffic,
    world::{MODEL, World, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_stable_version_that_is_deleted_by_sql_is_paged_and_served_on_even_after_a_restart() {
    let (scorer, receiver) = (Scorer::start().await, Receiver::start().await);
    let mut world = World::start(&receiver.project()).await;
    world.first_version(&scorer).await;
    // Registered before, since the registry would give the deleted version's number away again.
    world.version(&scorer, 2).await;
    let traffic = Traffic::start(world.target());

    let deleted = json!({ "name": MODEL, "version": "1" });
    let path = "/api/2.0/mlflow/model-versions/delete";
    let (status, refusal) = world.ask(Method::DELETE, path, deleted).await.unwrap();
    assert!(
        status >= 400 && refusal["message"].as_str().unwrap().contains("is not deleted while it serves"),
        "{refusal}"
    );
    assert_eq!(receiver.statuses("StableMissing"), [""; 0]);

    let record = Record::open(&world.database()).await;
    assert_eq!(record.execute("DELETE FROM model_versions WHERE name = 'ranker' AND version = 1").await, 1);
    let page =
        until("paged", async || receiver.told("StableMissing").pop().map(|(_, page)| page).ok_or(json!("nothing")))
            .await;
    assert_eq!((&page["status"], &page["severity"]), (&json!("firing"), &json!("page")), "{page:#}");
    assert_eq!(page["labels"]["version"], "1");
    traffic.answers(50).await;

    // A gateway keeps a copy of what it loaded.
    world.kill();
    traffic.redirect(None);
    world.start_again().await;
    traffic.redirect(Some(world.target()));
    traffic.answers(50).await;
    assert!(traffic.seen().answers.iter().all(|answer| answer.version == 1));

    // The way out is the usual one.
    world.roll_out(2).await;
    world.release_when("stable", |release| release["stage"] == "done").await;
    until("told that it is over", async || {
        let statuses = receiver.statuses("StableMissing");
        if statuses == ["firing", "resolved"] { Ok(()) } else { Err(json!(statuses)) }
    })
    .await;
    let seen = traffic.seen();
    assert_eq!(seen.failures, [""; 0]);
    report(&format!(
        "stable deleted by SQL: paged once, {} answers meanwhile and none failed, also after a restart ({} cut off by it)",
        seen.answers.len(),
        seen.cut_off
    ));
}
