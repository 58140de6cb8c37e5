//! `crosstie token …`: identities for people and programs. By default these commands act as the folder's owner, with the
//! token that the first `up` left in `.crosstie/token`.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value as JsonValue, json};
use types::Role;

use super::{Context, output::table};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a token for a new principal and print it, once.
    Create {
        /// Whose it is: alice, ci.
        name: String,
        /// What it may do: viewer, editor, approver, operator or admin.
        #[arg(long)]
        role: Role,
    },
    /// List principals and their roles.
    List,
    /// Revoke a principal's token.
    Revoke {
        /// Whose.
        name: String,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> Result<()> {
    let client = context.client()?.acting_as_owner();
    match command {
        Command::Create { name, role } => {
            let made: JsonValue = client.post("tokens", &json!({ "name": name, "role": role })).await?;
            context.output.answer(&made, || made["token"].as_str().unwrap_or_default().to_owned());
        }
        Command::List => {
            let listed: JsonValue = client.get("tokens").await?;
            context.output.answer(&listed, || {
                let text = |json: &JsonValue| json.as_str().unwrap_or("–").to_owned();
                let rows = listed["tokens"].as_array().into_iter().flatten();
                table(
                    ["NAME", "ROLE", "CREATED"],
                    rows.map(|row| [text(&row["name"]), text(&row["role"]), text(&row["created_at"])]),
                )
            });
        }
        Command::Revoke { name } => {
            let encoded = url::form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20");
            let done: JsonValue = client.send_json(Method::DELETE, &format!("tokens/{encoded}"), &json!({})).await?;
            context.output.answer(&done, || format!("revoked the token of {name}"));
        }
    }
    Ok(())
}
