//! How a version's features become its model's inputs, decided once when the version is loaded.
//!
//! Two layouts are known. Either the model has one input for each feature, named like it; or it has a single input of
//! two dimensions that holds all features of a row in the declared order. A model that fits neither is refused at load,
//! with the reason, and not at its first request.

use std::sync::Arc;

use types::{Schema, TensorSpec, TensorType, Value, ValueType};

use super::{
    columns::{Unfit, converts, elements},
    fits,
};
use crate::{Error, FeatureValue, InputError, Tensor, TensorData, VersionPlan, input_name};

/// Wider rows are not taken apart for the prediction log.
const WIDEST_LOGGED: i64 = 1_024;

/// How features become inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// There are no features: callers send every input. For each input of the schema, the names under which the
    /// elements of a row are logged.
    Plain(Vec<LoggedInput>),
    /// One input for each feature.
    PerFeature {
        /// For each input the feature's position.
        slots: Vec<(TensorSpec, usize)>,
        /// As in [`Layout::Plain`].
        logged: Vec<LoggedInput>,
    },
    /// One input for all.
    Matrix {
        /// The input.
        spec: TensorSpec,
        /// As in [`Layout::Plain`].
        logged: Vec<LoggedInput>,
    },
}

/// The names under which an input's elements are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoggedInput {
    /// The input.
    pub(crate) input: String,
    /// One name for each element of a row.
    pub(crate) elements: Vec<Arc<str>>,
}

impl Layout {
    /// The layout of `plan`'s version, whose model has `schema`; or why there is none.
    pub(crate) fn of(plan: &VersionPlan, schema: &Schema) -> Result<Self, String> {
        let logged = schema.inputs.iter().filter_map(|spec| logged_input(plan, spec)).collect();
        if plan.features.is_empty() {
            return Ok(Self::Plain(logged));
        }
        let position = |spec: &TensorSpec| plan.features.iter().position(|f| input_name(f) == spec.name);
        if schema.inputs.iter().all(|spec| position(spec).is_some()) {
            let slots: Vec<_> = schema.inputs.iter().filter_map(|spec| Some((spec.clone(), position(spec)?))).collect();
            return per_feature(plan, &slots).map(|()| Self::PerFeature { slots, logged });
        }
        if let [spec] = schema.inputs.as_slice()
            && let [_, width] = spec.shape.as_slice()
        {
            return matrix(plan, spec, *width).map(|()| Self::Matrix { spec: spec.clone(), logged });
        }
        let strangers = schema.inputs.iter().filter(|spec| position(spec).is_none());
        Err(format!(
            "its inputs do not fit its features: no feature is named {}; either each input is named like a feature, or \
             there is one input of shape [-1, {}] for all of them",
            strangers.map(|spec| format!("`{}`", spec.name)).collect::<Vec<_>>().join(", "),
            plan.features.len(),
        ))
    }

    /// The names under which the inputs of a request that sent all of them are logged.
    pub(crate) fn logged(&self) -> &[LoggedInput] {
        match self {
            Self::Plain(logged) | Self::PerFeature { logged, .. } | Self::Matrix { logged, .. } => logged,
        }
    }

    /// The model's inputs for `rows` of features in the plan's order. `entity` says whom a row is about.
    pub(crate) fn assemble(
        &self,
        rows: &[Vec<FeatureValue>],
        entity: impl Fn(usize) -> String,
    ) -> Result<Vec<Tensor>, Error> {
        let unfit = |spec: &TensorSpec, row: usize, feature: usize, unfit: Unfit| {
            let feature = &rows[row][feature];
            unfit_feature(spec, feature, entity(row), row, &unfit)
        };
        match self {
            Self::Plain(_) => Ok(Vec::new()),
            Self::PerFeature { slots, .. } => slots
                .iter()
                .map(|(spec, feature)| {
                    let values = rows.iter().map(|row| &row[*feature].value);
                    let data =
                        elements(spec.datatype, values).map_err(|(row, reason)| unfit(spec, row, *feature, reason))?;
                    let rank = spec.shape.len();
                    shaped(spec, if rank == 1 { vec![rows.len()] } else { vec![rows.len(), 1] }, data)
                })
                .collect(),
            Self::Matrix { spec, .. } => {
                let width = rows.first().map_or(0, Vec::len);
                let values: Vec<&Value> = rows.iter().flatten().map(|feature| &feature.value).collect();
                let data = elements(spec.datatype, values.into_iter())
                    .map_err(|(at, reason)| unfit(spec, at / width.max(1), at % width.max(1), reason))?;
                Ok(vec![shaped(spec, vec![rows.len(), width], data)?])
            }
        }
    }
}

