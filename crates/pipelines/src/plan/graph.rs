//! The order of a graph's tasks: `dependencies`, `depends`, cycles, and files that two tasks would both write.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    error::{Problem, nearest},
    manifest::Task,
    text::{Reference, Text},
};

use super::PlannedTask;

/// A graph without cycles.
#[derive(Debug)]
pub(super) struct Graph {
    indices: BTreeMap<String, usize>,
    dependencies: Vec<BTreeSet<usize>>,
    order: Vec<usize>,
    ancestors: Vec<BTreeSet<usize>>,
}

impl Graph {
    /// The graph of `tasks`, unless names or edges are so wrong that there is none.
    pub(super) fn new(path: &str, tasks: &[Task], problems: &mut Vec<Problem>) -> Option<Self> {
        let before = problems.len();
        if tasks.is_empty() {
            problems.push(Problem::new(format!("{path}.tasks"), "has no task"));
        }
        let mut indices = BTreeMap::new();
        for (index, task) in tasks.iter().enumerate() {
            if indices.insert(task.name.clone(), index).is_some() {
                let message = format!("`{}` is there twice", task.name);
                problems.push(Problem::new(format!("{path}.tasks[{index}].name"), message));
            }
        }
        check_style(path, tasks, problems);
        let dependencies: Vec<BTreeSet<usize>> = tasks
            .iter()
            .enumerate()
            .map(|(index, task)| edges(&format!("{path}.tasks[{index}]"), task, &indices, problems))
            .collect();
        let Some(order) = order(&dependencies) else {
            problems.push(cycle(path, tasks, &dependencies));
            return None;
        };
        let mut ancestors = vec![BTreeSet::new(); tasks.len()];
        for &index in &order {
            let mut all = dependencies[index].clone();
            for &dependency in &dependencies[index] {
                all.extend(&ancestors[dependency]);
            }
            ancestors[index] = all;
        }
        (problems.len() == before).then_some(Self { indices, dependencies, order, ancestors })
    }

    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.indices.get(name).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.indices.keys().map(String::as_str)
    }

    /// Each task after those that it depends on, otherwise as written.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    /// Every task that must have succeeded before this one starts.
    pub(super) fn ancestors(&self, task: usize) -> &BTreeSet<usize> {
        &self.ancestors[task]
    }

    /// What `task` depends on, as places in [`Self::order`].
    pub(super) fn dependencies_in_order(&self, task: usize) -> Vec<usize> {
        (0..self.order.len()).filter(|&place| self.dependencies[task].contains(&self.order[place])).collect()
    }
}

/// Argo's rules for the two ways to say it: one of them in a whole graph, and then no name that begins with a digit.
fn check_style(path: &str, tasks: &[Task], problems: &mut Vec<Problem>) {
    let is_depends_used = tasks.iter().any(|task| task.depends.is_some());
    for (index, task) in tasks.iter().enumerate() {
        let has_dependencies = task.dependencies.as_ref().is_some_and(|names| !names.is_empty());
        let path = format!("{path}.tasks[{index}]");
        if is_depends_used && has_dependencies {
            let message = "cannot be used in a graph that also uses `depends`";
            problems.push(Problem::new(format!("{path}.dependencies"), message));
        }
        if (is_depends_used || has_dependencies) && task.name.starts_with(|first: char| first.is_ascii_digit()) {
            let message = "cannot begin with a digit in a graph with `depends` or `dependencies`";
            problems.push(Problem::new(format!("{path}.name"), message));
        }
    }
}

/// The tasks that `task` names as those before it.
fn edges(path: &str, task: &Task, indices: &BTreeMap<String, usize>, problems: &mut Vec<Problem>) -> BTreeSet<usize> {
    let (path, names) = match (&task.depends, &task.dependencies) {
        (Some(expression), _) => {
            let path = format!("{path}.depends");
            match conjunction(expression) {
                Ok(names) => (path, names),
                Err(message) => {
                    problems.push(Problem::new(path, message));
                    return BTreeSet::new();
                }
            }
        }
        (None, Some(names)) => (format!("{path}.dependencies"), names.clone()),
        (None, None) => return BTreeSet::new(),
    };
    let mut found = BTreeSet::new();
    for name in names {
        match indices.get(&name) {
            Some(&index) => {
                found.insert(index);
            }
            None => {
                let suggestion = nearest(&name, indices.keys().map(String::as_str));
                problems.push(Problem::new(&path, format!("there is no task `{name}`")).suggesting(suggestion));
            }
        }
    }
    found
}

/// The names of `a && b && c`. Since a failure stops the graph here, nothing but success can be waited for.
fn conjunction(expression: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = expression.split("&&").map(|name| name.trim().to_owned()).collect();
    let plain = |name: &String| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if names.iter().all(plain) {
        return Ok(names);
    }
    Err(format!("`{expression}` is not run here: only names of tasks joined by `&&` are"))
}

/// Kahn's algorithm, taking the first ready task in the manifest's order; none if there is a cycle.
fn order(dependencies: &[BTreeSet<usize>]) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = Vec::with_capacity(dependencies.len());
    let mut placed = BTreeSet::new();
    while order.len() < dependencies.len() {
        let ready = (0..dependencies.len()).find(|i| !placed.contains(i) && dependencies[*i].is_subset(&placed))?;
        placed.insert(ready);
        order.push(ready);
    }
    Some(order)
}

/// Names one cycle: from any task that can never start, backwards until one repeats.
fn cycle(path: &str, tasks: &[Task], dependencies: &[BTreeSet<usize>]) -> Problem {
    let mut stuck: BTreeSet<usize> = (0..tasks.len()).collect();
    while let Some(free) = stuck.iter().copied().find(|&i| dependencies[i].is_disjoint(&stuck)) {
        stuck.remove(&free);
    }
    let mut trail: Vec<usize> = stuck.iter().copied().take(1).collect();
    let (start, first) = loop {
        let last = trail[trail.len() - 1];
        let next = dependencies[last].intersection(&stuck).copied().next().unwrap_or(last);
        if let Some(start) = trail.iter().position(|&seen| seen == next) {
            break (start, next);
        }
        trail.push(next);
    };
    let names: Vec<&str> = trail[start..].iter().chain([&first]).rev().map(|&i| tasks[i].name.as_str()).collect();
    Problem::new(format!("{path}.tasks[{first}]"), format!("the tasks wait for each other: {}", names.join(" → ")))
}

/// Here, unlike in pods, all steps share one file system: a path that two steps may write at once is a race.
pub(super) fn check_output_files(
    path: &str,
    tasks: &[Task],
    planned: &[PlannedTask],
    graph: &Graph,
    problems: &mut Vec<Problem>,
) {
    let mut writers: Vec<(usize, &Text)> = Vec::new();
    for task in planned {
        let Some(index) = graph.index(&task.name) else { continue };
        for output in &task.step.outputs {
            let depends_on_inputs = output.path.references().any(|reference| matches!(reference, Reference::Input(_)));
            if depends_on_inputs {
                continue;
            }
            let race = writers.iter().find(|(other, path)| {
                let ordered = graph.ancestors(index).contains(other) || graph.ancestors(*other).contains(&index);
                **path == output.path && !ordered
            });
            if let Some((other, _)) = race {
                let message = format!(
                    "writes the same file for its output parameter `{}` as task `{}`, which may run at the same time: \
                     locally, steps share one file system",
                    output.name, tasks[*other].name
                );
                problems.push(Problem::new(format!("{path}.tasks[{index}]"), message));
            }
            writers.push((index, &output.path));
        }
    }
}
