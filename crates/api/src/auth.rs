//! Who calls: a bearer token, MLflow's user and password (the password is the token), or nobody.
//!
//! On loopback nobody is an editor, unless tokens are required, and as long as they call this machine by a name of its
//! own ([`AllowedHosts`]); on any other address nobody is refused.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use types::{ErrorKind, Principal, Role};

use crate::{
    error::{Error, Shape},
    hosts::AllowedHosts,
    path,
    routes::Access,
};

/// Decides who calls and whether they may.
#[derive(Debug, Clone)]
pub struct Gate {
    identity: identity::Service,
    anonymous_allowed: bool,
    hosts: AllowedHosts,
}

impl Gate {
    /// The gate over `identity`. `anonymous_allowed` is true on loopback, unless the project requires tokens.
    #[must_use]
    pub fn new(identity: identity::Service, anonymous_allowed: bool) -> Self {
        Self { identity, anonymous_allowed, hosts: AllowedHosts::default() }
    }

    /// With names by which it may be called without a token, besides this machine's own.
    #[must_use]
    pub fn with_hosts(self, hosts: AllowedHosts) -> Self {
        Self { hosts, ..self }
    }

    /// The principal that `headers` show, if it may have `access`.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] for no token where one is needed, or an unknown one;
    /// [`ErrorKind::PermissionDenied`] when the role is not enough, or nobody calls by a strange name; the database's errors.
    pub async fn admit(&self, headers: &HeaderMap, access: Access) -> Result<Principal, Error> {
        let Some(token) = token_of(headers)? else {
            return match access {
                Access::Open => Ok(Principal::anonymous()),
                Access::Role(_) if !self.anonymous_allowed => Err(Error::new(
                    ErrorKind::Unauthenticated,
                    "this server needs a token: send `Authorization: Bearer …`, or set MLFLOW_TRACKING_TOKEN for MLflow clients",
                )),
                Access::Role(_) => {
                    self.hosts.check(headers)?;
                    permit(Principal::anonymous(), access)
                }
            };
        };
        if access == Access::Open {
            return Ok(Principal::anonymous());
        }
        let principal = self.identity.authenticate(&token).await?;
        let unknown = || Error::new(ErrorKind::Unauthenticated, "this token is not known here, or was revoked");
        permit(principal.ok_or_else(unknown)?, access)
    }
}

fn permit(principal: Principal, access: Access) -> Result<Principal, Error> {
    match access {
        Access::Role(required) if !principal.role.allows(required) => Err(Error::new(
            ErrorKind::PermissionDenied,
            format!("this needs the role {required}; {} is {} {}", principal.name, article(&principal), principal.role),
        )),
        Access::Role(_) | Access::Open => Ok(principal),
    }
}

fn article(principal: &Principal) -> &'static str {
    if principal.role.as_str().starts_with(['a', 'e', 'o']) { "an" } else { "a" }
}

/// The token in `Authorization: Bearer TOKEN` or `Basic USER:TOKEN`.
fn token_of(headers: &HeaderMap) -> Result<Option<String>, Error> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let malformed =
        || Error::new(ErrorKind::Unauthenticated, "the Authorization header is neither `Bearer TOKEN` nor `Basic …`");
    let (scheme, rest) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(malformed)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(rest.trim().to_owned()));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        return pair
            .and_then(|pair| pair.split_once(':').map(|(_, token)| Some(token.to_owned())))
            .ok_or_else(malformed);
    }
    Err(malformed())
}

/// The middleware in front of every route: admits the caller and hands the principal on, or answers in the route's shape.
pub(crate) async fn admit(
    State((gate, access, shape)): State<(Gate, Access, Shape)>,
    mut request: Request,
    next: Next,
) -> Response {
    let admitted = gate.admit(request.headers(), access).await;
    match admitted.and_then(|principal| path::check(request.uri().path()).map(|()| principal)) {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(error) => {
            let unauthenticated = error.kind == ErrorKind::Unauthenticated;
            let mut response = shape.render(error);
            if unauthenticated {
                // Two headers: Chromium takes a line for one challenge, and would ask nobody for a password.
                for challenge in ["Basic realm=\"crosstie\"", "Bearer"] {
                    response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                }
            }
            response
        }
    }
}

/// `pages`, each of which a viewer may see; browsers ask for the token as the password.
pub(crate) fn guarded(pages: Router, gate: &Gate) -> Router {
    let reads = (gate.clone(), Access::Role(Role::Viewer), Shape::Crosstie);
    pages.layer(middleware::from_fn_with_state(reads, admit))
}
