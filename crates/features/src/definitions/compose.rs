//! From files to [`Definitions`]: every name is checked and resolved, and every problem is told, not only the first.

mod on_demand;

use std::{collections::BTreeMap, fmt, sync::Arc};

use types::{Value, ValueType};

use super::{
    Definitions, Feature, FeatureFile, FeatureFileEntry, FeatureViewFile, JoinKey, SourceFile, SourceSpec, TypedName,
    View, digest,
    reference::{ON_DEMAND, REQUEST},
};
use crate::{expressions, online::Layout, suggest::closest};

/// Something in the files that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which of the files, by its place in the list given to [`Definitions::compose`].
    pub file: usize,
    /// Where in it: `feature_views[0].features[1].expression`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}{}", self.path, self.message, crate::suggest::hint(self.suggestion.as_ref()))
    }
}

impl Definitions {
    /// Composes the files of a project.
    ///
    /// # Errors
    /// All problems found, in the order of the files.
    pub fn compose(files: &[FeatureFile]) -> Result<Self, Vec<Problem>> {
        let mut composer = Composer::default();
        for (index, file) in files.iter().enumerate() {
            composer.file = index;
            composer.names(file);
        }
        for (index, file) in files.iter().enumerate() {
            composer.file = index;
            for (place, view) in file.feature_views.iter().enumerate() {
                composer.view(&format!("feature_views[{place}]"), view);
            }
        }
        composer.on_demand(files);
        if composer.problems.is_empty() {
            Ok(composer.made)
        } else {
            composer.problems.sort_by_key(|problem| problem.file);
            Err(composer.problems)
        }
    }
}

#[derive(Default)]
struct Composer {
    made: Definitions,
    sources: BTreeMap<String, SourceSpec>,
    key_types: BTreeMap<String, ValueType>,
    problems: Vec<Problem>,
    file: usize,
}

impl Composer {
    fn problem(&mut self, path: impl Into<String>, message: impl Into<String>, suggestion: Option<String>) {
        self.problems.push(Problem { file: self.file, path: path.into(), message: message.into(), suggestion });
    }

    fn names(&mut self, file: &FeatureFile) {
        if file.version != 1 {
            self.problem("version", format!("version {} is not known; this is version 1", file.version), None);
        }
        for (place, entity) in file.entities.iter().enumerate() {
            let path = format!("entities[{place}]");
            self.plain_name(&format!("{path}.name"), &entity.name);
            let keys = self.join_keys(&path, &entity.join_keys);
            if self.made.entities.insert(entity.name.clone(), keys).is_some() {
                self.problem(format!("{path}.name"), format!("there are two entities `{}`", entity.name), None);
            }
        }
        for (place, source) in file.sources.iter().enumerate() {
            self.source(&format!("sources[{place}]"), source);
        }
        for (place, value) in file.request.iter().enumerate() {
            let path = format!("request[{place}].name");
            self.column_name(&path, &value.name);
            if self.made.request.insert(value.name.clone(), value.value_type).is_some() {
                self.problem(path, format!("there are two request values `{}`", value.name), None);
            }
        }
    }

    fn join_keys(&mut self, path: &str, keys: &[TypedName]) -> Vec<JoinKey> {
        if keys.is_empty() {
            self.problem(format!("{path}.join_keys"), "an entity needs at least one join key", None);
        }
        for (place, key) in keys.iter().enumerate() {
            let path = format!("{path}.join_keys[{place}]");
            self.column_name(&format!("{path}.name"), &key.name);
            if !matches!(key.value_type, ValueType::Int32 | ValueType::Int64 | ValueType::String) {
                let message = format!("a join key is int32, int64 or string, not {}", key.value_type);
                self.problem(format!("{path}.type"), message, None);
            }
            let other = *self.key_types.entry(key.name.clone()).or_insert(key.value_type);
            if other != key.value_type {
                let message = format!("join key `{}` is {other} elsewhere and {} here", key.name, key.value_type);
                self.problem(format!("{path}.type"), message, None);
            }
        }
        keys.iter().map(|key| JoinKey { name: key.name.clone(), value_type: key.value_type }).collect()
    }

    fn source(&mut self, path: &str, source: &SourceFile) {
        self.plain_name(&format!("{path}.name"), &source.name);
        if let Err(error) = crate::source::check_path(&source.name, &source.path) {
            self.problem(format!("{path}.path"), error.to_string(), None);
        }
        let spec = SourceSpec {
            name: source.name.clone(),
            path: source.path.clone(),
            event_time: source.event_time.clone(),
            created: source.created.clone(),
        };
        if self.sources.insert(source.name.clone(), spec).is_some() {
            self.problem(format!("{path}.name"), format!("there are two sources `{}`", source.name), None);
        }
    }

