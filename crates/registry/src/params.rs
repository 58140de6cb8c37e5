//! Params: written once. The same value again changes nothing, another one is refused.

use database::Transaction;

use crate::{
    KeyValue, Service,
    error::{Error, Result},
    repo, rules, runs,
};

impl Service {
    /// Logs one param.
    ///
    /// # Errors
    /// When it has another value already or is not allowed, or the run is deleted or missing.
    pub async fn log_param(&self, run_id: &str, param: KeyValue) -> Result<()> {
        let value = rules::checked_param(&param.key, &param.value, "")?.to_owned();
        let (run_id, key) = (run_id.to_owned(), param.key);
        self.database
            .write(async move |tx| {
                runs::required_active(tx, &run_id).await?;
                let existing = repo::runs::params_of(tx, &run_id, std::slice::from_ref(&key)).await?;
                match existing.first() {
                    None => repo::runs::insert_params(tx, &run_id, &[KeyValue::new(&key, &value)]).await,
                    Some(old) if old.value == value => Ok(()),
                    Some(old) => Err(Error::invalid(format!(
                        "Changing param values is not allowed. Param with key='{key}' was already logged with \
                         value='{}' for run ID='{run_id}'. Attempted logging new value '{value}'.",
                        old.value
                    ))),
                }
            })
            .await
    }
}

/// Refuses a batch that has a key twice.
pub(crate) fn check_unique(params: &[KeyValue]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    let twice: Vec<&str> = params.iter().map(|param| param.key.as_str()).filter(|key| !seen.insert(*key)).collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Duplicate parameter keys have been submitted: {}. Please ensure the request contains only one param value per \
         param key.",
        rules::python_list(twice)
    )))
}

/// Logs params of different keys.
pub(crate) async fn log_many(tx: &mut Transaction, run_id: &str, params: &[KeyValue]) -> Result<()> {
    if params.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = params.iter().map(|param| param.key.clone()).collect();
    let existing = repo::runs::params_of(tx, run_id, &keys).await?;
    let mut new = Vec::new();
    let mut changed = Vec::new();
    for param in params {
        match existing.iter().find(|old| old.key == param.key) {
            None => new.push(param.clone()),
            Some(old) if old.value == param.value => {}
            Some(old) => changed.push(format!(
                "{{'key': {}, 'old_value': {}, 'new_value': {}}}",
                rules::python_repr(&param.key),
                rules::python_repr(&old.value),
                rules::python_repr(&param.value)
            )),
        }
    }
    if !changed.is_empty() {
        return Err(Error::invalid(format!(
            "Changing param values is not allowed. Params were already logged='[{}]' for run ID='{run_id}'.",
            changed.join(", ")
        )));
    }
    repo::runs::insert_params(tx, run_id, &new).await
}
