//! Custom views of an experiment, which MLflow's web client keeps as tags. There is room for so many and no more; those that
//! are there can be written again.

use crate::{
    Experiment, KeyValue,
    error::{Error, Result},
};

/// How the key of a tag begins that is a view.
const PREFIX: &str = "mlflow.customView.view";
/// Views of one experiment.
const MOST: usize = 50;

/// Whether the tag of that key is a view.
pub(crate) fn is_view(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// Refuses the tags of an experiment to be made, if too many are views.
pub(crate) fn check_all(tags: &[KeyValue]) -> Result<()> {
    if count(tags) > MOST { Err(too_many("")) } else { Ok(()) }
}

/// Refuses the tag `key` if it would be one view too many for `experiment`, whose tags were read.
pub(crate) fn check_one(experiment: &Experiment, key: &str) -> Result<()> {
    let is_there = experiment.tags.iter().any(|tag| tag.key == key);
    if !is_view(key) || is_there || count(&experiment.tags) < MOST {
        return Ok(());
    }
    Err(too_many(&format!(" for experiment {}", experiment.id)))
}

fn count(tags: &[KeyValue]) -> usize {
    tags.iter().filter(|tag| is_view(&tag.key)).count()
}

fn too_many(whose: &str) -> Error {
    Error::invalid(format!(
        "Unable to create another custom view{whose}; the maximum number of custom views per experiment is {MOST}. Delete \
         an existing custom view before creating a new one."
    ))
}
