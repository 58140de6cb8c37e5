//! A rollout: how far it is and what it waits for, what each version got, and the evidence as it grew.

use maud::{Markup, html};
use release::{
    Acknowledgement, Attention, Hold, Judgement, Point, RolloutReport, Share, StepProgress, StepReport,
    model_file::{MinRequests, Step},
};
use types::Timestamp;

use crate::{
    bars,
    chart::{Chart, Fear, Limit, Line, Look, Mark, Unit},
    shadow, show,
};

/// What wants a person's attention, and who follows what was decided: all that there is of a release without steps.
pub(crate) fn settling(report: &RolloutReport, attention: &[&Attention], now: Timestamp) -> Markup {
    html! {
        (matters(attention, now))
        @if !report.acknowledgements.is_empty() { (gateways(report, now)) }
    }
}

/// Everything about the rollout of one release, on its way or over.
pub(crate) fn section(report: &RolloutReport, is_over: bool, attention: &[&Attention], now: Timestamp) -> Markup {
    html! {
        h2 { "Rollout" }
        (matters(attention, now))
        @if let Some(hold) = &report.hold { (hold_of(hold)) }
        (steps(report, is_over))
        @if report.analysis.is_some() || !report.points.is_empty() { (evidence(report)) }
        @if let Some(summary) = &report.shadow { (shadow::section(summary, &report.explanation)) }
        @if !report.acknowledgements.is_empty() { (gateways(report, now)) }
    }
}

fn matters(attention: &[&Attention], now: Timestamp) -> Markup {
    html! {
        @for matter in attention {
            p.warning.bad data-key=(matter.kind.as_str()) { (matter.summary) " " span.note { "since " (show::ago(matter.since, now)) } }
        }
    }
}

/// What the step waits for, with how much of it is there.
fn hold_of(hold: &Hold) -> Markup {
    let done = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
    let held = (hold.held.as_micros().unsigned_abs(), hold.duration.as_micros().unsigned_abs());
    html! {
        div.panel {
            p {
                @if hold.overdue { span.badge.bad { "waits for a person" } }
                @else if !hold.begun { span.badge.moving { "settling" } " Every live gateway has to serve this step before the hold begins." }
                @else { span.badge.moving { "holding" } }
                @if !hold.waits_for.is_empty() { " Waits for " (hold.waits_for.join(", and for ")) "." }
            }
            dl {
                div {
                    dt { "Time" }
                    dd { (bars::progress(done(held.0, held.1))) " " (show::seconds(hold.held)) " of " (hold.duration.approximate()) }
                }
                @if hold.min_requests > 0 {
                    div {
                        dt { "Requests answered by it" }
                        dd { (bars::progress(done(hold.requests, hold.min_requests))) " " (show::count(hold.requests)) " of " (show::count(hold.min_requests)) }
                    }
                }
                @if let Some(max) = hold.max { div { dt { "A person is asked after" } dd { (max.approximate()) } } }
            }
        }
    }
}

fn steps(report: &RolloutReport, is_over: bool) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr {
                    th { "Step" } th { "" } th { "Meant" } th { "Is, of the requests" } th.right { "Requests" }
                    th.right { "Failed" } th.right { "p95" } th.right { "Stable's failed" } th.right { "Stable's p95" }
                } }
                tbody {
                    @for step in &report.steps {
                        @let share = report.shares.iter().find(|share| share.step == step.step);
                        tr.now[!is_over && step.progress == StepProgress::Current] {
                            th scope="row" { (declared(&step.declared)) }
                            td { (progress(step, is_over)) }
                            @match share { Some(share) => (share_of(share)), None => { td colspan="7" {} } }
                        }
                    }
                }
            }
        }
    }
}

/// A step as it was declared, in words.
fn declared(step: &Step) -> String {
    match step {
        Step::Shadow(shadow) => format!("shadow for {}", shadow.duration.approximate()),
        Step::SetWeight(weight) => show::percent(*weight),
        Step::Pause(pause) => {
            let requests = match pause.min_requests {
                None => String::new(),
                Some(MinRequests::Auto) => " and as many requests as promotion takes".to_owned(),
                Some(MinRequests::Count(count)) => format!(" and {} requests", show::count(count)),
            };
            format!("hold for {}{requests}", pause.duration.approximate())
        }
    }
}

