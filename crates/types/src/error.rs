//! What kinds of failure there are, apart from any protocol. `api` maps each kind to a status, once.

use thiserror::Error;

/// The kind of a failure, from the caller's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request can never succeed as it is; the message names the parameter.
    InvalidArgument,
    /// No credentials, or unknown ones.
    Unauthenticated,
    /// Known, but not allowed.
    PermissionDenied,
    /// What was named does not exist.
    NotFound,
    /// What was to be made exists.
    AlreadyExists,
    /// The state of the system refuses it now; the message says what to do.
    FailedPrecondition,
    /// Someone else changed it meanwhile; trying again may succeed.
    Conflict,
    /// Too much at once; try again later.
    ResourceExhausted,
    /// A disk is full: nothing was written, and nothing will be before someone makes room.
    OutOfSpace,
    /// Something that this needs is away; try again later.
    Unavailable,
    /// The deadline passed.
    DeadlineExceeded,
    /// The route or option is known but not built.
    Unimplemented,
    /// A defect or a failing machine; the log has the chain.
    Internal,
}

impl ErrorKind {
    /// Whether the same request may succeed later without a change.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Conflict
            | Self::ResourceExhausted
            | Self::OutOfSpace
            | Self::Unavailable
            | Self::DeadlineExceeded => true,
            Self::InvalidArgument
            | Self::Unauthenticated
            | Self::PermissionDenied
            | Self::NotFound
            | Self::AlreadyExists
            | Self::FailedPrecondition
            | Self::Unimplemented
            | Self::Internal => false,
        }
    }
}

/// Text that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{text}` is not a valid {what}: expected {expected}")]
pub struct ParseError {
    /// What was to be parsed: `model name`, `digest`.
    pub what: &'static str,
    /// The text as given.
    pub text: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

impl ParseError {
    /// The error for `text`, of which `expected` was wanted.
    #[must_use]
    pub fn new(what: &'static str, text: &str, expected: &'static str) -> Self {
        Self { what, text: text.to_owned(), expected }
    }

    /// Always [`ErrorKind::InvalidArgument`].
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidArgument
    }
}
