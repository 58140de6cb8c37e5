//! What receivers get: fields in the order in which MLflow writes them, since some compare messages as texts.

use std::fmt::{self, Write as _};

use serde_json::{Value as Json, json};
use types::Timestamp;

use super::event::Event;

/// What is said of an event, field by field; as text, an object of JSON.
#[derive(Debug)]
pub(super) struct Data(pub(super) Vec<(&'static str, Json)>);

/// [`Data`] from fields as in JSON.
macro_rules! data {
    ({ $($field:literal: $value:expr),+ $(,)? }) => {
        $crate::webhooks::payload::Data(vec![$(($field, serde_json::json!($value))),+])
    };
}
pub(super) use data;

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (index, (field, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}\"{field}\":{value}")?;
        }
        f.write_char('}')
    }
}

/// The body of a message.
pub(super) fn body(event: Event, data: &Data, now: Timestamp) -> String {
    let (entity, action) = (json!(event.entity().as_str()), json!(event.action().as_str()));
    // As Python writes it, and its readers read it.
    let timestamp = json!(now.to_string().replace('Z', "+00:00"));
    format!(r#"{{"entity":{entity},"action":{action},"timestamp":{timestamp},"data":{data}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhooks::event::{Action, Entity};

    #[test]
    fn a_body_is_json_with_its_fields_as_they_were_said() {
        let event = Event::new(Entity::PromptTag, Action::Set).unwrap();
        let body = body(
            event,
            &data!({ "name": "a \"b\"", "key": Some("k"), "value": None::<&str> }),
            Timestamp::from_millis(0),
        );
        assert!(body.ends_with(r#""data":{"name":"a \"b\"","key":"k","value":null}}"#), "{body}");
        let read: Json = serde_json::from_str(&body).unwrap();
        assert_eq!(read["entity"], "prompt_tag");
        assert_eq!(read["timestamp"], "1970-01-01T00:00:00+00:00");
    }
}
