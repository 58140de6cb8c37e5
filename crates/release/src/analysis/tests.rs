//! What holds of the analysis whatever the traffic does. How often it is wrong, and how soon right, is simulated in
//! `tests/it/simulation.rs`.

use proptest::prelude::*;
use types::Percent;

use super::*;
use crate::model_file::{ErrorLimit, RollbackOn};

fn arm(entities: u64, errors: u64, slow: u64) -> Counts {
    Counts { requests: entities, entities, errors, slow }
}

fn errors(weight: f64, stable: (u64, u64), canary: (u64, u64)) -> Window {
    Window { weight, is_shadow: false, stable: arm(stable.1, stable.0, 0), canary: arm(canary.1, canary.0, 0) }
}

fn after<'a>(limits: &Limits, windows: impl IntoIterator<Item = &'a Window>) -> Analysis {
    let mut analysis = Analysis::new();
    windows.into_iter().for_each(|window| analysis.observe(limits, window));
    analysis
}

fn e(analysis: &Analysis) -> f64 {
    analysis.e_value(&Limits::default(), Metric::Errors)
}

fn weight() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0.01, 0.05, 0.25, 0.5, 0.9])
}

prop_compose! {
    fn some_arm()(entities in 0_u64..500, errors in 0_u64..30, slow in 0_u64..50) -> Counts {
        arm(entities, errors, slow)
    }
}

prop_compose! {
    fn some_window()(weight in weight(), stable in some_arm(), canary in some_arm()) -> Window {
        Window { weight, is_shadow: false, stable, canary }
    }
}

fn history() -> impl Strategy<Value = Vec<Window>> {
    prop::collection::vec(some_window(), 0..20)
}

