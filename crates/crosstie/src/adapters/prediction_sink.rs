//! Served rows go into the prediction log.

use std::sync::Arc;

use prediction_log::{Arm, Log, LoggedFeature, PredictionRecord};
use serving::{BoxError, FeatureValue, PredictionSink, ServedRow};

use super::definitions::VersionDefinitions;

/// Every row is logged; sampling comes with the traffic that needs it.
const SAMPLE_RATE: f64 = 1.0;

/// Appends to the log.
#[derive(Debug)]
pub(crate) struct LogSink {
    pub(crate) log: Log,
    pub(crate) definitions: Arc<VersionDefinitions>,
}

impl PredictionSink for LogSink {
    fn record(&self, rows: Vec<ServedRow>) -> Result<(), BoxError> {
        let records: Vec<PredictionRecord> = rows.into_iter().map(|row| self.logged(row)).collect();
        Ok(self.log.append(&records)?)
    }
}

impl LogSink {
    fn logged(&self, row: ServedRow) -> PredictionRecord {
        PredictionRecord {
            id: row.id,
            at: row.at,
            project: self.definitions.project_of(&row.version),
            version: row.version,
            arm: match row.arm {
                serving::Arm::Stable => Arm::Stable,
                serving::Arm::Canary => Arm::Canary,
                serving::Arm::Shadow => Arm::Shadow,
                serving::Arm::Explicit | serving::Arm::Other => Arm::Explicit,
            },
            release: row.release,
            principal: row.principal,
            entities: row.entities,
            features: row.features.into_iter().map(feature).collect(),
            outputs: row.outputs,
            degraded: row.degraded,
            sample_rate: SAMPLE_RATE,
        }
    }
}

fn feature(used: FeatureValue) -> LoggedFeature {
    LoggedFeature {
        name: used.name.to_string(),
        value: used.value,
        event_time: used.event_time,
        origin: used.origin.into_owned(),
        digest: used.digest,
    }
}
