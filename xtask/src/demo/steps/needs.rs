//! What steps need. Each of these does its part once, and says what it did when it did it just now, so that the step
//! whose story it is can check it and every other finds it there.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{MODEL, Told, demo_script, legacy, newest, rollout};
use crate::demo::project::{self, Way};
use crate::demo::story::{Answer, Story, text_at};
use crate::output;
use crate::time::Stopwatch;

/// What may be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    World,
    Machine,
    Up,
    Legacy,
    Trained,
    Online,
    Pushed,
}

/// The example's data: customers, users, items and a month of impressions.
pub(super) fn world(story: &Story, told: &mut Told) -> anyhow::Result<Option<(Value, Duration)>> {
    if !told.done.insert(Need::World) {
        return Ok(None);
    }
    let seed = told.seed.map(|seed| seed.to_string());
    let arguments = seed.as_ref().map_or_else(Vec::new, |seed| vec!["--seed", seed.as_str()]);
    let answer = story.python(Path::new("generate.py"), &arguments)?;
    let took = answer.took;
    Ok(Some((answer.expect("generate.py")?, took)))
}

/// The legacy server, running; what it said of itself.
pub(super) fn machine(story: &mut Story, told: &mut Told) -> anyhow::Result<Option<Value>> {
    world(story, told)?;
    if !told.done.insert(Need::Machine) {
        return Ok(None);
    }
    let mut server = story.helper("legacy", Path::new("legacy/server.py"), &["--port", "0"])?;
    let ready = server.ready()?;
    story.keep(server);
    told.machine = text_at(&ready, "/address");
    Ok(Some(ready))
}

/// `crosstie up` on the project, a receiver for its alerts, and people with tokens.
pub(super) fn up(story: &mut Story, told: &mut Told) -> anyhow::Result<Option<Duration>> {
    world(story, told)?;
    if !told.done.insert(Need::Up) {
        return Ok(None);
    }
    let mut receiver = story.helper("receiver", &demo_script("receiver.py"), &[])?;
    let address = text_at(&receiver.ready()?, "/address");
    story.keep(receiver);
    project::adapt(story.dir(), &address)?;
    let took = story.up()?;
    // Alice may approve, too: what keeps her from approving her own work is not her role.
    told.author = token_for(story, "alice", "approver")?;
    told.approver = token_for(story, "bob", "approver")?;
    told.operator = token_for(story, "carol", "operator")?;
    Ok(Some(took))
}

fn token_for(story: &Story, name: &str, role: &str) -> anyhow::Result<String> {
    let made = story.crosstie(&["token", "create", name, "--role", role])?.expect("crosstie token create")?;
    Ok(text_at(&made, "/token"))
}

/// The legacy server as the version that serves; its release as it was when its gates were through.
pub(super) fn legacy(story: &mut Story, told: &mut Told) -> anyhow::Result<Option<Answer>> {
    machine(story, told)?;
    up(story, told)?;
    if !told.done.insert(Need::Legacy) {
        return Ok(None);
    }
    legacy::adopt(story, told).map(Some)
}

/// The first trained version; how long its workflow took.
pub(super) fn trained(story: &mut Story, told: &mut Told) -> anyhow::Result<Option<Duration>> {
    up(story, told)?;
    if !told.done.insert(Need::Trained) {
        return Ok(None);
    }
    let took = train(story, told, &["-p", "rounds=30"])?;
    told.version = newest(story)?;
    Ok(Some(took))
}

/// A version that is better since it was trained for longer.
pub(super) fn better(story: &mut Story, told: &mut Told) -> anyhow::Result<Option<Duration>> {
    trained(story, told)?;
    if told.better != 0 {
        return Ok(None);
    }
    let took = train(story, told, &["-p", "rounds=80", "-p", "seed=8"])?;
    told.better = newest(story)?;
    Ok(Some(took))
}

fn train(story: &Story, told: &Told, parameters: &[&str]) -> anyhow::Result<Duration> {
    let watch = Stopwatch::start();
    story.aloud(&told.author, &[&["run", "workflows/train.yaml"], parameters].concat())?;
    Ok(watch.elapsed())
}

/// Feature values where requests find them.
pub(super) fn online(story: &mut Story, told: &mut Told) -> anyhow::Result<Option<(Value, Duration)>> {
    up(story, told)?;
    if !told.done.insert(Need::Online) {
        return Ok(None);
    }
    let answer = story.crosstie_as(Some(&told.operator), &["features", "materialize"])?;
    let took = answer.took;
    Ok(Some((answer.expect("crosstie features materialize")?, took)))
}

/// Newer values than the last materialization knew, from a producer.
pub(super) fn pushed(story: &mut Story, told: &mut Told) -> anyhow::Result<Option<(Value, Duration)>> {
    online(story, told)?;
    if !told.done.insert(Need::Pushed) {
        return Ok(None);
    }
    let answer = story.python(Path::new("producer.py"), &["--events", "2000"])?;
    let took = answer.took;
    Ok(Some((answer.expect("producer.py")?, took)))
}

/// A trained version serves, and the legacy server served before it.
pub(super) fn trained_is_stable(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    legacy(story, told)?;
    trained(story, told)?;
    online(story, told)?;
    if told.stable != told.legacy {
        return Ok(());
    }
    output::line(format!("   (first, {MODEL}/{} goes to production all at once)", told.version));
    rollout::choose(story, told, Way::AtOnce)?;
    let id = rollout::create(story, told, told.version)?;
    rollout::approve(story, told, &id)?;
    rollout::until_over(story, &id)?;
    told.stable = told.version;
    told.approved = id.parse()?;
    rollout::choose(story, told, Way::Steps)
}
