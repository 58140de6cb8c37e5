-- Experiments and runs with what is logged on them.

-- An experiment; its name stays taken while it is deleted.
CREATE TABLE experiments (
    experiment_id     INTEGER NOT NULL, -- sqlite
    experiment_id     SERIAL NOT NULL, -- postgres
    name              VARCHAR(256) NOT NULL,
    artifact_location VARCHAR(256),
    lifecycle_stage   VARCHAR(32),
    creation_time     BIGINT,
    last_update_time  BIGINT,
    workspace         VARCHAR(63) DEFAULT 'default' NOT NULL,
    CONSTRAINT experiment_pk PRIMARY KEY (experiment_id),
    CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')),
    CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);

CREATE INDEX idx_experiments_workspace ON experiments (workspace);

CREATE INDEX idx_experiments_workspace_creation_time ON experiments (workspace, creation_time);

CREATE TABLE experiment_tags (
    key           VARCHAR(250) NOT NULL,
    value         TEXT,
    experiment_id INTEGER NOT NULL,
    CONSTRAINT experiment_tag_pk PRIMARY KEY (key, experiment_id),
    FOREIGN KEY (experiment_id) REFERENCES experiments (experiment_id)
);

-- A run; `run_uuid` is what the API calls `run_id`, `name` mirrors the tag `mlflow.runName`.
CREATE TABLE runs (
    run_uuid         VARCHAR(32) NOT NULL,
    name             VARCHAR(250),
    source_type      VARCHAR(20),
    source_name      VARCHAR(500),
    entry_point_name VARCHAR(50),
    user_id          VARCHAR(256),
    status           VARCHAR(9),
    start_time       BIGINT,
    end_time         BIGINT,
    source_version   VARCHAR(50),
    lifecycle_stage  VARCHAR(20),
    artifact_uri     VARCHAR(200),
    experiment_id    INTEGER,
    deleted_time     BIGINT,
    CONSTRAINT run_pk PRIMARY KEY (run_uuid),
    CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')),
    CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')),
    FOREIGN KEY (experiment_id) REFERENCES experiments (experiment_id),
    CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);

-- Parameters are written once.
CREATE TABLE params (
    key      VARCHAR(250) NOT NULL,
    value    VARCHAR(8000) NOT NULL,
    run_uuid VARCHAR(32) NOT NULL,
    CONSTRAINT param_pk PRIMARY KEY (key, run_uuid),
    FOREIGN KEY (run_uuid) REFERENCES runs (run_uuid)
);

CREATE INDEX index_params_run_uuid ON params (run_uuid);

CREATE TABLE tags (
    key      VARCHAR(250) NOT NULL,
    value    VARCHAR(8000),
    run_uuid VARCHAR(32) NOT NULL,
    CONSTRAINT tag_pk PRIMARY KEY (key, run_uuid),
    FOREIGN KEY (run_uuid) REFERENCES runs (run_uuid)
);

CREATE INDEX index_tags_run_uuid ON tags (run_uuid);

-- Every logged point. NaN is stored as 0 with `is_nan`, infinities as the largest finite doubles.
CREATE TABLE metrics (
    key       VARCHAR(250) NOT NULL,
    value     FLOAT NOT NULL,
    timestamp BIGINT NOT NULL,
    run_uuid  VARCHAR(32) NOT NULL,
    step      BIGINT DEFAULT '0' NOT NULL,
    is_nan    BOOLEAN DEFAULT '0' NOT NULL,
    CONSTRAINT metric_pk PRIMARY KEY (key, timestamp, step, run_uuid, value, is_nan),
    CHECK (is_nan IN (0, 1)), -- sqlite
    FOREIGN KEY (run_uuid) REFERENCES runs (run_uuid)
);

CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);

CREATE INDEX index_metrics_run_uuid_key_step ON metrics (run_uuid, key, step);

-- Per run and key the point that is last by (step, timestamp, value).
CREATE TABLE latest_metrics (
    key       VARCHAR(250) NOT NULL,
    value     FLOAT NOT NULL,
    timestamp BIGINT,
    step      BIGINT NOT NULL,
    is_nan    BOOLEAN NOT NULL,
    run_uuid  VARCHAR(32) NOT NULL,
    CONSTRAINT latest_metric_pk PRIMARY KEY (key, run_uuid),
    CHECK (is_nan IN (0, 1)), -- sqlite
    FOREIGN KEY (run_uuid) REFERENCES runs (run_uuid)
);

CREATE INDEX index_latest_metrics_run_uuid ON latest_metrics (run_uuid);

-- Datasets that runs of an experiment read.
CREATE TABLE datasets (
    dataset_uuid        VARCHAR(36) NOT NULL,
    experiment_id       INTEGER NOT NULL,
    name                VARCHAR(500) NOT NULL,
    digest              VARCHAR(36) NOT NULL,
    dataset_source_type VARCHAR(36) NOT NULL,
    dataset_source      TEXT NOT NULL,
    dataset_schema      TEXT,
    dataset_profile     TEXT,
    CONSTRAINT dataset_pk PRIMARY KEY (experiment_id, name, digest),
    CONSTRAINT fk_datasets_experiment_id_experiments FOREIGN KEY (experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);

CREATE INDEX index_datasets_dataset_uuid ON datasets (dataset_uuid);

CREATE INDEX index_datasets_experiment_id_dataset_source_type ON datasets (experiment_id, dataset_source_type);

-- Edges between runs, datasets and logged models, both ways.
CREATE TABLE inputs (
    input_uuid       VARCHAR(36) NOT NULL,
    source_type      VARCHAR(36) NOT NULL,
    source_id        VARCHAR(36) NOT NULL,
    destination_type VARCHAR(36) NOT NULL,
    destination_id   VARCHAR(36) NOT NULL,
    step             BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT inputs_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);

CREATE INDEX index_inputs_destination_type_destination_id_source_type ON inputs (destination_type, destination_id, source_type);

CREATE INDEX index_inputs_input_uuid ON inputs (input_uuid);

-- Tags of an edge, such as `mlflow.data.context`.
CREATE TABLE input_tags (
    input_uuid VARCHAR(36) NOT NULL,
    name       VARCHAR(255) NOT NULL,
    value      VARCHAR(500) NOT NULL,
    CONSTRAINT input_tags_pk PRIMARY KEY (input_uuid, name)
);

-- Further edges: traces to runs, prompts to experiments.
CREATE TABLE entity_associations (
    association_id   VARCHAR(36) NOT NULL,
    source_type      VARCHAR(36) NOT NULL,
    source_id        VARCHAR(36) NOT NULL,
    destination_type VARCHAR(36) NOT NULL,
    destination_id   VARCHAR(36) NOT NULL,
    created_time     BIGINT,
    CONSTRAINT entity_associations_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);

CREATE INDEX index_entity_associations_association_id ON entity_associations (association_id);

CREATE INDEX index_entity_associations_reverse_lookup ON entity_associations (destination_type, destination_id, source_type, source_id);
