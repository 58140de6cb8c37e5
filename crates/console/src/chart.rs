//! Line charts over a logarithmic scale, as SVG: evidence grows by factors, and what matters is when it crosses a line.
//!
//! Pure: points in, markup out. Lines differ in dashes and not in colour alone, and are named where they end, so that
//! nobody needs a legend. Every colour is the style sheet's, which knows whether the page is light or dark.

use maud::{Markup, html};

mod scale;

pub(crate) use scale::Unit;
use scale::{Linear, Logarithmic};

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 270.0;
/// What is around the plot: names of lines on the right, of ticks on the left and below, of marks above.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 168.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 40.0;
/// More points than pixels are nothing that anybody sees.
const MOST_POINTS: usize = 240;
/// Names closer than this cannot be read.
const LINE_HEIGHT: f64 = 14.0;
/// What the name of a mark takes.
const NAME_WIDTH: f64 = 52.0;

/// What a chart shows.
#[derive(Debug)]
pub(crate) struct Chart {
    /// What it says, in a sentence, for those who do not see it.
    pub(crate) description: String,
    /// What the horizontal axis counts.
    pub(crate) x: &'static str,
    /// What the vertical axis measures.
    pub(crate) y: &'static str,
    /// How values are written.
    pub(crate) unit: Unit,
    /// The lines; `x` rises along each.
    pub(crate) lines: Vec<Line>,
    /// Where something happens when a line crosses it.
    pub(crate) limits: Vec<Limit>,
    /// Where something happened along the way.
    pub(crate) marks: Vec<Mark>,
}

/// One line.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its name, written where it ends.
    pub(crate) name: String,
    /// How it looks.
    pub(crate) look: Look,
    /// Its points.
    pub(crate) points: Vec<(f64, f64)>,
}

/// How a line looks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Look {
    /// Unbroken.
    Solid,
    /// Dashed.
    Dashed,
}

/// A level across the chart.
#[derive(Debug)]
pub(crate) struct Limit {
    /// Where.
    pub(crate) at: f64,
    /// What happens there.
    pub(crate) name: String,
    /// Which side is to be feared.
    pub(crate) fear: Fear,
}

/// The side of a limit that is to be feared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fear {
    /// What lies above ends the matter badly.
    Above,
    /// What lies above only has to come down yet.
    Nothing,
}

/// Something that happened.
#[derive(Debug)]
pub(crate) struct Mark {
    /// At which count.
    pub(crate) at: f64,
    /// What.
    pub(crate) name: String,
}

impl Chart {
    /// The chart, or a sentence where there is nothing to draw yet.
    pub(crate) fn draw(&self) -> Markup {
        let lines: Vec<_> = self.lines.iter().map(|line| (line, thinned(&line.points))).collect();
        let furthest = lines.iter().flat_map(|(_, points)| points).map(|point| point.0).fold(0.0, f64::max);
        if lines.iter().all(|(_, points)| points.is_empty()) {
            return html! { p.note { "Nothing was measured yet." } };
        }
        let values = lines.iter().flat_map(|(_, points)| points).map(|point| point.1);
        let x = Linear::new(furthest, LEFT, WIDTH - RIGHT);
        let y = Logarithmic::over(
            values.chain(self.limits.iter().map(|limit| limit.at)).chain([self.unit.neutral()]),
            HEIGHT - BOTTOM,
            TOP,
        );
        html! {
            svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(self.description) {
                (self.axes(&x, &y))
                (self.limits(&y))
                (self.marks(&x))
                @for (index, (line, points)) in lines.iter().enumerate() {
                    @let class = format!("line line{index} {}", if matches!(line.look, Look::Dashed) { "dashed" } else { "" });
                    path class=(class) d=(path(points, &x, &y)) {}
                    @if let Some(last) = points.last() {
                        circle class=(format!("end line{index}")) cx=(px(x.at(last.0))) cy=(px(y.at(last.1))) r="3" {
                            title { (line.name) ": " (self.unit.write(last.1)) " at " (scale::grouped(last.0)) " " (self.x) }
                        }
                    }
                }
                (self.names(&lines, &y))
            }
        }
    }

