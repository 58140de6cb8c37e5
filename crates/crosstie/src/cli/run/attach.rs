//! Gives each MLflow run of a workflow what is recorded of it, as soon as the step that made it has ended, and tells in
//! the end whether it can be released.

use std::collections::BTreeSet;

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use super::record::Record;
use crate::cli::{client::Client, output::Output};

/// Adds to runs what is recorded, each once.
#[derive(Debug)]
pub(in crate::cli) struct Attacher {
    client: Client,
    uid: Uuid,
    record: Record,
    done: BTreeSet<String>,
}

/// The runs of a workflow, as the server judges them.
#[derive(Debug, serde::Deserialize)]
struct Runs {
    runs: Vec<registry::RunLineage>,
}

impl Attacher {
    pub(in crate::cli) fn new(client: Client, uid: Uuid, record: Record) -> Self {
        Self { client, uid, record, done: BTreeSet::new() }
    }

    /// What is added.
    pub(in crate::cli) fn record(&self) -> &Record {
        &self.record
    }

    /// Adds the record to runs that have not got it yet.
    ///
    /// # Errors
    /// When the server does not take it.
    pub(in crate::cli) async fn attach(&mut self) -> Result<()> {
        for run in self.runs().await? {
            if self.done.contains(&run.run_id) {
                continue;
            }
            for (name, content) in &self.record.files {
                let path = format!("lineage/runs/{}/files/{name}", run.run_id);
                self.client.send(self.client.request(Method::PUT, &path).body(content.clone())).await?;
            }
            if !self.record.datasets.is_empty() {
                let inputs = json!({ "run_id": run.run_id, "datasets": self.record.datasets });
                self.client.send(self.client.mlflow(Method::POST, "runs/log-inputs").json(&inputs)).await?;
            }
            // Only now: what failed is tried again, and each call may be made twice.
            self.done.insert(run.run_id);
        }
        Ok(())
    }

    /// The workflow's runs, as they are judged now.
    ///
    /// # Errors
    /// When the server does not answer.
    pub(in crate::cli) async fn runs(&self) -> Result<Vec<registry::RunLineage>> {
        let found: Runs = self.client.get(&format!("lineage/workflows/{}", self.uid)).await?;
        Ok(found.runs)
    }
}

/// What the terminal says of the runs that made a model.
pub(in crate::cli) fn tell(output: Output, runs: &[registry::RunLineage]) {
    for run in runs.iter().filter(|run| run.has_model) {
        output.progress(&judgement(run));
    }
}

/// The judgement of a run, with a line for each thing that is missing.
pub(in crate::cli) fn judgement(run: &registry::RunLineage) -> String {
    let name = if run.name.is_empty() { &run.run_id } else { &run.name };
    let mut text = format!("run {name}: releasable: {}", if run.releasable { "yes" } else { "no" });
    for missing in &run.missing {
        text += &format!("\n  missing {}: {}", missing.what, missing.add);
        if !missing.line.is_empty() {
            text += &format!("\n    {}", missing.line);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{
        Router,
        extract::Request,
        response::{IntoResponse as _, Response},
    };
    use http::StatusCode;

    use super::*;
    use crate::cli::client::ServerFlags;

    #[tokio::test]
    async fn what_was_refused_once_is_added_the_next_time_and_not_again() {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&asked);
        let answer = move |request: Request| {
            let mut asked = seen.lock().unwrap();
            asked.push(format!("{} {}", request.method(), request.uri().path().rsplit('/').next().unwrap_or_default()));
            let is_first = asked.iter().filter(|call| call.starts_with("PUT")).count() == 1;
            let run = json!({ "run_id": "r", "name": "", "has_model": true, "releasable": false, "missing": [] });
            let answer: Response = match request.method() {
                &Method::PUT if is_first => StatusCode::SERVICE_UNAVAILABLE.into_response(),
                _ => axum::Json(json!({ "runs": [run] })).into_response(),
            };
            async { answer }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Some(format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let client = Client::connect(&ServerFlags { server, token: None }, std::path::Path::new("/nowhere")).unwrap();
        let record = Record {
            files: vec![("environment.txt", vec![])],
            datasets: vec![json!({ "dataset": {} })],
            ..Record::default()
        };
        let mut attacher = Attacher::new(client, Uuid::nil(), record);
        assert!(attacher.attach().await.is_err());
        attacher.attach().await.unwrap();
        attacher.attach().await.unwrap();
        let calls = asked.lock().unwrap().clone();
        let changes: Vec<&String> = calls.iter().filter(|call| !call.starts_with("GET")).collect();
        assert_eq!(changes, ["PUT environment.txt", "PUT environment.txt", "POST log-inputs"]);
    }
}
