//! The definitions of a project after validation: every name is resolved, every expression has parsed.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use types::{Digest, Duration, Value, ValueType};

use super::FeatureRef;
use crate::{Error, expressions::Compiled, online::Layout, suggest::closest};

/// A column that identifies an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JoinKey {
    /// The column's name.
    pub name: String,
    /// Its type: int32, int64 or string.
    #[serde(rename = "type")]
    pub value_type: ValueType,
}

/// Where a view's values come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceSpec {
    /// Its name.
    pub name: String,
    /// The path as written.
    pub path: String,
    /// The column of event times.
    pub event_time: String,
    /// The column of created times.
    pub created: Option<String>,
}

/// A feature of a view.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub value_type: ValueType,
    /// The SQL expression over the source's columns; `None` is the column of the same name.
    pub expression: Option<String>,
    /// The value of an entity without one; `Value::Null` where null is passed on; `None` where the row is refused.
    pub default: Option<Value>,
    /// For people.
    pub description: Option<String>,
}

impl Feature {
    /// The expression that computes it, as SQL.
    #[must_use]
    pub fn sql(&self) -> String {
        self.expression.clone().unwrap_or_else(|| format!("\"{}\"", self.name.replace('"', "\"\"")))
    }
}

/// A feature view.
#[derive(Debug, Clone)]
pub struct View {
    pub(crate) name: String,
    pub(crate) entities: Vec<String>,
    pub(crate) keys: Vec<JoinKey>,
    pub(crate) source: SourceSpec,
    pub(crate) ttl: Option<Duration>,
    pub(crate) owner: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) features: Vec<Feature>,
    pub(crate) digest: Digest,
    pub(crate) layout: Layout,
}

impl View {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content address of everything that changes its values.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The entities that its features are about.
    #[must_use]
    pub fn entities(&self) -> &[String] {
        &self.entities
    }

    /// The columns that identify a row, over all its entities.
    #[must_use]
    pub fn keys(&self) -> &[JoinKey] {
        &self.keys
    }

    /// Where its values come from.
    #[must_use]
    pub const fn source(&self) -> &SourceSpec {
        &self.source
    }

    /// How old a value may be; `None` is any age.
    #[must_use]
    pub const fn ttl(&self) -> Option<Duration> {
        self.ttl
    }

    /// Who answers for it.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// For people.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Its features, by name: the order in the file does not matter.
    #[must_use]
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// How its rows lie in an online store.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn feature_index(&self, name: &str) -> Option<usize> {
        self.features.binary_search_by(|feature| feature.name.as_str().cmp(name)).ok()
    }
}

/// A feature that is computed at request time.
#[derive(Debug, Clone)]
pub struct OnDemand {
    pub(crate) name: String,
    pub(crate) value_type: ValueType,
    pub(crate) expression: String,
    pub(crate) default: Option<Value>,
    pub(crate) description: Option<String>,
    /// What the expression's columns are, in the order of the compiled expression's inputs.
    pub(crate) inputs: Vec<FeatureRef>,
    pub(crate) compiled: Compiled,
    pub(crate) digest: Digest,
}

impl OnDemand {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// The SQL expression.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// For people.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What it is computed from.
    #[must_use]
    pub fn inputs(&self) -> &[FeatureRef] {
        &self.inputs
    }

    /// The content address of its expression, types, default and inputs.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// All definitions of a project, validated together.
#[derive(Debug, Clone, Default)]
pub struct Definitions {
    pub(crate) entities: BTreeMap<String, Vec<JoinKey>>,
    pub(crate) request: BTreeMap<String, ValueType>,
    pub(crate) views: BTreeMap<String, Arc<View>>,
    pub(crate) on_demand: BTreeMap<String, Arc<OnDemand>>,
}

impl Definitions {
    /// Entities by name, with their keys.
    #[must_use]
    pub const fn entities(&self) -> &BTreeMap<String, Vec<JoinKey>> {
        &self.entities
    }

    /// Request-time values by name.
    #[must_use]
    pub const fn request(&self) -> &BTreeMap<String, ValueType> {
        &self.request
    }

    /// Views, by name.
    pub fn views(&self) -> impl Iterator<Item = &Arc<View>> {
        self.views.values()
    }

    /// On-demand features, by name.
    pub fn on_demand(&self) -> impl Iterator<Item = &Arc<OnDemand>> {
        self.on_demand.values()
    }

    /// The view of that name.
    ///
    /// # Errors
    /// When there is none; the error suggests the nearest.
    pub fn view(&self, name: &str) -> Result<&Arc<View>, Error> {
        self.views.get(name).ok_or_else(|| Error::UnknownView {
            name: name.to_owned(),
            suggestion: closest(name, self.views.keys().map(String::as_str)),
        })
    }

    /// The type of what `reference` names.
    ///
    /// # Errors
    /// When it names nothing; the error suggests the nearest.
    pub fn value_type(&self, reference: &FeatureRef) -> Result<ValueType, Error> {
        let found = match reference {
            FeatureRef::View { view, feature } => {
                let view = self.view(view)?;
                view.feature_index(feature).map(|index| view.features[index].value_type)
            }
            FeatureRef::Request(name) => self.request.get(name).copied(),
            FeatureRef::OnDemand(name) => self.on_demand.get(name).map(|feature| feature.value_type),
        };
        found.ok_or_else(|| {
            let known: Vec<String> = self.references().map(|known| known.to_string()).collect();
            Error::UnknownFeature {
                reference: reference.to_string(),
                suggestion: closest(&reference.to_string(), known.iter().map(String::as_str)),
            }
        })
    }

    /// Everything that can be referred to.
    pub fn references(&self) -> impl Iterator<Item = FeatureRef> {
        let features = self.views.values().flat_map(|view| {
            view.features
                .iter()
                .map(|feature| FeatureRef::View { view: view.name.clone(), feature: feature.name.clone() })
        });
        let request = self.request.keys().cloned().map(FeatureRef::Request);
        let on_demand = self.on_demand.keys().cloned().map(FeatureRef::OnDemand);
        features.chain(request).chain(on_demand)
    }

    /// The digest of the definition of `reference`; request values have none.
    #[must_use]
    pub fn digest_of(&self, reference: &FeatureRef) -> Option<Digest> {
        match reference {
            FeatureRef::View { view, .. } => self.views.get(view).map(|view| view.digest),
            FeatureRef::Request(_) => None,
            FeatureRef::OnDemand(name) => self.on_demand.get(name).map(|feature| feature.digest),
        }
    }

    /// The digests that a model which uses `references` was trained on: by view name, and by `on_demand:NAME`; with
    /// those of the views that its on-demand features read.
    ///
    /// # Errors
    /// When a reference names nothing.
    pub fn digests(&self, references: &[FeatureRef]) -> Result<BTreeMap<String, Digest>, Error> {
        let mut digests = BTreeMap::new();
        let mut open: Vec<FeatureRef> = references.to_vec();
        while let Some(reference) = open.pop() {
            self.value_type(&reference)?;
            match &reference {
                FeatureRef::View { view, .. } => {
                    digests.insert(view.clone(), self.view(view)?.digest);
                }
                FeatureRef::Request(_) => {}
                FeatureRef::OnDemand(name) => {
                    let feature = &self.on_demand[name];
                    if digests.insert(reference.to_string(), feature.digest).is_none() {
                        open.extend(feature.inputs.iter().cloned());
                    }
                }
            }
        }
        Ok(digests)
    }
}
