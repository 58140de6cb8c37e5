//! Who calls, and what they may do.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ParseError;

/// What a principal may do. Each role may do what the roles before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything, changes nothing.
    Viewer,
    /// Logs runs, registers versions, writes features, asks for releases.
    Editor,
    /// Approves releases and waives gates, of others' versions.
    Approver,
    /// Pauses, aborts, rolls back; loads and unloads by hand.
    Operator,
    /// Makes and revokes tokens.
    Admin,
}

impl Role {
    /// All roles, from least to most.
    pub const ALL: [Self; 5] = [Self::Viewer, Self::Editor, Self::Approver, Self::Operator, Self::Admin];

    /// The role as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Whether this role may do what `required` may.
    #[must_use]
    pub fn allows(self, required: Self) -> bool {
        self >= required
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| ParseError::new("role", text, "viewer, editor, approver, operator or admin"))
    }
}

/// A caller: a token's identity, or nobody in particular.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The name that the token was made for; unique.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Whether no token was shown. An anonymous caller is never an author, approver or operator.
    pub anonymous: bool,
}

impl Principal {
    /// The caller that showed the token of `name`.
    #[must_use]
    pub fn known(name: impl Into<String>, role: Role) -> Self {
        Self { name: name.into(), role, anonymous: false }
    }

    /// The caller without a token, on loopback: an editor (DESIGN §5).
    #[must_use]
    pub fn anonymous() -> Self {
        Self { name: "anonymous".to_owned(), role: Role::Editor, anonymous: true }
    }
}
