//! What a model version needs of the features, worked out once: keys, request values, views, expressions, and where
//! each value goes. Reading by a plan resolves no name and compiles nothing.

mod assemble;

use std::{collections::HashMap, sync::Arc};

use types::{Digest, Value, ValueType};

use crate::{
    Definitions, Error, FeatureRef,
    definitions::{JoinKey, OnDemand, View},
    online::Space,
};

pub(crate) use assemble::{FoundRow, Rails, assemble};

/// One feature that a plan answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFeature {
    /// What it is.
    pub reference: FeatureRef,
    /// Its type.
    pub value_type: ValueType,
    /// The digest of its definition; request values have none.
    pub digest: Option<Digest>,
}

impl PlannedFeature {
    /// The name of the model's input.
    #[must_use]
    pub fn name(&self) -> &str {
        self.reference.name()
    }
}

/// One row to read: values in the order of the plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntityRow {
    /// One per [`ReadPlan::entity_keys`]; null where the row has no such entity.
    pub keys: Vec<Value>,
    /// One per [`ReadPlan::request_values`].
    pub request: Vec<Value>,
    /// Feature values that came with the request, by input name; they win over what is stored.
    pub overrides: Vec<(String, Value)>,
}

/// Compiled once for a model version; see [`ReadPlan::new`].
#[derive(Debug, Clone)]
pub struct ReadPlan {
    features: Vec<PlannedFeature>,
    keys: Vec<JoinKey>,
    request: Vec<(String, ValueType)>,
    slots: Vec<Slot>,
    by_name: HashMap<String, usize>,
    views: Vec<PlannedView>,
    expressions: Vec<PlannedExpression>,
}

/// A value of a row while it is put together. The plan's features come first, then what only expressions read.
#[derive(Debug, Clone)]
struct Slot {
    reference: FeatureRef,
    value_type: ValueType,
    default: Option<Value>,
}

/// A view that the plan reads.
#[derive(Debug, Clone)]
pub(crate) struct PlannedView {
    pub(crate) view: Arc<View>,
    pub(crate) space: Arc<Space>,
    /// Which of the plan's keys are the view's, in its order.
    pub(crate) keys: Vec<usize>,
    /// Feature of the view, and the slot that it goes to.
    pub(crate) features: Vec<(usize, usize)>,
}

#[derive(Debug, Clone)]
struct PlannedExpression {
    feature: Arc<OnDemand>,
    inputs: Vec<usize>,
    slot: usize,
}

impl ReadPlan {
    /// Plans the reading of `references`, in this order.
    ///
    /// # Errors
    /// When a reference names nothing, or two would be one input.
    pub fn new(definitions: &Definitions, references: &[FeatureRef]) -> Result<Self, Error> {
        let mut plan = Self {
            features: Vec::new(),
            keys: Vec::new(),
            request: Vec::new(),
            slots: Vec::new(),
            by_name: HashMap::new(),
            views: Vec::new(),
            expressions: Vec::new(),
        };
        for reference in references {
            let value_type = definitions.value_type(reference)?;
            if let Some(other) = plan.by_name.get(reference.name()) {
                return Err(Error::SameName {
                    name: reference.name().to_owned(),
                    first: plan.slots[*other].reference.to_string(),
                    second: reference.to_string(),
                });
            }
            let digest = definitions.digest_of(reference);
            plan.features.push(PlannedFeature { reference: reference.clone(), value_type, digest });
            plan.add_slot(definitions, reference)?;
        }
        for reference in references {
            plan.fill(definitions, reference)?;
        }
        Ok(plan)
    }

    /// The features that a read answers, in this order.
    #[must_use]
    pub fn features(&self) -> &[PlannedFeature] {
        &self.features
    }

    /// The keys that a request must carry.
    #[must_use]
    pub fn entity_keys(&self) -> &[JoinKey] {
        &self.keys
    }

    /// The request-time values that a request must carry.
    #[must_use]
    pub fn request_values(&self) -> &[(String, ValueType)] {
        &self.request
    }

    /// The views that are read, with the digests of their definitions.
    pub fn views(&self) -> impl Iterator<Item = &Arc<View>> {
        self.views.iter().map(|planned| &planned.view)
    }

    pub(crate) fn planned_views(&self) -> &[PlannedView] {
        &self.views
    }

    /// Which of the plan's features are computed from which others: for each feature its own and its inputs' slots.
    pub(crate) fn slots_behind(&self, feature: usize) -> Vec<usize> {
        let mut behind = vec![feature];
        let mut next = 0;
        while let Some(slot) = behind.get(next).copied() {
            next += 1;
            for expression in self.expressions.iter().filter(|expression| expression.slot == slot) {
                behind.extend(
                    expression.inputs.iter().filter(|input| !behind.contains(input)).copied().collect::<Vec<_>>(),
                );
            }
        }
        behind
    }

