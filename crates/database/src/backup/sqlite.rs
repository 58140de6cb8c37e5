//! A SQLite database as one file.

use std::{fs, path::Path};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};

use super::{io_error, open_error, sync};
use crate::{Error, Result};

/// Lets SQLite write a compact copy of the last commit; writers go on meanwhile.
pub(super) async fn back_up(database: &Path, to: &Path) -> Result<()> {
    let options = SqliteConnectOptions::new().filename(database).synchronous(SqliteSynchronous::Full);
    let mut connection = options.connect().await.map_err(open_error(database))?;
    let sql = format!("VACUUM INTO '{}'", to.display().to_string().replace('\'', "''"));
    let copied = sqlx::raw_sql(AssertSqlSafe(sql.as_str())).execute(&mut connection).await;
    copied.map_err(|source| Error::of_statement(&sql, source))?;
    connection.close().await.map_err(open_error(database))?;
    sync(to)
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
