//! `crosstie status`: what runs on this folder, and where.

use anyhow::Result;
use serde_json::{Value as JsonValue, json};

use super::Context;
use crate::state_dir;

pub(super) async fn run(context: &Context) -> Result<()> {
    if context.server.server.is_none() && state_dir::running(&context.state()).is_none() {
        context.output.answer(&json!({ "up": false }), || {
            format!("nothing is up on {}; start it with `crosstie up -d`", context.dir.display())
        });
        return Ok(());
    }
    let client = context.client()?;
    let mut status: JsonValue = client.get("status").await?;
    status["up"] = true.into();
    context.output.answer(&status, || render(&status));
    Ok(())
}

fn render(status: &JsonValue) -> String {
    let text = |pointer: &str| status.pointer(pointer).and_then(JsonValue::as_str).unwrap_or("–").to_owned();
    let mut lines = format!("crosstie {} on {}\n", text("/version"), text("/dir"));
    for (role, what) in [
        ("api", "console, MLflow's API"),
        ("http", "inference over HTTP"),
        ("grpc", "inference over gRPC"),
        ("metrics", "/metrics"),
    ] {
        lines += &format!("  {:<22} {}\n", text(&format!("/addresses/{role}")), what);
    }
    lines + &format!("  project {}\n", text("/project"))
}