fn shaped(spec: &TensorSpec, shape: Vec<usize>, data: TensorData) -> Result<Tensor, Error> {
    let shape: Vec<i64> = shape.into_iter().map(|size| i64::try_from(size).unwrap_or(i64::MAX)).collect();
    if fits(&spec.shape, &shape) {
        return Ok(Tensor { name: spec.name.clone(), shape, data });
    }
    let expected = format!("{:?}, since the model has a fixed number of rows", spec.shape);
    Err(InputError::WrongShape { input: spec.name.clone(), expected, actual: shape }.into())
}

fn unfit_feature(spec: &TensorSpec, feature: &FeatureValue, entity: String, row: usize, unfit: &Unfit) -> Error {
    match unfit {
        Unfit::Null => Error::NullFeature { feature: feature.name.to_string(), entity, datatype: spec.datatype },
        Unfit::Value => InputError::WrongValue {
            input: spec.name.clone(),
            row,
            reason: format!(
                "the feature `{}` of {entity} is {}, which {} cannot hold",
                feature.name, feature.value, spec.datatype
            ),
        }
        .into(),
    }
}

fn per_feature(plan: &VersionPlan, slots: &[(TensorSpec, usize)]) -> Result<(), String> {
    for (spec, feature) in slots {
        if !matches!(spec.shape.as_slice(), [] | [_] | [_, -1 | 1]) {
            return Err(format!(
                "its input `{}` has shape {:?}; a feature is one value for each row: [-1, 1] or [-1]",
                spec.name, spec.shape
            ));
        }
        check_type(plan, &plan.features[*feature], spec)?;
    }
    Ok(())
}

fn matrix(plan: &VersionPlan, spec: &TensorSpec, width: i64) -> Result<(), String> {
    let features = plan.features.len();
    if width >= 0 && usize::try_from(width) != Ok(features) {
        return Err(format!(
            "its input `{}` takes {width} values for each row, and it declares {features} features",
            spec.name
        ));
    }
    plan.features.iter().try_for_each(|feature| check_type(plan, feature, spec))
}

fn check_type(plan: &VersionPlan, feature: &str, spec: &TensorSpec) -> Result<(), String> {
    let Some(value_type) = plan.feature_type(input_name(feature)) else {
        return Err(format!("the plan does not say of which type the feature `{feature}` is"));
    };
    if converts(value_type, spec.datatype) {
        return Ok(());
    }
    let hint = match (value_type, spec.datatype) {
        (ValueType::String, TensorType::Bytes) => "",
        (ValueType::String, _) => {
            "; text is never made into numbers: encode it in the model or in an on-demand feature"
        }
        (_, TensorType::Bytes) => "; numbers are never made into text",
        (
            ValueType::Bool
            | ValueType::Int32
            | ValueType::Int64
            | ValueType::Float32
            | ValueType::Float64
            | ValueType::Timestamp,
            _,
        ) => "",
    };
    Err(format!(
        "the feature `{feature}` is {value_type}, which its input `{}` of type {} cannot take{hint}",
        spec.name, spec.datatype
    ))
}

fn logged_input(plan: &VersionPlan, spec: &TensorSpec) -> Option<LoggedInput> {
    let width: i64 = spec
        .shape
        .iter()
        .skip(1)
        .try_fold(1_i64, |product, size| (*size >= 0).then(|| product.saturating_mul(*size)))?;
    if width > WIDEST_LOGGED {
        return None;
    }
    let width = usize::try_from(width).ok()?;
    let feature_named =
        |name: &str| plan.features.iter().find(|f| input_name(f) == name).map_or(name, String::as_str).into();
    let elements = if width == 1 {
        vec![feature_named(&spec.name)]
    } else if width == plan.features.len() {
        plan.features.iter().map(|feature| feature.as_str().into()).collect()
    } else {
        (0..width).map(|element| format!("{}[{element}]", spec.name).into()).collect()
    };
    Some(LoggedInput { input: spec.name.clone(), elements })
}
