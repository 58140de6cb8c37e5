//! Refuses every field that is not run here, by name and place.
//!
//! Skipping one in silence would be worse than not running: a retry that does not retry, a volume that is not there.

use crate::{
    error::{Problem, nearest},
    manifest::{Arguments, EnvVar, Other, OutputParameter, Parameter, Task, Template, Workflow},
};

const PARAMETER: &[&str] = &["name", "value", "default", "enum", "description"];
const SCRIPT: &[&str] = &["image", "command", "args", "source", "env", "workingDir"];
const CONTAINER: &[&str] = &["image", "command", "args", "env", "workingDir"];

/// Notes each unknown field of the manifest.
pub(super) fn check(workflow: &Workflow, problems: &mut Vec<Problem>) {
    if workflow.api_version != "argoproj.io/v1alpha1" {
        let message = format!("`{}` is not run here: `argoproj.io/v1alpha1` is", workflow.api_version);
        problems.push(Problem::new("apiVersion", message));
    }
    if workflow.kind != "Workflow" {
        problems.push(Problem::new("kind", format!("`{}` is not run here: `Workflow` is", workflow.kind)));
    }
    refuse("", &workflow.other, &["apiVersion", "kind", "metadata", "spec"], problems);
    let metadata = ["name", "generateName", "namespace", "labels", "annotations"];
    refuse("metadata", &workflow.metadata.other, &metadata, problems);
    refuse("spec", &workflow.spec.other, &["entrypoint", "arguments", "templates"], problems);
    arguments("spec.arguments", &workflow.spec.arguments, problems);
    for (index, one) in workflow.spec.templates.iter().enumerate() {
        template(&format!("spec.templates[{index}]"), one, problems);
    }
}

fn template(path: &str, template: &Template, problems: &mut Vec<Problem>) {
    let known = ["name", "inputs", "outputs", "dag", "script", "container"];
    refuse(path, &template.other, &known, problems);
    refuse(&format!("{path}.inputs"), &template.inputs.other, &["parameters"], problems);
    parameters(&format!("{path}.inputs.parameters"), &template.inputs.parameters, problems);
    refuse(&format!("{path}.outputs"), &template.outputs.other, &["parameters"], problems);
    for (index, output) in template.outputs.parameters.iter().enumerate() {
        output_parameter(&format!("{path}.outputs.parameters[{index}]"), output, problems);
    }
    if let Some(dag) = &template.dag {
        refuse(&format!("{path}.dag"), &dag.other, &["tasks"], problems);
        for (index, one) in dag.tasks.iter().enumerate() {
            task(&format!("{path}.dag.tasks[{index}]"), one, problems);
        }
    }
    if let Some(script) = &template.script {
        refuse(&format!("{path}.script"), &script.other, SCRIPT, problems);
        environment(&format!("{path}.script.env"), &script.env, problems);
    }
    if let Some(container) = &template.container {
        refuse(&format!("{path}.container"), &container.other, CONTAINER, problems);
        environment(&format!("{path}.container.env"), &container.env, problems);
    }
}

fn task(path: &str, task: &Task, problems: &mut Vec<Problem>) {
    refuse(path, &task.other, &["name", "template", "dependencies", "depends", "arguments"], problems);
    arguments(&format!("{path}.arguments"), &task.arguments, problems);
}

fn arguments(path: &str, arguments: &Arguments, problems: &mut Vec<Problem>) {
    refuse(path, &arguments.other, &["parameters"], problems);
    parameters(&format!("{path}.parameters"), &arguments.parameters, problems);
}

fn parameters(path: &str, parameters: &[Parameter], problems: &mut Vec<Problem>) {
    for (index, parameter) in parameters.iter().enumerate() {
        refuse(&format!("{path}[{index}]"), &parameter.other, PARAMETER, problems);
    }
}

fn output_parameter(path: &str, output: &OutputParameter, problems: &mut Vec<Problem>) {
    refuse(path, &output.other, &["name", "valueFrom", "description"], problems);
    if let Some(value_from) = &output.value_from {
        refuse(&format!("{path}.valueFrom"), &value_from.other, &["path", "default"], problems);
    }
}

fn environment(path: &str, variables: &[EnvVar], problems: &mut Vec<Problem>) {
    for (index, variable) in variables.iter().enumerate() {
        refuse(&format!("{path}[{index}]"), &variable.other, &["name", "value"], problems);
    }
}

fn refuse(path: &str, other: &Other, known: &[&str], problems: &mut Vec<Problem>) {
    for field in other.keys() {
        let place = if path.is_empty() { field.clone() } else { format!("{path}.{field}") };
        let message = format!("`{field}` is not run here: known in this place are {}", known.join(", "));
        problems.push(Problem::new(place, message).suggesting(nearest(field, known.iter().copied())));
    }
}
