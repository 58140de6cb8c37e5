//! One row from what a rail found: TTL, defaults, overrides, request values and expressions. Both rails end here, so
//! that they agree in everything but what was stored.

use std::sync::Arc;

use arrow::array::ArrayRef;
use types::{Timestamp, Value};

use super::{EntityRow, PlannedExpression, PlannedView, ReadPlan, Slot};
use crate::{
    FeatureRef,
    columns::{column_of, value_at},
    rows::{FeatureCell, FeatureRow, Origin, Refusal},
};

/// What is known of a row that a rail found.
#[derive(Debug, Clone)]
pub(crate) struct FoundRow {
    pub(crate) event_time: Timestamp,
    pub(crate) origin: Origin,
    pub(crate) file: Option<Arc<str>>,
}

/// A rail that has looked up all rows of a request.
pub(crate) trait Rails {
    /// What was found for row `row` in view `view` of the plan.
    fn find(&self, view: usize, row: usize) -> Option<FoundRow>;
    /// A feature of what was found.
    fn value(&self, view: usize, row: usize, feature: usize) -> Value;
}

/// Puts rows together as they are at `at`, one time per row.
pub(crate) fn assemble(plan: &ReadPlan, rows: &[EntityRow], at: &[Timestamp], rails: &dyn Rails) -> Vec<FeatureRow> {
    let mut made: Vec<FeatureRow> = rows
        .iter()
        .zip(at)
        .enumerate()
        .map(|(number, (row, at))| {
            let mut made = Making { plan, row, made: blank(plan.slots.len()) };
            for (name, value) in &row.overrides {
                if let Some(slot) = plan.by_name.get(name) {
                    made.made.cells[*slot] = FeatureCell::timeless(value.clone(), Origin::Override);
                }
            }
            for (view, planned) in plan.views.iter().enumerate() {
                made.view(planned, rails.find(view, number), *at, |feature| rails.value(view, number, feature));
            }
            made.request();
            made.made
        })
        .collect();
    for expression in &plan.expressions {
        compute(plan, expression, rows, &mut made);
    }
    for row in &mut made {
        row.cells.truncate(plan.features.len());
    }
    made
}

fn blank(slots: usize) -> FeatureRow {
    FeatureRow { cells: vec![FeatureCell::timeless(Value::Null, Origin::Missing); slots], refusal: None }
}

struct Making<'a> {
    plan: &'a ReadPlan,
    row: &'a EntityRow,
    made: FeatureRow,
}

impl Making<'_> {
    fn view(&mut self, planned: &PlannedView, found: Option<FoundRow>, at: Timestamp, value: impl Fn(usize) -> Value) {
        let alive = |found: &FoundRow| {
            let age = at.as_micros().saturating_sub(found.event_time.as_micros());
            planned.view.ttl.is_none_or(|ttl| age <= ttl.as_micros())
        };
        let found = found.filter(alive);
        for (feature, slot) in &planned.features {
            if self.made.cells[*slot].origin == Origin::Override {
                continue;
            }
            if let Some(found) = &found {
                self.made.cells[*slot] = FeatureCell {
                    value: value(*feature),
                    event_time: Some(found.event_time),
                    origin: found.origin,
                    degraded: false,
                    file: found.file.clone(),
                };
            }
            let entity = || {
                let keys =
                    planned.keys.iter().map(|key| format!("{}={}", self.plan.keys[*key].name, self.row.keys[*key]));
                keys.collect::<Vec<_>>().join(", ")
            };
            settle(&self.plan.slots[*slot], *slot, &mut self.made, entity);
        }
    }

    fn request(&mut self) {
        for (slot, described) in self.plan.slots.iter().enumerate() {
            let FeatureRef::Request(name) = &described.reference else { continue };
            let Some(place) = self.plan.request.iter().position(|(known, _)| known == name) else { continue };
            if self.made.cells[slot].origin != Origin::Override {
                self.made.cells[slot] = FeatureCell::timeless(self.row.request[place].clone(), Origin::Request);
            }
            if self.made.cells[slot].value.is_null() && self.made.refusal.is_none() {
                self.made.refusal = Some(Refusal {
                    feature: described.reference.to_string(),
                    entity: String::new(),
                    message: format!("the request value `{name}` is missing"),
                });
            }
        }
    }
}

/// A null takes the declared default; without one the row is refused. A null that was found and may be passed on keeps
/// the time and place it was found at.
fn settle(described: &Slot, slot: usize, made: &mut FeatureRow, entity: impl Fn() -> String) {
    let cell = &mut made.cells[slot];
    if !cell.value.is_null() {
        return;
    }
    match &described.default {
        Some(Value::Null) if cell.origin.is_found() => {}
        Some(default) => *cell = FeatureCell::timeless(default.clone(), Origin::Default),
        None => {
            cell.origin = Origin::Missing;
            if made.refusal.is_none() {
                let (feature, entity) = (described.reference.to_string(), entity());
                let whom = if entity.is_empty() { String::new() } else { format!(" for {entity}") };
                let message = format!("`{feature}` has no value{whom}, and no default is declared");
                made.refusal = Some(Refusal { feature, entity, message });
            }
        }
    }
}

/// Evaluates one expression over all rows that can be scored.
fn compute(plan: &ReadPlan, expression: &PlannedExpression, rows: &[EntityRow], made: &mut [FeatureRow]) {
    let wanted: Vec<usize> = (0..rows.len())
        .filter(|row| made[*row].refusal.is_none() && made[*row].cells[expression.slot].origin != Origin::Override)
        .collect();
    if wanted.is_empty() {
        return;
    }
    let whole = evaluate(plan, expression, &wanted, made);
    for (place, row) in wanted.iter().enumerate() {
        let value = match &whole {
            Ok(values) => Ok(value_at(values, expression.feature.value_type, place)),
            // One row that cannot be computed must not fail its neighbours.
            Err(_) => evaluate(plan, expression, &[*row], made)
                .map(|values| value_at(&values, expression.feature.value_type, 0)),
        };
        let made = &mut made[*row];
        match value {
            Ok(value) => {
                made.cells[expression.slot] = FeatureCell::timeless(value, Origin::OnDemand);
                settle(&plan.slots[expression.slot], expression.slot, made, String::new);
            }
            Err(error) => {
                let feature = plan.slots[expression.slot].reference.to_string();
                let message = format!("`{feature}` cannot be computed: {error}");
                made.refusal.get_or_insert(Refusal { feature, entity: String::new(), message });
            }
        }
    }
}

fn evaluate(
    plan: &ReadPlan,
    expression: &PlannedExpression,
    wanted: &[usize],
    made: &[FeatureRow],
) -> Result<ArrayRef, crate::expressions::Error> {
    let columns = expression.inputs.iter().map(|input| {
        column_of(plan.slots[*input].value_type, wanted.iter().map(|row| &made[*row].cells[*input].value))
    });
    expression.feature.compiled.evaluate(columns.collect(), wanted.len())
}
