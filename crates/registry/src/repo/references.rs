//! What every row refers to: for each kind of reference a statement that finds the rows whose target is missing.

/// What the rows are, what is wrong with those that are found, and the statement that names them.
pub(crate) const ALL: &[(&str, &str, &str)] = &[
    (
        "run",
        "its experiment is missing",
        "SELECT r.run_uuid AS subject FROM runs r
         WHERE NOT EXISTS (SELECT 1 FROM experiments e WHERE e.experiment_id = r.experiment_id)",
    ),
    (
        "params",
        "their run is missing",
        "SELECT DISTINCT c.run_uuid AS subject FROM params c
         WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = c.run_uuid)",
    ),
    (
        "tags",
        "their run is missing",
        "SELECT DISTINCT c.run_uuid AS subject FROM tags c
         WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = c.run_uuid)",
    ),
    (
        "metrics",
        "their run is missing",
        "SELECT DISTINCT c.run_uuid AS subject FROM metrics c
         WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = c.run_uuid)",
    ),
    (
        "latest metric",
        "it has no history",
        "SELECT l.run_uuid || ' ' || l.key AS subject FROM latest_metrics l
         WHERE NOT EXISTS (SELECT 1 FROM metrics m WHERE m.run_uuid = l.run_uuid AND m.key = l.key)",
    ),
    (
        "experiment tags",
        "their experiment is missing",
        "SELECT DISTINCT CAST(t.experiment_id AS TEXT) AS subject FROM experiment_tags t
         WHERE NOT EXISTS (SELECT 1 FROM experiments e WHERE e.experiment_id = t.experiment_id)",
    ),
    (
        "dataset",
        "its experiment is missing",
        "SELECT d.name || ' ' || d.digest AS subject FROM datasets d
         WHERE NOT EXISTS (SELECT 1 FROM experiments e WHERE e.experiment_id = d.experiment_id)",
    ),
    (
        "dataset input",
        "its run is missing",
        "SELECT i.destination_id AS subject FROM inputs i WHERE i.destination_type = 'RUN'
         AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = i.destination_id)",
    ),
    (
        "dataset input",
        "its dataset is missing",
        "SELECT i.destination_id AS subject FROM inputs i WHERE i.source_type = 'DATASET'
         AND NOT EXISTS (SELECT 1 FROM datasets d WHERE d.dataset_uuid = i.source_id)",
    ),
    (
        "model input or output",
        "its run is missing",
        "SELECT i.source_id AS subject FROM inputs i WHERE i.source_type IN ('RUN_INPUT', 'RUN_OUTPUT')
         AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = i.source_id)",
    ),
    (
        "model input or output",
        "its logged model is missing",
        "SELECT i.destination_id AS subject FROM inputs i WHERE i.destination_type IN ('MODEL_INPUT', 'MODEL_OUTPUT')
         AND NOT EXISTS (SELECT 1 FROM logged_models m WHERE m.model_id = i.destination_id)",
    ),
    (
        "input tags",
        "their input is missing",
        "SELECT DISTINCT t.input_uuid AS subject FROM input_tags t
         WHERE NOT EXISTS (SELECT 1 FROM inputs i WHERE i.input_uuid = t.input_uuid)",
    ),
    (
        "logged model",
        "its experiment is missing",
        "SELECT m.model_id AS subject FROM logged_models m
         WHERE NOT EXISTS (SELECT 1 FROM experiments e WHERE e.experiment_id = m.experiment_id)",
    ),
    (
        "logged model params",
        "their logged model is missing",
        "SELECT DISTINCT c.model_id AS subject FROM logged_model_params c
         WHERE NOT EXISTS (SELECT 1 FROM logged_models m WHERE m.model_id = c.model_id)",
    ),
    (
        "logged model tags",
        "their logged model is missing",
        "SELECT DISTINCT c.model_id AS subject FROM logged_model_tags c
         WHERE NOT EXISTS (SELECT 1 FROM logged_models m WHERE m.model_id = c.model_id)",
    ),
    (
        "logged model metrics",
        "their logged model or run is missing",
        "SELECT DISTINCT c.model_id AS subject FROM logged_model_metrics c
         WHERE NOT EXISTS (SELECT 1 FROM logged_models m WHERE m.model_id = c.model_id)
            OR NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = c.run_id)",
    ),
    (
        "registered model tags",
        "their registered model is missing",
        "SELECT DISTINCT t.name AS subject FROM registered_model_tags t WHERE NOT EXISTS
         (SELECT 1 FROM registered_models m WHERE m.workspace = t.workspace AND m.name = t.name)",
    ),
    (
        "model version",
        "its registered model is missing",
        "SELECT v.name || '/' || CAST(v.version AS TEXT) AS subject FROM model_versions v WHERE NOT EXISTS
         (SELECT 1 FROM registered_models m WHERE m.workspace = v.workspace AND m.name = v.name)",
    ),
    (
        "model version tags",
        "their version is missing",
        "SELECT DISTINCT t.name || '/' || CAST(t.version AS TEXT) AS subject FROM model_version_tags t WHERE NOT EXISTS
         (SELECT 1 FROM model_versions v WHERE v.workspace = t.workspace AND v.name = t.name AND v.version = t.version)",
    ),
    (
        "model version",
        "the run that made it is missing",
        "SELECT v.name || '/' || CAST(v.version AS TEXT) AS subject FROM model_versions v
         WHERE v.current_stage <> 'Deleted_Internal' AND v.run_id IS NOT NULL AND v.run_id <> ''
           AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.run_uuid = v.run_id)",
    ),
    (
        "alias",
        "its version is missing or deleted",
        "SELECT a.name || '@' || a.alias AS subject FROM registered_model_aliases a WHERE NOT EXISTS
         (SELECT 1 FROM model_versions v WHERE v.workspace = a.workspace AND v.name = a.name AND v.version = a.version
            AND v.current_stage <> 'Deleted_Internal')",
    ),
    (
        "webhook events",
        "their webhook is missing",
        "SELECT DISTINCT e.webhook_id AS subject FROM webhook_events e
         WHERE NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.webhook_id = e.webhook_id)",
    ),
];
