//! Alerts as static tables, from which Prometheus rules and the runbook are rendered.

use std::fmt;

/// How urgently someone has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// For the record.
    Info,
    /// Within working hours.
    Ticket,
    /// Now.
    Page,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Ticket => "ticket",
            Self::Page => "page",
        })
    }
}

/// One alert on the metrics of the crate that declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertDef {
    /// Its name in Prometheus and the runbook, in camel case: `ParityBroken`.
    pub name: &'static str,
    /// How urgent it is.
    pub severity: Severity,
    /// The PromQL condition, over metrics of the same crate's table.
    pub condition: &'static str,
    /// How long the condition must hold, in Prometheus' notation: `5m`.
    pub hold: &'static str,
    /// What is wrong, in one sentence.
    pub summary: &'static str,
    /// What to do first.
    pub action: &'static str,
}
