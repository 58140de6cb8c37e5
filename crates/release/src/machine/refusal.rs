//! Why a person's observation was not taken.

use thiserror::Error;
use types::{ErrorKind, Role};

use crate::Stage;

/// Why a person's observation was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No token.
    #[error("to {action} needs a token with the role {role} or higher; an anonymous caller cannot")]
    Anonymous {
        /// What was attempted.
        action: &'static str,
        /// What it takes.
        role: Role,
    },
    /// Not enough of a role.
    #[error("`{principal}` has the role {has}, and to {action} takes {role} or higher")]
    Role {
        /// Who.
        principal: String,
        /// Its role.
        has: Role,
        /// What was attempted.
        action: &'static str,
        /// What it takes.
        role: Role,
    },
    /// Four eyes.
    #[error("`{principal}` registered this version and cannot {action}: someone else must")]
    Author {
        /// Who.
        principal: String,
        /// What was attempted.
        action: &'static str,
    },
    /// It is over.
    #[error("this release is {phase}: nothing can {action} it any more")]
    Over {
        /// Where it ended.
        phase: Stage,
        /// What was attempted.
        action: &'static str,
    },
    /// Not yet, or no longer.
    #[error("{0}")]
    NotNow(String),
    /// The waiver would not waive anything.
    #[error("{0}")]
    Useless(String),
}

impl Refusal {
    /// The kind of failure, from the caller's point of view.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Anonymous { .. } | Self::Role { .. } | Self::Author { .. } => ErrorKind::PermissionDenied,
            Self::Over { .. } | Self::NotNow(_) => ErrorKind::FailedPrecondition,
            Self::Useless(_) => ErrorKind::InvalidArgument,
        }
    }
}
