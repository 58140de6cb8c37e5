//! A store in a bucket, and around it: one server for all, since it takes long to start.

use std::time::Duration;

use artifacts::{
    ArtifactPath, Error, Part, Store,
    testing::{S3Server, conformance},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use types::ErrorKind;

const WITHIN: Duration = Duration::from_secs(60);
/// What S3 wants at least in each part but the last.
const PART: usize = 5 * 1024 * 1024;

fn path(text: &str) -> ArtifactPath {
    ArtifactPath::parse(text).unwrap()
}

#[tokio::test]
async fn a_bucket_does_what_every_store_must() {
    let Some(server) = S3Server::start().await else { return };
    conformance(&server.store("a/prefix").unwrap()).await;
    conformance(&server.store("").unwrap()).await;
    nothing_unfinished_is_left(&server).await;
    an_upload_whose_caller_left_is_aborted(&server).await;
    a_key_is_prefix_and_path_as_mlflow_itself_writes_it(&server).await;
    parts_that_a_client_put_become_one_file(&server).await;
    an_address_reads_or_writes_its_one_file(&server).await;
    what_is_wrong_with_a_store_is_told_apart(&server).await;
}

async fn nothing_unfinished_is_left(server: &S3Server) {
    for _ in 0..200 {
        if server.unfinished().await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} uploads that broke off were not aborted", server.unfinished().await);
}

async fn an_upload_whose_caller_left_is_aborted(server: &S3Server) {
    let store = server.store("left").unwrap();
    let endless = stream::iter([Ok(Bytes::from(vec![7; 9 * 1024 * 1024]))]).chain(stream::pending()).boxed();
    let upload = tokio::spawn(async move { store.put(&path("a"), endless).await });
    while server.unfinished().await == 0 {
        assert!(!upload.is_finished(), "an endless upload ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    upload.abort();
    nothing_unfinished_is_left(server).await;
    assert_eq!(server.object("left/a").await, None);
}

async fn a_key_is_prefix_and_path_as_mlflow_itself_writes_it(server: &S3Server) {
    let store = server.store("team/mlflow/").unwrap();
    store.put_bytes(&path("0/r u n/100%/ä.txt"), "x").await.unwrap();
    assert_eq!(server.object("team/mlflow/0/r u n/100%/ä.txt").await.unwrap(), b"x");
    // Another prefix of the bucket is another store, also one whose name goes on.
    server.store("team/mlflow-other").unwrap().put_bytes(&path("y"), "y").await.unwrap();
    assert_eq!(store.walk(&ArtifactPath::root()).await.unwrap().len(), 1);
    assert_eq!(store.list(&ArtifactPath::root()).await.unwrap().len(), 1);
    assert_eq!(store.locate("s3://models/team/mlflow/0/a").unwrap(), Some(path("0/a")));
    for elsewhere in ["s3://models/team/mlflow-other/y", "s3://other/team/mlflow/y", "file:///team/mlflow/y"] {
        assert_eq!(store.locate(elsewhere).unwrap(), None, "{elsewhere}");
    }
    assert!(store.locate("s3://models/team/mlflow/../x").is_err());
    store.delete_prefix(&path("0")).await.unwrap();
}

async fn put(url: &str, body: Vec<u8>) -> String {
    let answer = reqwest::Client::new().put(url).body(body).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

async fn parts_that_a_client_put_become_one_file(server: &S3Server) {
    let store = server.store("p").unwrap();
    let direct = store.direct().unwrap();
    let at = path("run/ä big+file.bin");
    let upload = direct.create_multipart(&at, 3).await.unwrap();
    assert_eq!(upload.urls.len(), 3);
    let mut parts = Vec::new();
    for (url, number) in upload.urls.iter().zip(1..) {
        let etag = put(url, vec![b'0' + u8::try_from(number).unwrap(); PART]).await;
        parts.insert(0, Part { number, etag });
    }
    assert!(store.walk(&ArtifactPath::root()).await.unwrap().is_empty(), "nothing is there before it is complete");
    let gap = direct.complete_multipart(&at, &upload.id, parts[..2].to_vec()).await;
    assert!(matches!(gap, Err(Error::Parts { .. })), "{gap:?}");
    assert_eq!(direct.complete_multipart(&at, &upload.id, parts).await.unwrap(), 3 * PART as u64);
    let content = server.object("p/run/ä big+file.bin").await.unwrap();
    assert!(content == [vec![b'1'; PART], vec![b'2'; PART], vec![b'3'; PART]].concat());

    let other = direct.create_multipart(&path("other"), 1).await.unwrap();
    put(&other.urls[0], vec![1; 10]).await;
    direct.abort_multipart(&path("other"), &other.id).await.unwrap();
    nothing_unfinished_is_left(server).await;
    assert_eq!(server.object("p/other").await, None);
}

async fn an_address_reads_or_writes_its_one_file(server: &S3Server) {
    let http = reqwest::Client::new();
    let store = server.store("signed").unwrap();
    let direct = store.direct().unwrap();
    store.put_bytes(&path("a b.txt"), "0123456789").await.unwrap();
    let download = direct.presigned_download(&path("a b.txt"), WITHIN, "attachment; filename=x").await.unwrap();
    assert_eq!(download.size, 10);
    let read = http.get(&download.url).header("range", "bytes=2-4").send().await.unwrap();
    assert_eq!(read.headers()["content-disposition"], "attachment; filename=x");
    assert_eq!(read.text().await.unwrap(), "234");
    let absent = direct.presigned_download(&path("c"), WITHIN, "attachment").await;
    assert!(matches!(absent, Err(Error::NotFound { .. })));

    let upload = direct.presigned_upload(&path("c"), WITHIN, "text/plain").await.unwrap();
    assert!(upload.url.contains("X-Amz-SignedHeaders=content-type%3Bhost"), "{}", upload.url);
    let written = http.put(&upload.url).header("content-type", &upload.content_type).body("c").send().await.unwrap();
    assert!(written.status().is_success());
    assert_eq!(store.get_bytes(&path("c")).await.unwrap(), "c");
}

async fn what_is_wrong_with_a_store_is_told_apart(server: &S3Server) {
    let absent = Store::open_with("s3://nowhere/x", &server.config()).unwrap().check().await.unwrap_err();
    assert_eq!(absent.to_string(), "there is no bucket `nowhere`; buckets are made with the service's own tools");
    assert_eq!(absent.kind(), ErrorKind::Internal);
    // Nobody listens on the discard port.
    let away = server.config().with_s3("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let away = Store::open_with(&server.uri(""), &away).unwrap().check().await.unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unavailable);
    let wrong = server.config().with_s3("AWS_SECRET_ACCESS_KEY", "another");
    let wrong = Store::open_with(&server.uri(""), &wrong).unwrap();
    for refused in [wrong.check().await.unwrap_err(), wrong.put_bytes(&path("a"), "x").await.unwrap_err()] {
        let why = format!("{refused:?}");
        assert!(why.contains("SignatureDoesNotMatch") && !why.contains("another"), "{why}");
        assert!(!refused.kind().is_retryable(), "{why}");
    }
    let shown = format!("{:?}", server.config());
    assert!(!shown.contains("a secret of the test"), "{shown}");
}
