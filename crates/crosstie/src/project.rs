//! A project: `crosstie.yaml`, `features/*.yaml` and `models/*.yaml`, composed, validated and content-addressed.
//!
//! Each crate owns the type of its part; this module only puts the parts together and says, with file, line and column,
//! what is wrong with them. What is in force is what is stored ([`repo`]); a folder is only where it comes from.

mod files;
pub(crate) mod locate;
pub(crate) mod repo;
pub(crate) mod schemas;
mod store;
pub(crate) mod yaml;

use std::{collections::BTreeMap, sync::Arc};

use api::system::{ProjectFiles, ProjectProblem};
use features::{Definitions, FeatureRef, definitions::FeatureFile};
use release::ModelFile;
use serde::{Deserialize, Serialize};
use types::{Digest, ModelName};

pub(crate) use files::{find_project_dir, read_files};
pub(crate) use store::ProjectStore;

use crate::settings::ProjectFile;

/// The file that makes a folder a project.
pub(crate) const PROJECT_FILE: &str = "crosstie.yaml";

/// The parsed files of a project: what is stored, and what its digest is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Content {
    /// `crosstie.yaml`.
    pub(crate) project: ProjectFile,
    /// `features/*.yaml` by path.
    pub(crate) features: BTreeMap<String, FeatureFile>,
    /// `models/*.yaml` by path.
    pub(crate) models: BTreeMap<String, ModelFile>,
}

/// A valid project.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// Its content address.
    pub(crate) digest: Digest,
    /// Its files.
    pub(crate) content: Content,
    /// The feature files, composed.
    pub(crate) definitions: Arc<Definitions>,
    /// The model files by model.
    pub(crate) models: BTreeMap<ModelName, ModelFile>,
}

impl Project {
    /// Parses and composes the texts of a project's files.
    ///
    /// # Errors
    /// Everything that is wrong, each problem with its place.
    pub(crate) fn parse(files: &ProjectFiles) -> Result<Self, Vec<ProjectProblem>> {
        let mut problems = Vec::new();
        let mut content =
            Content { project: ProjectFile::default(), features: BTreeMap::new(), models: BTreeMap::new() };
        for (path, text) in files {
            let parsed = if path == PROJECT_FILE {
                yaml::parse(path, text).map(|file| content.project = file)
            } else if path.starts_with("features/") {
                yaml::parse(path, text).map(|file| drop(content.features.insert(path.clone(), file)))
            } else {
                yaml::parse(path, text).map(|file| drop(content.models.insert(path.clone(), file)))
            };
            problems.extend(parsed.err());
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Self::compose(content, files)
    }

    /// The project that was stored as `content`.
    ///
    /// # Errors
    /// When what was stored by another version is not valid to this one.
    pub(crate) fn restore(content: Content) -> Result<Self, Vec<ProjectProblem>> {
        Self::compose(content, &ProjectFiles::new())
    }

    fn compose(content: Content, texts: &ProjectFiles) -> Result<Self, Vec<ProjectProblem>> {
        let mut problems = Vec::new();
        let place = |file: &str, path: &str, message: String, help: Option<String>| {
            let (line, column) = texts.get(file).and_then(|text| locate::locate(text, path)).unwrap_or((0, 0));
            ProjectProblem { file: file.to_owned(), line, column, message, help }
        };
        let (paths, feature_files): (Vec<&String>, Vec<FeatureFile>) =
            content.features.iter().map(|(path, file)| (path, file.clone())).unzip();
        let definitions = Definitions::compose(&feature_files).unwrap_or_else(|found| {
            problems.extend(found.into_iter().map(|p| place(paths[p.file], &p.path, p.message, p.suggestion)));
            Definitions::default()
        });
        let mut models: BTreeMap<ModelName, ModelFile> = BTreeMap::new();
        for (path, file) in &content.models {
            problems
                .extend(file.validate().into_iter().map(|p| place(path, &p.path.join("."), p.message, p.suggestion)));
            if problems.is_empty() {
                problems.extend(
                    model_feature_problems(file, &definitions)
                        .map(|(at, message, help)| place(path, &at, message, help)),
                );
            }
            if models.insert(file.model.clone(), file.clone()).is_some() {
                problems.push(place(path, "model", format!("model `{}` is declared in two files", file.model), None));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let canonical = serde_json::to_vec(&content).expect("a project's types have string keys only");
        Ok(Self { digest: Digest::of(canonical), content, definitions: Arc::new(definitions), models })
    }

    /// The features that `model` uses, parsed; validation has seen that they parse and exist.
    pub(crate) fn features_of(&self, model: &ModelFile) -> Vec<FeatureRef> {
        model.features.iter().flatten().filter_map(|text| FeatureRef::parse(text).ok()).collect()
    }
}

/// What is wrong with the features that a model file names: path in the file, message, help.
fn model_feature_problems<'a>(
    file: &'a ModelFile,
    definitions: &'a Definitions,
) -> impl Iterator<Item = (String, String, Option<String>)> + 'a {
    file.features.iter().flatten().enumerate().filter_map(|(index, text)| {
        let known = FeatureRef::parse(text).map_err(features::Error::from).and_then(|it| definitions.value_type(&it));
        known.err().map(|error| (format!("features[{index}]"), error.to_string(), None))
    })
}

#[cfg(test)]
mod tests;
