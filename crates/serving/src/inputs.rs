//! From what a caller sends to what a request means: every input of the model, or entities whose features are to be added.
//!
//! Everything that can be wrong with an input is found here, before features are looked up, and the error names the
//! input, what was expected and what came.

mod columns;
mod layout;

use types::{Schema, TensorSpec, Value};

pub(crate) use columns::wire_type;
pub(crate) use layout::Layout;

use self::columns::{column, natural_type};
use crate::{Column, EntityRows, InputError, Tensor, VersionPlan, input_name};

/// What a request means to one version.
#[derive(Debug)]
pub(crate) enum Intake {
    /// The caller sent every input of the model.
    Direct {
        /// The model's inputs.
        tensors: Vec<Tensor>,
        /// Entities and segments that came along.
        context: Vec<Column>,
        /// How many rows there are.
        rows: usize,
    },
    /// The caller sent entities; features are to be added.
    Entities {
        /// What the features are looked up by.
        rows: EntityRows,
        /// Segments that came along.
        context: Vec<Column>,
    },
}

/// Names that a model's requests may carry beside its inputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The input that keeps a caller on one version.
    pub(crate) route_by: Option<&'a str>,
    /// What quality is judged by.
    pub(crate) segments: &'a [String],
}

impl Context<'_> {
    fn names(&self, input: &str) -> bool {
        self.route_by == Some(input) || self.segments.iter().any(|segment| segment == input)
    }
}

/// Reads the inputs of a request to `plan`'s version, whose model has `schema`.
pub(crate) fn read(
    plan: &VersionPlan,
    schema: &Schema,
    context: Context<'_>,
    inputs: Vec<Tensor>,
) -> Result<Intake, InputError> {
    if inputs.is_empty() {
        return Err(InputError::Empty { what: "inputs" });
    }
    for (position, tensor) in inputs.iter().enumerate() {
        tensor.check()?;
        if inputs[..position].iter().any(|earlier| earlier.name == tensor.name) {
            return Err(InputError::Duplicate { input: tensor.name.clone() });
        }
    }
    let rows = common_rows(&inputs)?;
    if is_direct(plan, schema, &inputs) {
        read_direct(plan, schema, context, inputs, rows)
    } else {
        read_entities(plan, context, inputs, rows)
    }
}

/// Whether the caller sent every input of the model. When the model's inputs are the features themselves and an entity
/// key came along, they are overrides instead.
fn is_direct(plan: &VersionPlan, schema: &Schema, inputs: &[Tensor]) -> bool {
    let sent = |name: &str| inputs.iter().any(|tensor| tensor.name == name);
    if plan.features.is_empty() {
        return true;
    }
    let inputs_are_features = schema.inputs.iter().all(|spec| plan.features.iter().any(|f| input_name(f) == spec.name));
    let names_entity = plan.entity_keys.iter().any(|(name, _)| sent(name) && schema.input(name).is_none());
    schema.inputs.iter().all(|spec| sent(&spec.name)) && !(inputs_are_features && names_entity)
}

fn common_rows(inputs: &[Tensor]) -> Result<usize, InputError> {
    let Some(first) = inputs.first() else { return Err(InputError::Empty { what: "inputs" }) };
    let expected = first.rows();
    if let Some(other) = inputs.iter().find(|tensor| tensor.rows() != expected) {
        return Err(InputError::RowsDiffer {
            input: other.name.clone(),
            actual: other.rows(),
            expected,
            other: first.name.clone(),
        });
    }
    if expected == 0 { Err(InputError::Empty { what: "rows" }) } else { Ok(expected) }
}

