//! What every page has around it, and how it stays current.
//!
//! A page that is open shows what is, not what was: a script fetches the same page again and lays its main part over
//! the one shown. Without JavaScript the browser loads the page again, less often, since that closes what was opened.
//! Nothing on a page comes from anywhere else, and no script stands in it: the policy that is sent along says so, so
//! that a name that some user chose can never be run.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    response::{Html, IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};

use crate::{HOME, MLFLOW, SCRIPT, STYLE};

/// The sections, with where they begin.
const SECTIONS: [(&str, &str); 8] = [
    ("Fleet", HOME),
    ("Releases", "/releases"),
    ("Alerts", "/alerts"),
    ("Features", "/features"),
    ("Lineage", "/lineage"),
    ("Predictions", "/predictions"),
    ("Audit trail", "/audit"),
    ("MLflow", MLFLOW),
];

const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// How soon what a page shows may be different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Never: it tells of something that is over.
    Still,
    /// Within a minute, or when somebody does something.
    Calm,
    /// Every second: something is on its way.
    Moving,
}

impl Pace {
    /// Moving if something is, else calm.
    pub(crate) const fn of(is_moving: bool) -> Self {
        if is_moving { Self::Moving } else { Self::Calm }
    }

    /// Seconds until the script asks again, and until a browser without scripts does.
    const fn seconds(self) -> Option<(u32, u32)> {
        match self {
            Self::Still => None,
            Self::Calm => Some((5, 60)),
            Self::Moving => Some((2, 5)),
        }
    }
}

/// A whole page.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    section: &'static str,
    pace: Pace,
    body: Markup,
}

impl Page {
    /// A page of `section`, one of the names in the bar on top.
    pub(crate) fn new(section: &'static str, title: impl Into<String>, body: Markup) -> Self {
        Self { title: title.into(), section, pace: Pace::Still, body }
    }

    /// The same page, which stays current.
    pub(crate) fn at(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        answer(StatusCode::OK, &self.title, self.section, self.pace, &self.body)
    }
}

/// The document around `body`, as an answer.
pub(crate) fn answer(status: StatusCode, title: &str, section: &str, pace: Pace, body: &Markup) -> Response {
    (status, HEADERS, Html(document(title, section, pace, body).into_string())).into_response()
}

fn document(title: &str, section: &str, pace: Pace, body: &Markup) -> Markup {
    let seconds = pace.seconds();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some((_, without_script)) = seconds {
                    noscript { meta http-equiv="refresh" content=(without_script); }
                }
                title { (title) " · Crosstie" }
                link rel="stylesheet" href=(STYLE);
                link rel="icon" href="data:,";
                @if seconds.is_some() { script src=(SCRIPT) defer {} }
            }
            body {
                header {
                    a.name href=(HOME) { "Crosstie" }
                    nav aria-label="Sections" {
                        @for (name, address) in SECTIONS {
                            a href=(address) aria-current=[(name == section).then_some("page")] { (name) }
                        }
                    }
                    span #live .live role="status" hidden {}
                }
                main data-again=[seconds.map(|(with_script, _)| with_script)] { (body) }
            }
        }
    }
}
