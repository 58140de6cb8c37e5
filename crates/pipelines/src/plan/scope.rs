//! Which references may stand where.
//!
//! A step sees its own inputs and the workflow; a task's arguments see the graph's inputs, the workflow and the outputs
//! of the tasks before it. Argo draws the same lines, so a file that passes here resolves there.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::{Problem, nearest},
    text::{Reference, Text},
};

use super::{graph::Graph, parse_text};

/// What a task's arguments can name beside inputs and the workflow.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) graph: &'a Graph,
    pub(super) task: usize,
    /// The output parameters of each task; none where its template is missing, which is said elsewhere.
    pub(super) outputs: &'a [Option<BTreeSet<String>>],
}

/// The names that a text may refer to.
pub(super) struct Scope<'a> {
    parameters: &'a BTreeMap<String, String>,
    inputs: BTreeSet<&'a str>,
    surroundings: Option<Surroundings<'a>>,
}

impl<'a> Scope<'a> {
    pub(super) fn of_step(parameters: &'a BTreeMap<String, String>, inputs: BTreeSet<&'a str>) -> Self {
        Self { parameters, inputs, surroundings: None }
    }

    pub(super) fn of_task(
        parameters: &'a BTreeMap<String, String>,
        inputs: &'a BTreeMap<String, String>,
        surroundings: Surroundings<'a>,
    ) -> Self {
        Self { parameters, inputs: inputs.keys().map(String::as_str).collect(), surroundings: Some(surroundings) }
    }

    /// The scope of a declared value or default: the workflow alone.
    pub(super) fn of_workflow(parameters: &'a BTreeMap<String, String>) -> Self {
        Self { parameters, inputs: BTreeSet::new(), surroundings: None }
    }

    pub(super) fn parameters(&self) -> &'a BTreeMap<String, String> {
        self.parameters
    }

    /// Parses text and notes each reference that leads nowhere.
    pub(super) fn text(&self, path: &str, text: &str, problems: &mut Vec<Problem>) -> Text {
        let text = parse_text(path, text, problems);
        for reference in text.references() {
            if let Err((message, suggestion)) = self.check(reference) {
                problems.push(Problem::new(path, message).suggesting(suggestion));
            }
        }
        text
    }

    fn check(&self, reference: &Reference) -> Result<(), (String, Option<String>)> {
        match reference {
            Reference::WorkflowName | Reference::WorkflowUid => Ok(()),
            Reference::WorkflowParameter(name) => match self.parameters.contains_key(name) {
                true => Ok(()),
                false => Err((
                    format!("the workflow has no parameter `{name}`"),
                    nearest(name, self.parameters.keys().map(String::as_str)),
                )),
            },
            Reference::Input(name) => match self.inputs.contains(name.as_str()) {
                true => Ok(()),
                false => Err((
                    format!("there is no input parameter `{name}` here"),
                    nearest(name, self.inputs.iter().copied()),
                )),
            },
            Reference::TaskResult(task) => self.before(task).map(|_| ()),
            Reference::TaskParameter(task, name) => {
                let outputs = self.before(task)?;
                match outputs {
                    Some(outputs) if !outputs.contains(name) => Err((
                        format!("the template of task `{task}` has no output parameter `{name}`"),
                        nearest(name, outputs.iter().map(String::as_str)),
                    )),
                    Some(_) | None => Ok(()),
                }
            }
        }
    }

    /// The output parameters of `task`, which must come before this one.
    fn before(&self, task: &str) -> Result<Option<&'a BTreeSet<String>>, (String, Option<String>)> {
        let Some(Surroundings { graph, task: this, outputs }) = self.surroundings else {
            let message = format!(
                "outputs of task `{task}` are known only in the arguments of a graph's tasks: hand this one over as an \
                 input parameter"
            );
            return Err((message, None));
        };
        let Some(index) = graph.index(task) else {
            return Err((format!("there is no task `{task}`"), nearest(task, graph.names())));
        };
        if !graph.ancestors(this).contains(&index) {
            return Err((format!("reads an output of task `{task}`, on which it does not depend"), None));
        }
        Ok(outputs[index].as_ref())
    }
}
