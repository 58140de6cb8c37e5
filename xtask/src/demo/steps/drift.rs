//! Drift: an upstream system changes an encoding, both rails agree about it, and the callers' numbers have not moved yet.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::{Told, live, needs};
use crate::demo::story::{Story, text_at};
use crate::output;
use crate::time::{Stopwatch, pause};

/// A window, as the project of the story has it.
const WINDOW: Duration = Duration::from_secs(10);
/// A window has to be over, and be looked at.
const CLEAN_FOR: Duration = Duration::from_secs(13);
/// When the trouble is over, a whole window has to show it.
const RESOLVED_WITHIN: Duration = Duration::from_secs(40);
/// How long to wait for an alert that is late, so as to say how late.
const PATIENCE: Duration = Duration::from_secs(40);
const FEATURE: &str = "user_country";

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    needs::trained_is_stable(story, told)?;
    let callers = live::start(story, "next-day-live", &["--rate", "400", "--workers", "6"])?;
    let before = story.said("receiver").len();
    pause(CLEAN_FOR);
    let raised = firing(&story.said("receiver")[before..]);
    told.false_alarms += raised.len() as u64;
    story.ledger_mut().check(
        raised.is_empty(),
        format!("the next day's traffic, clean for {} s, raises no alert", CLEAN_FOR.as_secs()),
        || Value::from(raised).to_string(),
    );

    let recoded = story.python(Path::new("producer.py"), &["--recode", "US=USA"])?.expect("producer.py --recode")?;
    let watch = Stopwatch::start();
    let customer = text_at(&recoded, "/customer");
    output::line(format!(
        "         {customer}'s upstream writes USA for US from now on: {} users, in the online store and in the source",
        recoded["users"]
    ));
    let alert = paged(story, before, &customer)?;
    let took = watch.elapsed();
    describe(story, &alert, &customer, took);

    over(story, before, &customer)?;
    let others: Vec<Value> = firing(&story.said("receiver")[before..])
        .into_iter()
        .filter(|body| !body.to_string().contains(&customer) && !is_about_all(body))
        .collect();
    told.false_alarms += others.len() as u64;
    story.ledger_mut().check(others.is_empty(), "no other customer raises one", || Value::from(others).to_string());
    let report = live::finish(told, callers)?;
    story.ledger_mut().check(
        report["failed"] == 0 && report["outcomes"] == 0,
        format!(
            "of {} requests none failed, and no label had come: nothing but drift could show it",
            report["requests"]
        ),
        || report.to_string(),
    );
    Ok(())
}

/// The bodies of messages that say that something began.
fn firing(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(|message| message["body"].clone()).filter(|body| body["status"] == "firing").collect()
}

/// One that speaks of the traffic as a whole, of which the customer's is a part.
fn is_about_all(body: &Value) -> bool {
    body.to_string().contains(FEATURE) && body.pointer("/labels/customer_id").is_none()
}

fn paged(story: &Story, from: usize, customer: &str) -> anyhow::Result<Value> {
    let watch = Stopwatch::start();
    loop {
        let found = firing(&story.said("receiver")[from..]).into_iter().find(|body| {
            let text = body.to_string();
            body["severity"] == "page" && text.contains(FEATURE) && text.contains(customer)
        });
        match found {
            Some(body) => return Ok(body),
            None if watch.elapsed() > PATIENCE => return Ok(Value::Null),
            None => pause(Duration::from_millis(50)),
        }
    }
}

fn describe(story: &mut Story, alert: &Value, customer: &str, took: Duration) {
    let (text, summary) = (alert.to_string(), text_at(alert, "/summary"));
    let seconds = took.as_secs_f64();
    let ledger = story.ledger_mut();
    ledger.check(
        !alert.is_null() && took < WINDOW,
        format!("a page arrives {seconds:.1} s later, within one window of {} s: {summary}", WINDOW.as_secs()),
        || format!("after {seconds:.1} s: {text}"),
    );
    ledger.check(
        text.contains(FEATURE) && text.contains(customer),
        format!("it names the feature and the customer: {FEATURE}, {customer}"),
        || text.clone(),
    );
    ledger.check(text.contains("USA"), "it names the new category and its share", || text.clone());
    let mapping = ["US → USA", "US -> USA", "'US' → 'USA'", "`US` → `USA`", "\"from\":\"US\""];
    ledger.check(
        mapping.iter().any(|mapping| text.contains(mapping)),
        "it says what that likely was before: US",
        || text.clone(),
    );
    ledger.measure("from the first re-encoded value to the page", format!("{seconds:.1} s"));
}

/// The upstream is repaired, and the alert resolves.
fn over(story: &mut Story, from: usize, customer: &str) -> anyhow::Result<()> {
    let repair = ["--recode", "USA=US", "--customer", customer];
    story.python(Path::new("producer.py"), &repair)?.expect("producer.py --recode")?;
    let watch = Stopwatch::start();
    let is_it = |message: &Value| {
        let text = message["body"].to_string();
        message["body"]["status"] == "resolved" && text.contains(FEATURE) && text.contains(customer)
    };
    loop {
        let said = story.said("receiver");
        let resolved = said.get(from..).context("messages are never taken back")?.iter().any(is_it);
        if resolved || watch.elapsed() > RESOLVED_WITHIN {
            let seconds = watch.elapsed().as_secs_f64();
            let claim = format!("repaired, it is resolved {seconds:.1} s later");
            story.ledger_mut().check(resolved, claim, || Value::from(said).to_string());
            return Ok(());
        }
        pause(Duration::from_millis(100));
    }
}
