//! What can go wrong between a closure and the disk, classified alike for both databases.

use std::{path::PathBuf, sync::Arc};

use types::ErrorKind;

/// What a driver says.
#[derive(Debug, thiserror::Error)]
pub enum Driver {
    /// SQLite's.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// Postgres's.
    #[error(transparent)]
    Postgres(#[from] sqlx::Error),
    /// The operating system's.
    #[error(transparent)]
    System(#[from] std::io::Error),
}

/// A failure of the database or of its use. Cheap to clone, since one failed commit is many callers' error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A URI that names no database that this version can open.
    #[error("`{uri}` is not a database: {reason}")]
    Uri {
        /// The URI, without its password.
        uri: String,
        /// What is wrong with it, and what to write instead.
        reason: String,
    },
    /// The SQLite file cannot be opened or is no database.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: Arc<Driver>,
    },
    /// The database cannot be reached, or is shutting down.
    #[error("the database is not available")]
    Unavailable {
        /// What the driver says.
        #[source]
        source: Arc<Driver>,
    },
    /// The server does not let us in: wrong user, password or database.
    #[error("the database server refuses the connection")]
    Refused {
        /// What the server says.
        #[source]
        source: Arc<Driver>,
    },
    /// The connection broke during the commit.
    #[error("the connection to the database broke during a commit: whether it was made is not known")]
    CommitUnknown {
        /// What the driver says.
        #[source]
        source: Arc<Driver>,
    },
    /// This process has closed the database, or its thread died.
    #[error("the database is closed")]
    Closed,
    /// A uniqueness, foreign key, null or check constraint was violated.
    #[error("a {constraint} constraint was violated")]
    Constraint {
        /// Which kind of constraint.
        constraint: Constraint,
        /// What the database says.
        #[source]
        source: Arc<Driver>,
    },
    /// A value that its column cannot hold: too long, out of range, text with a NUL.
    #[error("a value does not fit its column")]
    Data {
        /// What the database says.
        #[source]
        source: Arc<Driver>,
    },
    /// Other transactions were in the way, attempt after attempt.
    #[error("other transactions were in the way")]
    Contention {
        /// What the database said last.
        #[source]
        source: Arc<Driver>,
    },
    /// No space left, or another limit of the database's machine was reached.
    #[error("the database has no space left, so nothing was written: make room on its disk, and try again")]
    Full {
        /// What the database says.
        #[source]
        source: Arc<Driver>,
    },
    /// A defect in a statement, or a failing machine.
    #[error("a statement failed: {sql}")]
    Statement {
        /// The statement.
        sql: String,
        /// What the database says.
        #[source]
        source: Arc<Driver>,
    },
    /// A statement with another number of parameters than placeholders: a defect.
    #[error("a statement has {expected} placeholders and was given {given} parameters: {sql}")]
    Parameters {
        /// The statement.
        sql: String,
        /// The highest placeholder.
        expected: usize,
        /// How many parameters it was given.
        given: usize,
    },
    /// A column that is not there or not of the type asked for: a defect, or another program's data.
    #[error("column `{column}`: expected {expected}, found {found}")]
    Column {
        /// The column.
        column: String,
        /// What was asked for.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A statement after one that failed in the same transaction: a defect.
    #[error("an earlier statement of this transaction failed")]
    Doomed,
    /// `read` or `write` called from inside a closure: a defect, which would wait for itself forever.
    #[error("a transaction was begun inside another")]
    Nested,
    /// A closure panicked; its transaction was rolled back.
    #[error("a transaction panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// The lease was taken over by a later epoch: whoever asked must stop acting.
    #[error("the lease `{name}` of epoch {epoch} was lost (now {current})")]
    Fenced {
        /// The lease.
        name: String,
        /// The epoch that was held.
        epoch: i64,
        /// The epoch that holds now; 0 when there is none.
        current: i64,
    },
    /// A backup that cannot be made or put back.
    #[error("the backup at {}: {reason}", path.display())]
    Backup {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another process uses the database, and must not while this is done.
    #[error("another process has {what} open: stop it first (`crosstie down`)")]
    InUse {
        /// The database.
        what: String,
    },
    /// The database was migrated by a newer Crosstie.
    #[error("the tables of `{component}` have version {recorded}, this program knows {known}: use a newer crosstie")]
    NewerSchema {
        /// Whose tables.
        component: String,
        /// The version in the database.
        recorded: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// Migrations that are not numbered 1, 2, 3, …: a defect.
    #[error("the migrations of `{component}` are not numbered from 1 without gaps")]
    MigrationOrder {
        /// Whose migrations.
        component: String,
    },
}

/// The kinds of constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Constraint {
    /// Unique or primary key.
    Unique,
    /// Foreign key.
    ForeignKey,
    /// Not null.
    NotNull,
    /// Check.
    Check,
}

impl std::fmt::Display for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unique => "uniqueness",
            Self::ForeignKey => "foreign key",
            Self::NotNull => "not-null",
            Self::Check => "check",
        })
    }
}

