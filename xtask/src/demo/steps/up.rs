//! A world to learn from, and a server on nothing but a folder.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::Told;
use crate::demo::http;
use crate::demo::story::{Story, text_at};
use crate::time::Spoken;

/// The promise of the README.
const UP_WITHIN: Duration = Duration::from_secs(1);

/// Generates the example's data: customers, users, items and a month of impressions.
pub(super) fn make_world(story: &mut Story, seed: Option<u64>) -> anyhow::Result<()> {
    let seed = seed.map(|seed| seed.to_string());
    let arguments = seed.as_ref().map_or_else(Vec::new, |seed| vec!["--seed", seed.as_str()]);
    let answer = story.python(Path::new("generate.py"), &arguments)?;
    let took = answer.took;
    let world = answer.expect("generate.py")?;
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
        text_at(&world, "/clicks")
    });
    Ok(())
}

pub(super) fn tell(story: &mut Story, told: &mut Told) -> anyhow::Result<()> {
    let took = story.up()?;
    story.ledger_mut().measure("crosstie up, until everything answers", Spoken(took).to_string());
    story
        .ledger_mut()
        .check(took < UP_WITHIN, "it answers in under a second, on SQLite and a folder", || Spoken(took).to_string());
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
    // Alice may approve, too: what keeps her from approving her own work is not her role.
    told.author = token_for(story, "alice", "approver")?;
    told.approver = token_for(story, "bob", "approver")?;
    told.operator = token_for(story, "carol", "operator")?;
    Ok(())
}

fn token_file(story: &Story) -> anyhow::Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(story.dir().join(".crosstie/token").metadata()?.permissions().mode() & 0o777)
}

fn token_for(story: &Story, name: &str, role: &str) -> anyhow::Result<String> {
    let made = story.crosstie(&["token", "create", name, "--role", role])?.expect("crosstie token create")?;
    Ok(text_at(&made, "/token"))
}
