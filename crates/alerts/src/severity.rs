//! Severities as text: in project files, in messages and in the tables.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use telemetry::Severity;

const ALL: [Severity; 3] = [Severity::Info, Severity::Ticket, Severity::Page];

/// The severities as serde and schemas see them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Severity")]
pub(crate) enum Word {
    /// For the record.
    Info,
    /// Within working hours.
    Ticket,
    /// Now.
    Page,
}

/// The severity of that name.
pub(crate) fn parse(text: &str) -> Option<Severity> {
    ALL.into_iter().find(|severity| severity.to_string() == text)
}

pub(crate) fn serialize<S: Serializer>(severity: &Severity, serializer: S) -> Result<S::Ok, S::Error> {
    let word = match severity {
        Severity::Info => Word::Info,
        Severity::Ticket => Word::Ticket,
        Severity::Page => Word::Page,
    };
    word.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Severity, D::Error> {
    Ok(match Word::deserialize(deserializer)? {
        Word::Info => Severity::Info,
        Word::Ticket => Severity::Ticket,
        Word::Page => Severity::Page,
    })
}
