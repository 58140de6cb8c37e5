//! Content addresses of definitions: everything that changes a value is in them, and nothing that does not.
//!
//! Names of views, entities and sources, owners, descriptions and the order of features are left out: renaming or
//! reordering changes no value. The first field is the version of this form.

use serde::Serialize;
use types::{Digest, Duration, Value, ValueType};

use super::{Feature, FeatureRef, JoinKey, SourceSpec};

#[derive(Serialize)]
struct ViewForm<'a> {
    view: u32,
    keys: Vec<(&'a str, ValueType)>,
    path: &'a str,
    event_time: &'a str,
    created: Option<&'a str>,
    ttl_micros: Option<i64>,
    features: Vec<(&'a str, ValueType, String, Option<&'a Value>)>,
}

#[derive(Serialize)]
struct OnDemandForm<'a> {
    on_demand: u32,
    expression: &'a str,
    value_type: ValueType,
    default: Option<&'a Value>,
    inputs: Vec<(String, ValueType)>,
}

/// The address of a view; `features` in order of their names.
pub(super) fn of_view(keys: &[JoinKey], source: &SourceSpec, ttl: Option<Duration>, features: &[Feature]) -> Digest {
    address(&ViewForm {
        view: 1,
        keys: keys.iter().map(|key| (key.name.as_str(), key.value_type)).collect(),
        path: &source.path,
        event_time: &source.event_time,
        created: source.created.as_deref(),
        ttl_micros: ttl.map(Duration::as_micros),
        features: features.iter().map(|f| (f.name.as_str(), f.value_type, f.sql(), f.default.as_ref())).collect(),
    })
}

/// The address of an on-demand feature.
pub(super) fn of_on_demand(
    expression: &str,
    value_type: ValueType,
    default: Option<&Value>,
    inputs: &[(FeatureRef, ValueType)],
) -> Digest {
    let inputs = inputs.iter().map(|(reference, kind)| (reference.to_string(), *kind)).collect();
    address(&OnDemandForm { on_demand: 1, expression, value_type, default, inputs })
}

fn address(form: &impl Serialize) -> Digest {
    Digest::of(serde_json::to_vec(form).expect("forms are made of strings, numbers and lists, which JSON can hold"))
}
