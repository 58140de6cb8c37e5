//! A `script` or `container` template made ready: what to run, with its references parsed and checked.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::Problem,
    manifest::{EnvVar, OutputParameter, Scalar, Template},
    text::Text,
};

use super::{parameters, scope::Scope};

/// What a step will be once its inputs are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepTemplate {
    pub(crate) image: String,
    pub(crate) command: Vec<Text>,
    pub(crate) source: Option<Text>,
    pub(crate) env: Vec<(String, Text)>,
    pub(crate) working_dir: Option<Text>,
    pub(crate) outputs: Vec<OutputTemplate>,
}

/// An output parameter, its path not resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OutputTemplate {
    pub(crate) name: String,
    pub(crate) path: Text,
    pub(crate) default: Option<String>,
}

impl StepTemplate {
    pub(super) fn output_names(&self) -> BTreeSet<String> {
        self.outputs.iter().map(|output| output.name.clone()).collect()
    }
}

/// The two kinds of step, seen as one.
struct Body<'a> {
    field: &'static str,
    image: &'a str,
    command: &'a [String],
    args: &'a [String],
    source: Option<&'a str>,
    env: &'a [EnvVar],
    working_dir: Option<&'a str>,
}

/// Compiles a template, unless it is a graph or none of what is run here.
pub(super) fn compile(
    path: &str,
    template: &Template,
    workflow: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> Option<StepTemplate> {
    parameters::check_inputs(path, &template.inputs.parameters, workflow, problems);
    let body = body(path, template, problems)?;
    let path_of_body = format!("{path}.{}", body.field);
    let inputs = template.inputs.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
    let scope = Scope::of_step(workflow, inputs);

    if body.image.is_empty() {
        problems.push(Problem::new(format!("{path_of_body}.image"), "is missing"));
    }
    if body.command.is_empty() {
        let message = "is needed: the image is not pulled here, so its own entrypoint is not known";
        problems.push(Problem::new(format!("{path_of_body}.command"), message));
    }
    let mut texts = |field: &str, values: &[String]| -> Vec<Text> {
        values
            .iter()
            .enumerate()
            .map(|(index, value)| scope.text(&format!("{path_of_body}.{field}[{index}]"), value, problems))
            .collect()
    };
    let mut command = texts("command", body.command);
    command.extend(texts("args", body.args));
    let source = body.source.map(|source| scope.text(&format!("{path_of_body}.source"), source, problems));
    let working_dir = body.working_dir.map(|dir| scope.text(&format!("{path_of_body}.workingDir"), dir, problems));
    let mut env = Vec::new();
    for (index, variable) in body.env.iter().enumerate() {
        let path = format!("{path_of_body}.env[{index}].value");
        let value = variable.value.as_deref().unwrap_or_default();
        env.push((variable.name.clone(), scope.text(&path, value, problems)));
    }
    let outputs = outputs(path, &template.outputs.parameters, &scope, problems);
    Some(StepTemplate { image: body.image.to_owned(), command, source, env, working_dir, outputs })
}

fn body<'a>(path: &str, template: &'a Template, problems: &mut Vec<Problem>) -> Option<Body<'a>> {
    let kinds = [template.dag.is_some(), template.script.is_some(), template.container.is_some()];
    if kinds.iter().filter(|present| **present).count() > 1 {
        problems.push(Problem::new(path, "has more than one of `dag`, `script` and `container`"));
        return None;
    }
    if template.dag.is_some() {
        for (index, output) in template.outputs.parameters.iter().enumerate() {
            let message = format!("output parameter `{}` of a graph is not run here", output.name);
            problems.push(Problem::new(format!("{path}.outputs.parameters[{index}]"), message));
        }
        return None;
    }
    if let Some(script) = &template.script {
        if script.source.is_empty() {
            problems.push(Problem::new(format!("{path}.script.source"), "is missing"));
        }
        return Some(Body {
            field: "script",
            image: &script.image,
            command: &script.command,
            args: &script.args,
            source: Some(&script.source),
            env: &script.env,
            working_dir: script.working_dir.as_deref(),
        });
    }
    if let Some(container) = &template.container {
        return Some(Body {
            field: "container",
            image: &container.image,
            command: &container.command,
            args: &container.args,
            source: None,
            env: &container.env,
            working_dir: container.working_dir.as_deref(),
        });
    }
    // A template of another kind has that field refused already; this one has none at all.
    if template.other.is_empty() {
        problems.push(Problem::new(path, "has none of `dag`, `script` and `container`"));
    }
    None
}

fn outputs(
    path: &str,
    declared: &[OutputParameter],
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<OutputTemplate> {
    let mut outputs: Vec<OutputTemplate> = Vec::new();
    for (index, output) in declared.iter().enumerate() {
        let path = format!("{path}.outputs.parameters[{index}]");
        if outputs.iter().any(|other| other.name == output.name) {
            problems.push(Problem::new(format!("{path}.name"), format!("`{}` is there twice", output.name)));
        }
        let Some(value_from) = &output.value_from else {
            problems.push(Problem::new(path, "needs a `valueFrom.path`"));
            continue;
        };
        let default = value_from.default.as_ref().map(|Scalar(default)| default.clone());
        if default.as_ref().is_some_and(|default| default.contains("{{")) {
            problems.push(Problem::new(format!("{path}.valueFrom.default"), "cannot hold a reference here"));
        }
        match &value_from.path {
            Some(file) => {
                let file = scope.text(&format!("{path}.valueFrom.path"), file, problems);
                outputs.push(OutputTemplate { name: output.name.clone(), path: file, default });
            }
            None => {
                problems.push(Problem::new(format!("{path}.valueFrom"), "needs a `path`: nothing else is run here"))
            }
        }
    }
    outputs
}
