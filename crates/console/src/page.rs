//! What every page has around it.

use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::STYLE;

/// The sections, with where they begin.
const SECTIONS: [(&str, &str); 5] = [
    ("Fleet", "/"),
    ("Releases", "/releases"),
    ("Features", "/features"),
    ("Predictions", "/predictions"),
    ("Audit trail", "/audit"),
];

/// Seconds after which a page about something that moves is loaded again.
const AGAIN_AFTER: u32 = 3;

/// A whole page.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    section: &'static str,
    is_moving: bool,
    body: Markup,
}

impl Page {
    /// A page of `section`, one of the names in the bar on top.
    pub(crate) fn new(section: &'static str, title: impl Into<String>, body: Markup) -> Self {
        Self { title: title.into(), section, is_moving: false, body }
    }

    /// The same page, which is loaded again while it tells of something that moves.
    pub(crate) fn moving(self, is_moving: bool) -> Self {
        Self { is_moving, ..self }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let again = self.is_moving.then_some(AGAIN_AFTER);
        Html(document(&self.title, self.section, again, &self.body)).into_response()
    }
}

/// The document around `body`.
pub(crate) fn document(title: &str, section: &str, again: Option<u32>, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if let Some(seconds) = again { meta http-equiv="refresh" content=(seconds); }
                title { (title) " · Crosstie" }
                link rel="stylesheet" href=(STYLE);
                link rel="icon" href="data:,";
            }
            body {
                header {
                    a.name href="/" { "Crosstie" }
                    nav aria-label="Sections" {
                        @for (name, address) in SECTIONS {
                            a href=(address) aria-current=[(name == section).then_some("page")] { (name) }
                        }
                    }
                }
                main { (body) }
            }
        }
    }
    .into_string()
}
