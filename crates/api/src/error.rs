//! One mapping from [`ErrorKind`] to every protocol's status, and the three shapes that errors are rendered in.
//!
//! Services say what went wrong and of which kind; nothing below this module knows a status code. Clients see the
//! error's own message; its chain of causes is logged here, once, and only for failures that are ours.

use std::error::Error as StdError;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use types::ErrorKind;

/// Seconds after which a client may try again what failed for a passing reason.
const RETRY_AFTER_SECONDS: &str = "1";

/// A failure on its way to a client.
#[derive(Debug)]
pub struct Error {
    /// What kind it is.
    pub kind: ErrorKind,
    /// What the client is told.
    pub message: String,
    /// MLflow's own code, where it is not the one that the kind has.
    pub mlflow_code: Option<&'static str>,
}

impl Error {
    /// A failure of `kind`, with what the client is told.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), mlflow_code: None }
    }

    /// The request can never succeed as it is.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// From a service's error: its message for the client, its chain for the log if the failure is ours.
    #[must_use]
    pub fn of(kind: ErrorKind, error: &dyn StdError) -> Self {
        if matches!(kind, ErrorKind::Internal | ErrorKind::OutOfSpace | ErrorKind::Unavailable) {
            tracing::error!(error = %chain(error), "request failed");
        }
        Self::new(kind, error.to_string())
    }
}

/// The error and its causes, outermost first.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// The HTTP status of a kind.
#[must_use]
pub const fn http_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::AlreadyExists | ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::FailedPrecondition => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::OutOfSpace => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The gRPC status code of a kind.
#[must_use]
pub const fn grpc_code(kind: ErrorKind) -> tonic::Code {
    match kind {
        ErrorKind::InvalidArgument => tonic::Code::InvalidArgument,
        ErrorKind::Unauthenticated => tonic::Code::Unauthenticated,
        ErrorKind::PermissionDenied => tonic::Code::PermissionDenied,
        ErrorKind::NotFound => tonic::Code::NotFound,
        ErrorKind::AlreadyExists => tonic::Code::AlreadyExists,
        ErrorKind::FailedPrecondition => tonic::Code::FailedPrecondition,
        ErrorKind::Conflict => tonic::Code::Aborted,
        ErrorKind::ResourceExhausted | ErrorKind::OutOfSpace => tonic::Code::ResourceExhausted,
        ErrorKind::Unavailable => tonic::Code::Unavailable,
        ErrorKind::DeadlineExceeded => tonic::Code::DeadlineExceeded,
        ErrorKind::Unimplemented => tonic::Code::Unimplemented,
        ErrorKind::Internal => tonic::Code::Internal,
    }
}

/// MLflow's error code and status of a kind. MLflow answers 400 where HTTP has a finer word.
#[must_use]
pub const fn mlflow_code(kind: ErrorKind) -> (&'static str, StatusCode) {
    match kind {
        ErrorKind::InvalidArgument => ("INVALID_PARAMETER_VALUE", StatusCode::BAD_REQUEST),
        ErrorKind::Unauthenticated => ("UNAUTHENTICATED", StatusCode::UNAUTHORIZED),
        ErrorKind::PermissionDenied => ("PERMISSION_DENIED", StatusCode::FORBIDDEN),
        ErrorKind::NotFound => ("RESOURCE_DOES_NOT_EXIST", StatusCode::NOT_FOUND),
        ErrorKind::AlreadyExists => ("RESOURCE_ALREADY_EXISTS", StatusCode::BAD_REQUEST),
        ErrorKind::FailedPrecondition => ("INVALID_STATE", StatusCode::INTERNAL_SERVER_ERROR),
        ErrorKind::Conflict => ("RESOURCE_CONFLICT", StatusCode::CONFLICT),
        ErrorKind::ResourceExhausted => ("RESOURCE_LIMIT_EXCEEDED", StatusCode::TOO_MANY_REQUESTS),
        // Not 429, which clients take for a hint to be slower and try again for minutes.
        ErrorKind::OutOfSpace => ("RESOURCE_EXHAUSTED", StatusCode::INSUFFICIENT_STORAGE),
        ErrorKind::Unavailable => ("TEMPORARILY_UNAVAILABLE", StatusCode::SERVICE_UNAVAILABLE),
        ErrorKind::DeadlineExceeded => ("DEADLINE_EXCEEDED", StatusCode::GATEWAY_TIMEOUT),
        ErrorKind::Unimplemented => ("NOT_IMPLEMENTED", StatusCode::NOT_IMPLEMENTED),
        ErrorKind::Internal => ("INTERNAL_ERROR", StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The SQLSTATE and class that MLflow's server adds to an error code, for those that it classifies.
fn mlflow_class(code: &str) -> Option<(&'static str, &'static str)> {
    /// The caller's fault.
    const CALLER: &str = "KAM00";
    /// The server's.
    const SERVER: &str = "XXM00";
    Some(match code {
        "BAD_REQUEST" | "INVALID_PARAMETER_VALUE" => (CALLER, "INVALID_PARAMETER_VALUE"),
        "CUSTOMER_UNAUTHORIZED" | "PERMISSION_DENIED" => (CALLER, "PERMISSION_DENIED"),
        "RESOURCE_ALREADY_EXISTS" => (CALLER, "RESOURCE_ALREADY_EXISTS"),
        "ENDPOINT_NOT_FOUND" | "NOT_FOUND" | "RESOURCE_DOES_NOT_EXIST" => (CALLER, "RESOURCE_NOT_FOUND"),
        "INTERNAL_ERROR" | "INVALID_STATE" | "TEMPORARILY_UNAVAILABLE" => (SERVER, "CLIENT_INTERNAL_ERROR"),
        _ => return None,
    })
}

/// The kind as Crosstie's own API writes it.
const fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidArgument => "invalid_argument",
        ErrorKind::Unauthenticated => "unauthenticated",
        ErrorKind::PermissionDenied => "permission_denied",
        ErrorKind::NotFound => "not_found",
        ErrorKind::AlreadyExists => "already_exists",
        ErrorKind::FailedPrecondition => "failed_precondition",
        ErrorKind::Conflict => "conflict",
        ErrorKind::ResourceExhausted => "resource_exhausted",
        ErrorKind::OutOfSpace => "out_of_space",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::DeadlineExceeded => "deadline_exceeded",
        ErrorKind::Unimplemented => "unimplemented",
        ErrorKind::Internal => "internal",
    }
}

/// The protocol whose error shape an answer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{"error_code": …, "message": …}`
    Mlflow,
    /// `{"error": {"kind": …, "message": …}}`
    Crosstie,
    /// `{"error": …}`, the Open Inference Protocol's.
    Inference,
}

