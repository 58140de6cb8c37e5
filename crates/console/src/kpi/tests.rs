//! Rows made by hand: versions side by side, all traffic first.

use types::ModelVersion;

use super::*;

fn row(kpi: &str, version: u32, customer: Option<&str>, value: Option<f64>) -> KpiRow {
    let at = Timestamp::parse("2026-11-23T14:00:00Z").unwrap();
    KpiRow {
        kpi: kpi.to_owned(),
        version: ModelVersion::new("click-ranker".parse().unwrap(), version),
        segment: customer.map(|value| Segment { name: "customer_id".to_owned(), value: value.to_owned() }),
        since: at,
        until: at,
        predictions: 2_000,
        events: 84,
        per: 2_000,
        value,
        low: value.map(|value| value * 0.9),
        high: value.map(|value| value * 1.1),
    }
}

#[test]
fn versions_stand_side_by_side_and_all_traffic_above_segments() {
    let rows = [
        row("ctr", 1, None, Some(0.042)),
        row("ctr", 2, None, Some(0.051)),
        row("ctr", 2, Some("acme"), Some(0.02)),
        row("conversion", 1, None, None),
    ];
    let now = Timestamp::parse("2026-11-23T14:05:00Z").unwrap();
    let shown = section(&rows, now).into_string();
    let place = |text: &str| shown.find(text).unwrap_or_else(|| panic!("no `{text}` in {shown}"));
    assert!(place("<h3>conversion</h3>") < place("<h3>ctr</h3>"));
    assert!(place("version 2") < place("version 1"), "the newest first");
    assert!(place("5.1 %") < place("4.2 %") && place("4.2 %") < place("customer_id acme"));
    assert!(shown.contains("4.6 % – 5.6 %") || shown.contains("3.8 % – 4.6 %"), "{shown}");
    assert!(section(&[], now).into_string().contains("None yet"));
}
