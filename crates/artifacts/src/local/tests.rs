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
async fn what_was_put_is_read_listed_and_deleted() {
    let (_folder, store) = store();
    let stored = store.put_bytes(&path("0/run/a.txt"), "hello").await.unwrap();
    assert_eq!((stored.size, stored.digest), (5, types::Digest::of("hello")));
    store.put_bytes(&path("0/run/sub/b.txt"), "b").await.unwrap();
    assert_eq!(store.get_bytes(&path("0/run/a.txt")).await.unwrap(), "hello");

    let listed = store.list(&path("0/run")).await.unwrap();
    let listed: Vec<_> = listed.iter().map(|entry| (entry.path.as_str(), entry.is_dir, entry.size)).collect();
    assert_eq!(listed, [("0/run/a.txt", false, 5), ("0/run/sub", true, 0)]);
    assert_eq!(store.list(&ArtifactPath::root()).await.unwrap().len(), 1, "uploads in progress are not listed");
    assert_eq!(store.walk(&path("0")).await.unwrap().len(), 2);
    assert!(store.list(&path("nothing")).await.unwrap().is_empty());

    assert!(store.delete(&path("0/run/a.txt")).await.unwrap());
    assert!(!store.delete(&path("0/run/a.txt")).await.unwrap());
    assert!(matches!(store.delete(&path("0/run")).await, Err(Error::InvalidPath { .. })));
    assert!(store.delete_prefix(&path("0/run")).await.unwrap());
    assert!(matches!(store.get(&path("0/run/sub/b.txt")).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_the_old_content_and_no_trace() {
    let (folder, store) = store();
    store.put_bytes(&path("a"), "old").await.unwrap();
    let pieces = [Ok(Bytes::from("ne")), Err(std::io::Error::other("the client left"))];
    let broken = store.put(&path("a"), futures::stream::iter(pieces).boxed()).await;
    assert!(matches!(broken, Err(Error::Interrupted { .. })));
    assert_eq!(store.get_bytes(&path("a")).await.unwrap(), "old");
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

#[tokio::test]
async fn the_digest_of_a_tree_tells_names_and_content() {
    let (_folder, store) = store();
    for (name, content) in
        [("m1/a", "1"), ("m1/s/b", "2"), ("m2/a", "1"), ("m2/s/b", "2"), ("m3/a", "1"), ("m3/sb", "2")]
    {
        store.put_bytes(&path(name), content).await.unwrap();
    }
    let digest = async |folder: &str| store.digest_tree(&path(folder)).await.unwrap();
    assert_eq!(digest("m1").await, digest("m2").await);
    assert_ne!(digest("m1").await, digest("m3").await);
    store.put_bytes(&path("m2/a"), "changed").await.unwrap();
    assert_ne!(digest("m1").await, digest("m2").await);
    assert!(matches!(store.digest_tree(&path("m9")).await, Err(Error::NotFound { .. })));
}

#[test]
fn stores_that_are_not_built_in_are_refused_by_name() {
    for uri in ["s3://bucket/x", "gs://bucket"] {
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
