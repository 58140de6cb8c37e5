//! A SQLite database as one file.

use std::{fs, path::Path, sync::Arc};

use rusqlite::{Connection, OpenFlags};

use super::{io_error, sync};
use crate::{Error, Result, error::Driver, sqlite::BUSY};

/// Lets SQLite write a compact copy of the last commit; writers go on meanwhile.
pub(super) async fn back_up(database: &Path, to: &Path) -> Result<()> {
    let (database, to) = (database.to_owned(), to.to_owned());
    let copied = tokio::task::spawn_blocking(move || copy(&database, &to).and_then(|()| sync(&to)));
    copied.await.unwrap_or(Err(Error::Closed))
}

fn copy(database: &Path, to: &Path) -> Result<()> {
    let failed = |source: Driver| Error::Open { path: database.to_owned(), source: Arc::new(source) };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(|error| failed(error.into()))?;
    connection.busy_timeout(BUSY).map_err(|error| failed(error.into()))?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(|error| failed(error.into()))?;
    let sql = format!("VACUUM INTO '{}'", to.display().to_string().replace('\'', "''"));
    connection.execute_batch(&sql).map_err(|source| Error::of_statement(&sql, source))?;
    connection.close().map_err(|(_, error)| failed(error.into()))
}

/// Copies the file beside its place and gives it its name, which nothing may have by then.
pub(super) fn restore(from: &Path, to: &Path) -> Result<()> {
    let name = to.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let partial = to.with_file_name(format!(".{name}.restoring"));
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(io_error(folder))?;
    }
    fs::copy(from, &partial).map_err(io_error(&partial))?;
    sync(&partial)?;
    fs::hard_link(&partial, to).map_err(io_error(to))?;
    fs::remove_file(&partial).map_err(io_error(&partial))?;
    sync(to)
}
