//! Artifacts of any size in either kind of store, through the built binary.

use std::path::Path;

use artifacts::testing::S3Server;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use types::{Digest, DigestHasher};

use crate::program::{Server, crosstie, folder};

const MIB: usize = 1024 * 1024;
/// Many times what an upload may hold in memory.
const LARGE: usize = 300 * MIB;
/// What an upload and a download of that may add to the memory at its peak, in KiB.
const MOST_GROWTH: u64 = 100 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_grow_with_an_artifact_in_a_folder() {
    let (_dir, path) = folder(&[]);
    let server = Server::start(&path).await;
    streams_both_ways(&server).await;
}

/// One S3 server for all of it, since it takes long to start.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_product_works_on_s3() {
    let Some(s3) = S3Server::start().await else { return };
    a_store_that_is_not_there_is_named(&s3);
    let (_dir, path) = folder(&[]);
    let server = Server::start_in(&path, &["--artifacts", &s3.uri("team")], &s3.environment()).await;
    streams_both_ways(&server).await;
    the_stock_client_logs_registers_and_loads(&server, &s3).await;
    assert!(!path.join(".crosstie/artifacts").exists(), "no artifact lies anywhere else");
}

fn a_store_that_is_not_there_is_named(s3: &S3Server) {
    let (_dir, path) = folder(&[]);
    let mut command = crosstie(&path, &["up", "--port", "0", "--artifacts", "s3://nowhere/x"]);
    let output = command.envs(s3.environment()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("s3://nowhere/x") && said.contains("there is no bucket `nowhere`"), "{said}");
    assert!(!said.contains("a secret of the test"), "{said}");
}

#[expect(clippy::disallowed_methods, reason = "tests find their tools in the environment")]
async fn the_stock_client_logs_registers_and_loads(server: &Server, s3: &S3Server) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/mlflow_s3.py");
    let url = format!("http://{}", server.address("api"));
    let mut command = tokio::process::Command::new(std::env::var("CROSSTIE_TEST_MLFLOW_PYTHON").unwrap());
    command.arg(script).args([&url, s3.endpoint(), S3Server::BUCKET, "team"]).envs(s3.environment());
    let output = command.output().await.unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    assert!(said(&output.stdout).contains("checks held with mlflow 3.17.2"));
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for() {
    let (_dir, path) = folder(&[]);
    // Nobody listens on the discard port.
    let away = [("AWS_ENDPOINT_URL", "http://127.0.0.1:9"), ("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let server = Server::start_in(&path, &["--artifacts", "s3://models/x"], &away).await;
    let url = format!("http://{}/api/2.0/mlflow-artifacts/artifacts/0/a", server.address("api"));
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (503, true));
}

/// A MiB at a time, none like the one before.
fn pieces(size: usize) -> impl Iterator<Item = Bytes> {
    (0..size / MIB).map(|piece| Bytes::from(vec![u8::try_from(piece % 251).unwrap_or_default(); MIB]))
}

async fn streams_both_ways(server: &Server) {
    let http = reqwest::Client::new();
    let url = format!("http://{}/api/2.0/mlflow-artifacts/artifacts/0/run/large.bin", server.address("api"));
    let small = http.put(url.replace("large.bin", "small")).body("small").send().await.unwrap();
    assert!(small.status().is_success(), "{}", small.text().await.unwrap());
    let before = server.peak_memory();

    let body = reqwest::Body::wrap_stream(stream::iter(pieces(LARGE).map(Ok::<_, std::io::Error>)));
    let put = http.put(&url).body(body).send().await.unwrap();
    assert!(put.status().is_success(), "{}", put.text().await.unwrap());
    let got = http.get(&url).send().await.unwrap();
    assert_eq!(got.content_length(), Some(LARGE as u64));
    let mut read = DigestHasher::default();
    let mut content = got.bytes_stream();
    while let Some(piece) = content.next().await {
        read.update(&piece.unwrap());
    }
    let mut written = DigestHasher::default();
    pieces(LARGE).for_each(|piece| written.update(&piece));
    let written: Digest = written.finish();
    assert_eq!(read.finish(), written);

    let grown = server.peak_memory() - before;
    assert!(grown < MOST_GROWTH, "{grown} KiB for an artifact of {} KiB", LARGE / 1024);
}
