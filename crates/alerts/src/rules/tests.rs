//! Which changes follow from what holds, also after every short history.

use serde_json::json;

use super::*;

const AFTER: Duration = Duration::from_secs(10);

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn condition(key: &str, severity: Severity) -> Condition {
    Condition {
        key: key.to_owned(),
        name: "NewCategories".to_owned(),
        severity,
        summary: format!("{key} is off"),
        model: None,
        labels: BTreeMap::new(),
        details: json!({}),
        since: at(0),
    }
}

/// What a table would hold.
#[derive(Debug, Default, Clone)]
struct Table {
    alerts: Vec<Alert>,
    /// Each message: the alert, its sequence, and what it says.
    messages: Vec<(String, i64, Status)>,
}

impl Table {
    fn firing(&self) -> Vec<Alert> {
        self.alerts.iter().filter(|alert| alert.status == Status::Firing).cloned().collect()
    }

    fn apply(&mut self, changes: Vec<Change>, now: Timestamp) {
        for change in changes {
            match change {
                Change::Raise { source, condition } => {
                    let id = self.alerts.len().to_string();
                    self.messages.push((id.clone(), 1, Status::Firing));
                    self.alerts.push(Alert {
                        id,
                        source,
                        key: condition.key,
                        name: condition.name,
                        severity: condition.severity,
                        summary: condition.summary,
                        model: condition.model,
                        labels: condition.labels,
                        details: condition.details,
                        since: condition.since,
                        status: Status::Firing,
                        sequence: 1,
                        fired_at: now,
                        resolved_at: None,
                        missing_since: None,
                        deliveries: Vec::new(),
                    });
                }
                Change::Update(next) => {
                    let known = self.alerts.iter_mut().find(|alert| alert.id == next.id).unwrap();
                    assert_eq!(known.status, Status::Firing, "what is over stays as it is");
                    if next.sequence != known.sequence {
                        assert_eq!(next.sequence, known.sequence + 1);
                        self.messages.push((next.id.clone(), next.sequence, next.status));
                    } else {
                        assert_eq!(next.status, known.status, "nothing is resolved in silence");
                    }
                    *known = next;
                }
            }
        }
    }

    fn look(&mut self, said: Option<&[Condition]>, now: Timestamp) {
        let said = [Said { source: "drift", conditions: said }];
        self.apply(changes(&self.firing(), &said, now, AFTER), now);
    }
}

#[test]
fn a_condition_that_goes_on_is_one_alert_whose_numbers_follow() {
    let mut table = Table::default();
    for second in 0..100 {
        let mut condition = condition("a", Severity::Ticket);
        condition.details = json!({ "share": second });
        table.look(Some(&[condition]), at(second));
    }
    assert_eq!(table.messages, [("0".to_owned(), 1, Status::Firing)]);
    assert_eq!(table.alerts[0].details, json!({ "share": 99 }));
}

#[test]
fn one_that_flickers_is_one_alert_and_one_that_is_gone_resolves() {
    let mut table = Table::default();
    let there = [condition("a", Severity::Page)];
    for second in 0..100 {
        table.look(Some(if second % 9 == 0 { &there } else { &[] }), at(second));
    }
    assert_eq!(table.messages.len(), 1, "{:?}", table.messages);
    for second in 100..=110 {
        table.look(Some(&[]), at(second));
    }
    assert_eq!(table.messages.last(), Some(&("0".to_owned(), 2, Status::Resolved)));
    assert_eq!(table.alerts[0].resolved_at, Some(at(110)));
}

#[test]
fn a_source_that_cannot_say_changes_nothing_and_one_that_is_gone_takes_its_alerts_with_it() {
    let mut table = Table::default();
    table.look(Some(&[condition("a", Severity::Page)]), at(0));
    for second in 1..100 {
        table.look(None, at(second));
    }
    assert_eq!(table.firing().len(), 1);
    for second in 100..=110 {
        table.apply(changes(&table.firing(), &[], at(second), AFTER), at(second));
    }
    assert_eq!(table.firing().len(), 0);
}

#[test]
fn sources_do_not_share_keys_and_one_key_twice_is_the_worse() {
    let (ticket, page) = (condition("a", Severity::Ticket), condition("a", Severity::Page));
    let twice = [ticket.clone(), page.clone(), ticket.clone()];
    let said = [
        Said { source: "drift", conditions: Some(&twice) },
        Said { source: "release", conditions: Some(std::slice::from_ref(&ticket)) },
    ];
    let expected = [("drift", page), ("release", ticket.clone())]
        .map(|(source, condition)| Change::Raise { source: source.to_owned(), condition });
    assert_eq!(changes(&[], &said, at(0), AFTER), expected);
}

#[test]
fn a_clock_that_jumps_neither_keeps_an_alert_for_ever_nor_breaks_it() {
    let mut table = Table::default();
    table.look(Some(&[condition("a", Severity::Page)]), at(1_000_000));
    table.look(Some(&[]), at(1_000_000));
    table.look(Some(&[]), at(10));
    assert_eq!(table.firing()[0].missing_since, Some(at(10)), "the clock was set back");
    table.look(Some(&[]), at(20));
    assert_eq!(table.firing().len(), 0);
}

/// Every history of eight looks, each of which finds nothing, a ticket, a page, or no answer.
#[test]
fn after_every_history_messages_tell_a_consistent_story() {
    const LOOKS: u32 = 8;
    let conditions = [Severity::Ticket, Severity::Page].map(|severity| [condition("a", severity)]);
    for history in 0..4_u32.pow(LOOKS) {
        let mut table = Table::default();
        let mut worst = None;
        for look in 0..LOOKS {
            let now = at(i64::from(look) * 6);
            let choice = history / 4_u32.pow(look) % 4;
            let said: Option<&[Condition]> = match choice {
                0 => Some(&[]),
                1 | 2 => Some(&conditions[choice as usize - 1]),
                _ => None,
            };
            table.look(said, now);
            let firing = table.firing();
            assert!(firing.len() <= 1, "{history}: two alerts of one key");
            if let Some([condition]) = said {
                worst = worst.max(Some(condition.severity));
                assert_eq!(firing.first().map(|alert| alert.severity), worst, "{history}: it is as urgent as it was");
            }
            if firing.is_empty() {
                worst = None;
            }
        }
        for alert in &table.alerts {
            let story: Vec<_> = table.messages.iter().filter(|(id, ..)| *id == alert.id).collect();
            assert!(story.iter().map(|(_, sequence, _)| *sequence).eq(1..=alert.sequence), "{history}: {story:?}");
            let resolved = story.iter().position(|(_, _, status)| *status == Status::Resolved);
            assert!(resolved.is_none_or(|at| at + 1 == story.len()), "{history}: nothing follows the end");
            assert!(story.len() <= 3, "{history}: it fires, may become worse once, and ends: {story:?}");
        }
    }
}
