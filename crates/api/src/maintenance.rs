//! What operators do to a store as a whole while it is up: collect what was deleted, verify it, back it up.
//!
//! Each call answers when it is done, which may take as long as the artifacts are many. One that was cut off can be made
//! again: collecting goes on where it ended, and half a backup has no manifest.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use axum::{Extension, Json, extract::State};
use http::Method;
use registry::{Collected, Collection, Verified};
use serde::{Deserialize, Serialize};
use types::{Principal, Role};

use crate::{
    error::{CrosstieError, Error},
    releases::required,
    routes::{Access, Route},
};

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    /// The folder, on the server's machine.
    pub to: PathBuf,
    /// Files in it, without the manifest.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The operations. Implemented by the wiring, since a store is every crate's.
#[async_trait]
pub trait Maintenance: Send + Sync + std::fmt::Debug {
    /// Collects what was deleted.
    async fn collect(&self, by: &Principal, collection: Collection) -> Result<Collected, Error>;
    /// Looks whether everything is there and as it was recorded.
    async fn verify(&self) -> Result<Verified, Error>;
    /// Writes a backup into the folder `to`, which must not exist or be empty.
    async fn back_up(&self, by: &Principal, to: PathBuf) -> Result<BackedUp, Error>;
}

type Shared = Arc<dyn Maintenance>;

/// The routes of this module.
pub fn routes(state: &Shared) -> Vec<Route> {
    let operator = Access::Role(Role::Operator);
    // A backup holds everything, hashes of tokens included, and is written where the caller says.
    let admin = Access::Role(Role::Admin);
    vec![
        Route::new(Method::POST, "/crosstie/v1/gc", operator, collect, Arc::clone(state)),
        Route::new(Method::GET, "/crosstie/v1/verify", operator, verify, Arc::clone(state)),
        Route::new(Method::POST, "/crosstie/v1/backups", admin, back_up, Arc::clone(state)),
    ]
}

type Body<T> = Result<Json<T>, axum::extract::rejection::JsonRejection>;

async fn collect(
    State(state): State<Shared>,
    Extension(caller): Extension<Principal>,
    body: Body<Collection>,
) -> Result<Json<Collected>, CrosstieError> {
    Ok(Json(state.collect(&caller, required(body)?).await?))
}

async fn verify(State(state): State<Shared>) -> Result<Json<Verified>, CrosstieError> {
    Ok(Json(state.verify().await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewBackup {
    to: PathBuf,
}

async fn back_up(
    State(state): State<Shared>,
    Extension(caller): Extension<Principal>,
    body: Body<NewBackup>,
) -> Result<Json<BackedUp>, CrosstieError> {
    Ok(Json(state.back_up(&caller, required(body)?.to).await?))
}
