-- Who registered a version, from the token that was shown. `created_at` is the version's own, in microseconds, so that
-- the author of a deleted model's version is never taken for that of a new one with its name and number.
CREATE TABLE crosstie_version_author (
    model      TEXT NOT NULL,
    version    INTEGER NOT NULL,
    principal  TEXT NOT NULL,
    anonymous  BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (model, version)
);

-- Additive indexes on MLflow's tables, for searches that MLflow's own do not cover.
CREATE INDEX crosstie_ix_runs_experiment ON runs (experiment_id, lifecycle_stage, start_time);

CREATE INDEX crosstie_ix_inputs_source ON inputs (source_id, source_type, destination_type);
