//! Values that the reference never had. Looked for every few seconds while a window is open, and worth waking someone.
//!
//! A model has learned nothing about such a value, and an upstream that changes an encoding brings it in bulk, so few
//! rows suffice. What keeps chance out: it takes several different entities (one user with a broken profile is not an
//! upstream), more of them than the reference's own rate of values seen once explains, and a share of the rows that
//! matters. The dictionary is that of all rows, so that a small segment's short history makes nothing new.

use std::collections::{BTreeMap, HashSet};

use telemetry::Severity;
use types::Timestamp;

use super::Window;
use crate::{
    Finding, FindingKind, NewCategory,
    judge::chance_of_new,
    mapping::{Known, likely},
    shape::Shape,
};

/// How many different entities must have new values.
const LEAST_ENTITIES: u64 = 5;
/// How improbable that must be if nothing has changed: one in ten million, because it is looked every few seconds at
/// every feature and segment.
const CHANCE: f64 = 1e-7;
/// The share of rows from which new values page; the score of each of these rows is a guess.
const PAGE: f64 = 0.05;
/// The share from which they are told at all.
const TELL: f64 = 0.01;
/// If so much of the traffic is in segments that have them, it is no segment's own trouble.
const EVERYWHERE: f64 = 0.8;
/// The most new values that a finding lists.
const MOST_LISTED: usize = 10;

/// New values in the rows of a slice since the first of them.
struct Evidence {
    /// The rows from the first new value on.
    rows: Vec<u32>,
    new: usize,
    /// The largest share among the segments that this stands for.
    largest_share: f64,
}

impl Evidence {
    fn share(&self) -> f64 {
        self.new as f64 / self.rows.len() as f64
    }
}

impl Window {
    /// What the rows so far have that the reference never had, by feature number and slice number.
    pub(crate) fn news(&self, now: Timestamp) -> Vec<(usize, usize, Finding)> {
        let mut found = Vec::new();
        let mut members = None;
        for feature in 0..self.reference.features.len() {
            let has_news = self.rows.iter().any(|row| self.is_new(row, feature));
            if has_news && !self.is_left_out(feature) {
                let members = members.get_or_insert_with(|| self.members());
                for (slice, evidence) in self.places(feature, members) {
                    found.push((feature, slice, self.tell(feature, slice, &evidence, now)));
                }
            }
        }
        found
    }

    /// The share of a slice's rows with new values.
    pub(super) fn new_share(&self, feature: usize, rows: &[u32]) -> f64 {
        let new = rows.iter().filter(|row| self.is_new(&self.rows[**row as usize], feature)).count();
        if rows.is_empty() { 0.0 } else { new as f64 / rows.len() as f64 }
    }

    fn is_new(&self, row: &super::Row, feature: usize) -> bool {
        self.reference.features[feature].shape.new_bin() == Some(row.bins[feature])
    }

    /// The fewest slices that explain where the new values of a feature are: the segments with the largest shares, and all
    /// traffic if something is left beside them. Of several segments *and* something left all traffic alone is told.
    fn places(&self, feature: usize, members: &[Vec<u32>]) -> Vec<(usize, Evidence)> {
        let mut explained = HashSet::new();
        let segments = 1..members.len();
        let affected: Vec<usize> =
            segments.filter(|slice| self.evidence(feature, &members[*slice], &explained).is_some()).collect();
        let mut places: Vec<(usize, Evidence)> = Vec::new();
        let mut left = affected.clone();
        loop {
            let rest =
                left.iter().filter_map(|slice| Some((*slice, self.evidence(feature, &members[*slice], &explained)?)));
            let Some((slice, evidence)) = rest.max_by(|a, b| a.1.share().total_cmp(&b.1.share())) else { break };
            left.retain(|other| *other != slice);
            explained.extend(members[slice].iter().copied());
            places.push((slice, evidence));
        }
        let rest = self.evidence(feature, &members[0], &explained);
        let is_everywhere = places.len() > 1 && (rest.is_some() || self.covers(&affected, members));
        if is_everywhere && let Some(mut all) = self.evidence(feature, &members[0], &HashSet::new()) {
            all.largest_share = places.iter().map(|(_, evidence)| evidence.share()).fold(all.share(), f64::max);
            return vec![(0, all)];
        }
        places.extend(rest.map(|evidence| (0, evidence)));
        places
    }

