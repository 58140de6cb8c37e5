//! On-demand features: short names are resolved, and expressions compiled in the order in which they need one another.

use std::collections::BTreeSet;
use std::sync::Arc;

use types::ValueType;

use super::Composer;
use crate::{
    columns::data_type,
    definitions::{FeatureFile, FeatureRef, OnDemand, OnDemandFile, digest},
    expressions::{self, Compiled},
    suggest::closest,
};

/// A feature that is not compiled yet.
struct Open<'a> {
    file: usize,
    path: String,
    entry: &'a OnDemandFile,
}

/// What became of an attempt to compile one.
#[derive(PartialEq, Eq)]
enum Attempt {
    Done,
    /// It is wrong, which has been told.
    Refused,
    /// It needs others first.
    Waits,
}

/// What a short name stands for.
enum Named {
    Known(FeatureRef, ValueType),
    /// An on-demand feature that is not compiled yet.
    Later,
    Unknown {
        message: String,
        suggestion: Option<String>,
    },
}

impl Composer {
    /// Compiles the on-demand features of all files.
    pub(super) fn on_demand(&mut self, files: &[FeatureFile]) {
        let mut open = self.open(files);
        let mut awaited: BTreeSet<String> = open.iter().map(|open| open.entry.name.clone()).collect();
        // Each round compiles those whose inputs are known; what is left when a round compiles none is a circle.
        loop {
            let before = open.len();
            let mut refused = false;
            open.retain(|one| {
                self.file = one.file;
                let attempt = self.compile(one, &awaited);
                refused |= attempt == Attempt::Refused;
                attempt == Attempt::Waits
            });
            if refused {
                // Those that wait for what is refused would seem to wait for themselves.
                return;
            }
            awaited = open.iter().map(|open| open.entry.name.clone()).collect();
            if open.is_empty() || open.len() == before {
                break;
            }
        }
        for one in open {
            self.file = one.file;
            let message =
                format!("the on-demand feature `{}` is computed from itself, by way of others", one.entry.name);
            self.problem(format!("{}.expression", one.path), message, None);
        }
    }

    fn open<'a>(&mut self, files: &'a [FeatureFile]) -> Vec<Open<'a>> {
        let mut open: Vec<Open<'_>> = Vec::new();
        for (file, content) in files.iter().enumerate() {
            for (place, entry) in content.on_demand_features.iter().enumerate() {
                self.file = file;
                let path = format!("on_demand_features[{place}]");
                self.column_name(&format!("{path}.name"), &entry.name);
                if open.iter().any(|other| other.entry.name == entry.name) {
                    let message = format!("there are two on-demand features `{}`", entry.name);
                    self.problem(format!("{path}.name"), message, None);
                } else {
                    open.push(Open { file, path, entry });
                }
            }
        }
        open
    }

    fn compile(&mut self, open: &Open<'_>, awaited: &BTreeSet<String>) -> Attempt {
        let (entry, place) = (open.entry, format!("{}.expression", open.path));
        let columns = match expressions::columns_of(&entry.expression) {
            Ok(columns) => columns,
            Err(error) => {
                self.problem(place, error.reason, error.suggestion);
                return Attempt::Refused;
            }
        };
        let mut inputs = Vec::new();
        for column in &columns {
            match self.named(column, awaited) {
                Named::Known(reference, kind) => inputs.push((reference, kind)),
                Named::Later => return Attempt::Waits,
                Named::Unknown { message, suggestion } => {
                    self.problem(place, message, suggestion);
                    return Attempt::Refused;
                }
            }
        }
        let available: Vec<(&str, _)> =
            inputs.iter().map(|(reference, kind)| (reference.name(), data_type(*kind))).collect();
        let compiled = match Compiled::new(&entry.expression, &available, entry.value_type) {
            Ok(compiled) => compiled,
            Err(error) => {
                self.problem(place, error.reason, error.suggestion);
                return Attempt::Refused;
            }
        };
        let default = self.default_value(&open.path, entry.default.as_ref(), entry.value_type);
        let feature = OnDemand {
            name: entry.name.clone(),
            value_type: entry.value_type,
            expression: entry.expression.clone(),
            digest: digest::of_on_demand(&entry.expression, entry.value_type, default.as_ref(), &inputs),
            default,
            description: entry.description.clone(),
            inputs: inputs.into_iter().map(|(reference, _)| reference).collect(),
            compiled,
        };
        self.made.on_demand.insert(entry.name.clone(), Arc::new(feature));
        Attempt::Done
    }

    fn named(&self, name: &str, awaited: &BTreeSet<String>) -> Named {
        let mut candidates: Vec<FeatureRef> = self.made.references().filter(|known| known.name() == name).collect();
        let later = FeatureRef::OnDemand(name.to_owned());
        if awaited.contains(name) && !candidates.contains(&later) {
            candidates.push(later);
        }
        match candidates.as_slice() {
            [] => {
                let known: Vec<FeatureRef> = self.made.references().collect();
                let suggestion = closest(name, known.iter().map(FeatureRef::name));
                Named::Unknown { message: format!("there is no feature or request value `{name}`"), suggestion }
            }
            [one] => match self.made.value_type(one) {
                Ok(kind) => Named::Known(one.clone(), kind),
                Err(_) => Named::Later,
            },
            several => {
                let all: Vec<String> = several.iter().map(ToString::to_string).collect();
                Named::Unknown { message: format!("`{name}` could be any of {}", all.join(", ")), suggestion: None }
            }
        }
    }
}
