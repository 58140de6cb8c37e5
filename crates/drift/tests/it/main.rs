//! Drift from the outside: its scores against Evidently's.

#![expect(clippy::unwrap_used, reason = "what is not there fails the test")]

mod evidently;