    /// Whether several values of one segment have it, and almost all traffic is theirs.
    fn covers(&self, affected: &[usize], members: &[Vec<u32>]) -> bool {
        let mut by_segment: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for slice in affected {
            if let Some(segment) = &self.slices[*slice] {
                let (slices, rows) = by_segment.entry(&segment.name).or_default();
                *slices += 1;
                *rows += members[*slice].len();
            }
        }
        by_segment.values().any(|(slices, rows)| *slices > 1 && *rows as f64 >= EVERYWHERE * self.rows.len() as f64)
    }

    /// The new values in `members` but those in rows that are `explained`, if they are more than chance.
    fn evidence(&self, feature: usize, members: &[u32], explained: &HashSet<u32>) -> Option<Evidence> {
        let rows: Vec<u32> = members.iter().filter(|row| !explained.contains(row)).copied().collect();
        let is_new = |row: &u32| self.is_new(&self.rows[*row as usize], feature);
        let first = rows.iter().position(is_new)?;
        let new: Vec<u32> = rows.iter().filter(|row| is_new(row)).copied().collect();
        let by_entity = self.keys.iter().enumerate().filter(|(_, key)| !key.is_segment).map(|(key, _)| {
            let distinct = |rows: &[u32]| {
                rows.iter().map(|row| self.rows[*row as usize].groups[key]).collect::<HashSet<_>>().len() as u64
            };
            (distinct(&new), distinct(&rows))
        });
        let (entities, of) = by_entity.min()?;
        let unseen = self.reference.features[feature].unseen;
        let largest_share = new.len() as f64 / (rows.len() - first) as f64;
        let evidence = Evidence { rows: rows[first..].to_vec(), new: new.len(), largest_share };
        (entities >= LEAST_ENTITIES && evidence.share() >= TELL && chance_of_new(entities, of, unseen) <= CHANCE)
            .then_some(evidence)
    }

    fn tell(&self, feature: usize, slice: usize, evidence: &Evidence, now: Timestamp) -> Finding {
        let mut finding = self.finding(FindingKind::NewCategories, feature, slice, now);
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for row in &evidence.rows {
            let news = self.rows[*row as usize].news.iter().filter(|(of, _)| usize::from(*of) == feature);
            news.for_each(|(_, value)| *counts.entry(*value).or_default() += 1);
        }
        let share = |count: usize| count as f64 / evidence.rows.len() as f64;
        let mut new: Vec<(String, f64)> =
            counts.into_iter().map(|(value, count)| (self.new_values[value as usize].clone(), share(count))).collect();
        new.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        finding.mappings = likely(&self.known(feature, slice, &evidence.rows), &new);
        finding.rows = evidence.rows.len() as u64;
        finding.share = evidence.share();
        finding.severity = if evidence.largest_share >= PAGE { Severity::Page } else { Severity::Ticket };
        new.truncate(MOST_LISTED);
        finding.new_categories = new.into_iter().map(|(value, share)| NewCategory { value, share }).collect();
        finding.summary = summary(&finding);
        finding
    }

    /// The categories with bins of their own, with their share in the slice's reference and in `rows`.
    fn known(&self, feature: usize, slice: usize, rows: &[u32]) -> Vec<Known> {
        let of = &self.reference.features[feature];
        let Shape::Categories { binned, .. } = &of.shape else { return Vec::new() };
        let side = of.sides.get(slice).unwrap_or(&of.sides[0]);
        let before = side.counts.iter().sum::<u64>().max(1) as f64;
        let mut now = vec![0_usize; of.shape.bins()];
        for row in rows {
            now[usize::from(self.rows[*row as usize].bins[feature])] += 1;
        }
        let known = |(bin, name): (usize, &String)| Known {
            name: name.clone(),
            before: side.counts[bin] as f64 / before,
            now: now[bin] as f64 / rows.len() as f64,
        };
        binned.iter().enumerate().map(known).collect()
    }
}

fn summary(finding: &Finding) -> String {
    let place = finding.segment.as_ref().map_or_else(String::new, |segment| format!(" of {segment}"));
    let values: Vec<_> = finding.new_categories.iter().take(3).map(|new| format!("'{}'", new.value)).collect();
    let more = finding.new_categories.len().saturating_sub(values.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let pairs: Vec<_> =
        finding.mappings.iter().take(3).map(|pair| format!("'{}' → '{}'", pair.from, pair.to)).collect();
    let pairs = if pairs.is_empty() { String::new() } else { format!("; likely {}", pairs.join(", ")) };
    format!(
        "{}{place}: {:.0} % of {} rows have values that the training data never had, {}{more}{pairs}",
        finding.feature,
        100.0 * finding.share,
        finding.rows,
        values.join(", "),
    )
}
