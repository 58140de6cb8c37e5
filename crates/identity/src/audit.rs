//! Reading the trail.

use types::Timestamp;

/// How many entries are shown when nobody says how many.
const LIMIT: u32 = 100;

/// Which entries of the trail to read. The newest come first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only what was done to this: `click-ranker/7`.
    pub subject: Option<String>,
    /// Only what this principal did.
    pub principal: Option<String>,
    /// Only this action: `release.approve`.
    pub action: Option<String>,
    /// Only from then on.
    pub since: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

impl Default for AuditFilter {
    fn default() -> Self {
        Self { subject: None, principal: None, action: None, since: None, limit: LIMIT }
    }
}
