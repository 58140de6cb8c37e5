//! Shifted distributions: every feature and the answer, over all rows and each segment value, when a window closes.

use std::collections::HashSet;

use types::Timestamp;

use super::Window;
use crate::{
    Comparison, Finding, FindingKind, State,
    independence::{Groups, concentration, is_owned, robust},
    judge::{Judgement, Side, judge},
    reference::Frozen,
};

/// A slice with fewer rows is not compared at all.
const LEAST_ROWS: usize = 30;
/// Into how many runs a window is cut to see whether values come in runs.
const RUNS: usize = 20;
/// A request's feature that varies by less than this part of its variety in the reference may follow the clock: within an
/// hour, or two that a window lies across, `hour_of_day` does.
const NARROW: f64 = 0.6;

/// What a closed window says.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) comparisons: Vec<Comparison>,
    pub(crate) findings: Vec<Finding>,
}

/// One comparison on its way.
struct Compared {
    slice: usize,
    counts: Vec<u64>,
    effective: f64,
    new_share: f64,
    judgement: Judgement,
    state: State,
}

/// The groups of one slice, by key.
struct Hanging {
    by_key: Vec<Groups>,
    runs: Option<Groups>,
}

impl Window {
    /// Judges the window as it is.
    pub(crate) fn close(&self, now: Timestamp) -> Verdict {
        let news = self.news(now);
        let members = self.members();
        let slices: Vec<usize> =
            (0..self.reference.slices.len()).filter(|slice| members[*slice].len() >= LEAST_ROWS).collect();
        let comparisons = slices.len() * self.reference.features.len();
        let hanging: Vec<Hanging> = slices.iter().map(|slice| self.hanging(&members[*slice])).collect();
        let mut verdict = Verdict::default();
        for feature in 0..self.reference.features.len() {
            let is_not_compared = self.is_left_out(feature) || self.follows_clock(feature);
            let with_news: Vec<usize> =
                news.iter().filter(|(of, ..)| *of == feature).map(|(_, slice, _)| *slice).collect();
            let owned: Vec<bool> = match hanging.first() {
                Some(all) if slices[0] == 0 => all.by_key.iter().map(|groups| self.owns(feature, groups)).collect(),
                _ => Vec::new(),
            };
            let compared: Vec<Compared> = slices
                .iter()
                .zip(&hanging)
                .map(|(slice, hanging)| {
                    let rows = &members[*slice];
                    let counts = self.counts(feature, rows);
                    let effective = self.effective(feature, hanging, &owned, rows.len());
                    let judgement = self.judged(feature, *slice, &counts, effective, comparisons);
                    let state = match judgement.drifted {
                        _ if is_not_compared => State::NotCompared,
                        _ if with_news.contains(slice) || with_news.contains(&0) => State::NewCategories,
                        None => State::TooFew,
                        Some(false) => State::Clean,
                        Some(true) => State::Drifted,
                    };
                    let new_share = self.new_share(feature, rows);
                    Compared { slice: *slice, counts, effective, new_share, judgement, state }
                })
                .collect();
            for at in self.places_of_drift(feature, &compared, comparisons) {
                verdict.findings.push(self.tell_drift(feature, &compared[at], now));
            }
            verdict.comparisons.extend(compared.iter().map(|compared| self.comparison(feature, compared)));
        }
        for (feature, slice, mut finding) in news {
            let segment = &self.slices[slice];
            let of = &self.reference.features[feature].name;
            if let Some(compared) = verdict.comparisons.iter().find(|c| c.feature == *of && c.segment == *segment) {
                (finding.psi, finding.jensen_shannon) = (compared.psi, compared.jensen_shannon);
            }
            verdict.findings.push(finding);
        }
        verdict
    }

    /// Whether a shift of this feature says nothing because it moves with the hour. If the reference cannot tell, one
    /// that comes with requests and varies much less than in the reference is taken for such.
    fn follows_clock(&self, feature: usize) -> bool {
        let of = &self.reference.features[feature];
        of.follows_clock.unwrap_or_else(|| {
            let variety = |counts: &[u64]| 1.0 - concentration(counts);
            let rows: Vec<u32> = (0..self.rows.len() as u32).collect();
            let now = variety(&self.counts(feature, &rows));
            self.is_of_request[feature] && now < NARROW * variety(&of.sides[0].counts)
        })
    }

    fn hanging(&self, rows: &[u32]) -> Hanging {
        let groups = |key: usize| Groups::new(rows.iter().copied(), |row| self.rows[row as usize].groups[key]);
        let runs = (rows.len() >= 5 * RUNS).then(|| Groups::runs(rows.to_vec(), rows.len().div_ceil(RUNS)));
        Hanging { by_key: (0..self.keys.len()).map(groups).collect(), runs }
    }

    fn bin(&self, feature: usize) -> impl Fn(u32) -> u16 {
        move |row| self.rows[row as usize].bins[feature]
    }

    fn owns(&self, feature: usize, groups: &Groups) -> bool {
        is_owned(groups, self.reference.features[feature].shape.bins(), self.bin(feature))
    }

    fn counts(&self, feature: usize, rows: &[u32]) -> Vec<u64> {
        let mut counts = vec![0; self.reference.features[feature].shape.bins()];
        for row in rows {
            counts[usize::from(self.rows[*row as usize].bins[feature])] += 1;
        }
        counts
    }

