//! A release: where it stands, its gates with their evidence, who signed, what was waived, and the trail.

use axum::extract::{Path, State};
use identity::AuditFilter;
use maud::{Markup, html};
use release::{GateReport, Kind, Release, ReleaseId, Stage, Verdict};
use types::Timestamp;

use crate::{
    Answer, ConsoleState, address, audit,
    evidence::evidence,
    page::{Pace, Page},
    rollout, show,
};

/// Lines of the trail that a release's page shows.
const TRAIL: u32 = 50;

pub(crate) async fn release(State(state): State<ConsoleState>, Path(id): Path<String>) -> Answer {
    let id: ReleaseId = id.parse()?;
    let release = state.releases.get(id).await?;
    let filter = AuditFilter { subject: Some(format!("release {id}")), limit: TRAIL, ..AuditFilter::default() };
    let trail = state.identity.trail(filter).await?;
    let report = state.releases.rollout(id).await?;
    let attention = state.releases.attention().await?;
    // What ended it stands on top already.
    let is_said = |summary: &str| release.reason.as_ref().is_some_and(|reason| summary.contains(reason.as_str()));
    let attention: Vec<_> =
        attention.iter().filter(|matter| matter.release == id && !is_said(&matter.summary)).collect();
    let now = state.clock.now();
    let what = if release.kind == Kind::Rollback { "Rollback" } else { "Release" };
    let body = html! {
        p.crumb { a href=(address::model(&release.version.model)) { (release.version.model) } }
        h1 { (what) " " (id) " of " a href=(address::version(&release.version)) { (release.version) } " " (show::stage(&release)) }
        @if let Some(reason) = &release.reason { p.warning { (reason) } }
        @if let Some(next) = next_step(&release) { p.lead { (next) } }
        @for note in &release.notes { p.note { (note) } }
        (facts(&release, now))
        @if release.has_rollout() { (rollout::section(&report, release.stage.is_over(), &attention, now)) }
        @if release.kind == Kind::Rollback { (rollout::settling(&report, &attention, now)) }
        @if !release.gates.is_empty() { h2 { "Gates" } @for report in &release.gates { (gate(&release, report, now)) } }
        (signatures(&release, now))
        h2 { "Trail" }
        (audit::table(&trail, now))
    };
    let is_moving = !release.stage.is_settled();
    Ok(Page::new("Releases", format!("{what} {id}"), body).at(Pace::of(is_moving)))
}

/// What has to happen for the release to go on, if a person has to do it.
fn next_step(release: &Release) -> Option<String> {
    match release.stage {
        Stage::AwaitingApproval => {
            let missing = (release.model_file.approvals.required as usize).saturating_sub(release.approvals.len());
            let not_by = match &release.author {
                Some(author) if release.model_file.approvals.not_author => format!(", not by {}", author.name),
                Some(_) | None => String::new(),
            };
            Some(format!(
                "Waits for {missing} approval{}{not_by}: crosstie release approve {}",
                if missing == 1 { "" } else { "s" },
                release.id
            ))
        }
        Stage::GatesFailed => Some(format!(
            "Stopped by its gates. Fix the version and release it again, or waive a gate: crosstie release waive {}",
            release.id
        )),
        Stage::Gating | Stage::RollingOut | Stage::Done | Stage::Failed | Stage::Aborted | Stage::RolledBack => None,
    }
}

fn facts(release: &Release, now: Timestamp) -> Markup {
    html! {
        dl {
            div { dt { "Created" } dd { (show::ago(release.created_at, now)) " by " (release.created_by) } }
            div { dt { "Version registered by" } dd { @if let Some(author) = &release.author { (author.name) } @else { (show::none()) } } }
            div { dt { "Executed by" } dd { (release.backend) } }
            div { dt { "Weight" } dd { (show::percent(release.weight)) } }
            @if let Some(previous) = release.previous { div { dt { "Stable before" } dd { "version " (previous) } } }
            div { dt { "Artifact, as judged" } dd { (show::digest(&release.artifact_digest)) } }
            div { dt { "Project, as judged" } dd { (show::digest(&release.project_digest)) } }
            @for (feature, digest) in &release.feature_digests { div { dt { (feature) } dd { (show::digest(digest)) } } }
        }
    }
}

fn gate(release: &Release, report: &GateReport, now: Timestamp) -> Markup {
    let waiver = release.waivers.iter().rev().find(|waiver| waiver.gate == report.gate && waiver.until > now);
    html! {
        // What stopped a release is what its reader came for.
        details.gate data-key=(report.gate) open[report.verdict == Verdict::Failed && waiver.is_none()] {
            summary {
                strong { (report.gate) } " " (show::verdict(report.verdict))
                @if let Some(waiver) = waiver { " " span.badge.waiting { "waived by " (waiver.principal) } }
                @if let Some(summary) = &report.summary { " " span { (summary) } }
            }
            @if let Some(found) = &report.evidence { (evidence(found)) } @else { p.note { "No verdict yet." } }
            @if let Some(at) = report.concluded_at { p.note { "Concluded " (show::ago(at, now)) "." } }
        }
    }
}

fn signatures(release: &Release, now: Timestamp) -> Markup {
    html! {
        @if release.kind == Kind::Release {
            h2 { "Approvals" }
            @if release.approvals.is_empty() { p { "None yet." } } @else {
                ul {
                    @for approval in &release.approvals {
                        li { strong { (approval.principal) } " " (show::ago(approval.at, now)) @if let Some(comment) = &approval.comment { ": " (comment) } }
                    }
                }
            }
        }
        @if !release.waivers.is_empty() {
            h2 { "Waivers" }
            ul {
                @for waiver in &release.waivers {
                    li {
                        strong { (waiver.gate) } " by " (waiver.principal) ", until " (show::moment(waiver.until))
                        @if waiver.until <= now { " " span.badge { "expired" } }
                        ": " (waiver.reason)
                    }
                }
            }
        }
    }
}
