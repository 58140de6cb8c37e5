//! The calls of MLflow's schema. Each asks the handler that answers the same call over REST.

use axum::{Json, extract::State};
use futures::future::BoxFuture;
use serde_json::json;

use super::{
    super::{Answer, Fields, MlflowState, charts, experiments, runs, versions},
    document::Kind,
};

/// What a call takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Argument {
    /// `input`, an object of this type.
    Input(&'static str),
    /// `inputString`, a text.
    Text,
}

impl Argument {
    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Input(_) => "input",
            Self::Text => "inputString",
        }
    }
}

/// One call.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) name: &'static str,
    pub(super) argument: Argument,
    /// The type of its answer.
    pub(super) answer: &'static str,
    pub(super) handler: fn(MlflowState, Fields) -> BoxFuture<'static, Answer>,
}

const SEARCH_RUNS: Root = Root {
    name: "mlflowSearchRuns",
    argument: Argument::Input("MlflowSearchRunsInput"),
    answer: "MlflowSearchRunsResponse",
    handler: |state, fields| Box::pin(runs::search(State(state), fields)),
};

const QUERIES: &[Root] = &[
    Root {
        name: "test",
        argument: Argument::Text,
        answer: "Test",
        handler: |_, fields| Box::pin(std::future::ready(echo(&fields))),
    },
    Root {
        name: "mlflowGetExperiment",
        argument: Argument::Input("MlflowGetExperimentInput"),
        answer: "MlflowGetExperimentResponse",
        handler: |state, fields| Box::pin(experiments::get(State(state), fields)),
    },
    Root {
        name: "mlflowGetMetricHistoryBulkInterval",
        argument: Argument::Input("MlflowGetMetricHistoryBulkIntervalInput"),
        answer: "MlflowGetMetricHistoryBulkIntervalResponse",
        handler: |state, fields| Box::pin(charts::sampled_history(State(state), fields)),
    },
    Root {
        name: "mlflowGetRun",
        argument: Argument::Input("MlflowGetRunInput"),
        answer: "MlflowGetRunResponse",
        handler: |state, fields| Box::pin(runs::get(State(state), fields)),
    },
    Root {
        name: "mlflowListArtifacts",
        argument: Argument::Input("MlflowListArtifactsInput"),
        answer: "MlflowListArtifactsResponse",
        handler: |state, fields| Box::pin(runs::list_artifacts(State(state), fields)),
    },
    Root {
        name: "mlflowSearchModelVersions",
        argument: Argument::Input("MlflowSearchModelVersionsInput"),
        answer: "MlflowSearchModelVersionsResponse",
        handler: |state, fields| Box::pin(versions::search(State(state), fields)),
    },
    SEARCH_RUNS,
];

/// Searches with long arguments are mutations in MLflow's schema; they change nothing either.
const MUTATIONS: &[Root] = &[
    Root {
        name: "testMutation",
        argument: Argument::Text,
        answer: "TestMutation",
        handler: |_, fields| Box::pin(std::future::ready(echo(&fields))),
    },
    Root {
        name: "mlflowSearchDatasets",
        argument: Argument::Input("MlflowSearchDatasetsInput"),
        answer: "MlflowSearchDatasetsResponse",
        handler: |state, fields| Box::pin(charts::search_datasets(State(state), fields)),
    },
    SEARCH_RUNS,
];

/// The name of the type that operations of a kind begin at, and its calls.
pub(super) const fn of_kind(kind: Kind) -> Option<(&'static str, &'static [Root])> {
    match kind {
        Kind::Query => Some(("Query", QUERIES)),
        Kind::Mutation => Some(("Mutation", MUTATIONS)),
        Kind::Subscription => None,
    }
}

/// Gives its argument back, for trying the connection.
fn echo(fields: &Fields) -> Answer {
    Ok(Json(json!({ "output": fields.text_or_empty("inputString")? })))
}
