//! The handle: opening a database by URI, and running closures on it.

use std::sync::Arc;

use runtime::Tasks;
use types::Duration;

use crate::{
    Error, Lease, Migration, Result, Transaction,
    lane::Ended,
    lease, migration, postgres, sqlite,
    uri::{Uri, sqlalchemy_uri},
    work::{Closure, in_transaction},
};

/// Which SQL is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// Postgres.
    Postgres,
}

/// An open database. Clones share it; it is closed when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Database {
    engine: Arc<Engine>,
    sqlalchemy: Arc<str>,
}

#[derive(Debug)]
pub(crate) enum Engine {
    Sqlite(sqlite::Engine),
    Postgres(Box<postgres::Engine>),
}

impl Database {
    /// Opens the database that `uri` names and makes this crate's own tables: `sqlite:PATH` (the file is made when
    /// missing, its folder is not), SQLAlchemy's `sqlite:///RELATIVE` and `sqlite:////ABSOLUTE`, `postgres://…` or
    /// `postgresql://…`. The death of one of its threads is a failure of `tasks`.
    ///
    /// # Errors
    /// When the URI names no database, the file cannot be opened, the server cannot be reached, or a newer Crosstie has
    /// migrated it.
    pub async fn connect(uri: &str, tasks: &Tasks) -> Result<Self> {
        Self::connect_after(uri, tasks, async |_: &mut Transaction| Ok::<(), Error>(())).await
    }

    /// As [`Database::connect`], once `check` has looked at the database as it is and found nothing against it. When it
    /// refuses, nothing was changed: no table made, no file made, SQLite's journal as it was. A SQLite file that does not
    /// exist yet is not looked at.
    ///
    /// # Errors
    /// What `check` answers; as [`Database::connect`].
    pub async fn connect_after<F, E>(uri: &str, tasks: &Tasks, check: F) -> Result<Self, E>
    where
        F: AsyncFn(&mut Transaction) -> Result<(), E> + Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (look, found) = Closure::with_answer(check);
        let found = async { found.await.unwrap_or_else(|_| Err(Error::Closed.into())) };
        let sqlalchemy = sqlalchemy_uri(uri)?;
        let (engine, threads) = match Uri::parse(uri)? {
            Uri::Sqlite(path) => {
                if path.exists() {
                    sqlite::look(&path, look).await?;
                    found.await?;
                }
                let (engine, threads) = sqlite::Engine::open(&path)?;
                (Engine::Sqlite(engine), threads)
            }
            Uri::Postgres(uri) => {
                let (engine, threads) = postgres::Engine::open(&uri)?;
                engine.read(look).await?;
                found.await?;
                (Engine::Postgres(Box::new(engine)), threads)
            }
        };
        for (name, ended) in threads {
            tasks.spawn(name, watch(ended, tasks.shutdown_token()));
        }
        let database = Self { engine: Arc::new(engine), sqlalchemy: sqlalchemy.into() };
        database.migrate("database", lease::MIGRATIONS).await?;
        Ok(database)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The database's URI as SQLAlchemy, and so MLflow, writes it; without a password.
    #[must_use]
    pub fn sqlalchemy_uri(&self) -> &str {
        &self.sqlalchemy
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match *self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a closure that only reads, on one snapshot: `db.read(async move |tx| { … }).await`.
    ///
    /// # Errors
    /// What the closure answers, or why it could not be run.
    pub async fn read<F, T, E>(&self, closure: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Transaction) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        if in_transaction() {
            return Err(Error::Nested.into());
        }
        let (work, answer) = Closure::with_answer(closure);
        match &*self.engine {
            Engine::Sqlite(engine) => engine.read(work).await?,
            Engine::Postgres(engine) => engine.read(work).await?,
        }
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Runs a closure as a serializable transaction: `db.write(async move |tx| { … }).await`. It is committed if it
    /// answers `Ok`, and this returns once that is on disk. It may be run more than once, of which one counts.
    ///
    /// If the caller leaves, a closure that has begun still runs to its end.
    ///
    /// # Errors
    /// What the closure answers, or why it could not be run or committed.
    pub async fn write<F, T, E>(&self, closure: F) -> Result<T, E>
    where
        F: AsyncFn(&mut Transaction) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        if in_transaction() {
            return Err(Error::Nested.into());
        }
        let (work, answer) = Closure::with_answer(closure);
        match &*self.engine {
            Engine::Sqlite(engine) => engine.write(work).await?,
            Engine::Postgres(engine) => engine.write(work).await?,
        }
        answer.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Brings the tables of `component` to the newest of `migrations`. Safe when two processes do it at once.
    ///
    /// # Errors
    /// When the database has a newer version than these, or a statement fails; then nothing is changed.
    pub async fn migrate(&self, component: &str, migrations: &[Migration]) -> Result<()> {
        migration::migrate(self, component, migrations).await
    }

    /// As [`Database::write`], but on Postgres each statement sees what was committed before it, not before the first.
    pub(crate) async fn run_migration<F>(&self, closure: F) -> Result<()>
    where
        F: AsyncFn(&mut Transaction) -> Result<()> + Send + 'static,
    {
        if in_transaction() {
            return Err(Error::Nested);
        }
        let (work, answer) = Closure::with_answer(closure);
        match &*self.engine {
            Engine::Sqlite(engine) => engine.write(work).await?,
            Engine::Postgres(engine) => engine.migrate(work).await?,
        }
        answer.await.unwrap_or(Err(Error::Closed))
    }

    /// Takes the lease `name` if it is free, expired, or `holder`'s own; `None` if another holds it.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn acquire_lease(&self, name: &str, holder: &str, ttl: Duration) -> Result<Option<Lease>> {
        lease::acquire(self, name, holder, ttl).await
    }

    /// Lets a lease that is held last for `ttl` from now.
    ///
    /// # Errors
    /// [`Error::Fenced`] when it has changed hands.
    pub async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease> {
        lease::renew(self, lease, ttl).await
    }

    /// Gives a lease back before it expires. One that was lost already is no error.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        lease::release(self, lease).await
    }

    /// Finishes what was asked before and closes the files or connections. Whoever asks later gets [`Error::Closed`].
    pub async fn close(&self) {
        match &*self.engine {
            Engine::Sqlite(engine) => engine.close().await,
            Engine::Postgres(engine) => engine.close().await,
        }
    }
}

/// Fails when the thread dies, and returns when it ends or the process shuts down. The thread itself goes on serving
/// until the last handle is dropped: it is the last to stop.
async fn watch(ended: Ended, shutdown: runtime::CancellationToken) -> Result<()> {
    tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        ended = ended => ended.map_err(|_| Error::Closed),
    }
}
