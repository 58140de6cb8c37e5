//! What runs read and made: datasets and logged models.

use crate::{
    Dataset, DatasetInput, ModelOutput, Service,
    error::{Error, Result},
    repo, rules, runs,
};

/// Longest texts of a dataset, by field.
const NAME: usize = 500;
const DIGEST: usize = 36;
const SOURCE: usize = 65_535;
const SCHEMA: usize = 1_048_575;
const PROFILE: usize = 16_777_215;
/// Longest texts of an input's tag.
const TAG_KEY: usize = 255;
const TAG_VALUE: usize = 500;

impl Service {
    /// Records datasets and logged models that a run read.
    ///
    /// # Errors
    /// When a dataset is not allowed, or the run is deleted or missing.
    pub async fn log_inputs(&self, run_id: &str, datasets: Vec<DatasetInput>, models: Vec<String>) -> Result<()> {
        rules::check_run_id(run_id)?;
        for input in &datasets {
            check(input)?;
        }
        let (id, run_id) = (run_id, run_id.to_owned());
        self.database
            .write(async move |tx| {
                let run = runs::required_active(tx, &run_id).await?;
                for input in &datasets {
                    repo::inputs::insert_dataset(tx, run.experiment_id, &run_id, input).await?;
                }
                for model in &models {
                    repo::inputs::insert_model_input(tx, &run_id, model).await?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        self.judge_again(id).await;
        Ok(())
    }

    /// Records logged models that a run made.
    ///
    /// # Errors
    /// When the run is deleted or missing.
    pub async fn log_outputs(&self, run_id: &str, models: Vec<ModelOutput>) -> Result<()> {
        let (id, run_id) = (run_id, run_id.to_owned());
        self.database
            .write(async move |tx| {
                runs::required_active(tx, &run_id).await?;
                for model in &models {
                    repo::inputs::insert_model_output(tx, &run_id, model).await?;
                }
                Ok::<_, Error>(())
            })
            .await?;
        self.judge_again(id).await;
        Ok(())
    }
}

fn check(input: &DatasetInput) -> Result<()> {
    let Dataset { name, digest, source, schema, profile, .. } = &input.dataset;
    let fields = [
        ("name", NAME, Some(name)),
        ("digest", DIGEST, Some(digest)),
        ("source", SOURCE, Some(source)),
        ("schema", SCHEMA, schema.as_ref()),
        ("profile", PROFILE, profile.as_ref()),
    ];
    let tags =
        input.tags.iter().flat_map(|tag| [("key", TAG_KEY, Some(&tag.key)), ("value", TAG_VALUE, Some(&tag.value))]);
    for (field, limit, text) in fields.into_iter().chain(tags) {
        if text.is_some_and(|text| text.chars().count() > limit) {
            return Err(Error::invalid(format!("'{field}' exceeds the maximum length of {limit} characters")));
        }
    }
    Ok(())
}