    /// How many independent rows a slice is worth for a feature: the least over what rows hang on.
    fn effective(&self, feature: usize, hanging: &Hanging, owned: &[bool], rows: usize) -> f64 {
        let bins = self.reference.features[feature].shape.bins();
        let by_key = self.keys.iter().enumerate().filter_map(|(key, of)| {
            let groups = &hanging.by_key[key];
            if owned.get(key).copied().unwrap_or(false) {
                Some(groups.kish())
            } else if of.is_segment || groups.len() == rows {
                None
            } else {
                Some(robust(groups, bins, self.bin(feature)))
            }
        });
        // A constant does not come in runs; it is worth what rows hang on.
        let is_varied =
            |runs: &&Groups| runs.iter().flatten().map(|row| self.bin(feature)(*row)).collect::<HashSet<_>>().len() > 1;
        let runs = hanging.runs.as_ref().filter(is_varied).map(|runs| robust(runs, bins, self.bin(feature)));
        by_key.chain(runs).fold(rows as f64, f64::min)
    }

    fn judged(&self, feature: usize, slice: usize, counts: &[u64], effective: f64, comparisons: usize) -> Judgement {
        let frozen = &self.reference.features[feature].sides[slice];
        judge(side(frozen), Side { counts, effective }, comparisons)
    }

    /// The fewest slices that explain a drift, as places in `compared`: all rows, unless without the segments that
    /// drifted, or have new values, nothing is left of it.
    fn places_of_drift(&self, feature: usize, compared: &[Compared], comparisons: usize) -> Vec<usize> {
        let drifted: Vec<usize> = (0..compared.len()).filter(|at| compared[*at].state == State::Drifted).collect();
        let Some(all) = drifted.iter().copied().find(|at| compared[*at].slice == 0) else { return drifted };
        let segments: Vec<usize> = drifted.iter().copied().filter(|at| *at != all).collect();
        let explaining: Vec<&Compared> = compared
            .iter()
            .filter(|other| other.slice != 0 && matches!(other.state, State::Drifted | State::NewCategories))
            .collect();
        let Some(dimension) = explaining.first().and_then(|first| self.slices[first.slice].as_ref()) else {
            return vec![all];
        };
        let frozen = &self.reference.features[feature].sides;
        let (mut counts, mut before) = (compared[all].counts.clone(), frozen[0].counts.clone());
        for other in explaining {
            if self.slices[other.slice].as_ref().is_some_and(|segment| segment.name == dimension.name) {
                subtract(&mut counts, &other.counts);
                subtract(&mut before, &frozen[other.slice].counts);
            }
        }
        let left =
            |counts: &[u64], of: &[u64]| counts.iter().sum::<u64>() as f64 / of.iter().sum::<u64>().max(1) as f64;
        let effective = compared[all].effective * left(&counts, &compared[all].counts);
        let reference = frozen[0].effective * left(&before, &frozen[0].counts);
        let rest =
            judge(Side { counts: &before, effective: reference }, Side { counts: &counts, effective }, comparisons);
        match rest.drifted {
            Some(true) => vec![all],
            Some(false) => segments,
            // Too little is left to tell: several segments together are no segment's own trouble.
            None if segments.len() > 1 => vec![all],
            None => segments,
        }
    }

    fn comparison(&self, feature: usize, compared: &Compared) -> Comparison {
        let of = &self.reference.features[feature];
        Comparison {
            feature: of.name.clone(),
            is_prediction: of.is_prediction,
            segment: self.slices[compared.slice].clone(),
            rows: compared.counts.iter().sum(),
            effective_rows: compared.effective,
            psi: compared.judgement.psi,
            psi_threshold: compared.judgement.psi_threshold,
            jensen_shannon: compared.judgement.jensen_shannon,
            new_share: compared.new_share,
            state: compared.state,
        }
    }

    fn tell_drift(&self, feature: usize, compared: &Compared, now: Timestamp) -> Finding {
        let is_prediction = self.reference.features[feature].is_prediction;
        let kind = if is_prediction { FindingKind::PredictionDrift } else { FindingKind::DataDrift };
        let mut finding = self.finding(kind, feature, compared.slice, now);
        let what = if is_prediction { "the answers" } else { finding.feature.as_str() };
        let place = finding.segment.as_ref().map_or_else(String::new, |segment| format!(" of {segment}"));
        let Judgement { psi, psi_threshold, jensen_shannon, .. } = compared.judgement;
        finding.rows = compared.counts.iter().sum();
        finding.summary = format!(
            "{what}{place} moved away from the training data: population stability {psi:.2} (limit {psi_threshold:.2}), \
             Jensen-Shannon {jensen_shannon:.2}, over {} rows worth {:.0}",
            finding.rows, compared.effective
        );
        (finding.psi, finding.jensen_shannon) = (psi, jensen_shannon);
        finding
    }
}

fn side(frozen: &Frozen) -> Side<'_> {
    Side { counts: &frozen.counts, effective: frozen.effective }
}

fn subtract(from: &mut [u64], counts: &[u64]) {
    for (from, count) in from.iter_mut().zip(counts) {
        *from = from.saturating_sub(*count);
    }
}
