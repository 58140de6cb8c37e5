//! Reads what a plan says. A call that fails is null, and its message is among the errors.

use futures::future::BoxFuture;
use registry::VersionSearch;
use serde_json::{Map, Value as Json, json};

use super::{
    super::{Fields, MlflowState, wire},
    plan::{Reads, Step},
    roots::Argument,
    types::{ENUMS, Holds},
};

/// Versions of one run that are shown.
const MOST_VERSIONS: i64 = 10_000;

/// The answer to a plan, and what went wrong in it.
pub(super) async fn execute(state: &MlflowState, steps: &[Step]) -> (Json, Vec<String>) {
    let mut execution = Execution { state, errors: Vec::new() };
    let answer = execution.object(steps, &Json::Null).await;
    (answer, execution.errors)
}

struct Execution<'a> {
    state: &'a MlflowState,
    errors: Vec<String>,
}

impl Execution<'_> {
    /// What `steps` read of one object.
    fn object<'s>(&'s mut self, steps: &'s [Step], object: &'s Json) -> BoxFuture<'s, Json> {
        Box::pin(async move {
            let mut answer = Map::new();
            for step in steps {
                let value = match &step.reads {
                    Reads::Typename(name) => Json::from(*name),
                    Reads::Field { json_name, holds, below } => {
                        self.field(*holds, object.get(json_name), below, object).await
                    }
                    Reads::Call { root, input, below } => {
                        let fields = match (root.argument, input) {
                            (Argument::Input(_), Some(Json::Object(fields))) => Ok(Fields::of(fields.clone())),
                            (Argument::Text, Some(text)) => {
                                Ok(Fields::of(Map::from_iter([(root.argument.name().to_owned(), text.clone())])))
                            }
                            (argument, _) => {
                                Err(format!("{} is missing its argument '{}'", root.name, argument.name()))
                            }
                        };
                        match fields {
                            Ok(fields) => match (root.handler)(self.state.clone(), fields).await {
                                Ok(axum::Json(json)) => self.object(below, &json).await,
                                Err(error) => self.failed(error.0.message),
                            },
                            Err(message) => self.failed(message),
                        }
                    }
                };
                answer.insert(step.key.clone(), value);
            }
            Json::Object(answer)
        })
    }

    fn failed(&mut self, message: String) -> Json {
        self.errors.push(message);
        Json::Null
    }

    async fn objects(&mut self, steps: &[Step], objects: &[Json]) -> Json {
        let mut answers = Vec::with_capacity(objects.len());
        for object in objects {
            answers.push(self.object(steps, object).await);
        }
        Json::Array(answers)
    }

    /// A field's value, from MLflow's JSON; what that leaves out has proto2's default.
    async fn field(&mut self, holds: Holds, json: Option<&Json>, below: &[Step], parent: &Json) -> Json {
        let items = || json.and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        match holds {
            Holds::Text => json.cloned().unwrap_or_else(|| "".into()),
            Holds::Texts => items().into(),
            Holds::Long => json.map_or_else(|| "0".into(), |json| json.to_string().into()),
            Holds::Float => {
                json.map_or_else(|| 0.0.into(), |json| if json.is_number() { json.clone() } else { Json::Null })
            }
            Holds::Flag => json.cloned().unwrap_or_else(|| false.into()),
            Holds::Enum(of) => json.filter(|json| is_value_of(of, json)).cloned().unwrap_or_default(),
            Holds::One(_) => self.object(below, json.unwrap_or(&json!({}))).await,
            Holds::Many(_) => self.objects(below, items()).await,
            Holds::NoError => Json::Null,
            Holds::ExperimentOfRun => {
                let id = parent["info"]["experiment_id"].as_str().unwrap_or_default();
                match self.state.registry.experiment(id).await {
                    Ok(experiment) => self.object(below, &wire::experiment(&experiment)).await,
                    Err(error) => self.failed(error.to_string()),
                }
            }
            Holds::VersionsOfRun => {
                let id = parent["info"]["run_id"].as_str().unwrap_or_default();
                let search = VersionSearch {
                    filter: format!("run_id = '{id}'"),
                    max_results: MOST_VERSIONS,
                    ..VersionSearch::default()
                };
                match self.state.registry.search_versions(search).await {
                    Ok(mut page) => {
                        // MLflow's search, which this is, does not show them.
                        page.items.iter_mut().for_each(|version| version.aliases.clear());
                        self.objects(below, &page.items.iter().map(wire::version).collect::<Vec<_>>()).await
                    }
                    Err(error) => self.failed(error.to_string()),
                }
            }
        }
    }
}

/// Whether the schema's enum has the value.
fn is_value_of(name: &str, json: &Json) -> bool {
    ENUMS.iter().any(|(of, values)| *of == name && values.iter().any(|value| json == value))
}