    /// Which view fills a slot.
    pub(crate) fn view_of_slot(&self, slot: usize) -> Option<usize> {
        self.views.iter().position(|view| view.features.iter().any(|(_, filled)| *filled == slot))
    }

    fn add_slot(&mut self, definitions: &Definitions, reference: &FeatureRef) -> Result<usize, Error> {
        if let Some(slot) = self.slots.iter().position(|slot| &slot.reference == reference) {
            return Ok(slot);
        }
        let default = match reference {
            FeatureRef::View { view, feature } => {
                let view = definitions.view(view)?;
                view.feature_index(feature).and_then(|index| view.features[index].default.clone())
            }
            FeatureRef::Request(_) => None,
            FeatureRef::OnDemand(name) => definitions.on_demand.get(name).and_then(|feature| feature.default.clone()),
        };
        let value_type = definitions.value_type(reference)?;
        let slot = self.slots.len();
        self.by_name.entry(reference.name().to_owned()).or_insert(slot);
        self.slots.push(Slot { reference: reference.clone(), value_type, default });
        Ok(slot)
    }

    /// Finds out how the slot of `reference` is filled; what an expression reads comes before it.
    fn fill(&mut self, definitions: &Definitions, reference: &FeatureRef) -> Result<usize, Error> {
        let slot = self.add_slot(definitions, reference)?;
        match reference {
            FeatureRef::View { view, feature } => {
                let view = definitions.view(view)?;
                let index = view.feature_index(feature).expect("the slot was made for a known feature");
                let place = self.add_view(view);
                let features = &mut self.views[place].features;
                if !features.contains(&(index, slot)) {
                    features.push((index, slot));
                }
            }
            FeatureRef::Request(name) => {
                if !self.request.iter().any(|(known, _)| known == name) {
                    self.request.push((name.clone(), self.slots[slot].value_type));
                }
            }
            FeatureRef::OnDemand(name) => {
                if !self.expressions.iter().any(|expression| expression.slot == slot) {
                    let feature = Arc::clone(&definitions.on_demand[name]);
                    let inputs = feature.inputs.iter().map(|input| self.fill(definitions, input));
                    let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
                    self.expressions.push(PlannedExpression { feature, inputs, slot });
                }
            }
        }
        Ok(slot)
    }

    fn add_view(&mut self, view: &Arc<View>) -> usize {
        if let Some(place) = self.views.iter().position(|planned| planned.view.name == view.name) {
            return place;
        }
        let keys = view.keys.iter().map(|key| {
            self.keys.iter().position(|known| known.name == key.name).unwrap_or_else(|| {
                self.keys.push(key.clone());
                self.keys.len() - 1
            })
        });
        let keys = keys.collect();
        let space = Arc::new(Space { view: view.name.clone(), digest: view.digest });
        self.views.push(PlannedView { view: Arc::clone(view), space, keys, features: Vec::new() });
        self.views.len() - 1
    }

    /// Checks that rows fit the plan: as many values as it names, of their types or null, and overrides that exist.
    pub(crate) fn check(&self, rows: &[EntityRow]) -> Result<(), Error> {
        for (number, row) in rows.iter().enumerate() {
            let counts = row.keys.len() == self.keys.len() && row.request.len() == self.request.len();
            if !counts {
                let reason = format!(
                    "{} keys and {} request values, where the plan has {} and {}",
                    row.keys.len(),
                    row.request.len(),
                    self.keys.len(),
                    self.request.len()
                );
                return Err(Error::Row { row: number, reason });
            }
            for (key, value) in self.keys.iter().zip(&row.keys) {
                fits(&key.name, key.value_type, value)?;
            }
            for ((name, kind), value) in self.request.iter().zip(&row.request) {
                fits(name, *kind, value)?;
            }
            for (name, value) in &row.overrides {
                let slot = self.by_name.get(name).ok_or_else(|| Error::UnknownFeature {
                    reference: name.clone(),
                    suggestion: crate::suggest::closest(name, self.by_name.keys().map(String::as_str)),
                })?;
                fits(name, self.slots[*slot].value_type, value)?;
            }
        }
        Ok(())
    }
}

fn fits(name: &str, expected: ValueType, value: &Value) -> Result<(), Error> {
    match value.value_type() {
        Some(found) if found != expected => {
            Err(Error::WrongValue { name: name.to_owned(), expected, found: format!("{found} ({value})") })
        }
        Some(_) | None => Ok(()),
    }
}
