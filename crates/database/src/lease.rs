//! Fenced leases: who may act, told so that a process that slept through its own replacement cannot act any more.
//!
//! A lease is held until its expiry in *database* time. Each time that it changes hands its epoch grows by one, and so it
//! does when its holder acquires it again, as after a restart. Whoever decides something under the lease commits
//! [`Transaction::check_fence`](crate::Transaction::check_fence) with it, which refuses once a later epoch exists; an
//! expired lease that nobody took is still good. Effects outside of the database carry the epoch, and receivers refuse an
//! older one.
//!
//! A lease that ends later than one that is taken now was taken before the clock went back. Its holder may be long dead,
//! so it does not count; a holder that lives on is fenced, and takes its turn.

use types::{Duration, Timestamp};

use crate::{Database, Dialect, Error, Migration, Result, Transaction, params};

const TABLE: &str = "
    CREATE TABLE crosstie_lease (
        name VARCHAR(256) NOT NULL PRIMARY KEY,
        holder VARCHAR(256) NOT NULL,
        epoch BIGINT NOT NULL,
        expires_at BIGINT NOT NULL
    )";

/// The tables of this crate besides `crosstie_migration`.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration { version: 1, sqlite: TABLE, postgres: TABLE }];

/// A lease that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// What is leased: `release-controller`.
    pub name: String,
    /// Who holds it; one name per process.
    pub holder: String,
    /// Grows with each acquisition.
    pub epoch: i64,
    /// When it ends, in database time.
    pub expires_at: Timestamp,
}

pub(crate) async fn acquire(db: &Database, name: &str, holder: &str, ttl: Duration) -> Result<Option<Lease>> {
    let (name, holder) = (name.to_owned(), holder.to_owned());
    db.write(async move |tx| {
        tx.lock(&format!("crosstie_lease/{name}")).await?;
        let now = tx.now().await?;
        let expires_at = now + ttl;
        let sql = "INSERT INTO crosstie_lease (name, holder, epoch, expires_at) VALUES ($1, $2, 1, $3)
                   ON CONFLICT (name) DO UPDATE
                   SET holder = excluded.holder, epoch = crosstie_lease.epoch + 1, expires_at = excluded.expires_at
                   WHERE crosstie_lease.expires_at <= $4 OR crosstie_lease.expires_at > excluded.expires_at
                       OR crosstie_lease.holder = excluded.holder
                   RETURNING epoch";
        let row = tx.row(sql, params![&name, &holder, expires_at, now]).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Lease { name: name.clone(), holder: holder.clone(), epoch: row.get("epoch")?, expires_at }))
    })
    .await
}

pub(crate) async fn renew(db: &Database, lease: &Lease, ttl: Duration) -> Result<Lease> {
    let lease = lease.clone();
    db.write(async move |tx| {
        let expires_at = tx.now().await? + ttl;
        let sql = "UPDATE crosstie_lease SET expires_at = $1 WHERE name = $2 AND epoch = $3";
        if tx.execute(sql, params![expires_at, &lease.name, lease.epoch]).await? == 0 {
            return Err(fenced(tx, &lease.name, lease.epoch).await);
        }
        Ok(Lease { expires_at, ..lease.clone() })
    })
    .await
}

pub(crate) async fn release(db: &Database, lease: &Lease) -> Result<()> {
    let lease = lease.clone();
    db.write(async move |tx| {
        // The row stays, so that the epoch goes on growing.
        let sql = "UPDATE crosstie_lease SET expires_at = 0 WHERE name = $1 AND epoch = $2";
        tx.execute(sql, params![&lease.name, lease.epoch]).await?;
        Ok(())
    })
    .await
}

pub(crate) async fn check(tx: &mut Transaction, name: &str, epoch: i64) -> Result<()> {
    // The lock keeps anyone from taking the lease over until this transaction ends.
    let sql = match tx.dialect() {
        Dialect::Sqlite => "SELECT epoch FROM crosstie_lease WHERE name = $1",
        Dialect::Postgres => "SELECT epoch FROM crosstie_lease WHERE name = $1 FOR SHARE",
    };
    let current = tx.row(sql, params![name]).await?.map_or(Ok(0), |row| row.get::<i64>("epoch"))?;
    if current == epoch {
        return Ok(());
    }
    Err(Error::Fenced { name: name.to_owned(), epoch, current })
}

async fn fenced(tx: &mut Transaction, name: &str, epoch: i64) -> Error {
    match check(tx, name, epoch).await {
        Err(error) => error,
        Ok(()) => Error::Fenced { name: name.to_owned(), epoch, current: epoch },
    }
}
