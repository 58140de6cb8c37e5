//! Tests on both databases: [`on_both!`](crate::testing::on_both) makes of one async function a test on SQLite and one on
//! Postgres, each with a database of its own.
//!
//! ```text
//! database::testing::on_both! {
//!     async fn names_are_unique(db: Database) { … }
//! }
//! ```
//!
//! The Postgres server is the one that `CROSSTIE_TEST_POSTGRES` names, as a user who may create databases. Without that
//! variable these tests say so and pass, but fail where `CI` is set.

use std::sync::atomic::{AtomicU32, Ordering};

use runtime::Tasks;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::Database;

pub use crate::__on_both as on_both;

/// The variable that names a Postgres server for tests.
const SERVER: &str = "CROSSTIE_TEST_POSTGRES";

/// Makes `name::sqlite` and `name::postgres` of each `async fn name(db: Database) { … }`.
#[macro_export]
#[doc(hidden)]
macro_rules! __on_both {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: $type:ty) $body:block)+) => {
        $(
            $(#[$meta])*
            mod $name {
                #[allow(unused_imports, reason = "a body may use nothing of its module")]
                use super::*;

                async fn body($db: $type) $body

                #[test]
                fn sqlite() {
                    $crate::testing::on_sqlite(body);
                }

                #[test]
                fn postgres() {
                    $crate::testing::on_postgres(body);
                }
            }
        )+
    };
}

/// Runs `body` on a new SQLite database, which is removed afterwards.
///
/// # Panics
/// When the database cannot be made, or `body` panics.
pub fn on_sqlite<Body: Future<Output = ()>>(body: impl FnOnce(Database) -> Body) {
    run(async {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let uri = format!("sqlite:{}", folder.path().join("test.db").display());
        body(connect(&uri).await).await;
    });
}

/// Runs `body` on a new Postgres database, which is removed afterwards; says why not and returns when there is no server
/// to make it on.
///
/// # Panics
/// When there is no server but `CI` is set, the database cannot be made, or `body` panics.
pub fn on_postgres<Body: Future<Output = ()>>(body: impl FnOnce(Database) -> Body) {
    let Some(database) = PostgresDatabase::reserve() else { return };
    run(async {
        database.administer("CREATE DATABASE").await;
        body(connect(&database.uri()).await).await;
        database.administer("DROP DATABASE").await;
    });
}

/// A database of its own on the test server, for tests that open it more than once.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: String,
    name: String,
}

impl PostgresDatabase {
    /// Makes a new database; `None`, and a line that says so, when no server is named.
    ///
    /// # Panics
    /// When no server is named but `CI` is set, or the database cannot be made.
    pub async fn create() -> Option<Self> {
        let database = Self::reserve()?;
        database.administer("CREATE DATABASE").await;
        Some(database)
    }

    /// Removes it, with whatever is connected.
    ///
    /// # Panics
    /// When it cannot be removed.
    pub async fn remove(self) {
        self.administer("DROP DATABASE").await;
    }

    /// Where it is.
    #[must_use]
    pub fn uri(&self) -> String {
        let (base, options) =
            self.server.split_once('?').map_or((self.server.as_str(), ""), |(base, rest)| (base, rest));
        let authority_end = base.find("://").map_or(0, |at| at + 3);
        let path = base[authority_end..].find('/').map_or(base.len(), |at| authority_end + at);
        let question = if options.is_empty() { "" } else { "?" };
        format!("{}/{}{question}{options}", &base[..path], self.name)
    }

    fn reserve() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let Some(server) = variable(SERVER) else {
            assert!(variable("CI").is_none(), "{SERVER} is not set, and in CI every test must run");
            skip();
            return None;
        };
        // Other processes test on the same server at the same time.
        let name = format!(
            "crosstie_test_{}_{}_{:08x}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed),
            fastrand::u32(..)
        );
        Some(Self { server, name })
    }

    async fn administer(&self, command: &str) {
        let how = if command.starts_with("DROP") { "WITH (FORCE)" } else { "" };
        let mut server = PgConnection::connect(&self.server).await.expect("the test server can be reached");
        sqlx::raw_sql(AssertSqlSafe(format!("{command} {} {how}", self.name)))
            .execute(&mut server)
            .await
            .expect("the user of the test server may make and drop databases");
        server.close().await.expect("the test server lets go");
    }
}

async fn connect(uri: &str) -> Database {
    Database::connect(uri, &Tasks::new()).await.expect("a new database can be opened")
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made")
        .block_on(test);
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings; this is where they ask for a server")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[expect(clippy::print_stdout, reason = "the one who runs the tests should see what was not tested")]
fn skip() {
    println!("skipped: {SERVER} is not set");
}
