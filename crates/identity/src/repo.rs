//! The SQL of this crate.

use database::{Migration, Transaction, params};
use types::{AuditEntry, Digest, Principal, Role, Timestamp};

use crate::{AuditFilter, Error, Result, TokenInfo};

pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    sqlite: "
        CREATE TABLE crosstie_principal (
            name VARCHAR(64) NOT NULL PRIMARY KEY,
            role VARCHAR(16) NOT NULL,
            created_at BIGINT NOT NULL,
            created_by VARCHAR(64) NOT NULL
        );
        CREATE TABLE crosstie_token (
            digest VARCHAR(71) NOT NULL PRIMARY KEY,
            principal VARCHAR(64) NOT NULL REFERENCES crosstie_principal (name),
            created_at BIGINT NOT NULL,
            revoked_at BIGINT
        );
        CREATE INDEX crosstie_ix_token_principal ON crosstie_token (principal);
        CREATE TABLE crosstie_audit (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            at BIGINT NOT NULL,
            principal VARCHAR(64) NOT NULL,
            action VARCHAR(64) NOT NULL,
            subject TEXT NOT NULL,
            detail TEXT NOT NULL
        );
        CREATE INDEX crosstie_ix_audit_subject ON crosstie_audit (subject, id)",
    postgres: "
        CREATE TABLE crosstie_principal (
            name VARCHAR(64) NOT NULL PRIMARY KEY,
            role VARCHAR(16) NOT NULL,
            created_at BIGINT NOT NULL,
            created_by VARCHAR(64) NOT NULL
        );
        CREATE TABLE crosstie_token (
            digest VARCHAR(71) NOT NULL PRIMARY KEY,
            principal VARCHAR(64) NOT NULL REFERENCES crosstie_principal (name),
            created_at BIGINT NOT NULL,
            revoked_at BIGINT
        );
        CREATE INDEX crosstie_ix_token_principal ON crosstie_token (principal);
        CREATE TABLE crosstie_audit (
            id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at BIGINT NOT NULL,
            principal VARCHAR(64) NOT NULL,
            action VARCHAR(64) NOT NULL,
            subject TEXT NOT NULL,
            detail TEXT NOT NULL
        );
        CREATE INDEX crosstie_ix_audit_subject ON crosstie_audit (subject, id)",
}];

/// Makes the principal, or gives it the role if it was there.
pub(crate) async fn put_principal(
    tx: &mut Transaction,
    name: &str,
    role: Role,
    by: &str,
    now: Timestamp,
) -> database::Result<()> {
    let sql = "INSERT INTO crosstie_principal (name, role, created_at, created_by) VALUES ($1, $2, $3, $4)
               ON CONFLICT (name) DO UPDATE
               SET role = excluded.role, created_at = excluded.created_at, created_by = excluded.created_by";
    tx.execute(sql, params![name, role, now, by]).await?;
    Ok(())
}

pub(crate) async fn add_token(
    tx: &mut Transaction,
    digest: Digest,
    name: &str,
    now: Timestamp,
) -> database::Result<()> {
    let sql = "INSERT INTO crosstie_token (digest, principal, created_at) VALUES ($1, $2, $3)";
    tx.execute(sql, params![digest, name, now]).await?;
    Ok(())
}

/// Whether anyone, or the one named, has a token that is not revoked.
pub(crate) async fn has_token(tx: &mut Transaction, name: Option<&str>) -> database::Result<bool> {
    let sql = "SELECT COUNT(*) AS tokens FROM crosstie_token
               WHERE revoked_at IS NULL AND ($1 IS NULL OR principal = $1)";
    let row = tx.row(sql, params![name]).await?;
    row.map_or(Ok(false), |row| Ok(row.get::<i64>("tokens")? > 0))
}

/// Revokes all tokens of `name` and answers how many there were.
pub(crate) async fn revoke(tx: &mut Transaction, name: &str, now: Timestamp) -> database::Result<u64> {
    let sql = "UPDATE crosstie_token SET revoked_at = $1 WHERE principal = $2 AND revoked_at IS NULL";
    tx.execute(sql, params![now, name]).await
}

pub(crate) async fn principal_of(tx: &mut Transaction, digest: Digest) -> database::Result<Option<Principal>> {
    let sql = "SELECT crosstie_principal.name AS name, crosstie_principal.role AS role
               FROM crosstie_token JOIN crosstie_principal ON crosstie_principal.name = crosstie_token.principal
               WHERE crosstie_token.digest = $1 AND crosstie_token.revoked_at IS NULL";
    let row = tx.row(sql, params![digest]).await?;
    row.map(|row| Ok(Principal::known(row.get::<String>("name")?, row.get("role")?))).transpose()
}

pub(crate) async fn tokens(tx: &mut Transaction) -> database::Result<Vec<TokenInfo>> {
    let sql = "SELECT crosstie_principal.name AS name, role, created_by,
                      crosstie_token.created_at AS created_at, revoked_at
               FROM crosstie_token JOIN crosstie_principal ON crosstie_principal.name = crosstie_token.principal
               ORDER BY crosstie_principal.name, crosstie_token.created_at";
    let rows = tx.rows(sql, params![]).await?;
    rows.iter()
        .map(|row| {
            Ok(TokenInfo {
                name: row.get("name")?,
                role: row.get("role")?,
                created_by: row.get("created_by")?,
                created_at: row.get("created_at")?,
                revoked_at: row.get("revoked_at")?,
            })
        })
        .collect()
}

pub(crate) async fn record(tx: &mut Transaction, entry: &AuditEntry) -> database::Result<()> {
    let sql = "INSERT INTO crosstie_audit (at, principal, action, subject, detail) VALUES ($1, $2, $3, $4, $5)";
    let detail = entry.detail.to_string();
    tx.execute(sql, params![entry.at, &entry.principal, &entry.action, &entry.subject, detail]).await?;
    Ok(())
}

pub(crate) async fn trail(tx: &mut Transaction, filter: &AuditFilter) -> Result<Vec<AuditEntry>> {
    let sql = "SELECT at, principal, action, subject, detail FROM crosstie_audit
               WHERE ($1 IS NULL OR subject = $1) AND ($2 IS NULL OR principal = $2)
                 AND ($3 IS NULL OR action = $3) AND ($4 IS NULL OR at >= $4)
               ORDER BY id DESC LIMIT $5";
    let parameters =
        params![filter.subject.as_ref(), filter.principal.as_ref(), filter.action.as_ref(), filter.since, filter.limit];
    let rows = tx.rows(sql, parameters).await?;
    rows.iter()
        .map(|row| {
            let detail: String = row.get("detail")?;
            Ok(AuditEntry {
                at: row.get("at")?,
                principal: row.get("principal")?,
                action: row.get("action")?,
                subject: row.get("subject")?,
                detail: serde_json::from_str(&detail).map_err(|source| Error::Detail { source })?,
            })
        })
        .collect()
}
