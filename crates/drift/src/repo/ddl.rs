//! The tables. One text for both databases: every type here is known to both.

use database::Migration;

/// Versions of the tables, oldest first.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration { version: 1, sqlite: VERSION_1, postgres: VERSION_1 }];

const VERSION_1: &str = "
CREATE TABLE crosstie_drift_reference (
    model TEXT NOT NULL,
    version BIGINT NOT NULL,
    frozen_at BIGINT NOT NULL,
    frozen TEXT NOT NULL,
    PRIMARY KEY (model, version)
);

CREATE TABLE crosstie_drift_window (
    model TEXT NOT NULL,
    version BIGINT NOT NULL,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    is_open BOOLEAN NOT NULL,
    comparisons TEXT NOT NULL,
    PRIMARY KEY (model, version, opened_at)
);
CREATE INDEX crosstie_ix_drift_window_model ON crosstie_drift_window (model, closed_at);

CREATE TABLE crosstie_drift_finding (
    model TEXT NOT NULL,
    version BIGINT NOT NULL,
    finding_key TEXT NOT NULL,
    first_seen_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    finding TEXT NOT NULL,
    PRIMARY KEY (model, version, finding_key)
);

CREATE TABLE crosstie_kpi (
    model TEXT NOT NULL PRIMARY KEY,
    counted_at BIGINT NOT NULL,
    kpis TEXT NOT NULL
);
";
