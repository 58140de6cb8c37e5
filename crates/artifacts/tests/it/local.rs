//! Stores in a folder.

use std::{fs, os::unix::fs::symlink};

use artifacts::{ArtifactPath, Error, Store, testing::conformance};

fn path(text: &str) -> ArtifactPath {
    ArtifactPath::parse(text).unwrap()
}

#[tokio::test]
async fn a_folder_does_what_every_store_must() {
    let folder = tempfile::tempdir().unwrap();
    conformance(&Store::open(folder.path().to_str().unwrap()).unwrap()).await;
}

#[tokio::test]
async fn a_folder_offers_no_way_around_and_knows_its_own_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let store = Store::open(root.to_str().unwrap()).unwrap();
    assert!(store.direct().is_none());
    let at = root.display();
    for own in [format!("{at}/0/a b"), format!("file:{at}/0/a%20b"), format!("file://{at}/0/a%20b")] {
        assert_eq!(store.locate(&own).unwrap(), Some(path("0/a b")), "{own}");
    }
    for elsewhere in [format!("{at}-other/0"), "/etc/passwd".to_owned(), "s3://bucket/0".to_owned()] {
        assert_eq!(store.locate(&elsewhere).unwrap(), None, "{elsewhere}");
    }
    for escape in ["/../x", "/a/../x", "/a/../../x", "/a%2f..%2fx", "/a?b=../c", "/a#/../b", "/a%00"] {
        assert!(store.locate(&format!("file://{at}{escape}")).is_err(), "{escape}");
    }
    for escape in ["/../x", "/a/../b", "/%2e%2e/x", "/%2e%2e%2fx"] {
        for uri in [format!("{at}{escape}"), format!("file://{at}{escape}")] {
            assert!(!matches!(store.locate(&uri), Ok(Some(_))), "{uri}");
        }
    }
}

/// Nothing in the store was made by it as a link, so a link is someone's way out, or a mistake; it is not followed.
#[tokio::test]
async fn links_do_not_lead_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("store"), folder.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    let store = Store::open(root.to_str().unwrap()).unwrap();
    store.put_bytes(&path("run/a"), "a").await.unwrap();
    symlink(&outside, root.join("run/folder")).unwrap();
    symlink(outside.join("secret"), root.join("run/file")).unwrap();
    symlink(outside.join("new"), root.join("run/dangling")).unwrap();

    for way in ["run/folder/secret", "run/file", "run/dangling", "run/folder"] {
        let way = path(way);
        assert!(matches!(store.get(&way).await, Err(Error::NotFound { .. })), "{way}");
        assert!(matches!(store.digest(&way).await, Err(Error::NotFound { .. })), "{way}");
        assert!(matches!(store.digest_tree(&way).await, Err(Error::NotFound { .. })), "{way}");
        assert!(store.list(&way).await.unwrap().is_empty(), "{way}");
        assert!(store.walk(&way).await.unwrap().is_empty(), "{way}");
    }
    assert_eq!(store.walk(&path("run")).await.unwrap().len(), 1);
    for way in ["run/folder/secret", "run/folder/new", "run/folder/deeper/new", "run/file/x"] {
        let put = store.put_bytes(&path(way), "mine").await;
        assert!(matches!(put, Err(Error::InvalidPath { .. })), "{way}: {put:?}");
    }
    for way in ["run/folder/secret", "run/folder/new"] {
        assert!(!store.delete(&path(way)).await.unwrap(), "{way}");
        assert!(!store.delete_prefix(&path(way)).await.unwrap(), "{way}");
    }
    // What is put in place of a link replaces the link, and what is deleted is the link.
    store.put_bytes(&path("run/file"), "mine").await.unwrap();
    assert!(store.delete_prefix(&path("run")).await.unwrap());
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}