fn progress(step: &StepReport, is_over: bool) -> Markup {
    match step.progress {
        StepProgress::Done => html! { span.badge.good { "done" } },
        StepProgress::Current if is_over => html! { span.badge.bad { "ended here" } },
        StepProgress::Current => html! { span.badge.moving { "here" } },
        StepProgress::Ahead => html! { span.note { "ahead" } },
        StepProgress::Skipped => html! { span.note { "skipped" } },
    }
}

fn share_of(share: &Share) -> Markup {
    let latency = |p95: Option<types::Duration>| p95.map_or_else(|| "–".to_owned(), show::latency);
    html! {
        td { @if share.is_shadow { "copies" } @else { (show::percent(share.intended)) } }
        td {
            @match share.of_requests {
                Some(_) if share.is_shadow => (show::none()),
                Some(real) => {
                    (bars::share(real.fraction(), Some(share.intended.fraction())))
                    @if let Some(entities) = share.of_entities { " " span.note.nowrap { (show::percent(entities)) " of entities" } }
                }
                None => (show::none()),
            }
        }
        td.right { (show::count(share.canary.requests)) }
        td.right { (failed(&share.canary)) }
        td.right.nowrap { (latency(share.canary.p95)) }
        td.right { (failed(&share.stable)) span.note.nowrap { " of " (show::count(share.stable.requests)) } }
        td.right.nowrap { (latency(share.stable.p95)) }
    }
}

fn failed(total: &release::ArmTotal) -> Markup {
    html! { @if total.failed_requests > 0 { strong { (show::count(total.failed_requests)) } } @else { "0" } }
}

fn evidence(report: &RolloutReport) -> Markup {
    let analysis = report.analysis.as_ref();
    // What is over is judged no more; the points tell what it was judged by.
    let threshold = analysis.map(|now| now.threshold).or_else(|| Some(report.points.last()?.threshold));
    html! {
        h3 { "Evidence" }
        p.note {
            "How much what has happened speaks against version " (report.version.version) ". It begins at 1 or less"
            @if let Some(threshold) = threshold { "; at " (Unit::Factor.write(threshold)) " the version is sent back by itself" }
            ". It holds at any time, so looking at it often does no harm."
        }
        div.panel.scroll { (course(report, threshold)) }
        p.note {
            "Its excess error rate is at most this, as far as is known by then."
            @if let Some(analysis) = analysis { " It is promoted only while that is below " (show::share(analysis.max_excess)) "." }
        }
        div.panel.scroll { (bound(report)) }
        @if let Some(analysis) = analysis { (judgement(analysis)) }
    }
}

fn judgement(analysis: &Judgement) -> Markup {
    let e = |value: Option<f64>| value.map_or_else(|| "not judged".to_owned(), |value| Unit::Factor.write(value));
    html! {
        dl {
            div { dt { "Errors, E" } dd { (e(analysis.e_errors)) } }
            div { dt { "Latency, E" } dd { (e(analysis.e_latency)) } }
            div {
                dt { "Slow is slower than" }
                dd { @match analysis.slow_after { Some(after) => { (show::latency(after)) ", frozen" }, None => "not known yet: stable has answered too few" } }
            }
            div { dt { "Excess error rate at most" } dd { (show::share(analysis.excess_bound)) " of " (show::share(analysis.max_excess)) } }
            div { dt { "May be promoted" } dd { @if analysis.promotable { span.badge.good { "yes" } } @else { span.badge.waiting { "not yet" } } } }
            div { dt { "Requests so far" } dd { (show::count(analysis.canary_requests)) " its own, " (show::count(analysis.stable_requests)) " stable's" } }
        }
    }
}

