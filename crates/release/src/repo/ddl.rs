//! The tables. One text for both databases: every type here is known to both.

use database::Migration;

/// Versions of the tables, oldest first.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, sqlite: VERSION_1, postgres: VERSION_1 },
    Migration { version: 2, sqlite: VERSION_2, postgres: VERSION_2 },
];

const VERSION_1: &str = "
CREATE TABLE crosstie_release (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    model TEXT NOT NULL,
    version BIGINT NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT,
    paused BOOLEAN NOT NULL,
    sequence BIGINT NOT NULL,
    candidate TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    previous_version BIGINT,
    step_index BIGINT NOT NULL,
    weight DOUBLE PRECISION NOT NULL,
    step_entered_at BIGINT
);
CREATE INDEX crosstie_ix_release_model ON crosstie_release (model, id);
CREATE UNIQUE INDEX crosstie_ix_release_active ON crosstie_release (model)
    WHERE stage IN ('gating', 'awaiting_approval', 'rolling_out');

CREATE TABLE crosstie_release_gate (
    release_id BIGINT NOT NULL,
    gate TEXT NOT NULL,
    verdict TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    summary TEXT,
    evidence TEXT,
    concluded_at BIGINT,
    PRIMARY KEY (release_id, gate)
);

CREATE TABLE crosstie_release_approval (
    release_id BIGINT NOT NULL,
    principal TEXT NOT NULL,
    remark TEXT,
    approved_at BIGINT NOT NULL,
    PRIMARY KEY (release_id, principal)
);

CREATE TABLE crosstie_release_waiver (
    release_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    gate TEXT NOT NULL,
    principal TEXT NOT NULL,
    reason TEXT NOT NULL,
    waived_until BIGINT NOT NULL,
    waived_at BIGINT NOT NULL,
    PRIMARY KEY (release_id, number)
);

CREATE TABLE crosstie_traffic (
    revision BIGINT NOT NULL PRIMARY KEY,
    model TEXT NOT NULL,
    release_id BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    stable_version BIGINT,
    assignment TEXT NOT NULL,
    epoch BIGINT,
    decided_at BIGINT NOT NULL,
    applied_at BIGINT,
    UNIQUE (release_id, sequence)
);
CREATE INDEX crosstie_ix_traffic_model ON crosstie_traffic (model, revision);
CREATE INDEX crosstie_ix_traffic_unapplied ON crosstie_traffic (revision) WHERE applied_at IS NULL;
";

/// Rollouts.
const VERSION_2: &str = "
ALTER TABLE crosstie_traffic ADD COLUMN settled_at BIGINT;
-- What was decided before gateways acknowledged is not waited for.
UPDATE crosstie_traffic SET settled_at = decided_at;
CREATE INDEX crosstie_ix_traffic_unsettled ON crosstie_traffic (revision) WHERE settled_at IS NULL;
CREATE INDEX crosstie_ix_traffic_release ON crosstie_traffic (release_id, revision);

CREATE TABLE crosstie_gateway (
    id TEXT NOT NULL PRIMARY KEY,
    seen_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    status TEXT NOT NULL
);

CREATE TABLE crosstie_arm_window (
    number BIGINT NOT NULL PRIMARY KEY,
    gateway TEXT NOT NULL,
    model TEXT NOT NULL,
    release_id BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    second BIGINT NOT NULL,
    arm TEXT NOT NULL,
    version BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    entities BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    slow BIGINT NOT NULL,
    failed_requests BIGINT NOT NULL,
    latency TEXT NOT NULL,
    UNIQUE (gateway, model, revision, second, arm)
);
CREATE INDEX crosstie_ix_arm_window_release ON crosstie_arm_window (release_id, number);

CREATE TABLE crosstie_rollout (
    release_id BIGINT NOT NULL PRIMARY KEY,
    progress TEXT NOT NULL,
    state TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE crosstie_rollout_point (
    release_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    step BIGINT NOT NULL,
    weight DOUBLE PRECISION NOT NULL,
    canary_requests BIGINT NOT NULL,
    stable_requests BIGINT NOT NULL,
    e_errors DOUBLE PRECISION NOT NULL,
    e_latency DOUBLE PRECISION NOT NULL,
    threshold DOUBLE PRECISION NOT NULL,
    excess_bound DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (release_id, number)
);

CREATE TABLE crosstie_shadow (
    release_id BIGINT NOT NULL,
    gateway TEXT NOT NULL,
    summary TEXT NOT NULL,
    PRIMARY KEY (release_id, gateway)
);
";
