//! What every store must do. Run with an empty one.

#![expect(clippy::unwrap_used, reason = "a suite that cannot go on says so by panicking")]

use std::io;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use types::{Digest, DigestHasher};

use crate::{ArtifactPath, Content, Entry, Error, Store};

/// More than one part of an upload in parts, and not a whole number of them.
const LARGE: usize = 21 * 1024 * 1024 + 17;

/// Runs every check on `store`.
///
/// # Panics
/// When one does not hold.
pub async fn conformance(store: &Store) {
    store.check().await.unwrap();
    what_was_put_is_read_listed_and_deleted(store).await;
    names_are_kept_as_they_are(store).await;
    prefixes_are_folders_and_not_beginnings_of_names(store).await;
    content_of_any_size_comes_back(store).await;
    an_upload_that_breaks_off_leaves_the_old_content(store).await;
    an_upload_that_is_dropped_leaves_the_old_content(store).await;
    the_digest_of_a_tree_tells_names_and_content(store).await;
    the_root_is_no_file(store).await;
    a_folder_of_more_than_one_page_is_listed_whole(store).await;
}

fn path(text: &str) -> ArtifactPath {
    ArtifactPath::parse(text).unwrap()
}

fn seen(entries: &[Entry]) -> Vec<(&str, bool, u64)> {
    entries.iter().map(|entry| (entry.path.as_str(), entry.is_dir, entry.size)).collect()
}

async fn what_was_put_is_read_listed_and_deleted(store: &Store) {
    let stored = store.put_bytes(&path("put/run/a.txt"), "hello").await.unwrap();
    assert_eq!((stored.size, stored.digest), (5, Digest::of("hello")));
    store.put_bytes(&path("put/run/sub/b.txt"), "b").await.unwrap();
    store.put_bytes(&path("put/run/a.txt"), "hello again").await.unwrap();
    let object = store.get(&path("put/run/a.txt")).await.unwrap();
    assert_eq!(object.size, 11);
    assert_eq!(store.get_bytes(&path("put/run/a.txt")).await.unwrap(), "hello again");
    let digest = store.digest(&path("put/run/a.txt")).await.unwrap();
    assert_eq!((digest.size, digest.digest), (11, Digest::of("hello again")));

    let listed = store.list(&path("put/run")).await.unwrap();
    assert_eq!(seen(&listed), [("put/run/a.txt", false, 11), ("put/run/sub", true, 0)]);
    assert_eq!(seen(&store.list(&path("put")).await.unwrap()), [("put/run", true, 0)]);
    assert_eq!(seen(&store.list(&ArtifactPath::root()).await.unwrap()), [("put", true, 0)]);
    let walked = store.walk(&path("put")).await.unwrap();
    assert_eq!(seen(&walked), [("put/run/a.txt", false, 11), ("put/run/sub/b.txt", false, 1)]);
    assert_eq!(store.walk(&ArtifactPath::root()).await.unwrap(), walked);
    for nothing in ["put/nothing", "put/run/a.txt"] {
        assert!(store.list(&path(nothing)).await.unwrap().is_empty(), "{nothing}");
        assert!(store.walk(&path(nothing)).await.unwrap().is_empty(), "{nothing}");
    }
    for absent in ["put/run", "put/nothing", "put/run/a.txt/x"] {
        assert!(matches!(store.get(&path(absent)).await, Err(Error::NotFound { .. })), "{absent}");
        assert!(matches!(store.digest(&path(absent)).await, Err(Error::NotFound { .. })), "{absent}");
    }

    assert!(store.delete(&path("put/run/a.txt")).await.unwrap());
    assert!(!store.delete(&path("put/run/a.txt")).await.unwrap());
    assert!(store.delete_prefix(&path("put/run")).await.unwrap());
    assert!(!store.delete_prefix(&path("put/run")).await.unwrap());
    assert!(matches!(store.get(&path("put/run/sub/b.txt")).await, Err(Error::NotFound { .. })));
    assert!(store.walk(&path("put")).await.unwrap().is_empty());
    store.put_bytes(&path("put/one"), "1").await.unwrap();
    assert!(store.delete_prefix(&path("put/one")).await.unwrap(), "a prefix may be one file");
    store.delete_prefix(&path("put")).await.unwrap();
}

