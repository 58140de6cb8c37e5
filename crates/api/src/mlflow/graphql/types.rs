//! MLflow's GraphQL types, as tables. A field's JSON name in MLflow's REST answers is its own in snake case.

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Holds {
    /// A text; empty where MLflow's JSON leaves it out.
    Text,
    /// A 64-bit integer, written as text, since JavaScript's numbers cannot hold it; `"0"` where it is left out.
    Long,
    /// A number; null for NaN, which GraphQL cannot write.
    Float,
    /// A truth value.
    Flag,
    /// A value of an enum of [`ENUMS`]; null where it is left out.
    Enum(&'static str),
    /// Texts.
    Texts,
    /// An object of another type; one with nothing in it where it is left out.
    One(&'static str),
    /// Objects of another type.
    Many(&'static str),
    /// The error of an answer, which this server tells as an error of the query: always null.
    NoError,
    /// The experiment that a run belongs to, looked up.
    ExperimentOfRun,
    /// The versions that a run made, looked up.
    VersionsOfRun,
}

impl Holds {
    /// The type of the objects that it holds.
    pub(super) const fn object(self) -> Option<&'static str> {
        match self {
            Self::One(name) | Self::Many(name) => Some(name),
            Self::NoError => Some("ApiError"),
            Self::ExperimentOfRun => Some("MlflowExperiment"),
            Self::VersionsOfRun => Some("MlflowModelVersion"),
            Self::Text | Self::Long | Self::Float | Self::Flag | Self::Enum(_) | Self::Texts => None,
        }
    }
}

use Holds::{Enum, ExperimentOfRun, Flag, Float, Long, Many, NoError, One, Text, Texts, VersionsOfRun};

type Fields = &'static [(&'static str, Holds)];

const KEY_VALUE: Fields = &[("key", Text), ("value", Text)];

const METRIC: Fields = &[
    ("key", Text),
    ("value", Float),
    ("timestamp", Long),
    ("step", Long),
    ("datasetName", Text),
    ("datasetDigest", Text),
    ("modelId", Text),
    ("runId", Text),
];

