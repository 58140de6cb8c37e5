//! Alerts: conditions that hold become messages that arrive, once, and are taken back when they end.
