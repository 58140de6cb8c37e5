//! MLflow's database in place: a store that the real `mlflow server` filled is served by Crosstie with nothing lost, and what
//! Crosstie wrote to it is all there when the real server opens it again. A store of another release is left as it is.

mod detached;
mod foreign;
pub(crate) mod real;
mod ways;

use std::path::{Path, PathBuf};

use database::testing::PostgresDatabase;
use tempfile::TempDir;

use crate::program::folder;

/// What webhooks' secrets are encrypted with, a key for tests alone.
const WEBHOOK_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// A place for a store: a database that nobody has used yet, and a folder.
struct Place {
    postgres: Option<PostgresDatabase>,
    folder: PathBuf,
    _dir: TempDir,
}

impl Place {
    fn sqlite() -> Self {
        let (dir, folder) = folder(&[]);
        Self { postgres: None, folder, _dir: dir }
    }

    /// `None`, and a line that says so, where there is no server.
    async fn postgres() -> Option<Self> {
        let postgres = PostgresDatabase::create().await?;
        Some(Self { postgres: Some(postgres), ..Self::sqlite() })
    }

    /// The database as SQLAlchemy writes it, and as Crosstie takes it, too.
    fn uri(&self) -> String {
        match &self.postgres {
            Some(database) => {
                let (_, rest) = database.uri().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
                format!("postgresql+psycopg2://{rest}")
            }
            None => format!("sqlite:///{}", self.file().display()),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("mlflow.db")
    }

    fn artifacts(&self) -> PathBuf {
        self.folder.join("mlartifacts")
    }

    /// The flags of `mlflow server`, which `crosstie up` takes as they are.
    fn flags(&self) -> Vec<String> {
        let artifacts = self.artifacts().display().to_string();
        vec!["--backend-store-uri".to_owned(), self.uri(), "--artifacts-destination".to_owned(), artifacts]
    }

    async fn remove(self) {
        if let Some(database) = self.postgres {
            database.remove().await;
        }
    }
}

/// A script of the tests' own.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python").join(name)
}
