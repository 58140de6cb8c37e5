//! Looking at a file that may be somebody else's, before anything of it is touched.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection as Sqlite, OpenFlags};

use super::{BUSY, close_connection};
use crate::{Error, Result, Transaction, error::Driver, lane::Lane, transaction::Connection, work::Work};

/// Runs `work` on the file as it is, changing nothing: not its journal mode, not even by recovering what another program
/// left, unless it cannot be read without.
pub(crate) async fn look(path: &Path, work: Box<dyn Work>) -> Result<()> {
    let failed = |source: std::io::Error| Error::Open { path: path.to_owned(), source: Arc::new(source.into()) };
    let (lane, _ended) = Lane::start("sqlite-look").map_err(failed)?;
    let path = path.to_owned();
    lane.run(move || Box::pin(look_and_answer(path, work))).await
}

async fn look_and_answer(path: PathBuf, mut work: Box<dyn Work>) {
    let looked = match try_look(&path, true, &mut work).await {
        // A journal that a killed program left: without it the file is not what was committed last.
        Err(_) => try_look(&path, false, &mut work).await,
        Ok(()) => Ok(()),
    };
    if let Err(source) = looked {
        work.fail(Error::Open { path, source: Arc::new(source) });
    }
    work.answer();
}

async fn try_look(path: &Path, read_only: bool, work: &mut Box<dyn Work>) -> Result<(), Driver> {
    let access = if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let connection = Sqlite::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "query_only", "ON")?;
    connection.query_row("SELECT COUNT(*) FROM sqlite_master", (), |_| Ok(()))?;
    let mut tx = Transaction::new(Connection::Sqlite(Box::new(connection)));
    tx.control("BEGIN").await?;
    work.attempt(&mut tx).await;
    tx.control("ROLLBACK").await?;
    close_connection(tx.into_connection());
    Ok(())
}