fn read_direct(
    plan: &VersionPlan,
    schema: &Schema,
    context: Context<'_>,
    inputs: Vec<Tensor>,
    rows: usize,
) -> Result<Intake, InputError> {
    for spec in &schema.inputs {
        let sent = inputs.iter().find(|tensor| tensor.name == spec.name);
        let missing = || InputError::Missing { input: spec.name.clone(), expected: describe(spec) };
        check_against(spec, sent.ok_or_else(missing)?)?;
    }
    let mut tensors = Vec::with_capacity(schema.inputs.len());
    let mut beside = Vec::new();
    for tensor in inputs {
        let declared = plan.entity_keys.iter().chain(&plan.request_values).find(|(name, _)| *name == tensor.name);
        if schema.input(&tensor.name).is_some() {
            tensors.push(tensor);
        } else if let Some((_, value_type)) = declared {
            beside.push(column(&tensor, *value_type)?);
        } else if context.names(&tensor.name) {
            beside.push(column(&tensor, natural_type(tensor.datatype()))?);
        } else {
            let known = schema.inputs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(InputError::Unexpected { input: tensor.name, version: plan.version.clone(), known });
        }
    }
    Ok(Intake::Direct { tensors, context: beside, rows })
}

fn read_entities(
    plan: &VersionPlan,
    context: Context<'_>,
    inputs: Vec<Tensor>,
    rows: usize,
) -> Result<Intake, InputError> {
    let mut entity_rows = EntityRows { rows, ..EntityRows::default() };
    let mut beside = Vec::new();
    let typed = |list: &[(String, types::ValueType)], name: &str| {
        list.iter().find(|(declared, _)| declared == name).map(|(_, value_type)| *value_type)
    };
    for tensor in &inputs {
        if let Some(value_type) = typed(&plan.entity_keys, &tensor.name) {
            entity_rows.entities.push(column(tensor, value_type)?);
        } else if let Some(value_type) = typed(&plan.request_values, &tensor.name) {
            entity_rows.request.push(column(tensor, value_type)?);
        } else if let Some(value_type) = plan.feature_type(&tensor.name) {
            entity_rows.overrides.push(column(tensor, value_type)?);
        } else if context.names(&tensor.name) {
            beside.push(column(tensor, natural_type(tensor.datatype()))?);
        } else {
            let request = |name: &str| plan.request_values.iter().any(|(value, _)| value == name);
            let overrides = plan.feature_types.iter().filter(|(name, _)| !request(name));
            let known = plan.entity_keys.iter().chain(&plan.request_values).chain(overrides);
            let known = known.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            let input = tensor.name.clone();
            return Err(InputError::Unexpected { input, version: plan.version.clone(), known });
        }
    }
    for (what, declared, sent) in [
        ("entity key", &plan.entity_keys, &mut entity_rows.entities),
        ("request value", &plan.request_values, &mut entity_rows.request),
    ] {
        for (name, value_type) in declared {
            if !sent.iter().any(|column| column.name == *name) {
                let expected = format!("the {what} of type {value_type}, one for each row");
                return Err(InputError::Missing { input: name.clone(), expected });
            }
        }
        sent.sort_by_key(|column| declared.iter().position(|(name, _)| *name == column.name));
    }
    Ok(Intake::Entities { rows: entity_rows, context: beside })
}

/// Whether `tensor` is what `spec` takes.
fn check_against(spec: &TensorSpec, tensor: &Tensor) -> Result<(), InputError> {
    if spec.datatype != tensor.datatype() {
        return Err(InputError::WrongType {
            input: spec.name.clone(),
            expected: spec.datatype.to_string(),
            actual: tensor.datatype(),
        });
    }
    if fits(&spec.shape, &tensor.shape) {
        Ok(())
    } else {
        Err(InputError::WrongShape {
            input: spec.name.clone(),
            expected: format!("{:?} (-1 is any size)", spec.shape),
            actual: tensor.shape.clone(),
        })
    }
}

/// Whether a known shape is one that `declared` allows. A model that declares no dimensions takes any.
pub(crate) fn fits(declared: &[i64], actual: &[i64]) -> bool {
    declared.is_empty()
        || (declared.len() == actual.len()
            && declared.iter().zip(actual).all(|(declared, actual)| *declared < 0 || declared == actual))
}

fn describe(spec: &TensorSpec) -> String {
    format!("{} of shape {:?} (-1 is any size)", spec.datatype, spec.shape)
}

/// Row `row` of columns, with their names.
pub(crate) fn row_of(columns: &[Column], row: usize) -> impl Iterator<Item = (String, Value)> {
    columns.iter().filter_map(move |column| Some((column.name.clone(), column.values.get(row)?.clone())))
}

#[cfg(test)]
mod tests;
