//! `kill -9`: what was acknowledged is still there.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use runtime::Tasks;

use super::{counter, with_counter};
use crate::{Database, params, testing::variable};

/// Tells the child which file to write.
const FILE: &str = "CROSSTIE_TEST_DURABILITY_FILE";

/// How many acknowledgements to wait for before the kill.
const ACKNOWLEDGED: usize = 200;

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("durable.db");
    // This test binary again, as a process that can be killed.
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::durability::child_writes_until_killed", "--nocapture", "--test-threads=1"])
        .env(FILE, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    for line in lines.map(Result::unwrap) {
        acknowledged.extend(line.strip_prefix("acknowledged ").map(str::to_owned));
        if acknowledged.len() == ACKNOWLEDGED {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= ACKNOWLEDGED, "the child ended after {}", acknowledged.len());
    let db = Database::connect(&format!("sqlite:{}", path.display()), &Tasks::new()).await.unwrap();
    for name in acknowledged {
        assert_eq!(counter(&db, &name).await, Some(1), "{name} was acknowledged");
    }
}

#[tokio::test]
async fn child_writes_until_killed() {
    let Some(path) = variable(FILE) else { return };
    let db = Database::connect(&format!("sqlite:{path}"), &Tasks::new()).await.unwrap();
    with_counter(&db).await;
    let writers = (0..4).map(|writer| {
        let db = db.clone();
        tokio::spawn(async move {
            for index in 0..u32::MAX {
                let name = format!("{writer}-{index}");
                super::insert(&db, &name).await.unwrap();
                acknowledge(&name);
            }
        })
    });
    futures::future::join_all(writers).await;
    db.write(async |tx| tx.execute("DELETE FROM counter", params![]).await).await.unwrap();
}

#[expect(clippy::print_stdout, reason = "this is how the child tells its parent")]
fn acknowledge(name: &str) {
    println!("acknowledged {name}");
}
