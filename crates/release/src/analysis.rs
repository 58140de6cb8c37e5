//! Whether the canary is worse than stable, decided while it is looked at all the time.
//!
//! A test that is made for one look is wrong long before the hundredth. This one may be looked at after every second
//! and stopped at any: it is an *e-process* on which arm the next bad event falls on (Lindon & Malek, "Anytime-valid
//! inference for multinomial count data", NeurIPS 2022). If the canary is at most `1 + tolerance` times as bad as
//! stable, then an event is the canary's with a probability of at most
//!
//! ```text
//! p0 = w (1 + tolerance) / (w (1 + tolerance) + 1 − w)        w: the canary's share of the entities
//! ```
//!
//! and E, the mean over some relative risks of the product of likelihood ratios, stays below `1/alpha` for ever with a
//! probability of `1 − alpha` (Ville's inequality). Of several metrics each begins with a part of 1, which shares alpha
//! out, and one threshold serves all. Only events count, and only whose they are: an outage that both arms share cancels
//! out, whatever its rate.
//!
//! **Why it holds at any rate.** Let an event of the canary multiply a product by `1 + x` and one of stable by `1 − y`;
//! then `p0 x = (1 − p0) y`. A request that goes to the canary with the chance `w` and is then bad with the chance `c`
//! (to stable: `s`) multiplies it by `1 + w c x − (1 − w) s y` on average: by 1 where `c = (1 + tolerance) s`, by less
//! where the canary is better. So rates may be high, and may move as they like for both arms at once; what must hold is
//! `w`, and that one entity's fate does not decide another's. A shadowed request, which goes to both (`w` = ½), may even
//! be bad on both at once: `x y` goes off, times the chance of that.
//!
//! **Which events.** One entity with broken data, or one client that retries, is one piece of evidence, not a thousand:
//! gateways count an entity's first error and first slow answer of ten seconds. It stays on its arm, though, and counts
//! again ten seconds later; the reference (`docs/reference/analysis.md`) says what that costs.
//!
//! **Which share.** Entities stick to an arm and are not equally active, so the canary's share of what arrives is not
//! its weight: five per cent of three hundred entities may be two per cent of the traffic, or nine. A `w` that is off by
//! half looks like a canary that is twice as bad. So `w` is measured, from windows *before* the event (which keeps it
//! predictable, and E an e-process), in the same unit as events: entities of ten seconds. The declared weight counts as
//! the first [`PRIOR_ENTITIES`] of them, and a new weight begins anew, since it moves entities.
//!
//! **Promotion** asks for more than silence: an upper bound, valid at any time too, on how much more often the canary
//! fails than stable ([`Analysis::excess_upper_bound`]). It looks at the current weight alone: pooled over weights, an
//! outage during an early step would raise stable's rate more than the canary's and hide what the canary does (Simpson).
//!
//! The state is of constant size, and E is kept as logarithms, which neither overflow nor vanish.

mod bounds;
mod evidence;
mod limits;

use serde::{Deserialize, Serialize};

use evidence::Evidence;
pub use limits::{Alarm, Limits, Metric};

/// How many entities the declared weight counts for, against those that are measured. Enough that a few early ones do
/// not make the share (5 % of a thousand are known to a seventh of themselves), little beside an hour of traffic.
const PRIOR_ENTITIES: f64 = 1_000.0;
/// The chance that the bound on the excess is ever wrong, half for each arm's rate.
const BOUND_MISSES: f64 = 0.05;
/// Weights of which something is kept.
const SPANS: usize = 2;
/// More entities than any rollout waits for; ends the search for a bound that cannot be reached.
const MOST_ENTITIES: u64 = 1 << 40;

/// What one arm did in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Requests, for people: no decision rests on them.
    pub requests: u64,
    /// Distinct entities of ten seconds.
    pub entities: u64,
    /// Those of them with an error.
    pub errors: u64,
    /// Those of them with a slow answer.
    pub slow: u64,
}

impl Counts {
    const fn bad(&self, metric: Metric) -> u64 {
        match metric {
            Metric::Errors => self.errors,
            Metric::Latency => self.slow,
        }
    }
}

/// A stretch of time in which the weight stayed as it was. A second is a good one: the share of the canary is measured
/// between windows, not inside.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The canary's declared share; one half where every request went to both. Of one rollout's windows the shadow's come
    /// first, and weights ascend.
    pub weight: f64,
    /// Whether every request went to both.
    pub is_shadow: bool,
    /// What stable did.
    pub stable: Counts,
    /// What the canary did.
    pub canary: Counts,
}

/// What the windows of a rollout say so far.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Analysis {
    errors: Evidence,
    latency: Evidence,
    /// The weight before, for windows that come late, and the current one; see [`Self::span`].
    spans: Vec<Span>,
}

/// The time under one weight, or in the shadow.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Span {
    weight: f64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_shadow: bool,
    stable: Tally,
    canary: Tally,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Tally {
    entities: u64,
    errors: u64,
}

impl Tally {
    fn add(&mut self, counts: &Counts) {
        self.entities += counts.entities;
        self.errors += counts.errors;
    }
}

