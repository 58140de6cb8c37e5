//! A copy of a whole database as it was at one moment, made while others write, and put back into an empty one.
//!
//! SQLite writes the copy itself (`VACUUM INTO`). Postgres' is read off its catalogs and tables in one snapshot, so that
//! nothing need be installed: the statements that make tables, indexes and triggers as JSON, the rows as `COPY` writes
//! them. What is put back is what was there, tables of other programs in the same schema included.

mod catalog;
mod postgres;
mod sqlite;

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::{Database, Dialect, Error, Result, database::Engine, uri::Uri};

/// The copy of a SQLite database.
const SQLITE_FILE: &str = "database.sqlite";

impl Database {
    /// Writes a copy of the database as it is now into the folder `to`, which exists and is empty. When this returns, the
    /// copy is on disk.
    ///
    /// # Errors
    /// When the database cannot be read or the folder not written.
    pub async fn back_up(&self, to: &Path) -> Result<()> {
        match self.engine() {
            Engine::Sqlite(engine) => sqlite::back_up(engine.path(), &to.join(SQLITE_FILE)).await,
            Engine::Postgres(engine) => postgres::back_up(engine.server(), to).await,
        }
    }
}

/// Which kind of database `from` holds a copy of, as [`Database::back_up`] made it.
#[must_use]
pub fn backup_dialect(from: &Path) -> Dialect {
    if from.join(SQLITE_FILE).is_file() { Dialect::Sqlite } else { Dialect::Postgres }
}

/// Whether the database at `uri` holds nothing: a SQLite file that does not exist, nor its log; a Postgres schema without
/// tables.
///
/// # Errors
/// When it cannot be asked.
pub async fn is_empty(uri: &str) -> Result<bool> {
    match Uri::parse(uri)? {
        // A log that was left beside a file that is gone would be played back over the one that is put there.
        Uri::Sqlite(path) => Ok(["", "-wal", "-shm", "-journal"].iter().all(|ending| {
            let mut file = path.clone().into_os_string();
            file.push(ending);
            !Path::new(&file).exists()
        })),
        Uri::Postgres(uri) => postgres::is_empty(&uri).await,
    }
}

/// Whether a copy can be put at `uri`: of a SQLite file, whether one can be written in its folder, which is made.
///
/// # Errors
/// When it cannot.
pub fn check_place(uri: &str) -> Result<()> {
    match Uri::parse(uri)? {
        Uri::Sqlite(path) => sqlite::check_place(&path),
        Uri::Postgres(_) => Ok(()),
    }
}

/// Puts the copy in the folder `from` into the empty database at `uri`: all of it or, on Postgres, nothing; a SQLite file
/// appears when it is whole.
///
/// # Errors
/// [`Error::Backup`] when the copy is of the other kind of database, or the target is not empty; when either fails.
pub async fn restore(from: &Path, uri: &str) -> Result<()> {
    let refused = |reason: &str| Error::Backup { path: from.to_owned(), reason: reason.to_owned() };
    if !is_empty(uri).await? {
        return Err(refused("the database is not empty"));
    }
    match (Uri::parse(uri)?, backup_dialect(from)) {
        (Uri::Sqlite(path), Dialect::Sqlite) => sqlite::restore(&from.join(SQLITE_FILE), &path),
        (Uri::Postgres(uri), Dialect::Postgres) => postgres::restore(from, &uri).await,
        (Uri::Sqlite(_), Dialect::Postgres) => Err(refused("it is of a Postgres database: give one with --database")),
        (Uri::Postgres(_), Dialect::Sqlite) => Err(refused("it is of a SQLite database: give one with --database")),
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let path: PathBuf = path.to_owned();
    move |source| Error::Backup { path: path.clone(), reason: source.to_string() }
}

/// Puts a file and its name on disk.
fn sync(path: &Path) -> Result<()> {
    let synced = || {
        File::open(path)?.sync_all()?;
        let Some(folder) = path.parent() else { return Ok(()) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        File::open(folder)?.sync_all()
    };
    synced().map_err(io_error(path))
}
