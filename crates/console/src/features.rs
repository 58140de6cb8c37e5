//! Feature views: what they are made of, and how far they are materialized.

use axum::extract::State;
use features::{Watermark, definitions::View};
use maud::{Markup, html};
use types::Timestamp;

use crate::{
    Answer, ConsoleState,
    page::{Pace, Page},
    show,
};

pub(crate) async fn features(State(state): State<ConsoleState>) -> Answer {
    let definitions = state.features.definitions();
    let watermarks = state.features.watermarks().await?;
    let now = state.clock.now();
    let views: Vec<_> = definitions.views().collect();
    let on_demand: Vec<_> = definitions.on_demand().collect();
    let body = html! {
        h1 { "Features" }
        @if views.is_empty() { p { "The project declares no feature views: they are written in " code { "features/*.yaml" } "." } }
        @for view in &views { (view_of(view, &watermarks, now)) }
        @if !on_demand.is_empty() {
            h2 { "On demand" }
            div.scroll {
                table {
                    thead { tr { th { "Feature" } th { "Expression" } th { "What it is" } } }
                    tbody {
                        @for feature in &on_demand {
                            tr {
                                th scope="row" { (feature.name()) }
                                td { code { (feature.expression()) } }
                                td { @if let Some(description) = feature.description() { (description) } @else { (show::none()) } }
                            }
                        }
                    }
                }
            }
        }
    };
    Ok(Page::new("Features", "Features", body).at(Pace::Calm))
}

fn view_of(view: &View, watermarks: &[Watermark], now: Timestamp) -> Markup {
    let digest = view.digest();
    let current = watermarks.iter().find(|watermark| watermark.view == view.name() && watermark.digest == digest);
    let older =
        watermarks.iter().filter(|watermark| watermark.view == view.name() && watermark.digest != digest).count();
    html! {
        h2 { (view.name()) " " (show::digest(&digest)) }
        @if let Some(description) = view.description() { p.lead { (description) } }
        dl {
            div { dt { "Keys" } dd { (view.keys().iter().map(|key| key.name.as_str()).collect::<Vec<_>>().join(", ")) } }
            @if let Some(owner) = view.owner() { div { dt { "Owner" } dd { (owner) } } }
            div {
                dt { "Materialized until" }
                dd {
                    @if let Some(watermark) = current {
                        (show::moment(watermark.at)) ", " (watermark.rows) " entities, " (show::ago(watermark.updated_at, now))
                    } @else { span.badge.waiting { "not materialized" } }
                }
            }
            @if older > 0 { div { dt { "Earlier definitions kept" } dd { (older) } } }
        }
        div.scroll {
            table {
                thead { tr { th { "Feature" } th { "Type" } th { "Expression" } th { "Where there is none" } } }
                tbody {
                    @for feature in view.features() {
                        tr {
                            th scope="row" { (feature.name) @if let Some(description) = &feature.description { div.note { (description) } } }
                            td { (feature.value_type) }
                            td { code { (feature.sql()) } }
                            td { @if let Some(default) = &feature.default { (show::value(default)) } @else { "refused" } }
                        }
                    }
                }
            }
        }
    }
}
