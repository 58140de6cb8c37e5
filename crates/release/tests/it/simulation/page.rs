//! The page that says what the simulation found.

use std::fmt::Write;

use release::analysis::{Limits, requests_needed};

use super::{Cell, Limit, Outcome, RUNS};

const HEAD: &str = "# Rollout analysis

When is a canary sent back, when may it be promoted, and how often is that wrong? A test simulates it and is held against
this page (`crates/release/tests/it/simulation.rs`, seeded); why it works is told in `crates/release/src/analysis.rs`.

Every second the controller counts on which version bad events fell: *errors*, and answers *slower* than stable's 95th
percentile, which is frozen when the rollout begins. An entity counts once in ten seconds. If the canary gets more of them
than its measured share of the entities and the tolerance explain, the evidence E grows, and at E ≥ 1/`false_rollback` the
canary goes back. E may be looked at as often as one likes. Two thirds of `false_rollback` are spent on errors and one
third on latency, by where E begins; what is not judged leaves its part to the other.

The tables are for the defaults (`errors: { tolerance: 10%, max_excess: 1% }, latency: { tolerance: 20% },
false_rollback: 1%`), a canary of 5 % and 100 requests a second. Beside the e-process stand two habits, on the same
traffic: a one-sided two-proportion z-test at 1 %, looked at each second after 30 of the canary's requests; and two
minutes in a row in which the canary's rate was more than one point above stable's.
";

const WORSE: &str = "
## A canary that is worse

Requests that the canary answered until it went back: the median, and in brackets what nine of ten runs stayed below (–:
not within 1,000 seconds). A rule that goes off on good canaries is soon right about bad ones, too. Latencies are
lognormal, with a 95th percentile of twice the median unless it says otherwise: the wider they spread, the less a factor
shows.
";

const PROMOTION: &str = "
## Promotion

No alarm is not enough: the canary's error rate must be shown, at 95 % and at any time, to lie less than `max_excess`
above stable's. Here the canary has 25 %, and one looks every five seconds. The first lines say how long a good one takes,
the last how often one that is just too bad is let through by this bound, within 600 seconds.
";

const TAIL: &str = "
## What it does not see

- **One entity that always fails**, whatever answers it, counts once in ten seconds and stays on its version. If that is
  the canary, the canary goes back, as by the other rules: the line above that has no limit. Its share of the entities is
  the chance of it for each such entity.
- **A canary that is worse by less than the tolerance** stays, and so does one whose answers are wrong but prompt.
- **Worse than stable on one customer only** is diluted in the average over all.
- **A few slow answers among many**: only how many are slower than stable's 95th percentile counts, not by how much.
";

pub(super) fn render(tables: &[(&[Cell], &[Vec<Outcome>]); 3]) -> String {
    let [as_good, worse, asking] = tables;
    let mut page = String::from(HEAD);
    let seconds = as_good.0[0].traffic.seconds;
    table(
        &mut page,
        &format!(
            "\n## A canary that is not worse\n\nHow many of {RUNS} rollouts were sent back, each looked at for {seconds} seconds.\n"
        ),
        &["canary", "limit", "e-process", "peeked z-test", "two bad windows"],
        as_good,
        |outcome| percent(outcome.share()),
    );
    table(
        &mut page,
        WORSE,
        &["canary", "limit on the median", "e-process", "peeked z-test", "two bad windows"],
        worse,
        medians,
    );
    table(
        &mut page,
        PROMOTION,
        &["canary's errors", "limit on wrong ones", "let through", "after requests of the canary"],
        asking,
        |outcome| format!("{} | {}", percent(outcome.share()), medians(outcome)),
    );
    let needed = requests_needed(&Limits::default());
    writeln!(page, "\n`min_requests: auto` is {needed} here: what this takes when nothing fails.").unwrap();
    page + TAIL
}

fn table(
    page: &mut String,
    text: &str,
    columns: &[&str],
    (cells, outcomes): &(&[Cell], &[Vec<Outcome>]),
    shown: fn(&Outcome) -> String,
) {
    writeln!(page, "{text}\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len())).unwrap();
    for (cell, outcomes) in cells.iter().zip(*outcomes) {
        let shown: Vec<String> = outcomes.iter().map(shown).collect();
        writeln!(page, "| {} | {} | {} |", cell.name, limit(cell.limit), shown.join(" | ")).unwrap();
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn limit(limit: Limit) -> String {
    match limit {
        Limit::Share(most) => format!("≤ {}", percent(most)),
        Limit::Median(most) => format!("≤ {most}"),
        Limit::None => "–".to_owned(),
    }
}

fn medians(outcome: &Outcome) -> String {
    let shown = |quantile| outcome.quantile(quantile).map_or("–".to_owned(), |requests| requests.to_string());
    format!("{} ({})", shown(0.5), shown(0.9))
}
