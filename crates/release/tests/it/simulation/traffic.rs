//! Traffic to a stable version and its canary, second by second.
//!
//! A run is thousands of requests, of which few are bad. So the bad ones are found by skipping: how many good requests
//! lie before the next is drawn from the geometric distribution, one number for each event instead of each request.

use release::analysis::{Counts, Metric, Window};

/// Spread of the entities' activity where they are unequal: the busiest tenth of a lognormal distribution of this
/// spread makes four tenths of the requests.
const ACTIVITY_SPREAD: f64 = 1.0;
/// An outage lasts a minute, early, when the canary's share is least known.
const OUTAGE_BEGINS: u32 = 10;
const OUTAGE_ENDS: u32 = 70;
const OUTAGE_RATE: f64 = 0.4;
/// Seconds in which an entity counts once.
const EVENT_SPAN: u32 = 10;

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traffic {
    pub(super) metric: Metric,
    /// The share of stable's entities that are bad.
    pub(super) stable: f64,
    /// The same of the canary's.
    pub(super) canary: f64,
    pub(super) weight: f64,
    pub(super) entities: Entities,
    pub(super) trouble: Trouble,
    /// Requests in a second.
    pub(super) per_second: u64,
    pub(super) seconds: u32,
}

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entities {
    /// So many that the canary's share is its weight.
    Many,
    /// So few, and so unequal, that it is not.
    Unequal(u32),
}

/// What happens meanwhile, to both versions.
#[derive(Debug, Clone, Copy)]
pub(super) enum Trouble {
    None,
    /// For a minute two fifths of everything is bad.
    Outage,
    /// One entity is bad each time, whichever version answers it.
    BrokenEntity,
}

/// One run of it.
pub(super) struct Run {
    traffic: Traffic,
    random: fastrand::Rng,
    /// How likely at most so many of a second's requests are the canary's.
    canaries: Vec<f64>,
    stable: Skips,
    canary: Skips,
    is_broken_on_canary: bool,
    second: u32,
}

impl Run {
    pub(super) fn new(traffic: Traffic, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let share = match traffic.entities {
            Entities::Many => traffic.weight,
            Entities::Unequal(entities) => share_of_traffic(entities, traffic.weight, &mut random),
        };
        Self {
            canaries: cumulated(traffic.per_second, share),
            stable: Skips::new(traffic.stable, &mut random),
            canary: Skips::new(traffic.canary, &mut random),
            is_broken_on_canary: random.f64() < traffic.weight,
            second: 0,
            traffic,
            random,
        }
    }

    fn fail_at_least(&mut self, rate: f64) {
        self.stable = Skips::new(self.traffic.stable.max(rate), &mut self.random);
        self.canary = Skips::new(self.traffic.canary.max(rate), &mut self.random);
    }

    fn counts(&self, entities: u64, bad: u64) -> Counts {
        let (errors, slow) = match self.traffic.metric {
            Metric::Errors => (bad, 0),
            Metric::Latency => (0, bad),
        };
        Counts { requests: entities, entities, errors, slow }
    }
}

impl Iterator for Run {
    type Item = Window;

    fn next(&mut self) -> Option<Window> {
        if self.second == self.traffic.seconds {
            return None;
        }
        if matches!(self.traffic.trouble, Trouble::Outage) {
            if self.second == OUTAGE_BEGINS {
                self.fail_at_least(OUTAGE_RATE);
            } else if self.second == OUTAGE_ENDS {
                self.fail_at_least(0.0);
            }
        }
        let drawn = self.random.f64();
        let mut canaries = 0;
        while self.canaries.get(canaries as usize).is_some_and(|most| *most < drawn) {
            canaries += 1;
        }
        let mut stables = self.traffic.per_second - canaries;
        let mut canary_bad = self.canary.among(canaries, &mut self.random);
        let mut stable_bad = self.stable.among(stables, &mut self.random);
        if matches!(self.traffic.trouble, Trouble::BrokenEntity) && self.second.is_multiple_of(EVENT_SPAN) {
            let (all, bad) = if self.is_broken_on_canary {
                (&mut canaries, &mut canary_bad)
            } else {
                (&mut stables, &mut stable_bad)
            };
            *all += 1;
            *bad += 1;
        }
        self.second += 1;
        let (stable, canary) = (self.counts(stables, stable_bad), self.counts(canaries, canary_bad));
        Some(Window { weight: self.traffic.weight, is_shadow: false, stable, canary })
    }
}

/// How many good requests lie before the next bad one.
struct Skips {
    log_good: f64,
    left: u64,
}

impl Skips {
    fn new(rate: f64, random: &mut fastrand::Rng) -> Self {
        let mut skips = Self { log_good: (-rate).ln_1p(), left: 0 };
        skips.left = skips.draw(random);
        skips
    }

    fn draw(&self, random: &mut fastrand::Rng) -> u64 {
        if self.log_good == 0.0 { u64::MAX } else { ((1.0 - random.f64()).ln() / self.log_good) as u64 }
    }

    /// The bad ones among the next requests.
    fn among(&mut self, mut requests: u64, random: &mut fastrand::Rng) -> u64 {
        let mut bad = 0;
        while self.left < requests {
            requests -= self.left + 1;
            bad += 1;
            self.left = self.draw(random);
        }
        self.left -= requests;
        bad
    }
}

/// The canary's share of what unequal entities send, when each is put on it with the chance `weight`.
fn share_of_traffic(entities: u32, weight: f64, random: &mut fastrand::Rng) -> f64 {
    let (mut all, mut canary) = (0.0, 0.0);
    for _ in 0..entities {
        // Box and Muller's way to a normal number.
        let normal = (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos();
        let activity = (ACTIVITY_SPREAD * normal).exp();
        all += activity;
        if random.f64() < weight {
            canary += activity;
        }
    }
    canary / all
}

/// The binomial distribution's sums.
fn cumulated(trials: u64, chance: f64) -> Vec<f64> {
    let mut term = (1.0 - chance).powi(trials as i32);
    let mut sum = 0.0;
    (0..trials)
        .map(|hits| {
            sum += term;
            term *= (trials - hits) as f64 / (hits + 1) as f64 * chance / (1.0 - chance);
            sum
        })
        .collect()
}
