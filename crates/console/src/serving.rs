//! Which versions of a model get which part of its traffic: what was meant, and what it is.

use maud::{Markup, html};
use release::{Assignment, Pinned, RolloutReport, Share};
use types::ModelVersion;

use crate::{address, bars, show};

/// The versions that get traffic, stable first, with a bar; nothing is in production without a stable version.
pub(crate) fn arms(assignment: &Assignment, report: Option<&RolloutReport>) -> Markup {
    let canary = assignment.canary.as_ref();
    let weight = canary.map_or(0.0, |canary| canary.weight.fraction());
    let real = canary.and_then(|canary| {
        let current = |share: &&Share| !share.is_shadow && share.intended == canary.weight;
        report?.shares.iter().rev().find(current)?.of_requests
    });
    let drawn = real.map_or(weight, |real| real.fraction());
    let link = |pinned: &Pinned| {
        let version = ModelVersion::new(assignment.model.clone(), pinned.version);
        html! { a href=(address::version(&version)) { "version " (pinned.version) } " " a.quiet href=(address::release(pinned.release)) { "release " (pinned.release) } }
    };
    html! {
        @match &assignment.stable {
            None => (show::none()),
            Some(stable) => {
                @if canary.is_some() { (bars::split(&[("stable", 1.0 - drawn), ("canary", drawn)])) }
                div.nowrap { span.swatch.stable {} (link(stable)) @if canary.is_some() { " " (show::share(1.0 - weight)) } }
            }
        }
        @if let Some(canary) = canary {
            div.nowrap {
                span.swatch.canary {} (link(&canary.pinned)) " " (show::percent(canary.weight))
                @if let Some(real) = real { span.note { ", really " (show::percent(real)) } }
            }
        }
        @if let Some(shadow) = &assignment.shadow { div.nowrap { span.swatch {} (link(shadow)) " " span.note { "shadow: copies only" } } }
    }
}
