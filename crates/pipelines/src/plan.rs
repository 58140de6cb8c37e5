//! A manifest made ready to run: every fault named before anything starts.
//!
//! Compiling is pure. What it leaves for the run are only the values that a run makes: its id, and outputs of tasks.

mod graph;
mod parameters;
mod scope;
mod steps;
mod unsupported;

use std::collections::{BTreeMap, BTreeSet};

use types::Digest;

use crate::{
    error::{Problem, nearest},
    manifest::{Task, Template, Workflow},
    text::{Reference, Text},
};

pub(crate) use self::steps::OutputTemplate;
use self::{
    parameters::Argument,
    scope::{Scope, Surroundings},
    steps::StepTemplate,
};

/// How a run is called.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RunName {
    Fixed(String),
    /// Five characters of the run's id follow.
    Prefix(String),
}

/// A workflow, checked, with its tasks in an order in which they can run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    name: RunName,
    digest: Digest,
    parameters: BTreeMap<String, String>,
    /// The entrypoint's own inputs, which its tasks' arguments may name.
    pub(crate) inputs: BTreeMap<String, String>,
    tasks: Vec<PlannedTask>,
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedTask {
    pub(crate) name: String,
    pub(crate) template: String,
    /// Indices into the plan's tasks, all smaller than this one's.
    pub(crate) dependencies: Vec<usize>,
    pub(crate) arguments: BTreeMap<String, Argument>,
    pub(crate) step: StepTemplate,
    pub(crate) keeps_result: bool,
}

impl PlannedTask {
    /// The task's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The template that it runs.
    #[must_use]
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The image that the template names.
    #[must_use]
    pub fn image(&self) -> &str {
        &self.step.image
    }
}

impl Plan {
    /// Compiles `workflow`, its parameters replaced by `overrides`.
    ///
    /// # Errors
    /// With everything that is wrong or not run here, in the order of the manifest.
    pub fn compile(workflow: &Workflow, overrides: &BTreeMap<String, String>) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        unsupported::check(workflow, &mut problems);
        let parameters = parameters::of_workflow(&workflow.spec.arguments.parameters, overrides, &mut problems);
        let name = run_name(workflow, &mut problems);
        let templates = Templates::new(&workflow.spec.templates, &parameters, &mut problems);
        let compiled = templates.entrypoint(&workflow.spec.entrypoint, &mut problems);
        match (compiled, problems.is_empty()) {
            (Some((inputs, tasks)), true) => Ok(Self { name, digest: workflow.digest(), parameters, inputs, tasks }),
            (_, _) => Err(problems),
        }
    }

    /// The workflow's name, without what a run adds to a `generateName`.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.name {
            RunName::Fixed(name) => name,
            RunName::Prefix(prefix) => prefix.trim_end_matches('-'),
        }
    }

    /// The name of the run whose id is `uid`.
    #[must_use]
    pub fn run_name(&self, uid: &uuid::Uuid) -> String {
        match &self.name {
            RunName::Fixed(name) => name.clone(),
            // The id's end: its beginning is the time, the same for runs of one hour.
            RunName::Prefix(prefix) => format!("{prefix}{}", &uid.simple().to_string()[27..]),
        }
    }

    /// The digest of the manifest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The workflow's parameters as they will be used.
    #[must_use]
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.parameters
    }

    /// The tasks, each after those that it depends on.
    #[must_use]
    pub fn tasks(&self) -> &[PlannedTask] {
        &self.tasks
    }

    /// The images that the tasks name, each once.
    #[must_use]
    pub fn images(&self) -> Vec<&str> {
        self.tasks.iter().map(PlannedTask::image).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn run_name(workflow: &Workflow, problems: &mut Vec<Problem>) -> RunName {
    match (&workflow.metadata.name, &workflow.metadata.generate_name) {
        (Some(name), _) => RunName::Fixed(name.clone()),
        (None, Some(prefix)) => RunName::Prefix(prefix.clone()),
        (None, None) => {
            problems.push(Problem::new("metadata", "needs a `name` or a `generateName`"));
            RunName::Fixed(String::new())
        }
    }
}

/// Argo's rule for the names of tasks and templates; they are also names of log files.
fn check_name(path: &str, name: &str, problems: &mut Vec<Problem>) {
    let valid = !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !name.starts_with('-');
    if !valid {
        let message = format!("`{name}` is not a name: letters, digits and `-`, at most 128, not beginning with `-`");
        problems.push(Problem::new(path, message));
    }
}

type Inputs = BTreeMap<String, String>;

/// The templates by name, their steps compiled.
struct Templates<'a> {
    all: &'a [Template],
    steps: BTreeMap<&'a str, StepTemplate>,
    parameters: &'a BTreeMap<String, String>,
}