/// Types of answers.
pub(super) const OBJECTS: &[(&str, Fields)] = &[
    ("Test", &[("output", Text)]),
    ("TestMutation", &[("output", Text)]),
    ("ErrorDetail", &[("field", Text), ("message", Text)]),
    (
        "ApiError",
        &[
            ("code", Text),
            ("message", Text),
            ("helpUrl", Text),
            ("traceId", Text),
            ("errorDetails", Many("ErrorDetail")),
        ],
    ),
    ("MlflowExperimentTag", KEY_VALUE),
    (
        "MlflowExperiment",
        &[
            ("experimentId", Text),
            ("name", Text),
            ("artifactLocation", Text),
            ("lifecycleStage", Text),
            ("lastUpdateTime", Long),
            ("creationTime", Long),
            ("tags", Many("MlflowExperimentTag")),
            ("effectiveTraceArchivalRetention", Text),
            ("workspace", Text),
        ],
    ),
    ("MlflowGetExperimentResponse", &[("experiment", One("MlflowExperiment")), ("apiError", NoError)]),
    ("MlflowMetricExtension", METRIC),
    ("MlflowParam", KEY_VALUE),
    ("MlflowRunTag", KEY_VALUE),
    (
        "MlflowRunData",
        &[("metrics", Many("MlflowMetricExtension")), ("params", Many("MlflowParam")), ("tags", Many("MlflowRunTag"))],
    ),
    (
        "MlflowRunInfo",
        &[
            ("runId", Text),
            ("runUuid", Text),
            ("runName", Text),
            ("experimentId", Text),
            ("userId", Text),
            ("status", Enum("MlflowRunStatus")),
            ("startTime", Long),
            ("endTime", Long),
            ("artifactUri", Text),
            ("lifecycleStage", Text),
        ],
    ),
    ("MlflowInputTag", KEY_VALUE),
    (
        "MlflowDataset",
        &[
            ("name", Text),
            ("digest", Text),
            ("sourceType", Text),
            ("source", Text),
            ("schema", Text),
            ("profile", Text),
        ],
    ),
    ("MlflowDatasetInput", &[("tags", Many("MlflowInputTag")), ("dataset", One("MlflowDataset"))]),
    ("MlflowModelInput", &[("modelId", Text)]),
    ("MlflowRunInputs", &[("datasetInputs", Many("MlflowDatasetInput")), ("modelInputs", Many("MlflowModelInput"))]),
    ("MlflowModelOutput", &[("modelId", Text), ("step", Long)]),
    ("MlflowRunOutputs", &[("modelOutputs", Many("MlflowModelOutput"))]),
    (
        "MlflowRunExtension",
        &[
            ("info", One("MlflowRunInfo")),
            ("data", One("MlflowRunData")),
            ("inputs", One("MlflowRunInputs")),
            ("outputs", One("MlflowRunOutputs")),
            ("experiment", ExperimentOfRun),
            ("modelVersions", VersionsOfRun),
        ],
    ),
    ("MlflowGetRunResponse", &[("run", One("MlflowRunExtension")), ("apiError", NoError)]),
    (
        "MlflowSearchRunsResponse",
        &[("runs", Many("MlflowRunExtension")), ("nextPageToken", Text), ("apiError", NoError)],
    ),
    ("MlflowFileInfo", &[("path", Text), ("isDir", Flag), ("fileSize", Long)]),
    (
        "MlflowListArtifactsResponse",
        &[("rootUri", Text), ("files", Many("MlflowFileInfo")), ("nextPageToken", Text), ("apiError", NoError)],
    ),
    ("MlflowMetricWithRunId", &[("key", Text), ("value", Float), ("timestamp", Long), ("step", Long), ("runId", Text)]),
    (
        "MlflowGetMetricHistoryBulkIntervalResponse",
        &[("metrics", Many("MlflowMetricWithRunId")), ("apiError", NoError)],
    ),
    ("MlflowDatasetSummary", &[("experimentId", Text), ("name", Text), ("digest", Text), ("context", Text)]),
    ("MlflowSearchDatasetsResponse", &[("datasetSummaries", Many("MlflowDatasetSummary")), ("apiError", NoError)]),
    ("MlflowModelVersionTag", KEY_VALUE),
    ("MlflowModelParam", &[("name", Text), ("value", Text)]),
    ("MlflowModelMetric", METRIC),
    (
        "MlflowModelVersionDeploymentJobState",
        &[
            ("jobId", Text),
            ("runId", Text),
            ("jobState", Enum("MlflowDeploymentJobConnectionState")),
            ("runState", Enum("MlflowModelVersionDeploymentJobStateDeploymentJobRunState")),
            ("currentTaskName", Text),
        ],
    ),
    (
        "MlflowModelVersion",
        &[
            ("name", Text),
            ("version", Text),
            ("creationTimestamp", Long),
            ("lastUpdatedTimestamp", Long),
            ("userId", Text),
            ("currentStage", Text),
            ("description", Text),
            ("source", Text),
            ("runId", Text),
            ("status", Enum("MlflowModelVersionStatus")),
            ("statusMessage", Text),
            ("tags", Many("MlflowModelVersionTag")),
            ("runLink", Text),
            ("aliases", Texts),
            ("modelId", Text),
            ("modelParams", Many("MlflowModelParam")),
            ("modelMetrics", Many("MlflowModelMetric")),
            ("deploymentJobState", One("MlflowModelVersionDeploymentJobState")),
        ],
    ),
    (
        "MlflowSearchModelVersionsResponse",
        &[("modelVersions", Many("MlflowModelVersion")), ("nextPageToken", Text), ("apiError", NoError)],
    ),
];

/// Enums with their values.
pub(super) const ENUMS: &[(&str, &[&str])] = &[
    ("MlflowRunStatus", &["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]),
    ("MlflowViewType", &["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]),
    ("MlflowModelVersionStatus", &["PENDING_REGISTRATION", "FAILED_REGISTRATION", "READY"]),
    (
        "MlflowDeploymentJobConnectionState",
        &[
            "DEPLOYMENT_JOB_CONNECTION_STATE_UNSPECIFIED",
            "NOT_SET_UP",
            "CONNECTED",
            "NOT_FOUND",
            "REQUIRED_PARAMETERS_CHANGED",
        ],
    ),
    (
        "MlflowModelVersionDeploymentJobStateDeploymentJobRunState",
        &[
            "DEPLOYMENT_JOB_RUN_STATE_UNSPECIFIED",
            "NO_VALID_DEPLOYMENT_JOB_FOUND",
            "RUNNING",
            "SUCCEEDED",
            "FAILED",
            "PENDING",
            "APPROVAL",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_name_only_types_that_are_in_them() {
        for (name, fields) in OBJECTS {
            for (field, holds) in *fields {
                let object = holds.object();
                assert!(
                    object.is_none_or(|object| OBJECTS.iter().any(|(known, _)| *known == object)),
                    "{name}.{field}"
                );
                let Holds::Enum(of) = holds else { continue };
                assert!(ENUMS.iter().any(|(known, _)| known == of), "{name}.{field}");
            }
        }
    }
}
