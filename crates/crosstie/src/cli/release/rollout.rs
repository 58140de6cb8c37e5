//! A rollout in lines: its steps, what each version got, the analysis, what the shadow showed, who serves it.

use release::{
    Acknowledgement, ArmTotal, Hold, Judgement, RolloutReport, Share, StepProgress, StepReport,
    model_file::{MinRequests, Step},
};
use types::{Duration, Percent};

/// How much is shown of an unbounded number.
const MOST_EVIDENCE: f64 = 1e6;

pub(super) fn lines(report: &RolloutReport) -> String {
    let mut lines: Vec<String> = report.steps.iter().map(step).collect();
    lines.extend(report.hold.as_ref().map(hold));
    lines.extend(report.shares.iter().map(share));
    lines.extend(report.analysis.as_ref().map(analysis));
    lines.extend(report.explanation.iter().map(|line| format!("shadow    {line}")));
    let is_told = report.revision.is_some() && !report.steps.iter().all(|step| step.progress == StepProgress::Ahead);
    if is_told {
        lines.extend(report.acknowledgements.iter().map(gateway));
    }
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

fn step(report: &StepReport) -> String {
    let mark = match report.progress {
        StepProgress::Done => "done",
        StepProgress::Current => "now",
        StepProgress::Ahead => "ahead",
        StepProgress::Skipped => "skipped",
    };
    let declared = match &report.declared {
        Step::Shadow(shadow) => format!("shadow for {}", shadow.duration),
        Step::SetWeight(weight) => format!("weight {weight}"),
        Step::Pause(pause) => {
            let requests = match pause.min_requests {
                None => String::new(),
                Some(MinRequests::Auto) => ", as many requests as the analysis takes".to_owned(),
                Some(MinRequests::Count(count)) => format!(", {count} requests"),
            };
            let max = pause.max.map_or(String::new(), |max| format!(", at most {max}"));
            format!("pause {}{requests}{max}", pause.duration)
        }
    };
    format!("step {}    {mark:<8} {declared}", report.step)
}

fn hold(hold: &Hold) -> String {
    let waits = if hold.waits_for.is_empty() { "nothing".to_owned() } else { hold.waits_for.join("; ") };
    format!("held      {} of {}; waits for {waits}", hold.held.approximate(), hold.duration)
}

fn share(share: &Share) -> String {
    let percent = |share: Option<Percent>| share.map_or("–".to_owned(), |share| format!("{:.1}%", share.percent()));
    let meant = if share.is_shadow { "copies".to_owned() } else { format!("{} meant", share.intended) };
    format!(
        "share     {meant}, {} of requests and {} of entities; candidate {}; stable {}",
        percent(share.of_requests),
        percent(share.of_entities),
        arm(&share.canary),
        arm(&share.stable),
    )
}

fn arm(total: &ArmTotal) -> String {
    let p95 = total.p95.map_or(String::new(), |p95| format!(", p95 {}", p95.approximate()));
    format!("{} requests, {} failed{p95}", total.requests, total.failed_requests)
}

fn analysis(judged: &Judgement) -> String {
    let evidence = |what: &str, evidence: Option<f64>| {
        evidence.map(|e| if e < MOST_EVIDENCE { format!("E of {what} {e:.2}") } else { format!("E of {what} {e:.0e}") })
    };
    let judged_by: Vec<_> =
        evidence("errors", judged.e_errors).into_iter().chain(evidence("latency", judged.e_latency)).collect();
    let slow =
        judged.slow_after.map_or("not frozen yet".to_owned(), |slow: Duration| format!("over {}", slow.approximate()));
    format!(
        "analysis  {} (goes back at {:.0}; slow is {slow}); excess error rate at most {:.2} %, promoted below {:.2} %",
        judged_by.join(", "),
        judged.threshold,
        judged.excess_bound * 100.0,
        judged.max_excess * 100.0,
    )
}

fn gateway(told: &Acknowledgement) -> String {
    let says = match &told.model {
        None => "has not heard of the model".to_owned(),
        Some(model) => {
            let settled = if model.settled { "serves" } else { "does not serve all of" };
            let failed: Vec<_> =
                model.failed.iter().map(|(version, why)| format!(", cannot load {version}: {why}")).collect();
            format!("{settled} revision {}{}", model.revision, failed.concat())
        }
    };
    let live = if told.live { "" } else { ", not heard lately" };
    format!("gateway   {} {says}{live}", told.gateway)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rollout_is_told_with_its_steps_shares_evidence_and_gateways() {
        let report: RolloutReport = serde_json::from_value(json!({
            "release": 2,
            "version": "ranker/2",
            "stable": 1,
            "steps": [
                { "step": 0, "declared": { "set_weight": "5%" }, "progress": "done" },
                { "step": 1, "declared": { "pause": { "duration": "10s", "min_requests": 20, "max": "1h" } }, "progress": "current" },
                { "step": 2, "declared": { "set_weight": "100%" }, "progress": "ahead" },
            ],
            "hold": {
                "begun": true, "held": "3s", "duration": "10s", "requests": 12, "min_requests": 20, "max": "1h",
                "overdue": false, "waits_for": ["time: 3s of 10s", "requests: 12 of 20"],
            },
            "shares": [{
                "step": 0, "intended": "5%", "is_shadow": false, "of_requests": "4.8%", "of_entities": null,
                "stable": { "requests": 238, "entities": 200, "failed_requests": 0, "errors": 0, "slow": 10, "p50": "9ms", "p95": "41ms" },
                "canary": { "requests": 12, "entities": 10, "failed_requests": 1, "errors": 1, "slow": 0, "p50": null, "p95": null },
            }],
            "points": [],
            "analysis": {
                "e_errors": 1.5, "e_latency": null, "threshold": 100.0, "excess_bound": 0.21, "max_excess": 0.01,
                "promotable": false, "slow_after": "41ms", "canary_requests": 12, "stable_requests": 238,
            },
            "shadow": null,
            "explanation": ["3 rows compared, none differs"],
            "revision": 9,
            "settled_at": null,
            "acknowledgements": [{
                "gateway": "a", "seen_at": "2026-11-23T18:00:00Z", "changed_at": "2026-11-23T17:59:00Z", "live": true,
                "model": { "revision": 9, "settled": false, "failed": { "2": "no memory" } },
            }],
        }))
        .unwrap();
        let told = "  step 0    done     weight 5%
  step 1    now      pause 10s, 20 requests, at most 1h
  step 2    ahead    weight 100%
  held      3s of 10s; waits for time: 3s of 10s; requests: 12 of 20
  share     5% meant, 4.8% of requests and – of entities; candidate 12 requests, 1 failed; stable 238 requests, 0 failed, p95 41ms
  analysis  E of errors 1.50 (goes back at 100; slow is over 41ms); excess error rate at most 21.00 %, promoted below 1.00 %
  shadow    3 rows compared, none differs
  gateway   a does not serve all of revision 9, cannot load 2: no memory
";
        assert_eq!(lines(&report), told);
    }
}
