//! The folder of `--default-artifact-root`. Whoever may read or write artifacts may read or write all that is in it, but
//! people keep their database there, too, or name their whole project: what is this server's own is not shown.

use std::path::{Path, PathBuf};

use super::StoreUris;
use crate::project::PROJECT_FILE;

/// What SQLite writes beside a database, by the end of its name.
const JOURNALS: [&str; 3] = ["-journal", "-shm", "-wal"];

/// What is no artifact, wherever it is: the project's settings and history; the state, with the first token; the database; the
/// online store.
pub(super) fn private(uris: &StoreUris, project: &Path, state: &Path) -> Vec<PathBuf> {
    let mut private = vec![project.join(PROJECT_FILE), project.join(".git"), state.to_owned()];
    if let Some(file) = database::file_of(&uris.database) {
        let beside = |ending: &&str| {
            let mut name = file.clone().into_os_string();
            name.push(ending);
            PathBuf::from(name)
        };
        private.extend(JOURNALS.iter().map(beside));
        private.push(file);
    }
    private.extend(uris.online_store.strip_prefix("redb:").map(PathBuf::from));
    private
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_database_and_online_store_are_no_artifacts() {
        let uris = StoreUris {
            database: "sqlite:/srv/runs.db".to_owned(),
            artifacts: "file:/srv/artifacts".to_owned(),
            artifact_access: artifacts::Config::default(),
            default_artifact_root: "file:///srv".to_owned(),
            online_store: "redb:/srv/online.redb".to_owned(),
        };
        let names = [
            "crosstie.yaml",
            ".git",
            "state",
            "runs.db-journal",
            "runs.db-shm",
            "runs.db-wal",
            "runs.db",
            "online.redb",
        ];
        let expected = names.map(|name| Path::new("/srv").join(name));
        assert_eq!(private(&uris, Path::new("/srv"), Path::new("/srv/state")), expected);
        let elsewhere = StoreUris { database: "postgres://h/d".to_owned(), ..uris };
        let found = private(&elsewhere, Path::new("/srv"), Path::new("/srv/state"));
        assert_eq!(found, [0, 1, 2, 7].map(|place| expected[place].clone()));
    }
}