    fn view(&mut self, path: &str, file: &FeatureViewFile) {
        self.plain_name(&format!("{path}.name"), &file.name);
        if [REQUEST, ON_DEMAND].contains(&file.name.as_str()) {
            self.problem(format!("{path}.name"), format!("`{}` means something else in references", file.name), None);
        }
        let (entities, keys) = self.view_keys(path, file);
        let source = self.view_source(path, file);
        if file.features.is_empty() {
            self.problem(format!("{path}.features"), "a view needs at least one feature", None);
        }
        let mut features: Vec<Feature> = Vec::new();
        for (place, entry) in file.features.iter().enumerate() {
            let feature = self.feature(&format!("{path}.features[{place}]"), entry);
            if features.iter().any(|other| other.name == feature.name) {
                let message = format!("there are two features `{}` in `{}`", feature.name, file.name);
                self.problem(format!("{path}.features[{place}].name"), message, None);
            }
            features.push(feature);
        }
        features.sort_by(|a, b| a.name.cmp(&b.name));
        let Some(source) = source else { return };
        let ttl = file.ttl.filter(|ttl| ttl.as_micros() > 0);
        let view = View {
            name: file.name.clone(),
            digest: digest::of_view(&keys, &source, ttl, &features),
            layout: Layout::new(features.iter().map(|feature| feature.value_type)),
            entities,
            keys,
            source,
            ttl,
            owner: file.owner.clone(),
            description: file.description.clone(),
            features,
        };
        if self.made.views.insert(file.name.clone(), Arc::new(view)).is_some() {
            self.problem(format!("{path}.name"), format!("there are two feature views `{}`", file.name), None);
        }
    }

    fn view_keys(&mut self, path: &str, file: &FeatureViewFile) -> (Vec<String>, Vec<JoinKey>) {
        let (names, place): (Vec<String>, _) = match (&file.entity, file.entities.as_slice()) {
            (Some(name), []) => (vec![name.clone()], format!("{path}.entity")),
            (None, names) if !names.is_empty() => (names.to_vec(), format!("{path}.entities")),
            (Some(_), _) => {
                self.problem(format!("{path}.entities"), "give `entity` or `entities`, not both", None);
                (file.entities.clone(), format!("{path}.entities"))
            }
            (None, _) => {
                self.problem(path, format!("the view `{}` needs an `entity`", file.name), None);
                (Vec::new(), path.to_owned())
            }
        };
        let mut keys: Vec<JoinKey> = Vec::new();
        for name in &names {
            match self.made.entities.get(name) {
                Some(of_entity) => {
                    for key in of_entity {
                        if !keys.contains(key) {
                            keys.push(key.clone());
                        }
                    }
                }
                None => {
                    let suggestion = closest(name, self.made.entities.keys().map(String::as_str));
                    self.problem(place.clone(), format!("there is no entity `{name}`"), suggestion);
                }
            }
        }
        (names, keys)
    }

    fn view_source(&mut self, path: &str, file: &FeatureViewFile) -> Option<SourceSpec> {
        let found = self.sources.get(&file.source).cloned();
        if found.is_none() {
            let suggestion = closest(&file.source, self.sources.keys().map(String::as_str));
            self.problem(format!("{path}.source"), format!("there is no source `{}`", file.source), suggestion);
        }
        found
    }

    fn feature(&mut self, path: &str, entry: &FeatureFileEntry) -> Feature {
        self.column_name(&format!("{path}.name"), &entry.name);
        if let Some(sql) = &entry.expression
            && let Err(error) = expressions::columns_of(sql)
        {
            self.problem(format!("{path}.expression"), error.reason, error.suggestion);
        }
        Feature {
            name: entry.name.clone(),
            value_type: entry.value_type,
            expression: entry.expression.clone(),
            default: self.default_value(path, entry.default.as_ref(), entry.value_type),
            description: entry.description.clone(),
        }
    }

    fn default_value(&mut self, path: &str, json: Option<&serde_json::Value>, kind: ValueType) -> Option<Value> {
        let json = json?;
        if json.is_null() || json.as_str() == Some("none") {
            return Some(Value::Null);
        }
        match Value::from_json(json, kind) {
            Ok(value) => Some(value),
            Err(_) => {
                let message = format!("the default {json} is not {kind}; write `none` to pass null to the model");
                self.problem(format!("{path}.default"), message, None);
                None
            }
        }
    }

    fn column_name(&mut self, path: &str, name: &str) {
        let mut letters = name.chars();
        let fits = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !fits {
            self.problem(path, format!("`{name}` must be letters, digits and `_`, as a SQL name"), None);
        }
    }

    fn plain_name(&mut self, path: &str, name: &str) {
        let fits = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        if !fits {
            self.problem(path, format!("`{name}` must be letters, digits, `_` and `-`"), None);
        }
    }
}