proptest! {
    /// A supermartingale: at the boundary of what is tolerated the next event changes E by nothing on average, and
    /// below it E falls.
    #[test]
    fn the_next_event_of_a_tolerable_canary_does_not_raise_e_on_average(
        history in history(),
        weight in weight(),
        better in 0.0_f64..=1.0,
    ) {
        let limits = Limits::default();
        for (metric, tolerance) in [(Metric::Errors, 0.10), (Metric::Latency, 0.20)] {
            let mut before = after(&limits, &history);
            let share = before.span(weight, false).map_or(weight, |span| span.share());
            let boundary = share * (1.0 + tolerance) / (share * (1.0 + tolerance) + 1.0 - share);
            let e_after = |stable, canary| {
                let mut next = before.clone();
                next.observe(&limits, &Window { weight, is_shadow: false, stable, canary });
                // Relative to before, as logarithms: E may be a thousand digits long.
                (next.evidence(metric).log_mean() - before.evidence(metric).log_mean()).exp()
            };
            let bad = if metric == Metric::Errors { arm(1, 1, 0) } else { arm(1, 0, 1) };
            let (if_canary, if_stable) = (e_after(arm(0, 0, 0), bad), e_after(bad, arm(0, 0, 0)));
            let mean = |chance: f64| chance * if_canary + (1.0 - chance) * if_stable;
            prop_assert!((mean(boundary) - 1.0).abs() < 1e-9, "{}", mean(boundary));
            prop_assert!(mean(boundary * better) <= 1.0 + 1e-9);
            prop_assert!(if_canary > 1.0 && if_stable < 1.0);
        }
    }

    /// Not only for rare events: every outcome of a window of a few requests, weighed with its chance.
    #[test]
    fn a_whole_window_does_not_raise_e_on_average_at_any_rate(
        canaries in 1_u64..5,
        times in 1_u64..4,
        stable_rate in 0.0_f64..0.9,
        better in 0.0_f64..=1.0,
    ) {
        let limits = Limits::default();
        let stables = canaries * times;
        let weight = canaries as f64 / (canaries + stables) as f64;
        let canary_rate = stable_rate * 1.1 * better;
        let mut mean = 0.0;
        for (bad, chance) in outcomes(canaries, canary_rate) {
            for (stable_bad, stable_chance) in outcomes(stables, stable_rate) {
                let window = errors(weight, (stable_bad, stables), (bad, canaries));
                let stake = limits.stake(Metric::Errors);
                mean += chance * stable_chance * e(&after(&limits, [&window])) / stake;
            }
        }
        prop_assert!(mean <= 1.0 + 1e-9, "{mean}");
    }

    #[test]
    fn what_went_well_and_how_many_requests_an_entity_makes_changes_no_e(
        history in history(),
        requests in 0_u64..1_000_000,
        well in 0_u64..1_000_000,
        weight in weight(),
    ) {
        let limits = Limits::default();
        let before = after(&limits, &history);
        let busy: Vec<Window> = history
            .iter()
            .map(|window| Window {
                stable: Counts { requests, ..window.stable },
                canary: Counts { requests: requests / 7, ..window.canary },
                ..*window
            })
            .collect();
        prop_assert_eq!(&after(&limits, &busy), &before);
        let mut later = before.clone();
        later.observe(&limits, &Window { weight, is_shadow: false, stable: arm(well, 0, 0), canary: arm(well / 20, 0, 0) });
        prop_assert_eq!(e(&later), e(&before));
    }

    /// One window or many: only the measured share tells them apart, and here it stays the weight.
    #[test]
    fn how_time_is_cut_into_windows_does_not_matter_where_the_share_is_the_weight(
        parts in prop::collection::vec((0_u64..5, 0_u64..5), 1..10),
    ) {
        let limits = Limits::default();
        let cut: Vec<Window> =
            parts.iter().map(|(stable, canary)| errors(0.25, (*stable, 30), (*canary, 10))).collect();
        let (stable, canary) = parts.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        let count = parts.len() as u64;
        let whole = errors(0.25, (stable, 30 * count), (canary, 10 * count));
        let (whole, cut) = (after(&limits, [&whole]), after(&limits, &cut));
        prop_assert!((e(&whole) / e(&cut) - 1.0).abs() < 1e-9);
        prop_assert!((whole.excess_upper_bound() - cut.excess_upper_bound()).abs() < 1e-12);
    }

    #[test]
    fn a_shared_outage_is_no_evidence_however_bad_and_long(
        (canary, stable) in prop::sample::select(vec![(1_u64, 99_u64), (5, 95), (1, 3), (1, 1), (9, 1)]),
        (bad, of) in (1_u64..100).prop_flat_map(|of| (0..=of, Just(of))),
        seconds in 1_usize..300,
    ) {
        let limits = Limits::default();
        let weight = canary as f64 / (canary + stable) as f64;
        let window = errors(weight, (stable * bad, stable * of), (canary * bad, canary * of));
        let analysis = after(&limits, std::iter::repeat_n(&window, seconds));
        prop_assert!(e(&analysis) <= 1.0, "{}", e(&analysis));
    }

    #[test]
    fn what_is_stored_is_read_back_the_same(history in history()) {
        let analysis = after(&Limits::default(), &history);
        let json = serde_json::to_string(&analysis).unwrap();
        prop_assert_eq!(serde_json::from_str::<Analysis>(&json).unwrap(), analysis);
    }
}

/// How many of `all` are bad, with the chance of it.
fn outcomes(all: u64, rate: f64) -> Vec<(u64, f64)> {
    let mut ways = 1.0;
    (0..=all)
        .map(|bad| {
            let chance = ways * rate.powi(bad as i32) * (1.0 - rate).powi((all - bad) as i32);
            ways = ways * (all - bad) as f64 / (bad + 1) as f64;
            (bad, chance)
        })
        .collect()
}

#[test]
fn three_errors_of_the_canary_alone_are_enough_at_five_per_cent_and_two_are_not() {
    let limits = Limits::default();
    let window = |bad| errors(0.05, (0, 285), (bad, 15));
    assert!(after(&limits, [&window(2)]).alarm(&limits).is_none());
    let alarm = after(&limits, [&window(3)]).alarm(&limits).unwrap();
    assert_eq!(alarm.metric, Metric::Errors);
    let said = alarm.to_string();
    assert!(said.starts_with("the canary fails more often than stable: E of errors is "), "{said}");
    assert!(said.ends_with(", and 100 is enough"), "{said}");
}

