//! When a finding is over: not when it is no longer seen, but when a window with enough rows shows that it is not there.

use super::{Window, drift::Verdict};
use crate::{Finding, FindingKind, State};

/// The share from which new values count as still there.
const STILL_THERE: f64 = 0.01;
/// The fewest rows that show anything.
const LEAST_ROWS: usize = 10;
/// How probable it may be that the old share would not have shown.
const MISSED: f64 = 0.05;

impl Window {
    /// Whether this closed window shows that `finding`, of before, is over.
    pub(crate) fn is_over(&self, finding: &Finding, verdict: &Verdict) -> bool {
        let same = |found: &&Finding| found.kind == finding.kind && found.feature == finding.feature;
        if verdict.findings.iter().any(|found| found.key == finding.key) {
            return false;
        }
        // The same trouble is told of another place: of everywhere instead of here, or of the segments that it is in.
        if verdict.findings.iter().filter(same).any(|found| found.segment.is_none() != finding.segment.is_none()) {
            return true;
        }
        match finding.kind {
            FindingKind::NewCategories => self.has_no_news(finding),
            FindingKind::DataDrift | FindingKind::PredictionDrift => {
                let compared = verdict
                    .comparisons
                    .iter()
                    .find(|compared| compared.feature == finding.feature && compared.segment == finding.segment);
                compared.is_some_and(|compared| match compared.state {
                    // With new values another finding holds in its place; a drift that segments explain is theirs.
                    State::Clean | State::NewCategories | State::NotCompared | State::Drifted => true,
                    State::TooFew => false,
                })
            }
        }
    }

    fn has_no_news(&self, finding: &Finding) -> bool {
        let Some(feature) = self.reference.features.iter().position(|of| of.name == finding.feature) else {
            return true;
        };
        if self.is_left_out(feature) {
            return true;
        }
        let slice = self.slices.iter().position(|slice| *slice == finding.segment);
        let rows = slice.map_or_else(Vec::new, |slice| self.members().swap_remove(slice));
        let missed = (1.0 - finding.share.min(1.0 - f64::EPSILON)).powf(rows.len() as f64);
        rows.len() >= LEAST_ROWS && missed <= MISSED && self.new_share(feature, &rows) < STILL_THERE
    }
}
