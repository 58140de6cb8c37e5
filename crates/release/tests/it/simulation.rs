//! How often the analysis is wrong, and how soon right: a thousand seeded runs a cell, beside what is usually done
//! instead. The page `docs/reference/analysis.md` is what this test found, and is held against it.

mod page;
mod rules;
mod traffic;

use std::{fs, path::Path, thread};

use release::analysis::{Analysis, Limits, Metric};

use rules::Rules;
use traffic::{Entities, Run, Traffic, Trouble};

/// Runs of one cell: a share of one per cent is then known to a third of itself.
const RUNS: u64 = 1_000;
/// What α = 1 % may look like in a thousand runs.
const FALSE_ROLLBACKS: f64 = 0.013;
/// The bound on the excess is wrong in one of twenty rollouts at most.
const WRONG_PROMOTIONS: f64 = 0.05;
/// How often one asks whether the canary may be promoted, in seconds.
const PROMOTION_LOOKS: usize = 5;

/// One line of the page.
struct Cell {
    name: &'static str,
    traffic: Traffic,
    /// What the issue asks for.
    limit: Limit,
}

#[derive(Clone, Copy)]
enum Limit {
    /// Rolled back in at most this share of the runs.
    Share(f64),
    /// Rolled back after at most so many of the canary's requests, in half of the runs.
    Median(u64),
    /// Only measured.
    None,
}

/// How many of the canary's requests each run took, in ascending order; none where it was not rolled back.
struct Outcome(Vec<Option<u64>>);

impl Outcome {
    fn of(mut requests: Vec<Option<u64>>) -> Self {
        requests.sort_unstable_by_key(|requests| requests.unwrap_or(u64::MAX));
        Self(requests)
    }

    fn share(&self) -> f64 {
        self.0.iter().flatten().count() as f64 / self.0.len() as f64
    }

    fn quantile(&self, quantile: f64) -> Option<u64> {
        self.0[((self.0.len() as f64 * quantile).ceil() as usize).max(1) - 1]
    }
}

const ERRORS: Traffic = Traffic {
    metric: Metric::Errors,
    stable: 0.005,
    canary: 0.005,
    weight: 0.05,
    entities: Entities::Many,
    trouble: Trouble::None,
    per_second: 100,
    seconds: 600,
};
/// A twentieth of stable's answers is above its own 95th percentile.
const LATENCY: Traffic = Traffic { metric: Metric::Latency, stable: 0.05, canary: 0.05, ..ERRORS };
const FEW: Traffic = Traffic { entities: Entities::Unequal(300), per_second: 30, ..ERRORS };

/// Canaries that must stay.
fn as_good() -> Vec<Cell> {
    let cell = |name, traffic| Cell { name, traffic, limit: Limit::Share(FALSE_ROLLBACKS) };
    vec![
        cell("errors, 0.5 % on both", ERRORS),
        cell("errors, 2 % on both", Traffic { stable: 0.02, canary: 0.02, ..ERRORS }),
        cell("latency, the same on both", LATENCY),
        cell("errors, 0.5 %, and all of the tolerance used: 0.55 %", Traffic { canary: 0.0055, ..ERRORS }),
        cell("errors, 2 %, and all of it: 2.2 %", Traffic { stable: 0.02, canary: 0.022, ..ERRORS }),
        cell("latency, and all of it: 6 % above stable's p95", Traffic { canary: 0.06, ..LATENCY }),
        cell("errors, 0.5 %, and 40 % on both for a minute", Traffic { trouble: Trouble::Outage, ..ERRORS }),
        cell("errors, 2 %, 300 unequal entities", Traffic { stable: 0.02, canary: 0.02, ..FEW }),
        cell(
            "errors, 0.5 %, 300 unequal entities, and 40 % on both for a minute",
            Traffic { trouble: Trouble::Outage, ..FEW },
        ),
        cell(
            "latency, 300 unequal entities",
            Traffic { entities: FEW.entities, per_second: FEW.per_second, ..LATENCY },
        ),
        Cell {
            limit: Limit::None,
            ..cell(
                "errors, 0.5 %, and one entity that always fails",
                Traffic { trouble: Trouble::BrokenEntity, ..ERRORS },
            )
        },
    ]
}

/// Canaries that must go.
fn worse() -> Vec<Cell> {
    let median = |name, traffic, most| Cell { name, traffic, limit: Limit::Median(most) };
    let measured = |name, traffic| Cell { name, traffic, limit: Limit::None };
    vec![
        median("errors, 20 % on 0.5 %", Traffic { canary: 0.2, ..ERRORS }, 25),
        median("errors, 5 % on 0.5 %", Traffic { canary: 0.05, ..ERRORS }, 120),
        median("errors, 2 % on 0.5 %", Traffic { canary: 0.02, seconds: 1_000, ..ERRORS }, 550),
        measured("errors, 20 % on none", Traffic { stable: 0.0, canary: 0.2, ..ERRORS }),
        measured("errors, 20 % on 2 %", Traffic { stable: 0.02, canary: 0.2, ..ERRORS }),
        measured("errors, 1 % on 0.5 %", Traffic { canary: 0.01, seconds: 1_000, ..ERRORS }),
        median("latency ×2", Traffic { canary: slow_share(2.0, 2.0), ..LATENCY }, 30),
        median("latency ×1.2", Traffic { canary: slow_share(1.2, 2.0), ..LATENCY }, 500),
        measured("latency ×2, p95 three times the median", Traffic { canary: slow_share(2.0, 3.0), ..LATENCY }),
        measured(
            "latency ×1.2, p95 three times the median",
            Traffic { canary: slow_share(1.2, 3.0), seconds: 1_000, ..LATENCY },
        ),
    ]
}