impl Shape {
    /// The shape that callers of `path` expect.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        if path.starts_with("/crosstie/") {
            Self::Crosstie
        } else if path.starts_with("/v2") {
            Self::Inference
        } else {
            Self::Mlflow
        }
    }

    /// The answer that tells of `error` in this shape.
    #[must_use]
    pub fn render(self, error: Error) -> Response {
        let retryable = error.kind.is_retryable();
        let mut response = match self {
            Self::Mlflow => {
                let (code, status) = mlflow_code(error.kind);
                let code = error.mlflow_code.unwrap_or(code);
                let mut body = serde_json::json!({ "error_code": code, "message": error.message });
                if let Some((state, class)) = mlflow_class(code) {
                    body["sqlstate"] = state.into();
                    body["error_class"] = class.into();
                }
                (status, Json(body)).into_response()
            }
            Self::Crosstie => {
                let body = serde_json::json!({ "error": { "kind": kind_name(error.kind), "message": error.message } });
                (http_status(error.kind), Json(body)).into_response()
            }
            Self::Inference => {
                (http_status(error.kind), Json(serde_json::json!({ "error": error.message }))).into_response()
            }
        };
        if retryable {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}

/// Declares a newtype that handlers return as their error, rendered in one shape.
macro_rules! rendered {
    ($(#[$doc:meta])* $name:ident, $shape:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(pub Error);

        impl<E: Into<Error>> From<E> for $name {
            fn from(error: E) -> Self {
                Self(error.into())
            }
        }

        impl IntoResponse for $name {
            fn into_response(self) -> Response {
                $shape.render(self.0)
            }
        }
    };
}

rendered!(
    /// An error in MLflow's shape.
    MlflowError,
    Shape::Mlflow
);
rendered!(
    /// An error in the shape of Crosstie's own API.
    CrosstieError,
    Shape::Crosstie
);
rendered!(
    /// An error in the Open Inference Protocol's shape.
    InferenceError,
    Shape::Inference
);

/// Every service's error becomes an [`Error`] by its kind.
macro_rules! from_service {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::of(error.kind(), &error)
            }
        })+
    };
}

from_service!(
    types::ParseError,
    alerts::Error,
    artifacts::Error,
    drift::Error,
    features::Error,
    identity::Error,
    prediction_log::Error,
    registry::Error,
    release::Error,
    serving::Error,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_failures_say_when_to_try_again() {
        let response = Shape::Mlflow.render(Error::new(ErrorKind::Unavailable, "the database is away"));
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], RETRY_AFTER_SECONDS);
    }

    #[test]
    fn paths_choose_the_shape_of_their_protocol() {
        assert_eq!(Shape::of_path("/api/2.0/mlflow/runs/get"), Shape::Mlflow);
        assert_eq!(Shape::of_path("/crosstie/v1/releases"), Shape::Crosstie);
        assert_eq!(Shape::of_path("/v2/models/m/infer"), Shape::Inference);
    }
}
