//! Three ways to send a canary back, looked at after every second of the same traffic.

use release::analysis::{Analysis, Counts, Limits, Metric, Window};

/// Requests of the canary before the peeked test is asked, as its users do, who know that it is an approximation.
const FEWEST_REQUESTS: u64 = 30;
/// One-sided 1 %.
const CRITICAL: f64 = 2.326_347_874;
/// Seconds of one window of the two.
const BAD_WINDOW: u32 = 60;
/// A window is bad when the canary's rate lies above stable's by more than this, the `max_excess` of everyone else.
const BAD_EXCESS: f64 = 0.01;

/// All of them on one run, each until it has had enough.
pub(super) struct Rules {
    anytime: Anytime,
    peeked: PeekedTest,
    windows: TwoBadWindows,
    /// After how many requests of the canary each had.
    pub(super) taken: [Option<u64>; 3],
    seen: u64,
}

impl Rules {
    pub(super) fn new(metric: Metric) -> Self {
        let arms = Arms { metric, stable: Tally::default(), canary: Tally::default() };
        Self {
            anytime: Anytime { limits: Limits::default(), analysis: Analysis::new() },
            peeked: PeekedTest { arms },
            windows: TwoBadWindows { arms, seconds: 0, bad: 0 },
            taken: [None; 3],
            seen: 0,
        }
    }

    /// Takes a second into account. Whether any still watches.
    pub(super) fn watch(&mut self, window: &Window) -> bool {
        self.seen += window.canary.requests;
        if self.taken[0].is_none() && self.anytime.has_enough(window) {
            self.taken[0] = Some(self.seen);
        }
        if self.taken[1].is_none() && self.peeked.has_enough(window) {
            self.taken[1] = Some(self.seen);
        }
        if self.taken[2].is_none() && self.windows.has_enough(window) {
            self.taken[2] = Some(self.seen);
        }
        self.taken.contains(&None)
    }
}

/// The e-process.
struct Anytime {
    limits: Limits,
    analysis: Analysis,
}

impl Anytime {
    fn has_enough(&mut self, window: &Window) -> bool {
        self.analysis.observe(&self.limits, window);
        // E moves with an event only.
        window.stable.errors + window.canary.errors + window.stable.slow + window.canary.slow > 0
            && self.analysis.alarm(&self.limits).is_some()
    }
}

/// The test of two proportions, made for one look.
struct PeekedTest {
    arms: Arms,
}

impl PeekedTest {
    fn has_enough(&mut self, window: &Window) -> bool {
        self.arms.add(window);
        if self.arms.canary.all < FEWEST_REQUESTS {
            return false;
        }
        let (stable, canary) = (self.arms.stable.all as f64, self.arms.canary.all as f64);
        let pooled = (self.arms.stable.bad + self.arms.canary.bad) as f64 / (stable + canary);
        let error = (pooled * (1.0 - pooled) * (1.0 / stable + 1.0 / canary)).sqrt();
        self.arms.canary.rate() - self.arms.stable.rate() > CRITICAL * error
    }
}

/// Two windows in a row in which the canary was visibly worse.
struct TwoBadWindows {
    arms: Arms,
    seconds: u32,
    bad: u32,
}

impl TwoBadWindows {
    fn has_enough(&mut self, window: &Window) -> bool {
        self.arms.add(window);
        self.seconds += 1;
        if self.seconds == BAD_WINDOW {
            let is_bad = self.arms.canary.rate() > self.arms.stable.rate() + BAD_EXCESS;
            self.bad = if is_bad { self.bad + 1 } else { 0 };
            (self.arms.stable, self.arms.canary, self.seconds) = (Tally::default(), Tally::default(), 0);
        }
        self.bad >= 2
    }
}

#[derive(Clone, Copy)]
struct Arms {
    metric: Metric,
    stable: Tally,
    canary: Tally,
}

impl Arms {
    fn add(&mut self, window: &Window) {
        self.stable.add(self.metric, &window.stable);
        self.canary.add(self.metric, &window.canary);
    }
}

#[derive(Clone, Copy, Default)]
struct Tally {
    all: u64,
    bad: u64,
}

impl Tally {
    fn add(&mut self, metric: Metric, counts: &Counts) {
        self.all += counts.entities;
        self.bad += match metric {
            Metric::Errors => counts.errors,
            Metric::Latency => counts.slow,
        };
    }

    fn rate(&self) -> f64 {
        self.bad as f64 / self.all.max(1) as f64
    }
}
