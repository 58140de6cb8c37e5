-- Traces, spans, what was judged of them, and daily sums.

CREATE TABLE trace_info (
    request_id                            VARCHAR(50) NOT NULL,
    experiment_id                         INTEGER NOT NULL,
    timestamp_ms                          BIGINT NOT NULL,
    execution_time_ms                     BIGINT,
    status                                VARCHAR(50) NOT NULL,
    client_request_id                     VARCHAR(50),
    request_preview                       VARCHAR(1000),
    response_preview                      VARCHAR(1000),
    db_payload_generation                 INTEGER DEFAULT '0' NOT NULL,
    trace_name                            VARCHAR(4096),
    session_id                            VARCHAR(250),
    input_tokens                          BIGINT,
    output_tokens                         BIGINT,
    total_tokens                          BIGINT,
    cache_read_input_tokens               BIGINT,
    cache_creation_input_tokens           BIGINT,
    cache_creation_input_tokens_above_1hr BIGINT,
    input_cost                            FLOAT,
    output_cost                           FLOAT,
    total_cost                            FLOAT,
    CONSTRAINT trace_info_pk PRIMARY KEY (request_id),
    CONSTRAINT fk_trace_info_experiment_id FOREIGN KEY (experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);

CREATE INDEX index_trace_info_experiment_id_session_id ON trace_info (experiment_id, session_id);

CREATE INDEX index_trace_info_experiment_id_timestamp_ms ON trace_info (experiment_id, timestamp_ms);

CREATE INDEX index_trace_info_timestamp_ms_request_id ON trace_info (timestamp_ms, request_id);

CREATE TABLE trace_tags (
    key        VARCHAR(250) NOT NULL,
    value      VARCHAR(8000),
    request_id VARCHAR(50) NOT NULL,
    CONSTRAINT trace_tag_pk PRIMARY KEY (key, request_id),
    CONSTRAINT fk_trace_tags_request_id FOREIGN KEY (request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);

CREATE INDEX index_trace_tags_request_id ON trace_tags (request_id);

CREATE TABLE trace_request_metadata (
    key        VARCHAR(250) NOT NULL,
    value      VARCHAR(8000),
    request_id VARCHAR(50) NOT NULL,
    CONSTRAINT trace_request_metadata_pk PRIMARY KEY (key, request_id),
    CONSTRAINT fk_trace_request_metadata_request_id FOREIGN KEY (request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);

CREATE INDEX index_trace_request_metadata_request_id ON trace_request_metadata (request_id);

CREATE TABLE trace_metrics (
    request_id VARCHAR(50) NOT NULL,
    key        VARCHAR(250) NOT NULL,
    value      FLOAT,
    CONSTRAINT trace_metrics_pk PRIMARY KEY (request_id, key),
    CONSTRAINT fk_trace_metrics_request_id FOREIGN KEY (request_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);

CREATE INDEX index_trace_metrics_request_id ON trace_metrics (request_id);

CREATE TABLE spans (
    trace_id             VARCHAR(50) NOT NULL,
    experiment_id        INTEGER NOT NULL,
    span_id              VARCHAR(50) NOT NULL,
    parent_span_id       VARCHAR(50),
    name                 TEXT,
    type                 VARCHAR(500),
    status               VARCHAR(50) NOT NULL,
    start_time_unix_nano BIGINT NOT NULL,
    end_time_unix_nano   BIGINT,
    duration_ns          BIGINT GENERATED ALWAYS AS (end_time_unix_nano - start_time_unix_nano) STORED,
    content              TEXT NOT NULL,
    input_cost           FLOAT,
    output_cost          FLOAT,
    total_cost           FLOAT,
    model_name           VARCHAR(500),
    model_provider       VARCHAR(500),
    CONSTRAINT spans_pk PRIMARY KEY (trace_id, span_id),
    CONSTRAINT fk_spans_experiment_id FOREIGN KEY (experiment_id) REFERENCES experiments (experiment_id),
    CONSTRAINT fk_spans_trace_id FOREIGN KEY (trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);

CREATE INDEX idx_spans_cost_exp_time_cover ON spans (experiment_id, start_time_unix_nano); -- sqlite
CREATE INDEX idx_spans_cost_exp_time_cover ON spans (experiment_id, start_time_unix_nano) -- postgres
    INCLUDE (input_cost, output_cost, total_cost, model_name, model_provider) -- postgres
    WHERE input_cost IS NOT NULL OR output_cost IS NOT NULL OR total_cost IS NOT NULL; -- postgres

CREATE INDEX idx_spans_cost_trace_time_cover ON spans (trace_id, start_time_unix_nano); -- sqlite
CREATE INDEX idx_spans_cost_trace_time_cover ON spans (trace_id, start_time_unix_nano) -- postgres
    INCLUDE (input_cost, output_cost, total_cost, model_name, model_provider) -- postgres
    WHERE input_cost IS NOT NULL OR output_cost IS NOT NULL OR total_cost IS NOT NULL; -- postgres

CREATE INDEX index_spans_experiment_id_duration ON spans (experiment_id, duration_ns);

CREATE INDEX index_spans_experiment_id_start_time ON spans (experiment_id, start_time_unix_nano);

CREATE INDEX index_spans_experiment_id_status_type ON spans (experiment_id, status, type);

CREATE INDEX index_spans_experiment_id_type_status ON spans (experiment_id, type, status);

CREATE TABLE span_metrics (
    trace_id VARCHAR(50) NOT NULL,
    span_id  VARCHAR(50) NOT NULL,
    key      VARCHAR(250) NOT NULL,
    value    FLOAT,
    CONSTRAINT span_metrics_pk PRIMARY KEY (trace_id, span_id, key),
    CONSTRAINT fk_span_metrics_span FOREIGN KEY (trace_id, span_id) REFERENCES spans (trace_id, span_id) ON DELETE CASCADE
);

CREATE INDEX index_span_metrics_trace_id_span_id ON span_metrics (trace_id, span_id);

-- Feedback and expectations on a trace or span.
CREATE TABLE assessments (
    assessment_id          VARCHAR(50) NOT NULL,
    trace_id               VARCHAR(50) NOT NULL,
    name                   VARCHAR(250) NOT NULL,
    assessment_type        VARCHAR(20) NOT NULL,
    value                  TEXT NOT NULL,
    error                  TEXT,
    created_timestamp      BIGINT NOT NULL,
    last_updated_timestamp BIGINT NOT NULL,
    source_type            VARCHAR(50) NOT NULL,
    source_id              VARCHAR(250),
    run_id                 VARCHAR(32),
    span_id                VARCHAR(50),
    rationale              TEXT,
    overrides              VARCHAR(50),
    valid                  BOOLEAN NOT NULL,
    assessment_metadata    TEXT,
    experiment_id          INTEGER,
    trace_timestamp_ms     BIGINT,
    aggregate_value        FLOAT,
    is_numeric_value       BOOLEAN DEFAULT 0 NOT NULL, -- sqlite
    is_numeric_value       BOOLEAN DEFAULT false NOT NULL, -- postgres
    CONSTRAINT assessments_pk PRIMARY KEY (assessment_id),
    CONSTRAINT fk_assessments_trace_id FOREIGN KEY (trace_id) REFERENCES trace_info (request_id) ON DELETE CASCADE
);

CREATE INDEX idx_assessments_exp_name_valid ON assessments (experiment_id, name, valid);

CREATE INDEX idx_assessments_exp_trace_ts ON assessments (experiment_id, trace_timestamp_ms);

CREATE INDEX idx_assessments_exp_trace_ts_name ON assessments (experiment_id, trace_timestamp_ms, name);

CREATE INDEX index_assessments_assessment_type ON assessments (assessment_type);

CREATE INDEX index_assessments_last_updated_timestamp ON assessments (last_updated_timestamp);

CREATE INDEX index_assessments_run_id_created_timestamp ON assessments (run_id, created_timestamp);

CREATE INDEX index_assessments_trace_id_created_timestamp ON assessments (trace_id, created_timestamp);

-- Daily sums, so that dashboards do not scan traces.
CREATE TABLE sql_trace_metric_daily_rollups (
    id            INTEGER NOT NULL, -- sqlite
    id            BIGINT GENERATED BY DEFAULT AS IDENTITY, -- postgres
    experiment_id INTEGER NOT NULL,
    rollup_day    DATE NOT NULL,
    metric_name   VARCHAR(250) NOT NULL,
    grouping_set  VARCHAR(50) NOT NULL,
    trace_status  VARCHAR(50),
    sample_count  BIGINT NOT NULL,
    sum_value     FLOAT,
    min_value     FLOAT,
    max_value     FLOAT,
    p50_value     FLOAT,
    p90_value     FLOAT,
    p99_value     FLOAT,
    CONSTRAINT sql_trace_metric_daily_rollups_pk PRIMARY KEY (id)
);

CREATE INDEX idx_trace_rollups_lookup ON sql_trace_metric_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set, trace_status);

CREATE TABLE sql_span_cost_daily_rollups (
    id             INTEGER NOT NULL, -- sqlite
    id             BIGINT GENERATED BY DEFAULT AS IDENTITY, -- postgres
    experiment_id  INTEGER NOT NULL,
    rollup_day     DATE NOT NULL,
    metric_name    VARCHAR(250) NOT NULL,
    grouping_set   VARCHAR(50) NOT NULL,
    model_name     VARCHAR(500),
    model_provider VARCHAR(500),
    sample_count   BIGINT NOT NULL,
    sum_value      FLOAT,
    min_value      FLOAT,
    max_value      FLOAT,
    CONSTRAINT sql_span_cost_daily_rollups_pk PRIMARY KEY (id)
);

CREATE INDEX idx_span_cost_rollups_lookup ON sql_span_cost_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set, model_name, model_provider);

CREATE TABLE sql_assessment_daily_rollups (
    id            INTEGER NOT NULL, -- sqlite
    id            BIGINT GENERATED BY DEFAULT AS IDENTITY, -- postgres
    experiment_id INTEGER NOT NULL,
    rollup_day    DATE NOT NULL,
    metric_name   VARCHAR(250) NOT NULL,
    grouping_set  VARCHAR(50) NOT NULL,
    sample_count  BIGINT NOT NULL,
    sum_value     FLOAT,
    min_value     FLOAT,
    max_value     FLOAT,
    CONSTRAINT sql_assessment_daily_rollups_pk PRIMARY KEY (id)
);

CREATE INDEX idx_assessment_rollups_lookup ON sql_assessment_daily_rollups (experiment_id, rollup_day, metric_name, grouping_set);

-- Days whose sums are out of date.
CREATE TABLE sql_trace_rollup_rebuild_queue (
    experiment_id INTEGER NOT NULL,
    rollup_day    DATE NOT NULL,
    rollup_family VARCHAR(50) NOT NULL,
    CONSTRAINT sql_trace_rollup_rebuild_queue_pk PRIMARY KEY (experiment_id, rollup_day, rollup_family)
);
