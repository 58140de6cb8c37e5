//! One line of the audit trail, as the crate that decides hands it to the crate that stores it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What happened, who did it, to what. Committed in the same transaction as the decision it tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When the decision was taken (database time where fencing matters).
    pub at: Timestamp,
    /// The principal's name, or `controller` for decisions that no person took.
    pub principal: String,
    /// A verb in dotted form: `release.approve`, `registry.alias.refused`.
    pub action: String,
    /// What it was done to: `click-ranker/7`, `release 3`.
    pub subject: String,
    /// The numbers and reasons that the decision was taken on.
    pub detail: serde_json::Value,
}