fn course(report: &RolloutReport, threshold: Option<f64>) -> Markup {
    let line =
        |name: &str, look, value: fn(&Point) -> f64| Line { name: name.to_owned(), look, points: along(report, value) };
    let is_judged = |e: fn(&Judgement) -> Option<f64>| report.analysis.as_ref().is_none_or(|now| e(now).is_some());
    let mut lines = Vec::new();
    if is_judged(|now| now.e_errors) {
        lines.push(line("errors", Look::Solid, |point| point.e_errors));
    }
    if is_judged(|now| now.e_latency) {
        lines.push(line("latency", Look::Dashed, |point| point.e_latency));
    }
    let limit =
        threshold.map(|at| Limit { at, name: format!("{}: sent back", Unit::Factor.write(at)), fear: Fear::Above });
    Chart {
        description: format!("Evidence against version {} over the requests that it answered", report.version.version),
        x: "requests that it answered",
        y: "evidence against it (E)",
        unit: Unit::Factor,
        lines,
        limits: limit.into_iter().collect(),
        marks: marks(report),
    }
    .draw()
}

fn bound(report: &RolloutReport) -> Markup {
    let points = along(report, |point| point.excess_bound);
    let limit = report.analysis.as_ref().map(|now| Limit {
        at: now.max_excess,
        name: format!("below {}: may go on", show::share(now.max_excess)),
        fear: Fear::Nothing,
    });
    Chart {
        description: "Upper bound on its excess error rate over the requests that it answered".to_owned(),
        x: "requests that it answered",
        y: "excess error rate, at most",
        unit: Unit::Percent,
        lines: vec![Line { name: "at most".to_owned(), look: Look::Solid, points }],
        limits: limit.into_iter().collect(),
        marks: marks(report),
    }
    .draw()
}

/// A value over the candidate's requests.
fn along(report: &RolloutReport, value: fn(&Point) -> f64) -> Vec<(f64, f64)> {
    report.points.iter().map(|point| (point.canary_requests as f64, value(point))).collect()
}

/// Where the share changed.
fn marks(report: &RolloutReport) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for point in &report.points {
        let step = report.steps.iter().find(|step| step.step == point.step);
        let name = match step.map(|step| &step.declared) {
            Some(Step::Shadow(_)) => "shadow".to_owned(),
            Some(Step::SetWeight(_) | Step::Pause(_)) | None => show::percent(point.weight),
        };
        if marks.last().is_none_or(|last| last.name != name) {
            marks.push(Mark { at: point.canary_requests as f64, name });
        }
    }
    marks
}

fn gateways(report: &RolloutReport, now: Timestamp) -> Markup {
    html! {
        h3 { "Gateways" }
        @match (report.revision, report.settled_at) {
            (Some(revision), Some(at)) => p.note { "Every live gateway served revision " (revision) " " (show::ago(at, now)) "." },
            (Some(revision), None) => p.note { "Not every live gateway serves revision " (revision) " yet." },
            (None, Some(_) | None) => {}
        }
        div.scroll {
            table {
                thead { tr { th { "Gateway" } th { "Heard" } th { "Serves" } th { "Cannot load" } } }
                tbody { @for acknowledgement in &report.acknowledgements { (gateway(acknowledgement, report, now)) } }
            }
        }
    }
}

fn gateway(acknowledgement: &Acknowledgement, report: &RolloutReport, now: Timestamp) -> Markup {
    html! {
        tr data-key=(acknowledgement.gateway) {
            th scope="row" { code { (acknowledgement.gateway) } @if !acknowledgement.live { " " span.badge { "gone" } } }
            td { (show::ago(acknowledgement.seen_at, now)) }
            @match &acknowledgement.model {
                Some(model) => {
                    td {
                        "revision " (model.revision)
                        @if !model.settled { " " span.badge.moving { "loading" } }
                        @else if report.revision.is_some_and(|revision| model.revision < revision) { " " span.badge.waiting { "behind" } }
                    }
                    td {
                        @if model.failed.is_empty() { (show::none()) }
                        @for (version, reason) in &model.failed { div { strong { "version " (version) } ": " (reason) } }
                    }
                }
                None => { td { (show::none()) } td { (show::none()) } }
            }
        }
    }
}

#[cfg(test)]
mod tests;
