//! The store on a real folder.

use bytes::Bytes;
use futures::StreamExt as _;

use crate::{ArtifactPath, Error, Store};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    (folder, store)
}

fn path(text: &str) -> ArtifactPath {
    ArtifactPath::parse(text).unwrap()
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_no_trace() {
    let (folder, store) = store();
    let pieces = [Ok(Bytes::from("ne")), Err(std::io::Error::other("the client left"))];
    let broken = store.put(&path("a"), futures::stream::iter(pieces).boxed()).await;
    assert!(matches!(broken, Err(Error::Interrupted { .. })));
    let partial = folder.path().join(super::PARTIAL);
    assert_eq!(std::fs::read_dir(partial).unwrap().count(), 0);
}

#[tokio::test]
async fn files_and_folders_do_not_replace_each_other() {
    let (_folder, store) = store();
    store.put_bytes(&path("a/b"), "x").await.unwrap();
    for refused in ["a", "a/b/c", "a/b/c/d"] {
        let result = store.put_bytes(&path(refused), "y").await;
        assert!(matches!(result, Err(Error::InvalidPath { .. })), "{refused}: {result:?}");
    }
    assert!(matches!(store.get(&path("a")).await, Err(Error::NotFound { .. })));
    assert!(matches!(store.get(&path("a/b/c")).await, Err(Error::NotFound { .. })));
}

#[test]
fn stores_that_are_not_built_in_are_refused_by_name() {
    for uri in ["wasbs://container@account/x", "gs://bucket"] {
        assert!(matches!(Store::open(uri), Err(Error::UnsupportedScheme { .. })), "{uri}");
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    for uri in [format!("file:{at}/a"), format!("file://{at}/b"), format!("{at}/c")] {
        Store::open(&uri).unwrap();
    }
    assert!(folder.path().join("b").is_dir());
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(Store::open(&format!("{at}/file")), Err(Error::Root { .. })));
}
