//! A registry elsewhere, of which only the REST API can be reached: the real MLflow server behind a token. Its versions are
//! released, served and rolled back here, and go on being served when it is away.

mod managed;

use futures::TryStreamExt as _;
use registry::{Origin as _, OriginFolder};
use remote_mlflow::{Credentials, RemoteMlflow};
use reqwest::Method;
use serde_json::{Value, json};
use types::Secret;

use crate::{
    faults::{
        scorer::Scorer,
        traffic::Traffic,
        world::{MODEL, World, until},
    },
    program::tool,
};
use managed::{Managed, TOKEN};

const MLFLOW_PYTHON: &str = "CROSSTIE_TEST_MLFLOW_PYTHON";
/// Answers that are looked at while it is away.
const MEANWHILE: usize = 50;

/// A server on the registry elsewhere.
async fn world(managed: &Managed, token: &str) -> World {
    let registry = format!("mlflow+http://{}", managed.outside);
    let flags = ["--registry", &registry, "--tracking-token", token].map(str::to_owned);
    World::start_with("version: 1\n", &flags, None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_managed_mlflow_are_released_served_and_rolled_back_here() {
    let Some(python) = tool(MLFLOW_PYTHON) else { return };
    let (scorer, managed) = (Scorer::start().await, Managed::start(&python).await);
    let declarations: Vec<String> = (1..=2).map(|version| scorer.declaration(version)).collect();
    let registered = managed.team("register", &json!(declarations));
    let mut world = world(&managed, TOKEN).await;

    a_strange_token_is_told(&managed).await;
    its_own_store_is_read(&managed, &registered).await;
    is_found_through_us(&managed, &world, &registered["run"]).await;
    says_where_it_comes_from(&world, &registered["run"]).await;

    // It is asked again when it is busy.
    managed.busy(3);
    let first = release(&world, 1).await;
    assert_eq!(managed.team("alias", &Value::Null), json!({ "version": "1" }));
    let traffic = Traffic::start(world.target());
    traffic.answers(MEANWHILE).await;
    release(&world, 2).await;
    assert_eq!(managed.team("alias", &Value::Null), json!({ "version": "2" }));
    let back = format!("/crosstie/v1/models/{MODEL}/rollback");
    world.post(&back, json!({ "reason": "it was better before" })).await;
    until("the alias is back, too", async || {
        let named = managed.team("alias", &Value::Null);
        if named == json!({ "version": "1" }) { Ok(()) } else { Err(named) }
    })
    .await;

    it_is_away(&managed, &mut world, &traffic).await;
    it_only_reads(&managed, &world).await;
    its_files_are_out_of_reach(&world).await;
    let seen = traffic.seen();
    assert_eq!(seen.failures, [""; 0]);
    report(&format!(
        "a managed MLflow behind a token: release {first} of {MODEL}/1 and those after it, {} answers and none failed, also with it \
         away and after a restart ({} cut off by that)",
        seen.answers.len(),
        seen.cut_off
    ));
}

/// A stock client that is pointed here finds what is there, and is told where to write.
async fn is_found_through_us(managed: &Managed, world: &World, run: &Value) {
    let here = world.api();
    let found = managed.client(&here, "look", &json!("1"));
    let files = ["http.yaml", "nested/deeper/more file.txt"];
    assert_eq!(found, json!({ "versions": [1, 2, 3, 4], "auc": 0.75, "files": files, "runs": 2 }));
    assert_eq!(managed.client(&here, "look", &json!("2"))["files"], json!(["http.yaml"]));
    let told = managed.client(&here, "write", run)["told"].take();
    assert!(told.as_str().unwrap().contains(&format!("MLFLOW_TRACKING_URI=http://{}", managed.outside)), "{told}");
    let escape = "/api/2.0/mlflow-artifacts/artifacts/%2e%2e/%2e%2e/mlflow/runs/get";
    let (status, answer) = world.ask(Method::GET, escape, Value::Null).await.unwrap();
    assert_eq!(status, 400, "{answer}");
}

async fn says_where_it_comes_from(world: &World, run: &Value) {
    let lineage = world.get(&format!("/crosstie/v1/models/{MODEL}/versions/1/lineage")).await;
    assert_eq!(lineage["run"]["id"], *run, "{lineage:#}");
    assert_eq!(lineage["run"]["experiment"], "elsewhere");
    assert_eq!(lineage["run"]["params"], json!({ "depth": "3" }));
    assert_eq!(lineage["datasets"][0]["name"], "clicks");
    assert_eq!(lineage["datasets"][0]["context"], "training");
    assert_eq!(lineage["git"]["commit"], "0123456789012345678901234567890123456789");
    assert_eq!(lineage["missing"], json!([]), "{lineage:#}");
}

/// Releases a version without a waiver; answers its release.
async fn release(world: &World, version: u32) -> u64 {
    let id = created(world, version).await.unwrap_or_else(|(status, told)| panic!("{status} {told}"));
    world.release_when("through its gates", |release| release["stage"] == "awaiting_approval").await;
    let gates = world.release().await["gates"].take();
    world.approve(id).await;
    let done = world.release_when("stable", |release| release["stage"] == "done").await;
    assert_eq!(done["id"], id, "{gates:#}");
    id
}

async fn created(world: &World, version: u32) -> Result<u64, (u16, String)> {
    let wanted = json!({ "version": format!("{MODEL}/{version}") });
    let (status, mut answer) = world.ask(Method::POST, "/crosstie/v1/releases", wanted).await.unwrap();
    if status < 300 {
        return Ok(answer["release"]["id"].as_u64().unwrap());
    }
    Err((status, answer["error"]["message"].take().as_str().unwrap_or_default().to_owned()))
}

async fn it_is_away(managed: &Managed, world: &mut World, traffic: &Traffic) {
    managed.close(true);
    traffic.answers(MEANWHILE).await;
    let (status, told) = created(world, 3).await.unwrap_err();
    assert_eq!(status, 503, "{told}");
    assert!(told.contains(&managed.outside), "{told}");
    let (status, answer) = world.ask(Method::GET, "/api/2.0/mlflow/runs/get?run_id=x", Value::Null).await.unwrap();
    assert_eq!(status, 502, "as it was answered: {answer}");
    world.kill();
    traffic.redirect(None);
    world.start_again().await;
    traffic.redirect(Some(world.target()));
    let after = traffic.answers(MEANWHILE).await;
    assert!(after.iter().all(|answer| answer.version == 1), "{after:?}");
    managed.close(false);
}

/// What serves does not wait for an alias that may not be set; that is on record, and told.
async fn it_only_reads(managed: &Managed, world: &World) {
    managed.read_only(true);
    let id = release(world, 3).await;
    assert_eq!(managed.team("alias", &Value::Null), json!({ "version": "1" }));
    let page = world.text(&format!("/releases/{id}")).await;
    assert!(page.contains("alias_not_set") && page.contains("this token only reads"), "{page}");
    let told = until("told", async || {
        let alerts = world.get("/crosstie/v1/alerts").await;
        let strayed =
            alerts["alerts"].as_array().unwrap().iter().find(|alert| alert["name"] == "AliasStrayed").cloned();
        strayed.ok_or(alerts)
    })
    .await;
    let summary = told["summary"].as_str().unwrap();
    assert!(summary.contains("names version 1") && summary.contains("version 3 is stable"), "{summary}");
    managed.read_only(false);
    managed.team("alias", &json!("3"));
}

async fn its_files_are_out_of_reach(world: &World) {
    let (status, told) = created(world, 4).await.unwrap_err();
    assert!(told.contains("dbfs:/models/ranker") && told.contains("cannot be read through"), "{status} {told}");
}

async fn a_strange_token_is_told(managed: &Managed) {
    let world = world(managed, "another").await;
    let (status, told) = created(&world, 1).await.unwrap_err();
    assert_eq!(status, 422, "{told}");
    assert!(told.contains("401") && told.contains("MLFLOW_TRACKING_TOKEN") && !told.contains("another"), "{told}");
    assert_eq!(managed.refused(), 1, "what is refused is not asked again");
}

/// A version that says only where in the server's own store it lies, and not of which run it is.
async fn its_own_store_is_read(managed: &Managed, registered: &Value) {
    let address = format!("mlflow+http://{}", managed.outside).parse().unwrap();
    let remote = RemoteMlflow::new(address, &Credentials::Token(Secret::new(TOKEN.to_owned()))).unwrap();
    let mut version = remote.version(&format!("{MODEL}/1").parse().unwrap()).await.unwrap();
    assert_eq!(version.run.take().unwrap().run.info.id, registered["run"].as_str().unwrap());
    version.location = format!("{}/model", registered["uri"].as_str().unwrap());
    let folder = OriginFolder::Version(&version);
    let files = remote.files(folder).await.unwrap();
    let sizes: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.size.is_some())).collect();
    assert_eq!(sizes, [("http.yaml", true), ("nested/deeper/more file.txt", true)]);
    let content = remote.open(folder, "nested/deeper/more file.txt").await.unwrap();
    let pieces: Vec<_> = content.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"more");
}

#[expect(clippy::print_stdout, reason = "what was counted is for whoever runs the tests")]
fn report(line: &str) {
    println!("remote: {line}");
}
