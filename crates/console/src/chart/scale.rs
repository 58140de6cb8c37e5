//! From values to lengths, and the round values that are written along an axis.

/// The least and the most that is drawn; what lies beyond stands at the edge, which is as good as certain either way.
const LEAST: f64 = 1e-4;
const MOST: f64 = 1e9;

/// How values of the vertical axis are written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// As a factor: 0.1, 1, 200.
    Factor,
    /// As a share: 0.1 %, 1 %.
    Percent,
}

impl Unit {
    /// The value at which nothing is known; always on the chart.
    pub(super) const fn neutral(self) -> f64 {
        match self {
            Self::Factor | Self::Percent => 1.0,
        }
    }

    /// A value with two digits that count.
    pub(crate) fn write(self, value: f64) -> String {
        match self {
            Self::Factor => rounded(value),
            Self::Percent => format!("{} %", rounded(value * 100.0)),
        }
    }
}

fn rounded(value: f64) -> String {
    if !value.is_finite() || value >= 1e5 {
        // The exponent is all that anybody reads.
        let exponent = if value.is_finite() { value.log10().floor() } else { MOST.log10() };
        return format!("10{}", superscript(exponent));
    }
    if value >= 10.0 {
        return grouped(value);
    }
    let decimals = if value <= 0.0 { 0 } else { (1.0 - value.log10().floor()).clamp(0.0, 5.0) as usize };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn superscript(exponent: f64) -> String {
    format!("{exponent:.0}")
        .chars()
        .map(|digit| {
            digit.to_digit(10).map_or('⁻', |digit| ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][digit as usize])
        })
        .collect()
}

/// A whole number in groups of three digits.
pub(super) fn grouped(value: f64) -> String {
    crate::show::count(value.round().clamp(0.0, MOST) as u64)
}

/// From zero to a round number beyond the last value.
#[derive(Debug)]
pub(super) struct Linear {
    most: f64,
    step: f64,
    from: f64,
    to: f64,
}

impl Linear {
    pub(super) fn new(furthest: f64, from: f64, to: f64) -> Self {
        let furthest = if furthest.is_finite() { furthest.max(1.0) } else { 1.0 };
        let magnitude = 10_f64.powf((furthest / 5.0).log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude).into_iter().find(|step| furthest / step <= 6.0);
        Self { most: furthest, step: step.unwrap_or(furthest).max(1.0), from, to }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let share = if value.is_finite() { (value / self.most).clamp(0.0, 1.0) } else { 1.0 };
        self.from + (self.to - self.from) * share
    }

    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> {
        let (most, step) = (self.most, self.step);
        (0..=7).map(move |number| f64::from(number) * step).filter(move |tick| *tick <= most)
    }
}

/// Over the powers of ten that hold every value.
#[derive(Debug)]
pub(super) struct Logarithmic {
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Logarithmic {
    pub(super) fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            let exponent = exponent(value);
            least = least.min(exponent);
            most = most.max(exponent);
        }
        // A little room above, and never a scale without height.
        let (least, most) = ((least + 1e-9).floor(), (most + 0.25).max(least.floor() + 1.0));
        Self { least, most, from, to }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let share = ((exponent(value) - self.least) / (self.most - self.least)).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * share
    }

    /// Powers of ten, at most seven of them.
    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> {
        let (least, most) = (self.least, self.most);
        let stride = ((most - least) / 6.0).ceil().max(1.0);
        (0..=7)
            .map(move |number| least + f64::from(number) * stride)
            .filter(move |tick| *tick <= most)
            .map(|tick| 10_f64.powf(tick))
    }
}

fn exponent(value: f64) -> f64 {
    // Not a number is a value that could not be computed: nothing is known, which is what 1 says.
    if value.is_nan() { 0.0 } else { value.clamp(LEAST, MOST).log10() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_people_read_them() {
        let written =
            [0.003, 0.01, 1.0, 2.46, 200.0, 12_345.0, 2e6, f64::INFINITY].map(|value| Unit::Factor.write(value));
        assert_eq!(written, ["0.003", "0.01", "1", "2.5", "200", "12\u{202f}345", "10⁶", "10⁹"]);
        assert_eq!([0.01, 0.0004, 1.0].map(|value| Unit::Percent.write(value)), ["1 %", "0.04 %", "100 %"]);
    }

    #[test]
    fn ticks_are_round_and_few() {
        let ticks: Vec<_> = Linear::new(730.0, 0.0, 1.0).ticks().collect();
        assert_eq!(ticks, [0.0, 200.0, 400.0, 600.0]);
        let ticks: Vec<_> = Logarithmic::over([0.02, 300.0].into_iter(), 0.0, 1.0).ticks().collect();
        assert_eq!(ticks.len(), 5);
        assert!(Logarithmic::over([1e-4, 1e9].into_iter(), 0.0, 1.0).ticks().count() <= 7);
    }
}
