//! Small bars for shares: what was meant, what it is, and nothing that a number beside them does not say.

use maud::{Markup, html};

use crate::show;

const WIDTH: f64 = 132.0;
const HEIGHT: f64 = 10.0;

/// A share of a whole, with a notch where it was meant to be.
pub(crate) fn share(real: f64, intended: Option<f64>) -> Markup {
    let along = |share: f64| format!("{:.1}", WIDTH * if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 });
    html! {
        svg.bar viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) width=(WIDTH) height=(HEIGHT) aria-hidden="true" {
            rect.track width=(WIDTH) height=(HEIGHT) rx="2" {}
            rect.real width=(along(real)) height=(HEIGHT) rx="2" {}
            @if let Some(intended) = intended {
                rect.meant x=(along(intended - 0.006)) y="-1" width="2" height=(HEIGHT + 2.0) {}
            }
        }
        " " span.number { (show::share(real)) }
    }
}

/// The parts of a whole by arm, which add up to it: each as its class in the style sheet and its share.
pub(crate) fn split(parts: &[(&'static str, f64)]) -> Markup {
    let whole: f64 = parts.iter().map(|part| part.1).sum();
    let mut from = 0.0;
    html! {
        svg.bar viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) width=(WIDTH) height=(HEIGHT) aria-hidden="true" {
            rect.track width=(WIDTH) height=(HEIGHT) rx="2" {}
            @if whole > 0.0 && whole.is_finite() {
                @for (class, part) in parts {
                    @let width = WIDTH * part / whole;
                    rect class=(class) x=(format!("{from:.1}")) width=(format!("{width:.1}")) height=(HEIGHT) {}
                    @let () = from += width;
                }
            }
        }
    }
}

/// How much of something is done.
pub(crate) fn progress(done: f64) -> Markup {
    let done = if done.is_finite() { done.clamp(0.0, 1.0) } else { 0.0 };
    html! {
        svg.bar viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) width=(WIDTH) height=(HEIGHT) aria-hidden="true" {
            rect.track width=(WIDTH) height=(HEIGHT) rx="2" {}
            rect.done width=(format!("{:.1}", WIDTH * done)) height=(HEIGHT) rx="2" {}
        }
    }
}

/// A score between nothing and `limit` or more; full means that the limit is reached.
pub(crate) fn against(score: f64, limit: f64) -> Markup {
    let filled = if score.is_finite() && limit > 0.0 { (score / limit).clamp(0.0, 1.0) } else { 0.0 };
    let class = if filled >= 1.0 { "real over" } else { "real" };
    html! {
        svg.bar viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) width=(WIDTH) height=(HEIGHT) aria-hidden="true" {
            rect.track width=(WIDTH) height=(HEIGHT) rx="2" {}
            rect class=(class) width=(format!("{:.1}", WIDTH * filled)) height=(HEIGHT) rx="2" {}
        }
    }
}

/// A value within its interval, on a scale from nothing to `most`, so that intervals under each other can be compared.
pub(crate) fn interval(low: f64, value: f64, high: f64, most: f64) -> Markup {
    let x = |value: f64| if most > 0.0 { (WIDTH - 2.0) * (value / most).clamp(0.0, 1.0) } else { 0.0 };
    html! {
        svg.bar viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) width=(WIDTH) height=(HEIGHT) aria-hidden="true" {
            rect.track width=(WIDTH) height=(HEIGHT) rx="2" {}
            rect.range x=(format!("{:.1}", x(low))) width=(format!("{:.1}", x(high) - x(low) + 2.0)) height=(HEIGHT) rx="2" {}
            rect.point x=(format!("{:.1}", x(value))) width="2" height=(HEIGHT) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_longer_than_the_whole() {
        let shown = share(0.25, Some(0.05)).into_string();
        assert!(shown.contains("width=\"33.0\"") && shown.contains("25 %"), "{shown}");
        let beyond = share(7.0, None).into_string();
        assert!(beyond.contains("width=\"132.0\"") && !beyond.contains("meant"), "{beyond}");
        assert!(!share(f64::NAN, None).into_string().contains("width=\"NaN\""));
    }

    #[test]
    fn parts_stand_end_to_end() {
        let shown = split(&[("stable", 3.0), ("canary", 1.0)]).into_string();
        assert!(shown.contains("class=\"stable\" x=\"0.0\" width=\"99.0\""), "{shown}");
        assert!(shown.contains("class=\"canary\" x=\"99.0\" width=\"33.0\""), "{shown}");
        assert!(!split(&[("stable", 0.0)]).into_string().contains("NaN"));
    }
}
