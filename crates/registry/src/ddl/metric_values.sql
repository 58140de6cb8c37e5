-- Runs in order of a metric, without reading those that are not on the page.
CREATE INDEX crosstie_ix_latest_metrics_value ON latest_metrics (key, value, run_uuid, is_nan);
