//! The tables. One text for both databases: every type here is known to both.

use database::Migration;

/// Versions of the tables, oldest first.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration { version: 1, sqlite: VERSION_1, postgres: VERSION_1 }];

const VERSION_1: &str = "
CREATE TABLE crosstie_alert (
    id TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    condition_key TEXT NOT NULL,
    name TEXT NOT NULL,
    severity TEXT NOT NULL,
    summary TEXT NOT NULL,
    model TEXT,
    labels TEXT NOT NULL,
    details TEXT NOT NULL,
    since BIGINT NOT NULL,
    status TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    fired_at BIGINT NOT NULL,
    resolved_at BIGINT,
    missing_since BIGINT
);
CREATE UNIQUE INDEX crosstie_ix_alert_firing ON crosstie_alert (source, condition_key) WHERE status = 'firing';
CREATE INDEX crosstie_ix_alert_fired ON crosstie_alert (fired_at);

CREATE TABLE crosstie_alert_delivery (
    number BIGINT NOT NULL PRIMARY KEY,
    alert_id TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    route TEXT NOT NULL,
    receiver TEXT NOT NULL,
    status TEXT NOT NULL,
    payload TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    next_attempt_at BIGINT,
    delivered_at BIGINT,
    abandoned_at BIGINT,
    error TEXT,
    UNIQUE (alert_id, sequence, route)
);
CREATE INDEX crosstie_ix_alert_delivery_open ON crosstie_alert_delivery (number) WHERE next_attempt_at IS NOT NULL;
";
