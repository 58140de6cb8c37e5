//! A page that cannot be shown says why, with the status that the failure has.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use maud::html;
use types::{ErrorKind, ParseError};

use crate::{
    HOME,
    page::{self, Pace},
};

/// Why there is no page.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: ErrorKind,
    message: String,
}

impl Failure {
    /// What was asked for does not exist.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::NotFound, message: message.into() }
    }

    fn of(kind: ErrorKind, error: &(dyn std::error::Error + 'static)) -> Self {
        if matches!(kind, ErrorKind::Internal | ErrorKind::OutOfSpace | ErrorKind::Unavailable) {
            tracing::error!(error, "a page of the console cannot be shown");
        }
        Self { kind, message: error.to_string() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, title) = match self.kind {
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "Not found"),
            ErrorKind::InvalidArgument => (StatusCode::BAD_REQUEST, "Not understood"),
            ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, "Who are you?"),
            ErrorKind::PermissionDenied => (StatusCode::FORBIDDEN, "Not allowed"),
            ErrorKind::Unavailable
            | ErrorKind::DeadlineExceeded
            | ErrorKind::ResourceExhausted
            | ErrorKind::OutOfSpace
            | ErrorKind::Conflict => (StatusCode::SERVICE_UNAVAILABLE, "Not now"),
            ErrorKind::AlreadyExists
            | ErrorKind::FailedPrecondition
            | ErrorKind::Unimplemented
            | ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "Cannot be shown"),
        };
        let body = html! { h1 { (title) } p.lead { (self.message) } p { a href=(HOME) { "To the fleet" } } };
        page::answer(status, title, "", Pace::Still, &body)
    }
}

macro_rules! failure_of {
    ($($error:ty),+) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(error.kind(), &error)
            }
        })+
    };
}

failure_of!(
    ::alerts::Error,
    ::drift::Error,
    ::features::Error,
    identity::Error,
    prediction_log::Error,
    registry::Error,
    ::release::Error,
    ParseError
);
