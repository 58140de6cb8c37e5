//! A world to learn from, and a server on nothing but a folder: down, and up again with what it had.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::{Told, needs};
use crate::demo::http;
use crate::demo::story::{Story, text_at};
use crate::time::Spoken;

/// The promise of the README.
const UP_WITHIN: Duration = Duration::from_secs(1);

/// What there is in the world that was generated.
pub(super) fn describe_world(story: &mut Story, world: &Value, took: Duration) {
    let number = |name: &str| world[name].as_u64().unwrap_or_default();
    let ledger = story.ledger_mut();
    ledger.measure("the world was generated in", Spoken(took).to_string());
    let size = format!(
        "{} customers, {} users, {} items, {} impressions",
        number("customers"),
        number("users"),
        number("items"),
        number("impressions")
    );
    let large = number("customers") >= 20 && number("users") >= 20_000 && number("items") >= 2_000;
    ledger.check(large && number("impressions") >= 400_000, format!("a world of {size}"), || world.to_string());
    let rate = number("clicks") as f64 / number("impressions").max(1) as f64;
    ledger.check((0.02..0.5).contains(&rate), format!("{:.1} % of impressions are clicked", rate * 100.0), || {
        text_at(world, "/clicks")
    });
}

/// The promise of the README, for a start on nothing but a folder.
pub(super) fn check_time(story: &mut Story, took: Duration) {
    story.ledger_mut().measure("crosstie up, until everything answers", Spoken(took).to_string());
    story
        .ledger_mut()
        .check(took < UP_WITHIN, "it answers in under a second, on SQLite and a folder", || Spoken(took).to_string());
}

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    if needs::up(story, told)?.is_none() {
        story.down()?;
        let took = story.up()?;
        check_time(story, took);
    }
    for (port, path, what) in [
        ("api", "/health", "MLflow's API answers"),
        ("http", "/v2/health/live", "inference over HTTP answers"),
        ("metrics", "/metrics", "/metrics answers"),
    ] {
        let answer = http::get(&story.address(port)?, path)?;
        story.ledger_mut().check(answer.0 == 200, what, || format!("{answer:?}"));
    }
    let connected = TcpStream::connect(story.address("grpc")?);
    story.ledger_mut().check(connected.is_ok(), "inference over gRPC accepts connections", || format!("{connected:?}"));
    let page = http::get(&story.address("api")?, "/")?;
    let is_page = page.0 == 200 && page.1.to_lowercase().contains("<html") && page.1.contains("rosstie");
    story.ledger_mut().check(is_page, "the console has a page", || format!("{page:?}"));

    let token = token_file(story)?;
    story.ledger_mut().check(token == 0o600, "the first token is kept in .crosstie/ for its owner alone", || {
        format!("mode {token:o}")
    });
    Ok(())
}

fn token_file(story: &Story) -> anyhow::Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(story.dir().join(".crosstie/token").metadata()?.permissions().mode() & 0o777)
}
