//! The e-process of one metric: a mixture of likelihood ratios on whose the next bad event is.
//!
//! Which relative risk the canary has is not known, so each of a few is given an equal stake. The best of them takes E
//! up at nearly the rate that knowing it would, and the price is the logarithm of their number.

use serde::{Deserialize, Serialize};

/// How much worse than what is tolerated the canary is under each alternative. From the smallest that anyone would
/// want to know of to a canary that fails nearly always; in steps of a factor of two or three, since a bet on a risk
/// that is off by less than that still grows nearly as fast.
pub(super) const RELATIVE_RISKS: [f64; 6] = [1.5, 2.0, 3.0, 5.0, 10.0, 30.0];

/// Logarithms, so that a year of events neither overflows nor vanishes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Evidence {
    /// The product of likelihood ratios under each alternative.
    log_products: [f64; RELATIVE_RISKS.len()],
    /// The highest that their mean was at the end of a window.
    log_highest: f64,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { log_products: [0.0; RELATIVE_RISKS.len()], log_highest: 0.0 }
    }
}

impl Evidence {
    /// Counts the bad events of a window, of which the canary's were expected to be at most as many as its `share` of
    /// the entities and the tolerance explain.
    pub(super) fn count(&mut self, share: f64, tolerance: f64, stable: u64, canary: u64) {
        if stable + canary == 0 {
            return;
        }
        // With the odds `o` of p0 those of an alternative are `r o`, so the canary's event has the likelihood ratio
        // r (1 + o) / (1 + r o), and stable's the same without the first r.
        let odds = share * (1.0 + tolerance) / (1.0 - share);
        let log_1_plus_odds = odds.ln_1p();
        let all = (stable + canary) as f64;
        for (log_product, risk) in self.log_products.iter_mut().zip(RELATIVE_RISKS) {
            *log_product += canary as f64 * risk.ln() + all * (log_1_plus_odds - (risk * odds).ln_1p());
        }
        self.log_highest = self.log_highest.max(self.log_mean());
    }

    /// E.
    pub(super) fn now(&self) -> f64 {
        finite_exp(self.log_mean())
    }

    /// The highest that E was.
    pub(super) fn highest(&self) -> f64 {
        finite_exp(self.log_highest)
    }

    pub(super) fn log_mean(&self) -> f64 {
        let largest = self.log_products.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.log_products.iter().map(|log| (log - largest).exp()).sum();
        largest + (sum / RELATIVE_RISKS.len() as f64).ln()
    }
}

/// JSON has no infinity.
fn finite_exp(log: f64) -> f64 {
    log.exp().min(f64::MAX)
}
