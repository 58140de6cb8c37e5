//! `crosstie release …` and `crosstie rollback`: the way of a version to production, and back.

mod rollout;

use std::time::Duration;

use anyhow::{Result, bail};
use release::RolloutReport;
use serde_json::{Value as JsonValue, json};
use types::{ModelName, ModelVersion, Timestamp};

use super::{
    Context,
    client::Client,
    output::{Told, table},
    path_of,
};

/// How often to look while gates run.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Ask for a version's release: freeze it, run its gates, then wait for approval.
    Create {
        /// MODEL/VERSION, such as click-ranker/7.
        version: ModelVersion,
        /// Return at once instead of waiting for the gates.
        #[arg(long)]
        no_wait: bool,
    },
    /// List releases, the newest first.
    List {
        /// Only this model's.
        #[arg(long)]
        model: Option<ModelName>,
    },
    /// Show a release: gates with their evidence, approvals, waivers, rollout.
    Show {
        /// Its number.
        id: i64,
    },
    /// Sign a release off. Not for its author.
    Approve {
        /// Its number.
        id: i64,
        /// Kept with the approval.
        #[arg(long)]
        comment: Option<String>,
    },
    /// Let a failed gate pass, with a reason and until a date.
    Waive {
        /// The release's number.
        id: i64,
        /// lineage, schema, parity, quality or latency.
        gate: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Until when the waiver counts: a date or a time.
        #[arg(long)]
        until: Timestamp,
    },
    /// Hold a rollout where it is.
    Pause {
        /// The release's number.
        id: i64,
    },
    /// Go on with a held rollout.
    Resume {
        /// The release's number.
        id: i64,
    },
    /// End a release; stable serves everything.
    Abort {
        /// The release's number.
        id: i64,
        /// Kept in the audit trail.
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct RollbackFlags {
    /// The model.
    model: ModelName,
    /// The version to go back to; the one that was stable before otherwise.
    #[arg(long, value_name = "V")]
    to: Option<u32>,
    /// Kept in the audit trail.
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn run(context: &Context, command: Command) -> Result<()> {
    let client = context.client()?;
    let act = |id: i64, verb: &str| format!("releases/{id}/{verb}");
    match command {
        Command::Create { version, no_wait } => return create(context, &client, &version, no_wait).await,
        Command::List { model } => {
            let query = model.map_or(String::new(), |model| format!("?model={}", path_of(&model)));
            let listed: JsonValue = client.get(&format!("releases{query}")).await?;
            context.output.answer(&listed, || render_list(&listed));
        }
        Command::Show { id } => show(context, &release_in(client.get(&format!("releases/{id}")).await?)),
        Command::Approve { id, comment } => {
            show(context, &release_in(client.post(&act(id, "approve"), &json!({ "comment": comment })).await?));
        }
        Command::Waive { id, gate, reason, until } => {
            let waiver = json!({ "gate": gate, "reason": reason, "until": until });
            show(context, &release_in(client.post(&act(id, "waive"), &waiver).await?));
        }
        Command::Pause { id } => show(context, &release_in(client.post(&act(id, "pause"), &json!({})).await?)),
        Command::Resume { id } => show(context, &release_in(client.post(&act(id, "resume"), &json!({})).await?)),
        Command::Abort { id, reason } => {
            show(context, &release_in(client.post(&act(id, "abort"), &json!({ "reason": reason })).await?));
        }
    }
    Ok(())
}

pub(super) async fn rollback(context: &Context, flags: RollbackFlags) -> Result<()> {
    let path = format!("models/{}/rollback", path_of(&flags.model));
    let done: JsonValue = context.client()?.post(&path, &json!({ "to": flags.to, "reason": flags.reason })).await?;
    show(context, &release_in(done));
    Ok(())
}

/// Creates the release and follows it until its gates are through. Failed gates are a failure of the command.
async fn create(context: &Context, client: &Client, version: &ModelVersion, no_wait: bool) -> Result<()> {
    let mut release = release_in(client.post("releases", &json!({ "version": version })).await?);
    let Some(id) = release["id"].as_i64() else { bail!("the server answered a release without a number") };
    let mut told = 0;
    while !no_wait && stage(&release) == "gating" {
        tokio::time::sleep(LOOK).await;
        release = release_in(client.get(&format!("releases/{id}")).await?);
        for gate in decided(&release).skip(told) {
            context.output.progress(&gate_line(gate));
            told += 1;
        }
    }
    show(context, &release);
    if matches!(stage(&release), "gates_failed" | "failed") { Err(Told.into()) } else { Ok(()) }
}

/// The release in an answer of the API, with its rollout where it came along.
fn release_in(mut answer: JsonValue) -> JsonValue {
    let mut release = answer["release"].take();
    if answer["rollout"].is_object() {
        release["rollout"] = answer["rollout"].take();
    }
    release
}

fn stage(release: &JsonValue) -> &str {
    release["stage"].as_str().unwrap_or("unknown")
}

fn gates(release: &JsonValue) -> impl Iterator<Item = &JsonValue> {
    release["gates"].as_array().into_iter().flatten()
}

fn decided(release: &JsonValue) -> impl Iterator<Item = &JsonValue> {
    gates(release).filter(|gate| matches!(gate["verdict"].as_str(), Some("passed" | "failed")))
}

fn text(json: &JsonValue) -> String {
    json.as_str().map_or_else(|| if json.is_null() { "–".to_owned() } else { json.to_string() }, str::to_owned)
}

fn gate_line(gate: &JsonValue) -> String {
    let mark = match gate["verdict"].as_str() {
        Some("passed") => "pass",
        Some("failed") => "FAIL",
        Some(_) | None => "…",
    };
    format!("  {mark:<7}{:<9}{}", text(&gate["gate"]), text(&gate["summary"]))
}

fn show(context: &Context, release: &JsonValue) {
    context.output.answer(release, || render(release));
}

fn render(release: &JsonValue) -> String {
    let mut lines = format!("release {} of {}: {}\n", release["id"], text(&release["version"]), stage(release));
    lines += &format!(
        "  artifact  {}\n  project   {}\n",
        text(&release["artifact_digest"]),
        text(&release["project_digest"])
    );
    lines += &format!("  asked by  {}\n", text(&release["created_by"]));
    for gate in gates(release) {
        lines += &(gate_line(gate) + "\n");
    }
    for waiver in release["waivers"].as_array().into_iter().flatten() {
        let (gate, by) = (text(&waiver["gate"]), text(&waiver["principal"]));
        lines += &format!("  waiver    {gate} by {by} until {}: {}\n", text(&waiver["until"]), text(&waiver["reason"]));
    }
    for approval in release["approvals"].as_array().into_iter().flatten() {
        lines += &format!("  approved  by {} at {}\n", text(&approval["principal"]), text(&approval["at"]));
    }
    if let Ok(report) = serde_json::from_value::<RolloutReport>(release["rollout"].clone()) {
        lines += &rollout::lines(&report);
    }
    if release["paused"] == true {
        lines += "  paused    it stays where it is until somebody resumes it\n";
    }
    if let Some(reason) = release["reason"].as_str() {
        lines += &format!("  because   {reason}\n");
    }
    for note in release["notes"].as_array().into_iter().flatten() {
        lines += &format!("  note      {}\n", text(note));
    }
    if stage(release) == "awaiting_approval" {
        lines +=
            &format!("  next      `crosstie release approve {}` by an approver who is not the author\n", release["id"]);
    }
    lines
}

fn render_list(listed: &JsonValue) -> String {
    let releases = listed["releases"].as_array().into_iter().flatten();
    table(
        ["RELEASE", "VERSION", "STAGE", "CREATED", "BY"],
        releases.map(|release| {
            [&release["id"], &release["version"], &release["stage"], &release["created_at"], &release["created_by"]]
                .map(text)
        }),
    )
}