impl<'a> Templates<'a> {
    fn new(all: &'a [Template], parameters: &'a BTreeMap<String, String>, problems: &mut Vec<Problem>) -> Self {
        let mut steps = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for (index, template) in all.iter().enumerate() {
            let path = format!("spec.templates[{index}]");
            check_name(&format!("{path}.name"), &template.name, problems);
            if !seen.insert(template.name.as_str()) {
                problems.push(Problem::new(format!("{path}.name"), format!("`{}` is there twice", template.name)));
            }
            if let Some(step) = steps::compile(&path, template, parameters, problems) {
                steps.insert(template.name.as_str(), step);
            }
        }
        Self { all, steps, parameters }
    }

    fn named(&self, name: &str) -> Option<(usize, &'a Template)> {
        self.all.iter().enumerate().find(|(_, template)| template.name == name)
    }

    fn missing(&self, path: &str, name: &str) -> Problem {
        let known = self.all.iter().map(|template| template.name.as_str());
        Problem::new(path, format!("there is no template `{name}`")).suggesting(nearest(name, known))
    }

    /// The entrypoint's inputs and tasks. A step as entrypoint is a graph of one task.
    fn entrypoint(&self, name: &str, problems: &mut Vec<Problem>) -> Option<(Inputs, Vec<PlannedTask>)> {
        let Some((index, template)) = self.named(name) else {
            problems.push(self.missing("spec.entrypoint", name));
            return None;
        };
        let path = format!("spec.templates[{index}]");
        let inputs = parameters::of_entrypoint(&path, &template.inputs.parameters, self.parameters, problems);
        if let Some(dag) = &template.dag {
            let tasks = self.tasks(&format!("{path}.dag"), &dag.tasks, &inputs, problems)?;
            return Some((inputs, tasks));
        }
        let step = self.steps.get(name)?.clone();
        let arguments = inputs.iter().map(|(name, value)| (name.clone(), Argument::fixed(value))).collect();
        let task = PlannedTask {
            name: name.to_owned(),
            template: name.to_owned(),
            dependencies: Vec::new(),
            arguments,
            step,
            keeps_result: false,
        };
        Some((inputs, vec![task]))
    }

    fn tasks(
        &self,
        path: &str,
        tasks: &[Task],
        inputs: &Inputs,
        problems: &mut Vec<Problem>,
    ) -> Option<Vec<PlannedTask>> {
        for (index, task) in tasks.iter().enumerate() {
            check_name(&format!("{path}.tasks[{index}].name"), &task.name, problems);
        }
        let graph = graph::Graph::new(path, tasks, problems)?;
        let outputs: Vec<_> =
            tasks.iter().map(|task| self.steps.get(task.template.as_str()).map(StepTemplate::output_names)).collect();
        let mut planned = Vec::with_capacity(tasks.len());
        for &index in graph.order() {
            let task = &tasks[index];
            let path = format!("{path}.tasks[{index}]");
            let Some((template_index, template)) = self.named(&task.template) else {
                problems.push(self.missing(&format!("{path}.template"), &task.template));
                continue;
            };
            if template.dag.is_some() {
                let message = format!("`{}` is itself a `dag`: a graph within a graph is not run here", task.template);
                problems.push(Problem::new(format!("{path}.template"), message));
                continue;
            }
            let surroundings = Surroundings { graph: &graph, task: index, outputs: &outputs };
            let scope = Scope::of_task(self.parameters, inputs, surroundings);
            let template_path = format!("spec.templates[{template_index}]");
            let arguments = parameters::of_task(&path, task, &template_path, template, &scope, problems);
            // A template that did not compile has said why.
            let Some(step) = self.steps.get(task.template.as_str()) else { continue };
            planned.push(PlannedTask {
                name: task.name.clone(),
                template: task.template.clone(),
                dependencies: graph.dependencies_in_order(index),
                arguments,
                step: step.clone(),
                keeps_result: false,
            });
        }
        if planned.len() < tasks.len() {
            return None;
        }
        mark_results(&mut planned);
        graph::check_output_files(path, tasks, &planned, &graph, problems);
        Some(planned)
    }
}

/// Standard output is kept only of the tasks whose result somebody names.
fn mark_results(tasks: &mut [PlannedTask]) {
    let wanted: BTreeSet<String> = tasks
        .iter()
        .flat_map(|task| task.arguments.values().flat_map(|argument| argument.text.references()))
        .filter_map(|reference| match reference {
            Reference::TaskResult(task) => Some(task.clone()),
            Reference::Input(_)
            | Reference::WorkflowParameter(_)
            | Reference::WorkflowName
            | Reference::WorkflowUid
            | Reference::TaskParameter(..) => None,
        })
        .collect();
    for task in tasks {
        task.keeps_result = wanted.contains(&task.name);
    }
}

/// The parsed text, or an empty one after its faults were noted.
fn parse_text(path: &str, text: &str, problems: &mut Vec<Problem>) -> Text {
    Text::parse(text).unwrap_or_else(|faults| {
        problems.extend(faults.into_iter().map(|fault| Problem::new(path, fault)));
        Text::default()
    })
}
