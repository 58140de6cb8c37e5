//! How times, digests, values and verdicts look.

use maud::{Markup, html};
use release::{Release, Stage, Verdict};
use telemetry::Severity;
use types::{Digest, Duration, Percent, Timestamp, Value};

/// How long ago `time` was, with the time itself when pointed at.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(time) title=(time) { (distance(time, now)) } }
}

/// A time to the second.
pub(crate) fn moment(time: Timestamp) -> Markup {
    let text = time.to_string();
    let seconds = text.split_once('.').map_or_else(|| text.trim_end_matches('Z'), |(seconds, _)| seconds);
    html! { time datetime=(time) title=(time) { (seconds.replace('T', " ")) " UTC" } }
}

fn distance(time: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_micros().saturating_sub(time.as_micros())) / 1_000_000;
    let (size, suffix) =
        if seconds < 0 { (seconds.unsigned_abs(), "from now") } else { (seconds.unsigned_abs(), "ago") };
    let amount = match size {
        0..=4 => return "just now".to_owned(),
        5..=119 => format!("{size} s"),
        120..=7_199 => format!("{} min", size / 60),
        7_200..=172_799 => format!("{} h", size / 3_600),
        _ => format!("{} d", size / 86_400),
    };
    format!("{amount} {suffix}")
}

/// The beginning of a digest, with the whole when pointed at.
pub(crate) fn digest(digest: &Digest) -> Markup {
    html! { code.digest title=(digest) { (digest.short()) } }
}

/// A value as people write it.
pub(crate) fn value(value: &Value) -> Markup {
    match value {
        Value::Null => html! { span.none { "null" } },
        Value::String(text) => html! { code { (text) } },
        Value::Bool(_)
        | Value::Int32(_)
        | Value::Int64(_)
        | Value::Float32(_)
        | Value::Float64(_)
        | Value::Timestamp(_) => html! { code { (value) } },
    }
}

/// A whole number in groups of three digits.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A share of a whole in percent, with as many digits as say something.
pub(crate) fn share(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = match percent.abs() {
        size if size < 0.1 => 3,
        size if size < 1.0 => 2,
        size if size < 20.0 => 1,
        _ => 0,
    };
    let text = format!("{percent:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A percentage, like every other share.
pub(crate) fn percent(percent: Percent) -> String {
    share(percent.fraction())
}

/// A length of time to the second, for what is counted in seconds.
pub(crate) fn seconds(duration: Duration) -> String {
    Duration::from_micros(duration.as_micros() / 1_000_000 * 1_000_000).approximate()
}

/// How long an answer took.
pub(crate) fn latency(latency: Duration) -> String {
    let millis = latency.as_micros() as f64 / 1_000.0;
    match millis {
        millis if millis < 10.0 => format!("{millis:.1} ms"),
        millis if millis < 10_000.0 => format!("{millis:.0} ms"),
        millis => format!("{:.1} s", millis / 1_000.0),
    }
}

/// Nothing, where something could be.
pub(crate) fn none() -> Markup {
    html! { span.none { "–" } }
}

/// Where a release stands.
pub(crate) fn stage(release: &Release) -> Markup {
    let class = match release.stage {
        Stage::Gating | Stage::RollingOut => "badge moving",
        Stage::AwaitingApproval => "badge waiting",
        Stage::Done => "badge good",
        Stage::GatesFailed | Stage::Failed | Stage::RolledBack => "badge bad",
        Stage::Aborted => "badge",
    };
    html! {
        span class=(class) { (release.stage.as_str().replace('_', " ")) }
        @if release.paused { " " span.badge.waiting { "paused" } }
    }
}

/// What a gate says.
pub(crate) fn verdict(verdict: Verdict) -> Markup {
    let class = match verdict {
        Verdict::Pending => "badge moving",
        Verdict::Passed => "badge good",
        Verdict::Failed => "badge bad",
    };
    html! { span class=(class) { (verdict.as_str()) } }
}

/// How urgent something is.
pub(crate) fn severity(severity: Severity) -> Markup {
    let class = match severity {
        Severity::Page => "badge bad",
        Severity::Ticket => "badge waiting",
        Severity::Info => "badge",
    };
    html! { span class=(class) { (severity) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_reading() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
        assert_eq!(
            [0.0, 0.00042, 0.005, 0.05, 0.123, 0.25, 1.0].map(share),
            ["0 %", "0.042 %", "0.5 %", "5 %", "12.3 %", "25 %", "100 %"]
        );
    }

    #[test]
    fn distances_are_told_in_the_unit_that_a_person_would_use() {
        let now = Timestamp::parse("2026-11-23T14:00:00Z").unwrap();
        let told = |seconds| distance(now - Duration::from_secs(seconds), now);
        assert_eq!(
            [told(2), told(90), told(600), told(7_200), told(864_000)],
            ["just now", "90 s ago", "10 min ago", "2 h ago", "10 d ago"]
        );
        assert_eq!(distance(now + Duration::from_secs(600), now), "10 min from now");
        assert!(moment(now).into_string().contains("2026-11-23 14:00:00 UTC"));
    }
}
