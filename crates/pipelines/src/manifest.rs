//! The manifest as written: the part of Argo's `Workflow` that is run here, and whatever else stands in it.
//!
//! Each type keeps the fields that it does not know, so that [`crate::Plan::compile`] can refuse them all at once, by
//! name and place. Names and meanings are those of `argoproj.io/v1alpha1`.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value as Json;
use types::Digest;

/// Fields that are not run here, by name.
pub type Other = BTreeMap<String, Json>;

/// An Argo `Workflow`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workflow {
    /// `argoproj.io/v1alpha1`.
    pub api_version: String,
    /// `Workflow`.
    pub kind: String,
    /// Its name.
    pub metadata: Metadata,
    /// What to run.
    pub spec: Spec,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

impl Workflow {
    /// The digest of what the manifest says, whatever its layout, order of keys and comments.
    #[must_use]
    pub fn digest(&self) -> Digest {
        // A `Json` object is ordered by key, which makes this text canonical.
        let canonical = serde_json::to_value(self).unwrap_or(Json::Null);
        Digest::of(canonical.to_string())
    }
}

/// The workflow's name and what is attached to it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// The name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The name's beginning, to which a run adds five characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate_name: Option<String>,
    /// For the cluster; nothing here depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// For people and selectors; nothing here depends on them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// For people and tools; nothing here depends on them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// The template to start with.
    #[serde(default)]
    pub entrypoint: String,
    /// The workflow's parameters.
    #[serde(default)]
    pub arguments: Arguments,
    /// The templates.
    #[serde(default)]
    pub templates: Vec<Template>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// Values handed to a workflow or a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Arguments {
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// A parameter, declared or handed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Scalar>,
    /// Its value when none is handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Scalar>,
    /// The only values that it may have.
    #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<Scalar>>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// A template: one of `dag`, `script` and `container`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// What it takes.
    #[serde(default)]
    pub inputs: Inputs,
    /// What it leaves.
    #[serde(default)]
    pub outputs: Outputs,
    /// A graph of tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dag: Option<Dag>,
    /// A script with its interpreter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// A command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// What a template takes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inputs {
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// What a template leaves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outputs {
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<OutputParameter>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// A value that a step leaves in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputParameter {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFrom>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// Where an output parameter comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueFrom {
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The value when the step writes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Scalar>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// A graph of tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dag {
    /// The tasks.
    #[serde(default)]
    pub tasks: Vec<Task>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// A task of a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// The template that it runs.
    #[serde(default)]
    pub template: String,
    /// The tasks that must have succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<String>>,
    /// The same as an expression: names joined by `&&`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends: Option<String>,
    /// What the template is handed.
    #[serde(default)]
    pub arguments: Arguments,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// A script with its interpreter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Script {
    /// The image, for the cluster.
    #[serde(default)]
    pub image: String,
    /// The interpreter.
    #[serde(default)]
    pub command: Vec<String>,
    /// Its arguments, before the script's file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The script.
    #[serde(default)]
    pub source: String,
    /// Variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// The image, for the cluster.
    #[serde(default)]
    pub image: String,
    /// The program and its first arguments.
    #[serde(default)]
    pub command: Vec<String>,
    /// Its further arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// A variable of a step's environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub other: Other,
}

/// Text that may be written as a number or a boolean, as Argo allows for values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl de::Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number or a boolean")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar(value.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }
}
