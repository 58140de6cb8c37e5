//! The store on a real folder.

use bytes::Bytes;
use futures::StreamExt as _;

use crate::{ArtifactPath, Config, Error, Store};

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

#[tokio::test]
async fn a_folder_beside_the_store_has_a_place_in_it() {
    let (folder, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let config = Config { folder: Some(format!("file://{}", beside.path().display())), ..Config::default() };
    let store = Store::open_with(folder.path().to_str().unwrap(), &config).unwrap();
    let located = |uri: &str| store.locate(uri).unwrap();

    std::fs::create_dir_all(beside.path().join("0/r1")).unwrap();
    std::fs::write(beside.path().join("0/r1/theirs.txt"), "theirs").unwrap();
    let run = located(&format!("file://{}/0/r1", beside.path().display())).unwrap();
    store.put_bytes(&run.join("ours.txt").unwrap(), "ours").await.unwrap();
    assert_eq!(std::fs::read_to_string(beside.path().join("0/r1/ours.txt")).unwrap(), "ours");

    let files = store.list(&run).await.unwrap();
    let names: Vec<_> = files.iter().map(|file| (file.path.below(&run).unwrap(), file.size)).collect();
    assert_eq!(names, [("ours.txt", 4), ("theirs.txt", 6)]);
    assert_eq!(store.get_bytes(&files[1].path).await.unwrap(), "theirs");
    assert_eq!(located(&format!("{}/0", folder.path().display())).unwrap(), path("0"), "the store's own are first");
    assert_eq!(located("file:///somewhere/else"), None);
    assert!(store.locate(&format!("file://{}/../x", beside.path().display())).is_err());
    assert!(store.list(&ArtifactPath::root()).await.unwrap().is_empty(), "nothing of it is in the store's folder");

    let all = located(&beside.path().display().to_string()).unwrap();
    assert!(matches!(store.delete_prefix(&all).await, Err(Error::InvalidPath { .. })), "never the folder itself");
    std::os::unix::fs::symlink("/etc", beside.path().join("0/r1/out")).unwrap();
    assert!(matches!(store.get(&run.join("out/passwd").unwrap()).await, Err(Error::NotFound { .. })));
    assert!(store.delete_prefix(&run).await.unwrap());
    assert!(!beside.path().join("0/r1").exists());

    let without = Store::open(folder.path().to_str().unwrap()).unwrap();
    assert_eq!(without.locate(&format!("{}/0/r1", beside.path().display())).unwrap(), None);
}

#[tokio::test]
async fn a_folder_in_the_store_is_no_second_one() {
    let folder = tempfile::tempdir().unwrap();
    let (root, link) = (folder.path().join("store"), folder.path().join("link"));
    std::os::unix::fs::symlink(&root, &link).unwrap();
    for (said, uri, place) in [
        (root.clone(), root.join("0/r1"), "0/r1"),
        (root.join("runs"), root.join("runs/0/r1"), "runs/0/r1"),
        (link.join("runs"), link.join("runs/0/r1"), "runs/0/r1"),
        (link.clone(), link.join("0/r1"), "0/r1"),
    ] {
        let config = Config { folder: Some(said.display().to_string()), ..Config::default() };
        let store = Store::open_with(root.to_str().unwrap(), &config).unwrap();
        assert_eq!(store.beside(), None, "{}", said.display());
        assert_eq!(store.locate(uri.to_str().unwrap()).unwrap(), Some(path(place)), "{}", uri.display());
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_swept_keeps_no_store_from_opening() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let beside = folder.path().join("file/runs").display().to_string();
    let config = Config { folder: Some(beside), ..Config::default() };
    Store::open_with(folder.path().join("store").to_str().unwrap(), &config).unwrap();
}

#[tokio::test]
async fn what_is_no_artifact_is_not_there_in_the_folder_beside() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for file in ["state/token", "runs.db", "runs.db-wal", "state-of-runs/a.txt", "0/r1/a.txt", "mine/other.db"] {
        std::fs::create_dir_all(at(file).parent().unwrap()).unwrap();
        std::fs::write(at(file), file).unwrap();
    }
    let config = Config {
        folder: Some(format!("file://{}", folder.path().display())),
        private: vec![at("state"), at("runs.db"), at("runs.db-wal"), at("mine/other.db"), at("not/there")],
        ..Config::default()
    };
    let store = Store::open_with(at("store").to_str().unwrap(), &config).unwrap();
    let beside = store.beside().unwrap();
    let shown = |entries: Vec<crate::Entry>| -> Vec<String> {
        entries.iter().map(|entry| entry.path.below(&beside).unwrap().to_owned()).collect()
    };
    assert_eq!(shown(store.list(&beside).await.unwrap()), ["0", "mine", "state-of-runs"]);
    assert_eq!(shown(store.walk(&beside).await.unwrap()), ["0/r1/a.txt", "state-of-runs/a.txt"]);
    for hidden in ["state/token", "runs.db", "runs.db-wal", "mine/other.db", "store/x"] {
        let path = beside.join(hidden).unwrap();
        assert!(matches!(store.get(&path).await, Err(Error::NotFound { .. })), "{hidden}");
        assert!(matches!(store.put_bytes(&path, "x").await, Err(Error::InvalidPath { .. })), "{hidden}");
        assert!(!store.delete(&path).await.unwrap_or(false), "{hidden}");
    }
    for held in ["state", "mine", "runs.db"] {
        let deleted = store.delete_prefix(&beside.join(held).unwrap()).await;
        assert!(matches!(deleted, Err(Error::InvalidPath { .. })), "{held}: {deleted:?}");
    }
    assert!(at("state/token").exists() && at("mine/other.db").exists() && at("runs.db").exists());
    assert_eq!(store.get_bytes(&beside.join("0/r1/a.txt").unwrap()).await.unwrap(), "0/r1/a.txt");
}

#[tokio::test]
async fn what_is_no_artifact_is_not_there_in_the_store_s_own_folder_and_links_to_it_stay() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(disk.path().join("state")).unwrap();
    std::fs::write(disk.path().join("state/token"), "secret").unwrap();
    std::fs::write(disk.path().join("runs.db"), "rows").unwrap();
    std::os::unix::fs::symlink(disk.path().join("state"), at("state")).unwrap();
    std::os::unix::fs::symlink(disk.path().join("runs.db"), at("runs.db")).unwrap();
    std::fs::write(at("plain.db"), "rows").unwrap();
    let private = vec![at("state/inner"), at("state"), at("runs.db"), at("plain.db"), folder.path().to_owned()];
    for beside in [None, Some(folder.path().display().to_string())] {
        let config = Config { folder: beside, private: private.clone(), ..Config::default() };
        let store = Store::open_with(folder.path().to_str().unwrap(), &config).unwrap();
        assert!(store.list(&ArtifactPath::root()).await.unwrap().is_empty());
        for name in ["state", "state/token", "runs.db", "plain.db"] {
            assert!(matches!(store.get(&path(name)).await, Err(Error::NotFound { .. })), "{name}");
            assert!(matches!(store.put_bytes(&path(name), "x").await, Err(Error::InvalidPath { .. })), "{name}");
            assert!(!store.delete_prefix(&path(name)).await.unwrap_or(false), "{name}");
        }
        assert!(at("state").is_symlink() && at("runs.db").is_symlink() && at("plain.db").exists());
        store.put_bytes(&path("0/r1/a.txt"), "a").await.unwrap();
        assert!(store.delete_prefix(&path("0")).await.unwrap(), "the folder itself is no secret");
    }
}
