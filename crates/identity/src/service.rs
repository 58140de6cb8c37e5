//! The service: making, showing and revoking tokens, and the audit trail.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use database::{Database, Transaction};
use runtime::SharedClock;
use serde::Serialize;
use tokio::time::Instant;
use tracing::instrument;
use types::{AuditEntry, Digest, Principal, Role, Secret, Timestamp};

use crate::{AuditFilter, Error, Result, first_token, repo, token};

/// How long a token is believed without asking the database: how long another process's revocation may go unnoticed.
const REMEMBERED: Duration = Duration::from_secs(1);

/// How many tokens are remembered before those that are stale are forgotten.
const MEMORY: usize = 1_024;

/// Principals, tokens and the trail. Clones share what they remember.
#[derive(Debug, Clone)]
pub struct Service {
    database: Database,
    clock: SharedClock,
    remembered: Arc<Mutex<HashMap<Digest, Remembered>>>,
}

#[derive(Debug)]
struct Remembered {
    principal: Principal,
    until: Instant,
}

/// What is known of a token; the token itself is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenInfo {
    /// Whose it is.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl Service {
    /// The service on `database`.
    #[must_use]
    pub fn new(database: Database, clock: SharedClock) -> Self {
        Self { database, clock, remembered: Arc::default() }
    }

    /// Makes or updates the tables.
    ///
    /// # Errors
    /// As [`Database::migrate`].
    pub async fn migrate(&self) -> Result<()> {
        Ok(self.database.migrate("identity", repo::MIGRATIONS).await?)
    }

    /// Makes a token for a principal that has none, and the principal if it is new. This is the only time it is shown.
    ///
    /// # Errors
    /// When `by` is not an admin, the name is reserved or malformed, or the principal has a token.
    #[instrument(skip_all, fields(name, %role))]
    pub async fn create_token(&self, by: &Principal, name: &str, role: Role) -> Result<Secret<String>> {
        require_admin(by)?;
        token::check_name(name)?;
        let (token, digest) = token::generate()?;
        let entry = self.entry(by, "token.create", name, serde_json::json!({ "role": role }));
        let name = name.to_owned();
        self.database
            .write(async move |tx| {
                if repo::has_token(tx, Some(&name)).await? {
                    return Err(Error::Exists { name: name.clone() });
                }
                repo::put_principal(tx, &name, role, &entry.principal, entry.at).await?;
                repo::add_token(tx, digest, &name, entry.at).await?;
                Ok(repo::record(tx, &entry).await?)
            })
            .await?;
        Ok(token)
    }

    /// Revokes all tokens of `name`: here at once, in other processes within a second.
    ///
    /// # Errors
    /// When `by` is not an admin, or nobody of that name has a token.
    #[instrument(skip_all, fields(name))]
    pub async fn revoke(&self, by: &Principal, name: &str) -> Result<()> {
        require_admin(by)?;
        let entry = self.entry(by, "token.revoke", name, serde_json::json!({}));
        let revoked = name.to_owned();
        self.database
            .write(async move |tx| {
                if repo::revoke(tx, &revoked, entry.at).await? == 0 {
                    return Err(Error::Unknown { name: revoked.clone() });
                }
                Ok(repo::record(tx, &entry).await?)
            })
            .await?;
        self.remembered().retain(|_, remembered| remembered.principal.name != name);
        Ok(())
    }

    /// Whose token this is; `None` if it is nobody's, or revoked.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Principal>> {
        let Some(digest) = token::digest(token) else { return Ok(None) };
        // The memory is dated from before the question, so that it never outlives a revocation by more than it may.
        let now = Instant::now();
        if let Some(remembered) = self.remembered().get(&digest)
            && now < remembered.until
        {
            return Ok(Some(remembered.principal.clone()));
        }
        let found = self.database.read(async move |tx| repo::principal_of(tx, digest).await).await?;
        let mut memory = self.remembered();
        match &found {
            Some(principal) => {
                if memory.len() >= MEMORY {
                    memory.retain(|_, remembered| now < remembered.until);
                }
                memory.insert(digest, Remembered { principal: principal.clone(), until: now + REMEMBERED });
            }
            None => {
                memory.remove(&digest);
            }
        }
        Ok(found)
    }

    /// All tokens that were ever made, by name.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>> {
        Ok(self.database.read(async |tx| repo::tokens(tx).await).await?)
    }

    /// Whether anyone has a token.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn has_tokens(&self) -> Result<bool> {
        Ok(self.database.read(async |tx| repo::has_token(tx, None).await).await?)
    }

    /// Makes a token of the principal `admin` and keeps it in the file at `path`, with mode 600, unless there is such a
    /// file and someone has a token. Answers whether it did.
    ///
    /// # Errors
    /// When the database fails, or the file cannot be written; then the token that was made is nobody's.
    #[instrument(skip_all)]
    pub async fn ensure_first_token(&self, path: &Path) -> Result<bool> {
        if first_token::is_kept(path).await? && self.has_tokens().await? {
            return Ok(false);
        }
        let (token, digest) = token::generate()?;
        let admin = Principal::known(token::FIRST, Role::Admin);
        let entry = self.entry(&admin, "token.create", token::FIRST, serde_json::json!({ "role": Role::Admin }));
        self.database
            .write(async move |tx| {
                repo::put_principal(tx, token::FIRST, Role::Admin, &entry.principal, entry.at).await?;
                repo::add_token(tx, digest, token::FIRST, entry.at).await?;
                repo::record(tx, &entry).await
            })
            .await?;
        first_token::keep(path, &token).await?;
        Ok(true)
    }

    /// Adds an entry to the trail as part of the transaction that makes the decision.
    ///
    /// # Errors
    /// When the statement fails.
    pub async fn record(tx: &mut Transaction, entry: &AuditEntry) -> database::Result<()> {
        repo::record(tx, entry).await
    }

    /// Adds an entry to the trail for something that commits nothing else, such as a refusal.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append(&self, entry: AuditEntry) -> Result<()> {
        Ok(self.database.write(async move |tx| repo::record(tx, &entry).await).await?)
    }

    /// Reads the trail, newest first.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn trail(&self, filter: AuditFilter) -> Result<Vec<AuditEntry>> {
        self.database.read(async move |tx| repo::trail(tx, &filter).await).await
    }

    fn entry(&self, by: &Principal, action: &str, name: &str, detail: serde_json::Value) -> AuditEntry {
        AuditEntry {
            at: self.clock.now(),
            principal: by.name.clone(),
            action: action.to_owned(),
            subject: format!("principal {name}"),
            detail,
        }
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<Digest, Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn require_admin(by: &Principal) -> Result<()> {
    if by.role.allows(Role::Admin) && !by.anonymous {
        Ok(())
    } else {
        Err(Error::Forbidden { name: by.name.clone(), role: by.role })
    }
}