async fn names_are_kept_as_they_are(store: &Store) {
    let names = ["a b", "100%.csv", "%41", "ä/π 中.txt", "q?x=1&y#z", "[1]{2}~^`|<>\"'*", "a+b=c;d,e@f!$()", "..."];
    for name in names {
        let at = path("names").join(name).unwrap();
        store.put_bytes(&at, name).await.unwrap();
        assert_eq!(store.get_bytes(&at).await.unwrap(), name);
    }
    let walked = store.walk(&path("names")).await.unwrap();
    let mut expected = names.map(|name| path("names").join(name).unwrap());
    expected.sort();
    assert_eq!(walked.into_iter().map(|entry| entry.path).collect::<Vec<_>>(), expected);
    assert!(store.delete_prefix(&path("names")).await.unwrap());
    assert!(store.walk(&path("names")).await.unwrap().is_empty());
}

async fn prefixes_are_folders_and_not_beginnings_of_names(store: &Store) {
    for at in ["pre/a/x", "pre/ab", "pre/a-b/x", "pre/a.txt"] {
        store.put_bytes(&path(at), "x").await.unwrap();
    }
    assert_eq!(store.walk(&path("pre/a")).await.unwrap().len(), 1);
    assert_eq!(store.list(&path("pre/a")).await.unwrap().len(), 1);
    assert!(store.delete_prefix(&path("pre/a")).await.unwrap());
    let left = store.walk(&path("pre")).await.unwrap();
    assert_eq!(seen(&left), [("pre/a-b/x", false, 1), ("pre/a.txt", false, 1), ("pre/ab", false, 1)]);
    store.delete_prefix(&path("pre")).await.unwrap();
}

/// `size` bytes in pieces of odd sizes, and their digest.
fn content(size: usize) -> (Content, Digest) {
    let bytes: Bytes = (0..size).map(|at| u8::try_from(at * 31 % 251).unwrap_or_default()).collect();
    let digest = Digest::of(&bytes);
    let pieces = stream::unfold((bytes, 1), |(mut rest, piece)| async move {
        let taken = rest.split_to(piece.min(rest.len()));
        (!taken.is_empty()).then_some((Ok(taken), (rest, (piece * 7) % 1_000_003 + 1)))
    });
    (pieces.boxed(), digest)
}

async fn content_of_any_size_comes_back(store: &Store) {
    let part = 8 * 1024 * 1024;
    for size in [0, 1, part - 1, part, part + 1, 2 * part, LARGE] {
        let (pieces, digest) = content(size);
        let stored = store.put(&path("large"), pieces).await.unwrap();
        assert_eq!((stored.size, stored.digest), (size as u64, digest), "{size}");
        let object = store.get(&path("large")).await.unwrap();
        assert_eq!(object.size, size as u64);
        let mut read = DigestHasher::default();
        let mut pieces = object.content;
        while let Some(piece) = pieces.next().await {
            read.update(&piece.unwrap());
        }
        assert_eq!(read.finish(), digest, "{size}");
    }
    assert!(store.delete(&path("large")).await.unwrap());
}

async fn an_upload_that_breaks_off_leaves_the_old_content(store: &Store) {
    store.put_bytes(&path("broken"), "old").await.unwrap();
    for size in [10, LARGE] {
        let (pieces, _) = content(size);
        let broken = pieces.chain(stream::iter([Err(io::Error::other("the client left"))]));
        let result = store.put(&path("broken"), broken.boxed()).await;
        assert!(matches!(result, Err(Error::Interrupted { .. })), "{result:?}");
        assert_eq!(store.get_bytes(&path("broken")).await.unwrap(), "old");
    }
    assert_eq!(store.walk(&ArtifactPath::root()).await.unwrap().len(), 1, "nothing else is left");
    store.delete(&path("broken")).await.unwrap();
}