#[test]
fn an_alarm_stays_whatever_comes_after_it() {
    let limits = Limits::default();
    let mut analysis = after(&limits, [&errors(0.05, (0, 100), (5, 5))]);
    assert!(analysis.alarm(&limits).is_some());
    for _ in 0..1_000 {
        analysis.observe(&limits, &errors(0.05, (5, 95), (0, 5)));
    }
    assert!(e(&analysis) < 1e-6, "{}", e(&analysis));
    assert!(analysis.alarm(&limits).is_some());
    assert!(!analysis.is_promotable(&limits));
}

/// Five per cent of the entities make nine per cent of the traffic. Judged by the weight alone this is a canary that is
/// nearly twice as bad, and E would pass its threshold.
#[test]
fn busy_entities_on_the_canary_are_no_evidence_against_it() {
    let limits = Limits::default();
    let busy = errors(0.05, (91, 4_550), (9, 450));
    let mut by_weight = Evidence::default();
    let mut analysis = Analysis::new();
    for _ in 0..100 {
        analysis.observe(&limits, &busy);
        by_weight.count(0.05, 0.10, 91, 9);
    }
    assert!(by_weight.now() > limits.threshold());
    assert!(analysis.alarm(&limits).is_none(), "{:?}", analysis.alarm(&limits));
}

#[test]
fn a_weight_that_leaves_one_arm_nothing_compares_nothing() {
    for weight in [0.0, 1.0, -0.5, f64::NAN] {
        let analysis = after(&Limits::default(), [&errors(weight, (0, 10), (10, 10))]);
        assert_eq!(analysis, Analysis::new());
    }
}

#[test]
fn windows_of_the_weight_before_that_come_late_leave_the_current_ones_measure_alone() {
    let limits = Limits::default();
    let (five, twenty_five) = (errors(0.05, (0, 950), (0, 50)), errors(0.25, (0, 750), (0, 250)));
    let in_order = after(&limits, [&five, &five, &twenty_five, &twenty_five, &twenty_five]);
    let late = after(&limits, [&five, &twenty_five, &five, &twenty_five, &twenty_five]);
    assert_eq!(in_order, late);
    assert!(late.is_promotable(&limits));
}

#[test]
fn each_weight_is_bounded_by_its_own_windows() {
    let limits = Limits::default();
    // An outage at 5 %: stable failed a lot in total, which must not excuse the canary later.
    let outage = errors(0.05, (4_000, 9_500), (200, 500));
    let worse = errors(0.25, (0, 7_500), (50, 2_500));
    let analysis = after(&limits, [&outage, &worse]);
    assert!(analysis.excess_upper_bound() > 0.02, "{}", analysis.excess_upper_bound());
    assert!(!analysis.is_promotable(&limits));
}

#[test]
fn nothing_is_promotable_before_anything_was_seen() {
    let limits = Limits::default();
    assert_eq!(Analysis::new().excess_upper_bound(), 1.0);
    assert!(!Analysis::new().is_promotable(&limits));
}

#[test]
fn the_requests_that_are_needed_are_enough_and_one_fewer_is_not() {
    for max_excess in [0.001, 0.01, 0.05, 0.5, 1.0] {
        let limits = Limits { max_excess, ..Limits::default() };
        let needed = requests_needed(&limits);
        let seen = |entities| after(&limits, [&errors(0.05, (0, 20 * entities), (0, entities))]);
        assert!(seen(needed).is_promotable(&limits), "{needed} at {max_excess}");
        assert!(needed == 1 || !seen(needed - 1).is_promotable(&limits), "{needed} at {max_excess}");
    }
    assert_eq!(requests_needed(&Limits::default()), 571);
    assert_eq!(requests_needed(&Limits { max_excess: 0.0, ..Limits::default() }), MOST_ENTITIES);
}

