//! The values of parameters: the workflow's, the entrypoint's and each task's.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::{Problem, nearest},
    manifest::{Parameter, Scalar, Task, Template},
    text::{Reference, Text},
};

use super::scope::Scope;

/// What a task hands to one input of its template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Argument {
    pub(crate) text: Text,
    /// The only values that the input takes, if it names some.
    pub(crate) allowed: Option<Vec<String>>,
}

impl Argument {
    /// An argument that is known already.
    pub(super) fn fixed(value: &str) -> Self {
        Self { text: Text::literal_of(value), allowed: None }
    }
}

/// The workflow's parameters: as overridden, else as written, else by default.
pub(super) fn of_workflow(
    declared: &[Parameter],
    overrides: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    const PATH: &str = "spec.arguments.parameters";
    check_declared(PATH, declared, problems);
    for name in overrides.keys() {
        if !declared.iter().any(|parameter| parameter.name == *name) {
            let suggestion = nearest(name, declared.iter().map(|parameter| parameter.name.as_str()));
            problems.push(Problem::new(PATH, format!("there is no parameter `{name}` to set")).suggesting(suggestion));
        }
    }
    let mut values = BTreeMap::new();
    for (index, parameter) in declared.iter().enumerate() {
        let path = format!("{PATH}[{index}]");
        for written in [&parameter.value, &parameter.default].into_iter().flatten() {
            if written.0.contains("{{") {
                problems.push(Problem::new(&path, "a workflow's parameter cannot hold a reference here"));
            }
        }
        let value = overrides.get(&parameter.name).cloned().or_else(|| written(parameter));
        match value {
            Some(value) => {
                check_allowed(&path, parameter, &value, problems);
                values.insert(parameter.name.clone(), value);
            }
            None => {
                let message = format!("parameter `{}` has no value: set it, or give it a default", parameter.name);
                problems.push(Problem::new(path, message));
                // So that references to it are not reported as unknown, too.
                values.insert(parameter.name.clone(), String::new());
            }
        }
    }
    values
}