    fn axes(&self, x: &Linear, y: &Logarithmic) -> Markup {
        let floor = HEIGHT - BOTTOM;
        html! {
            @for tick in y.ticks() {
                line.grid x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(y.at(tick))) y2=(px(y.at(tick))) {}
                text.tick x=(px(LEFT - 8.0)) y=(px(y.at(tick) + 4.0)) text-anchor="end" { (self.unit.write(tick)) }
            }
            @for tick in x.ticks() {
                line.grid x1=(px(x.at(tick))) x2=(px(x.at(tick))) y1=(px(floor)) y2=(px(floor + 4.0)) {}
                text.tick x=(px(x.at(tick))) y=(px(floor + 17.0)) text-anchor="middle" { (scale::grouped(tick)) }
            }
            text.axis x=(px(WIDTH - RIGHT)) y=(px(HEIGHT - 6.0)) text-anchor="end" { (self.x) }
            text.axis x=(px(LEFT)) y=(px(HEIGHT - 6.0)) { (self.y) }
        }
    }

    /// Where two marks are too close for both names, the later one is named: it is what holds.
    fn marks(&self, x: &Linear) -> Markup {
        let places: Vec<f64> = self.marks.iter().map(|mark| x.at(mark.at)).collect();
        html! {
            @for (index, (mark, place)) in self.marks.iter().zip(&places).enumerate() {
                line.mark x1=(px(*place)) x2=(px(*place)) y1=(px(TOP)) y2=(px(HEIGHT - BOTTOM)) {}
                @if places.get(index + 1).is_none_or(|next| next - place >= NAME_WIDTH) {
                    text.mark x=(px(place + 4.0)) y=(px(TOP - 7.0)) { (mark.name) }
                }
            }
        }
    }

    fn limits(&self, y: &Logarithmic) -> Markup {
        html! {
            @for limit in &self.limits {
                @let height = y.at(limit.at);
                @if limit.fear == Fear::Above {
                    rect.feared x=(px(LEFT)) y=(px(TOP)) width=(px(WIDTH - RIGHT - LEFT)) height=(px((height - TOP).max(0.0))) {}
                }
                line class=(class_of(limit.fear)) x1=(px(LEFT)) x2=(px(WIDTH - RIGHT)) y1=(px(height)) y2=(px(height)) {}
            }
        }
    }

    /// The names of lines and limits on the right, pushed apart where they would cover each other.
    fn names(&self, lines: &[(&Line, Vec<(f64, f64)>)], y: &Logarithmic) -> Markup {
        let mut names: Vec<(f64, String, String)> = Vec::new();
        for (index, (line, points)) in lines.iter().enumerate() {
            if let Some(last) = points.last() {
                names.push((
                    y.at(last.1),
                    format!("{} {}", line.name, self.unit.write(last.1)),
                    format!("name line{index}"),
                ));
            }
        }
        for limit in &self.limits {
            names.push((y.at(limit.at), limit.name.clone(), format!("name {}", class_of(limit.fear))));
        }
        names.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut free = TOP;
        for (height, _, _) in &mut names {
            *height = height.max(free);
            free = *height + LINE_HEIGHT;
        }
        // Pushed down too far, all of them move up again.
        let excess = (free - LINE_HEIGHT - (HEIGHT - BOTTOM)).max(0.0);
        html! {
            @for (height, name, class) in &names {
                text class=(class) x=(px(WIDTH - RIGHT + 8.0)) y=(px(height - excess + 4.0)) { (name) }
            }
        }
    }
}

const fn class_of(fear: Fear) -> &'static str {
    match fear {
        Fear::Above => "limit fearful",
        Fear::Nothing => "limit",
    }
}

/// As many points as can be told apart, peaks kept: a line that crossed its limit must be seen to have crossed it.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(MOST_POINTS).max(1);
    let mut kept: Vec<_> = points
        .chunks(size)
        .filter_map(|chunk| chunk.iter().copied().max_by(|one, other| one.1.total_cmp(&other.1)))
        .collect();
    if let Some(end) = points.last().filter(|end| kept.last() != Some(end)) {
        kept.push(*end);
    }
    kept
}

