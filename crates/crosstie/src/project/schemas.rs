//! The JSON Schemas of the files that users write, generated from the types that parse them.

use features::definitions::FeatureFile;
use release::ModelFile;
use schemars::{Schema, schema_for};

use crate::settings::ProjectFile;

/// File name and text of each schema.
pub(crate) fn all() -> [(&'static str, String); 3] {
    let text = |schema: Schema| serde_json::to_string_pretty(&schema).expect("schemas are JSON") + "\n";
    [
        ("crosstie.schema.json", text(schema_for!(ProjectFile))),
        ("features.schema.json", text(schema_for!(FeatureFile))),
        ("models.schema.json", text(schema_for!(ModelFile))),
    ]
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn the_schemas_in_the_reference_are_those_of_the_types() {
        let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/schema");
        for (name, text) in super::all() {
            let written = fs::read_to_string(reference.join(name)).unwrap_or_default();
            assert!(written == text, "{name} is stale: run `crosstie schema --out docs/reference/schema`");
        }
    }
}