/// The entrypoint's inputs: the workflow's parameters of the same name, else as declared.
pub(super) fn of_entrypoint(
    path: &str,
    declared: &[Parameter],
    parameters: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, String> {
    let scope = Scope::of_workflow(parameters);
    let mut values = BTreeMap::new();
    for (index, parameter) in declared.iter().enumerate() {
        let path = format!("{path}.inputs.parameters[{index}]");
        let value = parameters.get(&parameter.name).cloned().or_else(|| {
            let text = scope.text(&path, &written(parameter)?, &mut Vec::new());
            // Before a run there is neither name nor id: a value that needs them cannot be the entrypoint's.
            let known = text.references().all(|reference| matches!(reference, Reference::WorkflowParameter(_)));
            known.then(|| {
                text.resolve(|reference| match reference {
                    Reference::WorkflowParameter(name) => parameters.get(name).cloned().unwrap_or_default(),
                    Reference::Input(_)
                    | Reference::WorkflowName
                    | Reference::WorkflowUid
                    | Reference::TaskResult(_)
                    | Reference::TaskParameter(..) => String::new(),
                })
            })
        });
        match value {
            Some(value) => {
                check_allowed(&path, parameter, &value, problems);
                values.insert(parameter.name.clone(), value);
            }
            None => {
                let message = format!(
                    "input parameter `{}` of the entrypoint has no value: declare a workflow parameter of that name",
                    parameter.name
                );
                problems.push(Problem::new(path, message));
                values.insert(parameter.name.clone(), String::new());
            }
        }
    }
    values
}

/// What a task hands to its template: each input once, and nothing that the template does not take.
pub(super) fn of_task(
    path: &str,
    task: &Task,
    template_path: &str,
    template: &Template,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Argument> {
    let declared = &template.inputs.parameters;
    let path = format!("{path}.arguments.parameters");
    let mut given: BTreeMap<&str, Text> = BTreeMap::new();
    for (index, argument) in task.arguments.parameters.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if !declared.iter().any(|parameter| parameter.name == argument.name) {
            let suggestion = nearest(&argument.name, declared.iter().map(|parameter| parameter.name.as_str()));
            let message = format!("template `{}` has no input parameter `{}`", template.name, argument.name);
            problems.push(Problem::new(&path, message).suggesting(suggestion));
        }
        for (field, present) in [("default", argument.default.is_some()), ("enum", argument.allowed.is_some())] {
            if present {
                let message = "belongs to the template's input, not to what a task hands over";
                problems.push(Problem::new(format!("{path}.{field}"), message));
            }
        }
        let Some(Scalar(value)) = &argument.value else {
            problems.push(Problem::new(&path, format!("argument `{}` has no value", argument.name)));
            continue;
        };
        let text = scope.text(&format!("{path}.value"), value, problems);
        if given.insert(&argument.name, text).is_some() {
            problems.push(Problem::new(path, format!("`{}` is there twice", argument.name)));
        }
    }
    let mut arguments = BTreeMap::new();
    for (index, parameter) in declared.iter().enumerate() {
        let own_path = format!("{template_path}.inputs.parameters[{index}]");
        let text = given.remove(parameter.name.as_str()).or_else(|| {
            // Its faults were noted where the template was compiled.
            Some(Scope::of_workflow(scope.parameters()).text(&own_path, &written(parameter)?, &mut Vec::new()))
        });
        let Some(text) = text else {
            let named_without_value = task.arguments.parameters.iter().any(|argument| argument.name == parameter.name);
            if !named_without_value {
                let message =
                    format!("input parameter `{}` of template `{}` is missing", parameter.name, template.name);
                problems.push(Problem::new(&path, message));
            }
            continue;
        };
        if let Some(value) = text.literal() {
            check_allowed(&own_path, parameter, &value, problems);
        }
        let allowed = parameter.allowed.as_ref().map(|values| values.iter().map(|value| value.0.clone()).collect());
        arguments.insert(parameter.name.clone(), Argument { text, allowed });
    }
    arguments
}

/// Checks what a template declares as inputs, whoever uses it.
pub(super) fn check_inputs(
    path: &str,
    declared: &[Parameter],
    parameters: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) {
    let path = format!("{path}.inputs.parameters");
    check_declared(&path, declared, problems);
    let scope = Scope::of_workflow(parameters);
    for (index, parameter) in declared.iter().enumerate() {
        for (field, value) in [("value", &parameter.value), ("default", &parameter.default)] {
            if let Some(Scalar(text)) = value {
                scope.text(&format!("{path}[{index}].{field}"), text, problems);
            }
        }
    }
}

fn written(parameter: &Parameter) -> Option<String> {
    parameter.value.as_ref().or(parameter.default.as_ref()).map(|scalar| scalar.0.clone())
}

fn check_declared(path: &str, declared: &[Parameter], problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (index, parameter) in declared.iter().enumerate() {
        let valid = !parameter.name.is_empty()
            && parameter.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !valid {
            let message = format!("`{}` is not a parameter's name: letters, digits, `-` and `_`", parameter.name);
            problems.push(Problem::new(format!("{path}[{index}].name"), message));
        }
        if !seen.insert(parameter.name.as_str()) {
            problems
                .push(Problem::new(format!("{path}[{index}].name"), format!("`{}` is there twice", parameter.name)));
        }
    }
}

fn check_allowed(path: &str, parameter: &Parameter, value: &str, problems: &mut Vec<Problem>) {
    let Some(allowed) = &parameter.allowed else { return };
    if !allowed.iter().any(|Scalar(one)| one == value) {
        let allowed: Vec<&str> = allowed.iter().map(|Scalar(one)| one.as_str()).collect();
        let message = format!("`{}` is `{value}`, which is none of {}", parameter.name, allowed.join(", "));
        problems.push(Problem::new(path, message));
    }
}
