//! Addresses of pages. Names come from users, so what a URL could misread is escaped.

use release::ReleaseId;
use types::{ModelName, ModelVersion, PredictionId};

/// A model's page.
pub(crate) fn model(model: &ModelName) -> String {
    format!("/models/{}", escaped(model.as_str()))
}

/// A version's page.
pub(crate) fn version(version: &ModelVersion) -> String {
    format!("{}/versions/{}", model(&version.model), version.version)
}

/// A release's page.
pub(crate) fn release(id: ReleaseId) -> String {
    format!("/releases/{id}")
}

/// A prediction's page.
pub(crate) fn prediction(id: &PredictionId) -> String {
    format!("/predictions/{}", escaped(&id.to_string()))
}

/// The list of a model's predictions.
pub(crate) fn predictions_of(model: &ModelName) -> String {
    format!("/predictions?model={}", escaped(model.as_str()))
}

/// The datasets that runs read.
pub(crate) const LINEAGE: &str = "/lineage";

/// Who read a dataset of this name or digest.
pub(crate) fn dataset(key: &str) -> String {
    format!("{LINEAGE}/datasets/{}", escaped(key))
}

/// Who was trained on a feature view.
pub(crate) fn feature_readers(view: &str) -> String {
    format!("{LINEAGE}/features/{}", escaped(view))
}

fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place_in_an_address() {
        let name = ModelName::parse("a b?c=é#\"").unwrap();
        assert_eq!(model(&name), "/models/a%20b%3Fc%3D%C3%A9%23%22");
    }
}