impl Error {
    /// The kind of the failure.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Uri { .. } | Self::Data { .. } => ErrorKind::InvalidArgument,
            Self::Unavailable { .. } | Self::CommitUnknown { .. } | Self::Closed => ErrorKind::Unavailable,
            Self::Constraint { constraint, .. } => match constraint {
                Constraint::Unique => ErrorKind::AlreadyExists,
                Constraint::ForeignKey => ErrorKind::FailedPrecondition,
                Constraint::NotNull | Constraint::Check => ErrorKind::InvalidArgument,
            },
            Self::Contention { .. } => ErrorKind::Conflict,
            Self::Full { .. } => ErrorKind::OutOfSpace,
            Self::Open { .. }
            | Self::Refused { .. }
            | Self::Fenced { .. }
            | Self::Backup { .. }
            | Self::InUse { .. }
            | Self::NewerSchema { .. } => ErrorKind::FailedPrecondition,
            Self::Statement { .. }
            | Self::Parameters { .. }
            | Self::Column { .. }
            | Self::Doomed
            | Self::Nested
            | Self::Panicked { .. }
            | Self::MigrationOrder { .. } => ErrorKind::Internal,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    /// Whether a row with the same key exists already.
    #[must_use]
    pub const fn is_unique_violation(&self) -> bool {
        matches!(self, Self::Constraint { constraint: Constraint::Unique, .. })
    }

    /// The cause when the database cannot be reached.
    pub(crate) fn unavailable(&self) -> Option<Arc<Driver>> {
        if let Self::Unavailable { source } = self { Some(Arc::clone(source)) } else { None }
    }

    /// Classifies what the driver says of `sql`.
    pub(crate) fn of_statement(sql: &str, source: impl Into<Driver>) -> Self {
        let source = source.into();
        let class = classify(&source);
        let source = Arc::new(source);
        match class {
            Class::Constraint(constraint) => Self::Constraint { constraint, source },
            Class::Contention => Self::Contention { source },
            Class::Data => Self::Data { source },
            Class::Full => Self::Full { source },
            Class::Unavailable => Self::Unavailable { source },
            Class::Other => Self::Statement { sql: sql.to_owned(), source },
        }
    }

    /// Classifies what the driver says of a connection attempt.
    pub(crate) fn of_connection(source: impl Into<Driver>) -> Self {
        let source = source.into();
        if matches!(source, Driver::Postgres(sqlx::Error::PoolClosed)) {
            return Self::Closed;
        }
        match classify(&source) {
            Class::Unavailable => Self::Unavailable { source: Arc::new(source) },
            Class::Constraint(_) | Class::Contention | Class::Data | Class::Full | Class::Other => {
                Self::Refused { source: Arc::new(source) }
            }
        }
    }
}

enum Class {
    Constraint(Constraint),
    Contention,
    Data,
    Full,
    Unavailable,
    Other,
}

fn classify(error: &Driver) -> Class {
    match error {
        Driver::Sqlite(error) => {
            error.sqlite_error().map_or(Class::Other, |error| classify_sqlite(error.extended_code))
        }
        Driver::Postgres(error) => classify_sqlx(error),
        Driver::System(_) => Class::Unavailable,
    }
}

fn classify_sqlx(error: &sqlx::Error) -> Class {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Tls, WorkerCrashed};
    if let Some(error) = error.as_database_error() {
        return classify_postgres(&error.code().unwrap_or_default());
    }
    let away = matches!(error, Io(_) | Tls(_) | PoolTimedOut | PoolClosed | WorkerCrashed);
    if away { Class::Unavailable } else { Class::Other }
}

/// A transaction in which nothing was done for so long that the server ended it, and the connection with it.
const IDLE: &str = "25P03";

/// Whether the server said that it ended the transaction: nothing of it was committed.
pub(crate) fn was_ended(error: &Driver) -> bool {
    let Driver::Postgres(error) = error else { return false };
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == IDLE)
}

/// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn classify_postgres(code: &str) -> Class {
    match code {
        "40001" | "40P01" => Class::Contention,
        "23505" => Class::Constraint(Constraint::Unique),
        "23503" => Class::Constraint(Constraint::ForeignKey),
        "23502" => Class::Constraint(Constraint::NotNull),
        "23514" => Class::Constraint(Constraint::Check),
        // Shutdown, crash, starting up, too many connections; a transaction that did nothing for too long.
        "57P01" | "57P02" | "57P03" | "53300" | IDLE => Class::Unavailable,
        _ if code.starts_with("08") => Class::Unavailable,
        _ if code.starts_with("53") => Class::Full,
        _ if code.starts_with("22") => Class::Data,
        _ => Class::Other,
    }
}

/// By extended result code: <https://www.sqlite.org/rescode.html>.
fn classify_sqlite(code: i32) -> Class {
    match code {
        1_555 | 2_067 | 2_579 => Class::Constraint(Constraint::Unique),
        787 => Class::Constraint(Constraint::ForeignKey),
        1_299 => Class::Constraint(Constraint::NotNull),
        275 => Class::Constraint(Constraint::Check),
        // The file may not grow, by a quota or a limit (a write, or the index of the log in shared memory).
        778 | 4_874 => Class::Full,
        _ => match code & 0xff {
            // Busy and locked: another program has the file for longer than the busy timeout.
            5 | 6 => Class::Unavailable,
            13 => Class::Full,
            // Too big, and datatype mismatch.
            18 | 20 => Class::Data,
            _ => Class::Other,
        },
    }
}
