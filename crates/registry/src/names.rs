//! Names for runs and models that nobody named: an adjective, a noun and a number.

const ADJECTIVES: [&str; 32] = [
    "able", "amber", "brave", "brisk", "calm", "clear", "crisp", "eager", "early", "even", "fair", "fleet", "fresh",
    "frosty", "gentle", "glad", "golden", "grand", "green", "keen", "kind", "level", "lucky", "merry", "mild", "noble",
    "polite", "proud", "quick", "quiet", "steady", "vivid",
];
const NOUNS: [&str; 32] = [
    "arch", "axle", "barge", "beam", "bolt", "brook", "cedar", "cliff", "crane", "dune", "ferry", "finch", "gauge",
    "grove", "harbor", "heron", "lark", "lever", "maple", "otter", "pier", "pine", "plover", "rail", "ridge", "rivet",
    "spike", "stone", "swift", "tie", "trestle", "wagon",
];
/// Numbers are below this.
const NUMBERS: u32 = 1_000;

/// A name such as `brisk-heron-417`.
pub(crate) fn random() -> String {
    let mut pick = fastrand::Rng::new();
    let adjective = pick.choice(ADJECTIVES).unwrap_or_default();
    let noun = pick.choice(NOUNS).unwrap_or_default();
    format!("{adjective}-{noun}-{}", pick.u32(..NUMBERS))
}
