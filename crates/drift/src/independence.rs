//! How many independent rows a sample is worth.
//!
//! Rows of a window are not independent: a user comes back with the same profile, a popular item is in many rows, a
//! customer's rate is one number for all of them. Taking rows for independent is what makes drift detectors cry wolf.
//! Shares of rows are compared (the training data repeats its users, too), but their noise is judged by what they hang
//! on, each entity key in turn, and the least counts:
//!
//! - A feature that hardly varies within a key's groups is *owned* by the key: it is worth as many rows as there are
//!   groups, by Kish's formula for unequal ones. A feature owned by the customer is worth one row within a customer, so
//!   it is not judged there at all: its value moving with the day is what it is for.
//! - Otherwise the variance of the shares is estimated from the groups (cluster-robust), which also covers features that
//!   only lean on a key.

/// Within an owner's groups two rows differ at most so much as often as any two rows do.
const OWNED: f64 = 0.1;

/// Rows put into groups, the groups one after the other.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    order: Vec<u32>,
    /// Where each group begins in `order`; the last entry is the end.
    starts: Vec<u32>,
}

impl Groups {
    /// The groups of the rows `rows`, which are in group `of(row)`.
    pub(crate) fn new(rows: impl Iterator<Item = u32>, of: impl Fn(u32) -> u32) -> Self {
        let mut order: Vec<u32> = rows.collect();
        order.sort_by_key(|row| of(*row));
        let mut starts = Vec::new();
        for (place, row) in order.iter().enumerate() {
            if place == 0 || of(order[place - 1]) != of(*row) {
                starts.push(place as u32);
            }
        }
        starts.push(order.len() as u32);
        Self { order, starts }
    }

    /// Runs of `size` rows in the order given.
    pub(crate) fn runs(order: Vec<u32>, size: usize) -> Self {
        let mut starts: Vec<u32> = (0..order.len()).step_by(size.max(1)).map(|start| start as u32).collect();
        starts.push(order.len() as u32);
        Self { order, starts }
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// The rows of each group.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.starts.windows(2).map(|pair| &self.order[pair[0] as usize..pair[1] as usize])
    }

    /// The number of groups of equal size that would be worth as much: Kish's effective sample size.
    pub(crate) fn kish(&self) -> f64 {
        let (mut sum, mut squares) = (0.0, 0.0);
        for group in self.iter() {
            sum += group.len() as f64;
            squares += (group.len() as f64).powi(2);
        }
        if squares > 0.0 { sum * sum / squares } else { 0.0 }
    }
}

/// How often two rows are in the same bin.
pub(crate) fn concentration(counts: &[u64]) -> f64 {
    let rows: u64 = counts.iter().sum();
    if rows < 2 {
        return 1.0;
    }
    let same: f64 = counts.iter().map(|count| *count as f64 * (*count as f64 - 1.0)).sum();
    same / (rows as f64 * (rows as f64 - 1.0))
}

/// Whether the values hang on the groups: within them they hardly vary, though they do otherwise.
pub(crate) fn is_owned(groups: &Groups, bins: usize, bin_of: impl Fn(u32) -> u16) -> bool {
    let (mut total, mut within) = (vec![0_u64; bins], vec![0_u64; bins]);
    let (mut differing, mut weight) = (0.0, 0.0);
    for group in groups.iter() {
        within.fill(0);
        for row in group {
            let bin = usize::from(bin_of(*row));
            within[bin] += 1;
            total[bin] += 1;
        }
        if group.len() > 1 {
            differing += (1.0 - concentration(&within)) * group.len() as f64;
            weight += group.len() as f64;
        }
    }
    let anyhow = 1.0 - concentration(&total);
    anyhow > 0.0 && weight > 0.0 && differing / weight <= OWNED * anyhow
}

/// How many independent rows the shares of the bins are worth, going by how much groups differ.
pub(crate) fn robust(groups: &Groups, bins: usize, bin_of: impl Fn(u32) -> u16) -> f64 {
    let mut total = vec![0.0_f64; bins];
    let mut rows = 0.0;
    for row in groups.iter().flatten() {
        total[usize::from(bin_of(*row))] += 1.0;
        rows += 1.0;
    }
    let shares: Vec<f64> = total.iter().map(|count| count / rows).collect();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    let variety = 1.0 - squares;
    let count = groups.len() as f64;
    if rows == 0.0 || variety <= f64::EPSILON || count < 2.0 {
        return groups.kish();
    }
    let mut deviation = 0.0;
    let mut within = vec![0.0_f64; bins];
    for group in groups.iter() {
        let size = group.len() as f64;
        for row in group {
            within[usize::from(bin_of(*row))] += 1.0;
        }
        let (mut own, mut crossed) = (0.0, 0.0);
        for row in group {
            let bin = usize::from(bin_of(*row));
            let inside = std::mem::take(&mut within[bin]);
            own += inside * inside;
            crossed += inside * shares[bin];
        }
        deviation += size.mul_add(size * squares, own - 2.0 * size * crossed);
    }
    if deviation <= 0.0 {
        return groups.kish();
    }
    (rows * rows * variety / deviation * (count - 1.0) / count).min(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_repeat_their_group_count_once_and_independent_ones_count_each() {
        let mut random = fastrand::Rng::with_seed(1);
        let of_group: Vec<u16> = (0..200).map(|_| random.u16(..8)).collect();
        let of_row: Vec<u16> = (0..2_000).map(|_| random.u16(..8)).collect();
        let groups = Groups::new(0..2_000, |row| row % 200);
        assert_eq!(groups.len(), 200);
        assert!((groups.kish() - 200.0).abs() < 1e-9);
        let repeated = robust(&groups, 8, |row| of_group[row as usize % 200]);
        assert!((150.0..260.0).contains(&repeated), "{repeated}");
        let independent = robust(&groups, 8, |row| of_row[row as usize]);
        assert!((1_500.0..=2_000.0).contains(&independent), "{independent}");
        assert!(is_owned(&groups, 8, |row| of_group[row as usize % 200]));
        assert!(!is_owned(&groups, 8, |row| of_row[row as usize]));
    }

    #[test]
    fn a_rare_value_does_not_look_owned_by_chance() {
        let mut random = fastrand::Rng::with_seed(2);
        let rare: Vec<u16> = (0..5_000).map(|_| u16::from(random.f64() < 0.03)).collect();
        let groups = Groups::new(0..5_000, |row| row % 24);
        assert!(!is_owned(&groups, 2, |row| rare[row as usize]));
        assert!(!is_owned(&groups, 2, |_| 1), "nor does a constant, which nothing explains");
    }

    #[test]
    fn what_comes_in_runs_is_worth_its_runs() {
        let runs = Groups::runs((0..1_000).collect(), 50);
        let worth = robust(&runs, 24, |row| (row / 500) as u16);
        assert!(worth < 30.0, "two hours of the day, however many rows: {worth}");
    }
}
