//! Changes that webhooks are told of. Each is recorded in the transaction that makes it, once for every active webhook
//! that is subscribed to it, so that there is no change without its messages and no message without its change.

use database::Transaction;
use serde_json::{Map, Value as Json};
use types::Timestamp;
use uuid::Uuid;

use super::{
    event::{Action, Entity, Event},
    payload::{Data, body, data},
};
use crate::{
    KeyValue, Version,
    error::Result,
    models::{PROMPT_TAG, is_prompt},
    repo::{self, outbox::Message},
};

/// The version's tag that holds a prompt's text.
const PROMPT_TEXT_TAG: &str = "mlflow.prompt.text";
/// The tag that says what kind of prompt it is.
const PROMPT_TYPE_TAG: &str = "_mlflow_prompt_type";

/// A change of the registry, as those who are told of it see it.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    /// A registered model or prompt was made, with these tags.
    Model { name: &'a str, description: &'a str, tags: &'a [KeyValue] },
    /// A version was made, with these tags.
    Version { version: &'a Version, tags: &'a [KeyValue] },
    /// A tag of a registered model or prompt was set, or deleted if there is no value.
    ModelTag { name: &'a str, key: &'a str, value: Option<&'a str> },
    /// A tag of a version was set, or deleted if there is no value.
    VersionTag { name: &'a str, version: &'a str, key: &'a str, value: Option<&'a str> },
    /// An alias was set to a version, or deleted if there is none.
    Alias { name: &'a str, alias: &'a str, version: Option<&'a str> },
}

impl Change<'_> {
    /// The registered model that changed.
    const fn model(&self) -> &str {
        match self {
            Self::Model { name, .. }
            | Self::ModelTag { name, .. }
            | Self::VersionTag { name, .. }
            | Self::Alias { name, .. } => name,
            Self::Version { version, .. } => version.name.as_str(),
        }
    }

    /// The event that it is, for a prompt or for a model. MLflow tells nobody of the tags of a registered model.
    fn event(&self, prompt: bool) -> Option<Event> {
        let pick = |model, of_prompt| if prompt { of_prompt } else { model };
        let set = |is_set: bool, action| if is_set { action } else { Action::Deleted };
        let (entity, action) = match self {
            Self::Model { .. } => (pick(Entity::RegisteredModel, Entity::Prompt), Action::Created),
            Self::Version { .. } => (pick(Entity::ModelVersion, Entity::PromptVersion), Action::Created),
            Self::ModelTag { .. } if !prompt => return None,
            Self::ModelTag { value, .. } => (Entity::PromptTag, set(value.is_some(), Action::Set)),
            Self::VersionTag { value, .. } => {
                (pick(Entity::ModelVersionTag, Entity::PromptVersionTag), set(value.is_some(), Action::Set))
            }
            Self::Alias { version, .. } => {
                (pick(Entity::ModelVersionAlias, Entity::PromptAlias), set(version.is_some(), Action::Created))
            }
        };
        Event::new(entity, action).ok()
    }

    /// What is said of it.
    fn data(&self, prompt: bool) -> Data {
        match self {
            Self::Model { name, description, tags } => {
                data!({ "name": name, "tags": told(tags, prompt), "description": description })
            }
            Self::Version { version, tags } => {
                let description = version.description.as_deref().filter(|text| !text.is_empty());
                let (name, number) = (&version.name, version.version.to_string());
                let mut told = told(tags, prompt);
                if prompt {
                    let template = told.remove(PROMPT_TEXT_TAG);
                    data!({
                        "name": name, "version": number, "template": template, "tags": told, "description": description,
                    })
                } else {
                    let run = version.run_id.as_deref().filter(|run| !run.is_empty());
                    data!({
                        "name": name, "version": number, "source": version.source, "run_id": run, "tags": told,
                        "description": description,
                    })
                }
            }
            Self::ModelTag { name, key, value: Some(value) } => data!({ "name": name, "key": key, "value": value }),
            Self::ModelTag { name, key, value: None } => data!({ "name": name, "key": key }),
            Self::VersionTag { name, version, key, value: Some(value) } => {
                data!({ "name": name, "version": version, "key": key, "value": value })
            }
            Self::VersionTag { name, version, key, value: None } => {
                data!({ "name": name, "version": version, "key": key })
            }
            Self::Alias { name, alias, version: Some(version) } => {
                data!({ "name": name, "alias": alias, "version": version })
            }
            Self::Alias { name, alias, version: None } => data!({ "name": name, "alias": alias }),
        }
    }
}

/// Tags by key; of those of a prompt, not the ones that make it a prompt.
fn told(tags: &[KeyValue], prompt: bool) -> Map<String, Json> {
    let inner = |key: &str| prompt && (key == PROMPT_TAG || key == PROMPT_TYPE_TAG);
    let told = tags.iter().filter(|tag| !inner(&tag.key));
    told.map(|tag| (tag.key.clone(), Json::from(tag.value.as_str()))).collect()
}

/// Writes what is to be said of a change to those who are subscribed to it.
pub(crate) async fn record(tx: &mut Transaction, change: &Change<'_>, now: Timestamp) -> Result<()> {
    let prompt = match change {
        // As the request says, which has just been carried out.
        Change::Model { tags, .. } | Change::Version { tags, .. } => is_prompt(tags),
        Change::ModelTag { name, .. } | Change::VersionTag { name, .. } | Change::Alias { name, .. } => {
            repo::models::is_prompt(tx, name).await?
        }
    };
    let Some(event) = change.event(prompt) else { return Ok(()) };
    let receivers = repo::webhooks::subscribed(tx, event).await?;
    if receivers.is_empty() {
        return Ok(());
    }
    let body = body(event, &change.data(prompt), now);
    for webhook_id in receivers {
        let message = Message {
            id: Uuid::now_v7().to_string(),
            webhook_id,
            subject: change.model().to_owned(),
            event: event.to_string(),
            body: body.clone(),
        };
        repo::outbox::add(tx, &message, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(prompt: &str) -> Vec<KeyValue> {
        let tags = [(PROMPT_TAG, prompt), (PROMPT_TYPE_TAG, "text"), (PROMPT_TEXT_TAG, "Hi {{you}}"), ("a", "b")];
        tags.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect()
    }

    #[test]
    fn a_prompts_own_tags_are_not_told() {
        let (model, prompt) = (tags("false"), tags("true"));
        assert!(!is_prompt(&model) && is_prompt(&prompt));
        assert_eq!(told(&model, false).len(), 4);
        let change = Change::Model { name: "p", description: "", tags: &prompt };
        assert_eq!(change.event(true).unwrap().to_string(), "prompt.created");
        let said = change.data(true).to_string();
        assert_eq!(said, r#"{"name":"p","tags":{"a":"b","mlflow.prompt.text":"Hi {{you}}"},"description":""}"#);
    }

    #[test]
    fn each_change_is_its_own_event() {
        let (name, key, version) = ("m", "k", Some("1"));
        for (change, model, prompt) in [
            (Change::ModelTag { name, key, value: Some("") }, None, "prompt_tag.set"),
            (Change::ModelTag { name, key, value: None }, None, "prompt_tag.deleted"),
            (
                Change::VersionTag { name, version: "1", key, value: Some("v") },
                Some("model_version_tag.set"),
                "prompt_version_tag.set",
            ),
            (
                Change::VersionTag { name, version: "1", key, value: None },
                Some("model_version_tag.deleted"),
                "prompt_version_tag.deleted",
            ),
            (Change::Alias { name, alias: "a", version }, Some("model_version_alias.created"), "prompt_alias.created"),
            (
                Change::Alias { name, alias: "a", version: None },
                Some("model_version_alias.deleted"),
                "prompt_alias.deleted",
            ),
        ] {
            assert_eq!(change.event(false).map(|event| event.to_string()).as_deref(), model, "{change:?}");
            assert_eq!(change.event(true).unwrap().to_string(), prompt, "{change:?}");
        }
    }
}