impl Span {
    fn beginning(weight: f64, is_shadow: bool) -> Self {
        Self { weight, is_shadow, stable: Tally::default(), canary: Tally::default() }
    }

    /// Whether a rollout comes to it before it comes to `other`.
    fn is_before(&self, other: &Self) -> bool {
        if self.is_shadow == other.is_shadow { self.weight < other.weight } else { self.is_shadow }
    }

    /// The canary's share of the entities, as known so far.
    fn share(&self) -> f64 {
        let canary = self.canary.entities as f64;
        (PRIOR_ENTITIES * self.weight + canary) / (PRIOR_ENTITIES + canary + self.stable.entities as f64)
    }
}

impl Analysis {
    /// Nothing seen.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one window into account. Each window once; the order matters little, since only the share follows it. A
    /// weight that leaves one arm nothing compares nothing.
    pub fn observe(&mut self, limits: &Limits, window: &Window) {
        if !(window.weight > 0.0 && window.weight < 1.0) {
            return;
        }
        let mut long_over = Span::beginning(window.weight, window.is_shadow);
        let span = self.span(window.weight, window.is_shadow).unwrap_or(&mut long_over);
        let share = span.share();
        span.stable.add(&window.stable);
        span.canary.add(&window.canary);
        for metric in Metric::ALL {
            if let Some(tolerance) = limits.tolerance(metric) {
                let (stable, canary) = (window.stable.bad(metric), window.canary.bad(metric));
                self.evidence_mut(metric).count(share, tolerance, stable, canary);
            }
        }
    }

    /// Whether the canary goes back: E reached its threshold, now or at any window before. What was once enough stays
    /// enough, so that the decision does not hang on when somebody looked.
    #[must_use]
    pub fn alarm(&self, limits: &Limits) -> Option<Alarm> {
        let threshold = limits.threshold();
        Metric::ALL
            .into_iter()
            .filter(|metric| limits.tolerance(*metric).is_some())
            .map(|metric| Alarm { metric, e_value: self.evidence(metric).highest() * limits.stake(metric), threshold })
            .find(|alarm| alarm.e_value >= threshold)
    }

    /// E of a metric now. It begins with what is staked on the metric (of two, ⅔ on errors and ⅓ on latency), and stays 1
    /// where the metric is not judged.
    #[must_use]
    pub fn e_value(&self, limits: &Limits, metric: Metric) -> f64 {
        self.evidence(metric).now() * limits.stake(metric)
    }

    /// By how much, at most, the canary's error rate lies above stable's under the current weight: right at all times
    /// with a probability of 95 %. Rates are of entities of ten seconds. 1 before anything was seen.
    #[must_use]
    pub fn excess_upper_bound(&self) -> f64 {
        let Some(span) = self.spans.last() else { return 1.0 };
        let canary = bounds::upper(span.canary.errors, span.canary.entities, BOUND_MISSES / 2.0);
        let stable = bounds::lower(span.stable.errors, span.stable.entities, BOUND_MISSES / 2.0);
        canary - stable
    }

    /// Whether the canary was shown to be good enough, not only not shown to be bad.
    #[must_use]
    pub fn is_promotable(&self, limits: &Limits) -> bool {
        self.alarm(limits).is_none() && self.excess_upper_bound() < limits.max_excess
    }

    /// The span of a weight, or of the shadow. A weight that comes after the current one begins a new span. One from before
    /// comes from a gateway that was slow to follow or to report, and ends nothing; from long before, nothing is kept of it.
    fn span(&mut self, weight: f64, is_shadow: bool) -> Option<&mut Span> {
        let wanted = Span::beginning(weight, is_shadow);
        let is_wanted = |span: &Span| !span.is_before(&wanted) && !wanted.is_before(span);
        if !self.spans.iter().any(is_wanted) {
            let place = self.spans.partition_point(|span| span.is_before(&wanted));
            self.spans.insert(place, wanted);
            if self.spans.len() > SPANS {
                self.spans.remove(0);
            }
        }
        self.spans.iter_mut().find(|span| is_wanted(span))
    }

    const fn evidence(&self, metric: Metric) -> &Evidence {
        match metric {
            Metric::Errors => &self.errors,
            Metric::Latency => &self.latency,
        }
    }

    const fn evidence_mut(&mut self, metric: Metric) -> &mut Evidence {
        match metric {
            Metric::Errors => &mut self.errors,
            Metric::Latency => &mut self.latency,
        }
    }
}

/// How many of the canary's requests it takes until it may be promoted, when nothing fails and no entity comes twice.
#[must_use]
pub fn requests_needed(limits: &Limits) -> u64 {
    let enough = |entities| bounds::upper(0, entities, BOUND_MISSES / 2.0) < limits.max_excess;
    let (mut few, mut many) = (0, 1);
    while !enough(many) {
        if many >= MOST_ENTITIES {
            return many;
        }
        (few, many) = (many, many * 2);
    }
    while many - few > 1 {
        let middle = few + (many - few) / 2;
        if enough(middle) { many = middle } else { few = middle }
    }
    many
}

#[cfg(test)]
mod tests;
