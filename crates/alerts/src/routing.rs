//! Where alerts go: the part `alerts` of `crosstie.yaml`.
//!
//! A webhook's URL is often a secret in itself, so it is shown by its server alone, and stored only as a digest.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use telemetry::Severity;
use types::{Digest, ParseError};
use url::Url;

use crate::severity;

/// All routes. An alert takes every one that it is urgent enough for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Routing(pub Vec<Route>);

/// One receiver, and what is urgent enough for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Where messages are posted to.
    pub webhook: WebhookUrl,
    /// The least urgent alerts that go there: `page`, `ticket` or `info`, which is all.
    #[serde(default = "everything", with = "severity")]
    #[schemars(with = "severity::Word")]
    pub severity: Severity,
}

const fn everything() -> Severity {
    Severity::Info
}

impl Routing {
    /// The receivers of an alert of `severity`, each once.
    pub(crate) fn receivers(&self, severity: Severity) -> impl Iterator<Item = &WebhookUrl> {
        let fits = move |route: &&Route| route.severity <= severity;
        let earlier = move |url: &WebhookUrl, position: usize| {
            self.0[..position].iter().filter(fits).any(|route| route.webhook == *url)
        };
        let urls = self.0.iter().enumerate().filter(move |(_, route)| fits(route));
        urls.map(|(position, route)| (position, &route.webhook))
            .filter(move |(position, url)| !earlier(url, *position))
            .map(|(_, url)| url)
    }

    /// The receiver that is stored as `id`, if there still is one.
    pub(crate) fn receiver(&self, id: &str) -> Option<&WebhookUrl> {
        self.0.iter().map(|route| &route.webhook).find(|url| url.id() == id)
    }
}

/// The URL of a receiver: `https://HOST[:PORT]/PATH`, or `http://…`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// When it is none, or not of HTTP.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const EXPECTED: &str = "a URL that begins with `https://` or `http://`";
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Self(url)),
            // The rest of the URL may be a secret.
            Ok(url) => Err(ParseError::new("webhook", &format!("{}://…", url.scheme()), EXPECTED)),
            Err(_) => Err(ParseError::new("webhook", text, EXPECTED)),
        }
    }

    /// The whole URL, where it is needed and not shown.
    #[must_use]
    pub const fn expose(&self) -> &Url {
        &self.0
    }

    /// What it is stored as.
    pub(crate) fn id(&self) -> String {
        Digest::of(self.0.as_str()).to_string()
    }
}

impl fmt::Display for WebhookUrl {
    /// The server alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({self}/…)")
    }
}

impl FromStr for WebhookUrl {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::parse(&text)
    }
}

impl From<WebhookUrl> for String {
    fn from(url: WebhookUrl) -> Self {
        url.0.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn routing(routes: serde_json::Value) -> Result<Routing, serde_json::Error> {
        serde_json::from_value(routes)
    }

    #[test]
    fn an_alert_takes_each_route_that_it_is_urgent_enough_for_once() {
        let routing = routing(json!([
            { "webhook": "https://pager/1", "severity": "page" },
            { "webhook": "http://desk/1", "severity": "ticket" },
            { "webhook": "http://log/1" },
            { "webhook": "http://log/1", "severity": "page" },
        ]))
        .unwrap();
        let to = |severity| routing.receivers(severity).map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(to(Severity::Page), ["https://pager", "http://desk", "http://log"]);
        assert_eq!(to(Severity::Ticket), ["http://desk", "http://log"]);
        assert_eq!(to(Severity::Info), ["http://log"]);
    }

    #[test]
    fn what_is_no_route_is_refused_without_telling_secrets() {
        for (route, expected) in [
            (json!({ "webhook": "pager" }), "`pager` is not a valid webhook"),
            (json!({ "webhook": "ftp://pager/secret" }), "`ftp://…` is not a valid webhook"),
            (json!({ "webhook": "http://pager/", "severity": "loud" }), "unknown variant `loud`"),
            (json!({ "webhook": "http://pager/", "level": "page" }), "unknown field `level`"),
        ] {
            let error = routing(json!([route])).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_url_is_shown_by_its_server_alone() {
        let url = WebhookUrl::parse("http://me:word@pager:81/services/secret?key=1").unwrap();
        assert_eq!(url.to_string(), "http://pager:81");
        assert_eq!(format!("{url:?}"), "WebhookUrl(http://pager:81/…)");
        assert_eq!(String::from(url), "http://me:word@pager:81/services/secret?key=1");
    }
}