#[test]
fn what_is_not_judged_raises_no_alarm_and_leaves_alpha_to_the_other() {
    let limits = Limits { latency: None, ..Limits::default() };
    let slow = Window { weight: 0.05, is_shadow: false, stable: arm(95, 0, 0), canary: arm(5, 0, 5) };
    let analysis = after(&limits, [&slow]);
    assert!(analysis.alarm(&limits).is_none());
    assert_eq!(analysis.e_value(&limits, Metric::Latency), 1.0);
    let both = Limits::default();
    assert_eq!(after(&both, [&slow]).alarm(&both).unwrap().metric, Metric::Latency);
    assert_eq!(Analysis::new().e_value(&limits, Metric::Errors), 1.0);
    let staked: f64 = Metric::ALL.into_iter().map(|metric| Analysis::new().e_value(&both, metric)).sum();
    assert!((staked - 1.0).abs() < 1e-12);
}

#[test]
fn a_year_of_failures_leaves_numbers_that_json_can_say() {
    let limits = Limits::default();
    let mut analysis = Analysis::new();
    for _ in 0..1_000 {
        analysis.observe(&limits, &errors(0.5, (0, 1_000_000), (1_000_000, 1_000_000)));
    }
    let json = serde_json::to_string(&analysis).unwrap();
    assert_eq!(serde_json::from_str::<Analysis>(&json).unwrap(), analysis);
    assert!(e(&analysis).is_finite() && analysis.excess_upper_bound().is_finite());
}

#[test]
fn limits_are_those_of_the_model_file() {
    let percent = |percent| Percent::new(percent).unwrap();
    let declared = RollbackOn {
        errors: Some(ErrorLimit { tolerance: percent(25.0), max_excess: percent(2.0) }),
        latency: None,
        false_rollback: percent(5.0),
    };
    let limits = Limits { errors: Some(0.25), max_excess: 0.02, latency: None, false_rollback: 0.05 };
    assert_eq!(Limits::of(&declared), limits);
    assert!((limits.threshold() - 20.0).abs() < 1e-9);
    let unwatched = RollbackOn { errors: None, ..declared };
    assert_eq!(Limits::of(&unwatched).max_excess, 0.01);
    assert_eq!(Limits::of(&unwatched).errors, None);
}

/// The state of a rollout outlives the process that wrote it.
#[test]
fn the_stored_form_is_the_one_that_is_read_ever_after() {
    let stored = include_str!("../../test-data/analysis/v1.json");
    let pinned: Analysis = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_string_pretty(&pinned).unwrap(), stored.trim_end());
    let limits = Limits::default();
    let window = Window { weight: 0.05, is_shadow: false, stable: arm(950, 4, 50), canary: arm(50, 1, 2) };
    let later = Window { weight: 0.25, is_shadow: false, stable: arm(700, 1, 30), canary: arm(300, 0, 15) };
    let made = after(&limits, [&window, &window, &later]);
    assert_eq!(pinned.spans, made.spans);
    for metric in Metric::ALL {
        assert!((pinned.e_value(&limits, metric) / made.e_value(&limits, metric) - 1.0).abs() < 1e-9, "{metric}");
        assert!((pinned.evidence(metric).highest() / made.evidence(metric).highest() - 1.0).abs() < 1e-9, "{metric}");
    }
}

/// As after a gateway was away while the others went on.
#[test]
fn windows_of_a_weight_that_is_long_over_end_nothing() {
    let limits = Limits::default();
    let windows = [0.05, 0.25, 0.5].map(|weight| errors(weight, (0, 5_000), (0, 5_000)));
    let mut analysis = after(&limits, &windows);
    let bound = analysis.excess_upper_bound();
    assert!(analysis.is_promotable(&limits), "{bound}");
    analysis.observe(&limits, &errors(0.05, (0, 20), (0, 1)));
    assert_eq!(analysis.excess_upper_bound(), bound);
    analysis.observe(&limits, &errors(0.5, (0, 100), (0, 100)));
    assert!(analysis.excess_upper_bound() < bound);
}

#[test]
fn what_a_shadow_showed_is_not_taken_for_what_callers_got_at_one_half() {
    let limits = Limits::default();
    let shadow = Window { is_shadow: true, ..errors(0.5, (0, 5_000), (0, 5_000)) };
    let mut analysis = after(&limits, [&shadow]);
    assert!(analysis.is_promotable(&limits));
    analysis.observe(&limits, &errors(0.5, (0, 10), (0, 10)));
    assert!(!analysis.is_promotable(&limits), "{}", analysis.excess_upper_bound());
}
