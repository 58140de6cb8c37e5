//! Experiments, runs, models and versions with MLflow's semantics, on MLflow's own tables, and the lineage that can be
//! read off them.
//!
//! The tables are those of MLflow 3.17.2 ([`Service::migrate`] makes or accepts them, and refuses others), so that a
//! team can point Crosstie at its database and go back. Crosstie's own facts (who registered a version) lie in
//! `crosstie_` tables. Error texts are MLflow's. HTTP and JSON are not known here, nor are releases: what protects
//! what serves is asked through [`Governance`].

mod aliases;
mod artifact_records;
mod brought;
mod bulk_history;
mod custom_views;
mod dataset_search;
mod elsewhere;
mod entities;
mod error;
mod experiments;
mod filter;
mod gc;
mod governance;
mod inputs;
mod lineage;
mod listing;
mod locations;
mod logged_model_search;
mod logged_model_token;
mod logged_models;
mod made_by;
mod metrics;
mod models;
mod names;
mod origin;
mod page;
mod params;
mod python_json;
mod released;
mod repo;
mod rules;
mod run_search;
mod runs;
mod schema;
mod service;
mod sources;
mod stages;
mod storage;
mod tags;
mod unread;
mod verify;
mod version_search;
mod versions;
pub mod webhooks;

pub use artifact_records::ArtifactRecord;
pub use bulk_history::{BulkHistoryRequest, SampledHistoryRequest};
pub use dataset_search::DatasetSummary;
pub use elsewhere::{OriginFinding, OriginFindingKind};
pub use entities::{
    Alias, Dataset, DatasetInput, Experiment, KeyValue, LifecycleStage, LoggedModel, LoggedModelStatus, Metric,
    ModelOutput, RegisteredModel, Run, RunInfo, RunStatus, Version, ViewType,
};
pub use error::{Error, Result};
pub use experiments::{ExperimentSearch, NewExperiment};
pub use gc::{Collected, Collection, Kept};
pub use governance::{Governance, Mutation, Refusal, Ungoverned};
pub use lineage::{
    Deployments, Downstream, EVIDENCE, Edge, GitState, Graph, Lineage, LineageDataset, LineageRun, LineageWorkflow,
    Missing, Node, NodeKind, RELEASABLE_TAG, ReadDataset, Readers, Reading, Released, RunLineage, Serves, Unreleased,
    verdict,
};
pub use listing::{FileInfo, Listing};
pub use logged_model_search::{DatasetFilter, LoggedModelOrder, LoggedModelSearch};
pub use logged_models::NewLoggedModel;
pub use metrics::{HistoryRequest, Point};
pub use models::ModelSearch;
pub use origin::{Origin, OriginError, OriginFile, OriginFolder, OriginRun, OriginVersion};
pub use page::Page;
pub use released::TrainingRun;
pub use repo::authors::Author;
pub use run_search::RunSearch;
pub use runs::{NewRun, RunBatch, RunUpdate};
pub use schema::{MLFLOW_RELEASE, MLFLOW_STAMP, OLDER_STAMPS, check_database};
pub use service::{Config, Service};
pub use stages::Transition;
pub use unread::Unread;
pub use verify::{Problem, Verified};
pub use version_search::VersionSearch;
pub use versions::{NewVersion, VersionRecord};
