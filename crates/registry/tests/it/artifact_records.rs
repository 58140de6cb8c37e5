//! What is recorded of files, and when it is not.

use artifacts::ArtifactPath;
use bytes::Bytes;
use database::Database;
use futures::StreamExt as _;
use types::Digest;

use crate::fixture::{Fixture, registry};

fn path(text: &str) -> ArtifactPath {
    ArtifactPath::parse(text).unwrap()
}

fn content(pieces: &'static [&'static str]) -> artifacts::Content {
    futures::stream::iter(pieces).map(|piece| Ok(Bytes::from(*piece))).boxed()
}

async fn recorded(fixture: &Fixture, prefix: &str) -> Vec<(String, u64, Option<Digest>)> {
    let records = fixture.registry.artifact_records(&path(prefix)).await.unwrap();
    records.into_iter().map(|record| (record.path.to_string(), record.size, record.digest)).collect()
}

database::testing::on_both! {
    async fn files_are_recorded_as_written_and_forgotten_with_them(db: Database) {
        let fixture = registry(db).await;
        let store = async |at: &str, pieces| fixture.registry.store_artifact(&path(at), content(pieces)).await.unwrap();
        // Names on both sides of `/` in byte order, of which no locale's order may let one slip in.
        for at in ["0/r/b", "0/r/a/x", "0/r-1/x", "0/r.txt", "0/r0", "0/R/x", "0/rä"] {
            store(at, &["first"]).await;
        }
        store("0/r/b", &["se", "cond"]).await;
        let below = [
            ("0/r/a/x".to_owned(), 5, Some(Digest::of("first"))),
            ("0/r/b".to_owned(), 6, Some(Digest::of("second"))),
        ];
        assert_eq!(recorded(&fixture, "0/r").await, below);
        assert_eq!(recorded(&fixture, "0/r/b").await, below[1..]);
        assert_eq!(recorded(&fixture, "").await.len(), 7);

        fixture.registry.record_artifact(&path("0/r/b"), 9, None).await.unwrap();
        assert_eq!(recorded(&fixture, "0/r/b").await, [("0/r/b".to_owned(), 9, None)]);

        assert!(fixture.registry.delete_artifacts(&path("0/r")).await.unwrap());
        assert!(!fixture.registry.delete_artifacts(&path("0/r")).await.unwrap());
        assert!(recorded(&fixture, "0/r").await.is_empty());
        assert_eq!(recorded(&fixture, "0").await.len(), 5);
    }

    async fn what_may_not_be_deleted_keeps_its_records(db: Database) {
        let fixture = registry(db).await;
        fixture.registry.store_artifact(&path("a"), content(&["first"])).await.unwrap();
        fixture.registry.delete_artifacts(&ArtifactPath::root()).await.unwrap_err();
        assert_eq!(recorded(&fixture, "").await, [("a".to_owned(), 5, Some(Digest::of("first")))]);
    }

    async fn an_upload_that_breaks_off_leaves_nothing_that_claims_its_content(db: Database) {
        let fixture = registry(db).await;
        fixture.registry.store_artifact(&path("a"), content(&["old"])).await.unwrap();
        let broken = [Ok(Bytes::from("ne")), Err(std::io::Error::other("the client left"))];
        let broken = futures::stream::iter(broken).boxed();
        fixture.registry.store_artifact(&path("a"), broken).await.unwrap_err();
        assert!(recorded(&fixture, "").await.is_empty());
    }

    async fn writers_of_one_file_at_once_leave_no_record_of_it(db: Database) {
        let fixture = registry(db).await;
        let at = path("a");
        let (first, second) = tokio::join!(
            fixture.registry.store_artifact(&at, content(&["one"])),
            fixture.registry.store_artifact(&at, content(&["longer"])),
        );
        assert_eq!((first.unwrap().size, second.unwrap().size), (3, 6));
        assert!(recorded(&fixture, "a").await.is_empty(), "nobody knows which of them stayed");
        fixture.registry.store_artifact(&at, content(&["three"])).await.unwrap();
        assert_eq!(recorded(&fixture, "a").await, [("a".to_owned(), 5, Some(Digest::of("three")))]);
    }
}
