//! The page that says what the simulation found.

use std::fmt::Write;

use super::{Cell, Limit, Outcome};

pub(super) fn render(tables: &[(&[Cell], &Vec<Vec<Outcome>>); 3]) -> String {
    let [as_good, worse, asking] = tables;
    let mut page = String::new();
    for (cell, outcomes) in as_good.0.iter().zip(as_good.1) {
        let shares: Vec<String> = outcomes.iter().map(|outcome| percent(outcome.share())).collect();
        writeln!(page, "| {} | {} | {} |", cell.name, limit(cell.limit), shares.join(" | ")).unwrap();
    }
    for (cell, outcomes) in worse.0.iter().zip(worse.1) {
        let medians: Vec<String> = outcomes.iter().map(medians).collect();
        writeln!(page, "| {} | {} | {} |", cell.name, limit(cell.limit), medians.join(" | ")).unwrap();
    }
    for (cell, outcomes) in asking.0.iter().zip(asking.1) {
        let outcome = &outcomes[0];
        writeln!(page, "| {} | {} | {} | {} |", cell.name, limit(cell.limit), percent(outcome.share()), medians(outcome)).unwrap();
    }
    page
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn limit(limit: Limit) -> String {
    match limit {
        Limit::Share(most) => format!("≤ {}", percent(most)),
        Limit::Median(most) => format!("≤ {most}"),
        Limit::None => String::new(),
    }
}

fn medians(outcome: &Outcome) -> String {
    let shown = |quantile| outcome.quantile(quantile).map_or("–".to_owned(), |requests| requests.to_string());
    format!("{} ({})", shown(0.5), shown(0.9))
}