fn path(points: &[(f64, f64)], x: &Linear, y: &Logarithmic) -> String {
    let mut path = String::new();
    for (index, point) in points.iter().enumerate() {
        path.push(if index == 0 { 'M' } else { 'L' });
        path.push_str(&format!("{} {}", px(x.at(point.0)), px(y.at(point.1))));
    }
    path
}

/// A length to a tenth of a pixel.
fn px(length: f64) -> String {
    let text = format!("{length:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        Chart {
            description: "Evidence against the canary".to_owned(),
            x: "canary requests",
            y: "evidence",
            unit: Unit::Factor,
            lines: vec![Line { name: "errors".to_owned(), look: Look::Solid, points }],
            limits: vec![Limit { at: 200.0, name: "rolls back".to_owned(), fear: Fear::Above }],
            marks: vec![Mark { at: 40.0, name: "25 %".to_owned() }],
        }
    }

    #[test]
    fn a_line_that_crosses_its_limit_is_seen_above_it_and_named_where_it_ends() {
        let shown = chart(vec![(0.0, 1.0), (20.0, 30.0), (80.0, 400.0)]).draw().into_string();
        for wanted in ["role=\"img\"", "rolls back", "errors 400", "25 %", "canary requests", "class=\"feared\""] {
            assert!(shown.contains(wanted), "no {wanted} in {shown}");
        }
        let scale = Logarithmic::over([1.0, 400.0, 200.0].into_iter(), HEIGHT - BOTTOM, TOP);
        assert!(scale.at(400.0) < scale.at(200.0), "upwards is more");
        assert!(shown.contains(&format!("cy=\"{}\"", px(scale.at(400.0)))), "{shown}");
    }

    #[test]
    fn of_two_marks_on_top_of_each_other_the_later_is_named() {
        let mark = |at, name: &str| Mark { at, name: name.to_owned() };
        let marks = vec![mark(0.0, "shadow"), mark(1.0, "5 %"), mark(90.0, "25 %")];
        let shown = Chart { marks, ..chart(vec![(0.0, 1.0), (100.0, 1.0)]) }.draw().into_string();
        assert!(!shown.contains(">shadow<") && shown.contains(">5 %<") && shown.contains(">25 %<"), "{shown}");
        assert_eq!(shown.matches("<line class=\"mark\"").count(), 3);
    }

    #[test]
    fn thinning_keeps_the_peak_and_the_end() {
        let mut points: Vec<(f64, f64)> = (0..10_000).map(|n| (f64::from(n), 1.0)).collect();
        points[4_321].1 = 900.0;
        let kept = thinned(&points);
        assert!(kept.len() <= MOST_POINTS + 1);
        assert!(kept.contains(&(4_321.0, 900.0)) && kept.last() == points.last());
        assert!(kept.is_sorted_by(|one, other| one.0 < other.0));
    }

    #[test]
    fn values_that_no_scale_has_are_drawn_at_its_edge() {
        let shown = chart(vec![(0.0, 0.0), (1.0, f64::INFINITY), (2.0, f64::NAN), (3.0, 1e300)]).draw().into_string();
        assert!(!shown.contains("NaN") && !shown.contains("inf\"") && !shown.contains("inf "), "{shown}");
    }

    #[test]
    fn without_points_there_is_a_sentence_instead_of_an_empty_frame() {
        assert!(chart(Vec::new()).draw().into_string().contains("Nothing was measured yet"));
    }

    #[test]
    fn names_on_the_right_do_not_cover_each_other() {
        let line = |name: &str| Line { name: name.to_owned(), look: Look::Solid, points: vec![(1.0, 1.0)] };
        let lines = vec![line("errors"), line("latency")];
        let shown = Chart { lines, ..chart(Vec::new()) }.draw().into_string();
        let heights: Vec<f64> = shown
            .split("class=\"name ")
            .skip(1)
            .map(|text| text.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(heights.len(), 3);
        assert!(heights.is_sorted_by(|one, other| other - one >= LINE_HEIGHT - 0.2), "{heights:?}");
    }
}
