//! What a new category probably was before: a known one that is written alike and that went missing as the new one came.

use crate::Mapping;

/// A category with its share before and now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) before: f64,
    pub(crate) now: f64,
}

/// The least likeness of a pair that is told. Spelling and mass count half each, so one alone does not suffice, but for
/// codes of which nothing in the spelling is left (`US` to `840`), whose mass fits closely.
const LEAST_LIKENESS: f64 = 0.55;
/// The likeness from which mass alone suffices, being at most one half.
const CLOSE_MASS: f64 = 0.45;
/// A category has vanished if less than this part of its share is left.
const VANISHED: f64 = 0.5;

/// Likely pairs of vanished and new categories, each used once, likeliest first. `new` are names with their shares.
pub(crate) fn likely(known: &[Known], new: &[(String, f64)]) -> Vec<Mapping> {
    let vanished: Vec<&Known> =
        known.iter().filter(|known| known.before > 0.0 && known.now < VANISHED * known.before).collect();
    let mut pairs = Vec::new();
    for from in &vanished {
        for (to, share) in new {
            let gone = from.before - from.now;
            let mass = 0.5 * gone.min(*share) / gone.max(*share);
            let likeness = 0.5 * spelled_alike(&from.name, to) + mass;
            if likeness >= LEAST_LIKENESS || mass >= CLOSE_MASS {
                pairs.push((likeness, *from, to));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut mappings: Vec<Mapping> = Vec::new();
    for (_, from, to) in pairs {
        if mappings.iter().all(|mapping| mapping.from != from.name && mapping.to != *to) {
            mappings.push(Mapping {
                from: from.name.clone(),
                to: to.clone(),
                share_before: from.before,
                share_now: from.now,
            });
        }
    }
    mappings
}

/// From 0 to 1; case, blanks and punctuation do not count.
fn spelled_alike(a: &str, b: &str) -> f64 {
    let bare =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    strsim::jaro_winkler(&bare(a), &bare(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str, before: f64, now: f64) -> Known {
        Known { name: name.to_owned(), before, now }
    }

    fn told(known: &[Known], new: &[(&str, f64)]) -> Vec<String> {
        let new: Vec<_> = new.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect();
        likely(known, &new).iter().map(|mapping| format!("{} to {}", mapping.from, mapping.to)).collect()
    }

    #[test]
    fn the_category_that_vanished_and_is_written_alike_is_told() {
        let known = [known("DE", 0.1, 0.12), known("US", 0.55, 0.01), known("SE", 0.02, 0.0)];
        assert_eq!(told(&known, &[("USA", 0.52)]), ["US to USA"]);
    }

    #[test]
    fn a_change_of_case_pairs_every_category_with_its_own() {
        let known = [known("DE", 0.3, 0.0), known("US", 0.4, 0.0), known("FR", 0.3, 0.0)];
        let told = told(&known, &[("us", 0.38), ("de", 0.32), ("fr", 0.3)]);
        assert_eq!(told.len(), 3);
        assert!(
            ["DE to de", "US to us", "FR to fr"].iter().all(|pair| told.iter().any(|told| told == pair)),
            "{told:?}"
        );
    }

    #[test]
    fn a_code_is_found_by_its_mass_and_a_value_that_replaced_nothing_is_not() {
        assert_eq!(told(&[known("US", 0.5, 0.0), known("DE", 0.2, 0.19)], &[("840", 0.49)]), ["US to 840"]);
        assert_eq!(told(&[known("US", 0.5, 0.47), known("DE", 0.2, 0.19)], &[("USA", 0.04)]), [""; 0]);
    }
}
