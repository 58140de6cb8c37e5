//! Frozen bins: which bin a value falls into, today as on the day of the freeze.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::datum::Datum;

/// Bins of equal mass for numbers: deciles, as is usual for population stability.
const NUMBER_BINS: usize = 10;
/// Numbers with at most so many different values get a bin for each.
const MOST_SINGLE_VALUES: usize = 20;
/// Categories that get a bin of their own, commonest first.
const CATEGORY_BINS: usize = 30;
/// The most categories that a dictionary remembers. A feature with more has no dictionary to speak of.
const LARGEST_DICTIONARY: usize = 20_000;

/// The bins of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Shape {
    /// Bins between edges; each includes its upper one.
    Numbers {
        /// Ascending.
        edges: Vec<f64>,
    },
    /// A bin for each common category, one for the other known ones, one for those that are not known.
    Categories {
        /// Commonest first.
        binned: Vec<String>,
        /// The rest of the dictionary.
        others: BTreeSet<String>,
        /// Whether the reference had so many categories that not all are remembered: then none counts as new.
        is_open: bool,
    },
}

/// Where a value falls.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    /// Into a bin.
    Bin(u16),
    /// Into the bin of what is not known.
    New(String),
}

impl Shape {
    /// The bins that fit `values`, or `None` if all are missing.
    pub(crate) fn of(values: &[Datum]) -> Option<Self> {
        let mut numbers = Vec::new();
        let mut categories: BTreeMap<&str, usize> = BTreeMap::new();
        for value in values {
            match value {
                Datum::Missing => {}
                Datum::Number(number) => numbers.push(*number),
                Datum::Text(text) => *categories.entry(text).or_default() += 1,
            }
        }
        if categories.is_empty() {
            return (!numbers.is_empty()).then(|| Self::Numbers { edges: edges(numbers) });
        }
        let is_open = categories.len() > LARGEST_DICTIONARY;
        let mut by_count: Vec<_> = categories.into_iter().collect();
        by_count.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        by_count.truncate(LARGEST_DICTIONARY);
        let mut names = by_count.into_iter().map(|(name, _)| name.to_owned());
        let binned = names.by_ref().take(CATEGORY_BINS).collect();
        Some(Self::Categories { binned, others: names.collect(), is_open })
    }

    /// How many bins there are. The last is that of missing values.
    pub(crate) fn bins(&self) -> usize {
        match self {
            Self::Numbers { edges } => edges.len() + 2,
            Self::Categories { binned, .. } => binned.len() + 3,
        }
    }

    /// The bin of missing values, and of values of another type.
    pub(crate) fn missing(&self) -> u16 {
        self.bins() as u16 - 1
    }

    /// The bin of categories that are not known, if the feature has categories and a closed dictionary.
    pub(crate) fn new_bin(&self) -> Option<u16> {
        match self {
            Self::Categories { binned, is_open: false, .. } => Some(binned.len() as u16 + 1),
            Self::Numbers { .. } | Self::Categories { .. } => None,
        }
    }

    /// Where `value` falls.
    pub(crate) fn place(&self, value: Datum) -> Place {
        match (self, value) {
            (Self::Numbers { edges }, Datum::Number(number)) => {
                Place::Bin(edges.partition_point(|edge| *edge < number) as u16)
            }
            (Self::Categories { binned, others, is_open }, Datum::Text(text)) => {
                match binned.iter().position(|known| *known == text) {
                    Some(bin) => Place::Bin(bin as u16),
                    None if *is_open || others.contains(&text) => Place::Bin(binned.len() as u16),
                    None => Place::New(text),
                }
            }
            // A category that is served as a number is one that nobody knows; a number that is served as text is lost.
            (Self::Categories { .. }, value @ Datum::Number(_)) => {
                self.place(value.name().map_or(Datum::Missing, Datum::Text))
            }
            (Self::Numbers { .. }, Datum::Text(_)) | (_, Datum::Missing) => Place::Bin(self.missing()),
        }
    }
}

fn edges(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    let mut distinct = numbers.clone();
    distinct.dedup();
    if distinct.len() <= MOST_SINGLE_VALUES {
        return distinct.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])).collect();
    }
    let quantile = |tenth: usize| numbers[(numbers.len() * tenth / NUMBER_BINS).min(numbers.len() - 1)];
    let mut edges: Vec<f64> = (1..NUMBER_BINS).map(quantile).collect();
    edges.dedup();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<Datum> {
        texts.iter().map(|text| Datum::Text((*text).to_owned())).collect()
    }

    #[test]
    fn deciles_hold_a_tenth_each_and_values_beyond_them_fall_into_the_outer_bins() {
        let values: Vec<_> = (0..1_000).map(|number| Datum::Number(f64::from(number))).collect();
        let shape = Shape::of(&values).unwrap();
        let mut counts = vec![0; shape.bins()];
        for value in values {
            let Place::Bin(bin) = shape.place(value) else { panic!("numbers are never new") };
            counts[usize::from(bin)] += 1;
        }
        assert!(counts[..10].iter().all(|count| (99..=101).contains(count)), "{counts:?}");
        assert_eq!(shape.place(Datum::Number(-1e9)), Place::Bin(0));
        assert_eq!(shape.place(Datum::Number(1e9)), Place::Bin(9));
        assert_eq!(shape.place(Datum::Missing), Place::Bin(shape.missing()));
    }

    #[test]
    fn a_mass_at_one_value_has_a_bin_and_not_several() {
        let values: Vec<_> =
            (0..1_000).map(|row| Datum::Number(if row < 700 { 0.0 } else { f64::from(row) })).collect();
        let Some(Shape::Numbers { edges }) = Shape::of(&values) else { panic!("numbers") };
        assert_eq!(edges[0], 0.0, "the zeros, and nothing else, lie up to the first edge: {edges:?}");
        assert_eq!(edges.len(), 4, "the deciles beyond them: {edges:?}");
    }

    #[test]
    fn a_category_is_new_unless_the_dictionary_has_it_however_rare_it_was() {
        let mut names: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
        names.push("c0".to_owned());
        let shape = Shape::of(&texts(&names.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
        assert_eq!(shape.place(Datum::Text("c0".to_owned())), Place::Bin(0));
        for known in &names {
            assert!(matches!(shape.place(Datum::Text(known.clone())), Place::Bin(bin) if Some(bin) != shape.new_bin()));
        }
        assert_eq!(shape.place(Datum::Text("USA".to_owned())), Place::New("USA".to_owned()));
    }
}
