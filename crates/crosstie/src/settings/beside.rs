//! The folder of `--default-artifact-root`. Whoever may read or write artifacts may read or write all that is in it, so
//! nothing else of this server's may be: its state, with the first token, its database, its other artifacts.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use artifacts::{folder_of, real_folder};

use super::StoreUris;

/// Refuses a folder that holds more than artifacts. One in the folder of artifacts is a part of that.
pub(super) fn check(uris: &StoreUris, state: &Path) -> Result<()> {
    let (Ok(root), Ok(artifacts)) = (folder_of(&uris.default_artifact_root), folder_of(&uris.artifacts)) else {
        return Ok(());
    };
    let (beside, artifacts) = (real_folder(&root), real_folder(&artifacts));
    if !root.is_absolute() || beside.starts_with(&artifacts) {
        return Ok(());
    }
    let online = uris.online_store.strip_prefix("redb:").map(PathBuf::from);
    for (what, place) in [
        ("the folder of state", Some(state.to_owned())),
        ("the database", database::file_of(&uris.database)),
        ("the artifacts of --artifacts", Some(artifacts)),
        ("the online store", online),
    ] {
        let Some(place) = place else { continue };
        ensure!(
            !real_folder(&place).starts_with(&beside),
            "--default-artifact-root: {} holds {what}, {}, which everybody could change who may write artifacts: name a \
             folder that holds nothing else",
            root.display(),
            place.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(root: &str, artifacts: &str, database: &str) -> Result<(), String> {
        let uris = StoreUris {
            database: database.to_owned(),
            artifacts: artifacts.to_owned(),
            artifact_access: artifacts::Config::default(),
            default_artifact_root: root.to_owned(),
            online_store: "redb:/nowhere/project/.crosstie/online.redb".to_owned(),
        };
        check(&uris, Path::new("/nowhere/project/.crosstie")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_folder_that_holds_more_than_artifacts_is_refused() {
        let (artifacts, database) = ("file:/nowhere/artifacts", "sqlite:/nowhere/db/crosstie.db");
        for (root, what) in [
            ("file:///nowhere/project", "the folder of state, /nowhere/project/.crosstie"),
            ("/nowhere/project/.crosstie", "the folder of state"),
            ("file:///nowhere/db", "the database, /nowhere/db/crosstie.db"),
            ("file:///", "the folder of state"),
        ] {
            let refused = checked(root, artifacts, database).unwrap_err();
            assert!(refused.starts_with("--default-artifact-root: ") && refused.contains(what), "{root}: {refused}");
        }
        let refused = checked("file:///nowhere/a", "file:/nowhere/a/b", "postgres://h/d").unwrap_err();
        assert!(refused.contains("the artifacts of --artifacts"), "{refused}");
        for root in [
            "mlflow-artifacts:/",
            "s3://bucket/x",
            "file:///nowhere/project/runs",
            "file:///nowhere/artifacts",
            "file:///nowhere/artifacts/runs",
            "/nowhere/db-of-runs",
            "runs",
        ] {
            assert_eq!(checked(root, artifacts, database), Ok(()), "{root}");
        }
        assert_eq!(checked("file:///nowhere/project", "s3://bucket/x", database), Ok(()), "it is only a text then");
    }

    #[test]
    fn links_do_not_hide_what_a_folder_holds() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let database = format!("sqlite:{}", real.join("crosstie.db").display());
        let refused = checked(&format!("file://{}", link.display()), "/nowhere/artifacts", &database).unwrap_err();
        assert!(refused.contains("the database"), "{refused}");
    }
}
