//! What a webhook can be subscribed to: an action on a kind of thing, in MLflow's words.

use std::{fmt, str::FromStr};

use serde_json::json;

use super::payload::{Data, data};
use crate::{error::Error, rules::python_list};

/// Makes an enum of words, each with its place in MLflow's protocol.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $number:literal $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// The word as the database and payloads have it; the protocol writes it in capitals.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// By the number that the protocol gives it.
            #[must_use]
            pub const fn of_number(number: i64) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(word: &str) -> Result<Self, ()> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What something happened to.
    Entity {
        /// A registered model.
        RegisteredModel = 1 "registered_model",
        /// A version of one.
        ModelVersion = 2 "model_version",
        /// A tag of a version.
        ModelVersionTag = 3 "model_version_tag",
        /// An alias of a version.
        ModelVersionAlias = 4 "model_version_alias",
        /// A prompt.
        Prompt = 5 "prompt",
        /// A version of one.
        PromptVersion = 6 "prompt_version",
        /// A tag of a prompt.
        PromptTag = 7 "prompt_tag",
        /// A tag of a prompt's version.
        PromptVersionTag = 8 "prompt_version_tag",
        /// An alias of a prompt's version.
        PromptAlias = 9 "prompt_alias",
        /// A budget of MLflow's gateway. This server has none: it may be subscribed to, and never happens.
        BudgetPolicy = 10 "budget_policy",
    }
}

words! {
    /// What happened to it.
    Action {
        /// It is new.
        Created = 1 "created",
        /// It is different. No entity has it yet.
        Updated = 2 "updated",
        /// It is gone.
        Deleted = 3 "deleted",
        /// It has a value.
        Set = 4 "set",
        /// It is used up.
        Exceeded = 5 "exceeded",
    }
}

/// An event: what happened to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    entity: Entity,
    action: Action,
}

impl Event {
    /// The event, if there is one.
    ///
    /// # Errors
    /// When that never happens to such a thing.
    pub fn new(entity: Entity, action: Action) -> Result<Self, Error> {
        let valid = Self::actions(entity);
        if valid.contains(&action) {
            return Ok(Self { entity, action });
        }
        let valid = python_list(valid.iter().map(|action| action.as_str()));
        Err(Error::invalid(format!("Invalid action '{action}' for entity '{entity}'. Valid actions are: {valid}")))
    }

    /// What it happens to.
    #[must_use]
    pub const fn entity(self) -> Entity {
        self.entity
    }

    /// What happens.
    #[must_use]
    pub const fn action(self) -> Action {
        self.action
    }

    /// What happens to an entity, by the alphabet.
    const fn actions(entity: Entity) -> &'static [Action] {
        match entity {
            Entity::RegisteredModel | Entity::ModelVersion | Entity::Prompt | Entity::PromptVersion => {
                &[Action::Created]
            }
            Entity::ModelVersionTag | Entity::PromptTag | Entity::PromptVersionTag => &[Action::Deleted, Action::Set],
            Entity::ModelVersionAlias | Entity::PromptAlias => &[Action::Created, Action::Deleted],
            Entity::BudgetPolicy => &[Action::Exceeded],
        }
    }

    /// What is said of an event that did not happen, when a webhook is tried.
    pub(super) fn example(self) -> Data {
        let name = match self.entity {
            Entity::Prompt
            | Entity::PromptVersion
            | Entity::PromptTag
            | Entity::PromptVersionTag
            | Entity::PromptAlias => "example_prompt",
            Entity::RegisteredModel
            | Entity::ModelVersion
            | Entity::ModelVersionTag
            | Entity::ModelVersionAlias
            | Entity::BudgetPolicy => "example_model",
        };
        let tags = json!({ "example_key": "example_value" });
        match (self.entity, self.action) {
            (Entity::RegisteredModel, _) => {
                data!({ "name": name, "tags": tags, "description": "An example registered model" })
            }
            (Entity::Prompt, _) => data!({ "name": name, "tags": tags, "description": "An example prompt" }),
            (Entity::ModelVersion, _) => data!({
                "name": name, "version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678", "tags": tags,
                "description": "An example model version",
            }),
            (Entity::PromptVersion, _) => data!({
                "name": name, "version": "1", "template": "Hello {{name}}!", "tags": tags,
                "description": "An example prompt version",
            }),
            (Entity::PromptTag, Action::Set) => data!({ "name": name, "key": "example_key", "value": "example_value" }),
            (Entity::PromptTag, _) => data!({ "name": name, "key": "example_key" }),
            (Entity::ModelVersionTag | Entity::PromptVersionTag, Action::Set) => {
                data!({ "name": name, "version": "1", "key": "example_key", "value": "example_value" })
            }
            (Entity::ModelVersionTag | Entity::PromptVersionTag, _) => {
                data!({ "name": name, "version": "1", "key": "example_key" })
            }
            (Entity::ModelVersionAlias | Entity::PromptAlias, Action::Created) => {
                data!({ "name": name, "alias": "example_alias", "version": "1" })
            }
            (Entity::ModelVersionAlias | Entity::PromptAlias, _) => data!({ "name": name, "alias": "example_alias" }),
            (Entity::BudgetPolicy, _) => data!({
                "budget_policy_id": "bp-abc123", "budget_unit": "USD", "budget_amount": 100.0, "current_spend": 105.5,
                "duration_unit": "MONTHS", "duration_value": 1, "target_scope": "ENDPOINT", "workspace": "default",
                "target_value": "ep-abc123", "window_start": 1_704_067_200_000_i64,
            }),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.entity, self.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_the_fifteen_events_that_mlflow_has() {
        let entities = (1..=10).map(|number| Entity::of_number(number).unwrap());
        let actions = || (1..=5).map(|number| Action::of_number(number).unwrap());
        let events: Vec<Event> =
            entities.flat_map(|entity| actions().filter_map(move |action| Event::new(entity, action).ok())).collect();
        assert_eq!(events.len(), 15);
        for event in events {
            assert_eq!(event.entity().as_str().parse(), Ok(event.entity()));
            assert!(!event.example().0.is_empty());
        }
        assert_eq!(
            Event::new(Entity::ModelVersionTag, Action::Created).unwrap_err().to_string(),
            "Invalid action 'created' for entity 'model_version_tag'. Valid actions are: ['deleted', 'set']"
        );
    }
}