/// Canaries that ask to be promoted at 25 %, each with what its bound is asserted on.
fn asking() -> Vec<Cell> {
    let at = |name, stable, canary, limit| {
        let traffic = Traffic { stable, canary, weight: 0.25, ..ERRORS };
        Cell { name, traffic, limit }
    };
    vec![
        at("nothing fails", 0.0, 0.0, Limit::None),
        at("0.5 % on both", 0.005, 0.005, Limit::None),
        at("2 % on both", 0.02, 0.02, Limit::None),
        at("1 % on none: just too much", 0.0, 0.01, Limit::Share(WRONG_PROMOTIONS)),
        at("1.5 % on 0.5 %: just too much", 0.005, 0.015, Limit::Share(WRONG_PROMOTIONS)),
        at("3 % on 2 %: just too much", 0.02, 0.03, Limit::Share(WRONG_PROMOTIONS)),
    ]
}

/// The share of answers above stable's 95th percentile when everything takes `times` as long and latencies are
/// lognormal with a 95th percentile of `spread` medians.
fn slow_share(times: f64, spread: f64) -> f64 {
    let percentile_95 = 1.644_853_627;
    let z = percentile_95 * (1.0 - f64::ln(times) / f64::ln(spread));
    statrs::function::erf::erfc(z / std::f64::consts::SQRT_2) / 2.0
}

/// What each rule did in each run.
fn roll_back(traffic: Traffic) -> Vec<Outcome> {
    let mut requests = vec![Vec::new(); 3];
    for seed in 0..RUNS {
        let mut rules = Rules::new(traffic.metric);
        for window in Run::new(traffic, seed) {
            if !rules.watch(&window) {
                break;
            }
        }
        requests.iter_mut().zip(rules.taken).for_each(|(requests, taken)| requests.push(taken));
    }
    requests.into_iter().map(Outcome::of).collect()
}

/// After how many of the canary's requests the bound on its excess first let it pass, whether or not it was right.
fn promote(traffic: Traffic) -> Vec<Outcome> {
    let limits = Limits::default();
    let first = |seed| {
        let mut analysis = Analysis::new();
        let mut seen = 0;
        Run::new(traffic, seed).enumerate().find_map(|(second, window)| {
            analysis.observe(&limits, &window);
            seen += window.canary.requests;
            let is_bounded = second % PROMOTION_LOOKS == 0 && analysis.excess_upper_bound() < limits.max_excess;
            is_bounded.then_some(seen)
        })
    };
    vec![Outcome::of((0..RUNS).map(first).collect())]
}

/// Runs cells side by side.
fn measure(cells: &[Cell], one: fn(Traffic) -> Vec<Outcome>) -> Vec<Vec<Outcome>> {
    thread::scope(|scope| {
        let running: Vec<_> = cells.iter().map(|cell| scope.spawn(move || one(cell.traffic))).collect();
        running.into_iter().map(|cell| cell.join().unwrap()).collect()
    })
}

fn check(cells: &[Cell], outcomes: &[Vec<Outcome>]) {
    for (cell, outcomes) in cells.iter().zip(outcomes) {
        let (ours, name) = (&outcomes[0], cell.name);
        match cell.limit {
            Limit::Share(most) => assert!(ours.share() <= most, "{name}: {} of the runs", ours.share()),
            Limit::Median(most) => {
                let median = ours.quantile(0.5);
                assert!(median.is_some_and(|median| median <= most), "{name}: {median:?} requests");
                assert_eq!(ours.share(), 1.0, "{name}: some were never rolled back");
            }
            Limit::None => {}
        }
    }
}

#[test]
fn a_good_canary_stays_and_a_bad_one_goes_soon() {
    let (as_good, worse, asking) = (as_good(), worse(), asking());
    let stayed = measure(&as_good, roll_back);
    let went = measure(&worse, roll_back);
    let promoted = measure(&asking, promote);
    let page = page::render(&[(&as_good, &stayed), (&worse, &went), (&asking, &promoted)]);
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/analysis.md");
    let written = std::env::temp_dir().join("crosstie-analysis.md");
    let is_fresh = fs::read_to_string(&reference).unwrap_or_default() == page;
    if !is_fresh {
        fs::write(&written, &page).unwrap();
    }
    check(&as_good, &stayed);
    check(&worse, &went);
    check(&asking, &promoted);
    assert!(is_fresh, "docs/reference/analysis.md is stale: look at {} and put it there", written.display());
}