async fn an_upload_that_is_dropped_leaves_the_old_content(store: &Store) {
    store.put_bytes(&path("dropped"), "old").await.unwrap();
    let (pieces, _) = content(LARGE);
    let (sent, all_sent) = tokio::sync::oneshot::channel();
    let told = stream::once(async move {
        let _ = sent.send(());
        Ok(Bytes::from_static(b"and more"))
    });
    let endless = pieces.chain(told).chain(stream::pending());
    let at = path("dropped");
    tokio::select! {
        result = store.put(&at, endless.boxed()) => panic!("an endless upload ended: {result:?}"),
        _ = all_sent => {}
    }
    assert_eq!(store.get_bytes(&at).await.unwrap(), "old");
    assert_eq!(store.walk(&ArtifactPath::root()).await.unwrap().len(), 1, "nothing else is left");
    store.delete(&at).await.unwrap();
}

async fn the_digest_of_a_tree_tells_names_and_content(store: &Store) {
    let files = [("m1/a", "1"), ("m1/s/b", "2"), ("m2/a", "1"), ("m2/s/b", "2"), ("m3/a", "1"), ("m3/sb", "2")];
    for (name, content) in files {
        store.put_bytes(&path(name), content).await.unwrap();
    }
    let digest = async |folder: &str| store.digest_tree(&path(folder)).await.unwrap();
    let lines = format!("{} a\n{} s/b\n", Digest::of("1"), Digest::of("2"));
    assert_eq!(digest("m1").await, Digest::of(lines), "the same in every store: releases pin it");
    assert_eq!(digest("m1").await, digest("m2").await);
    assert_ne!(digest("m1").await, digest("m3").await);
    assert_eq!(digest("m1/a").await, Digest::of(format!("{} a\n", Digest::of("1"))), "a single file");
    store.put_bytes(&path("m2/a"), "changed").await.unwrap();
    assert_ne!(digest("m1").await, digest("m2").await);
    assert!(matches!(store.digest_tree(&path("m9")).await, Err(Error::NotFound { .. })));
    for folder in ["m1", "m2", "m3"] {
        store.delete_prefix(&path(folder)).await.unwrap();
    }
}

async fn the_root_is_no_file(store: &Store) {
    store.put_bytes(&path("kept"), "x").await.unwrap();
    let root = ArtifactPath::root();
    assert!(matches!(store.put_bytes(&root, "x").await, Err(Error::InvalidPath { .. })));
    assert!(matches!(store.get(&root).await, Err(Error::NotFound { .. })));
    assert!(matches!(store.delete(&root).await, Err(Error::InvalidPath { .. })));
    assert!(matches!(store.delete_prefix(&root).await, Err(Error::InvalidPath { .. })));
    assert_eq!(store.get_bytes(&path("kept")).await.unwrap(), "x");
    store.delete(&path("kept")).await.unwrap();
}

async fn a_folder_of_more_than_one_page_is_listed_whole(store: &Store) {
    let folder = path("many");
    let names: Vec<_> = (0..1_100).map(|number| folder.join(&format!("{number:04}")).unwrap()).collect();
    let puts = stream::iter(names.iter().map(|at| store.put_bytes(at, "x")));
    puts.buffer_unordered(16).for_each(|stored| async move { assert_eq!(stored.unwrap().size, 1) }).await;
    assert_eq!(store.list(&folder).await.unwrap().len(), names.len());
    assert_eq!(store.walk(&folder).await.unwrap().len(), names.len());
    assert!(store.delete_prefix(&folder).await.unwrap());
    assert!(store.walk(&folder).await.unwrap().is_empty());
}
