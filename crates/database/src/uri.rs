//! Which database a URI names.
//!
//! `sqlite:PATH` takes the path as it is. `sqlite:///PATH` is SQLAlchemy's form, which MLflow uses: the path after the
//! third slash is relative, so an absolute one is written with four.

use std::path::PathBuf;

use crate::{Error, Result};

/// A parsed database URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Uri {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Uri {
    pub(crate) fn parse(uri: &str) -> Result<Self> {
        let refuse = |reason: &str| Err(Error::Uri { uri: without_password(uri), reason: reason.to_owned() });
        if uri.starts_with("postgres://") || uri.starts_with("postgresql://") {
            return Ok(Self::Postgres(uri.to_owned()));
        }
        // SQLAlchemy's URIs may name the Python driver, which is nothing to us.
        if let Some((_, rest)) = uri.strip_prefix("postgresql+").and_then(|rest| rest.split_once("://")) {
            return Ok(Self::Postgres(format!("postgresql://{rest}")));
        }
        let Some(rest) = uri.strip_prefix("sqlite:") else {
            return refuse("expected `sqlite:PATH` or `postgres://USER@HOST/DATABASE`");
        };
        let path = match rest.strip_prefix("//") {
            None => rest,
            Some(rest) => match rest.strip_prefix('/') {
                Some(path) => path,
                None => return refuse("after `sqlite:` comes the path, or `///` and the path"),
            },
        };
        if path.is_empty() || path == ":memory:" {
            return refuse("a database in memory would forget everything: give a path");
        }
        if path.contains('?') {
            return refuse("options after `?` are not supported");
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

/// `uri` as SQLAlchemy, and so MLflow, writes it; without a password, and with an absolute path.
///
/// # Errors
/// When it names no database.
pub fn sqlalchemy_uri(uri: &str) -> Result<String> {
    Ok(match Uri::parse(uri)? {
        Uri::Sqlite(path) => {
            let path = std::path::absolute(&path).unwrap_or(path);
            format!("sqlite:///{}", path.display())
        }
        // The driver that was named stays: SQLAlchemy may not find another.
        Uri::Postgres(_) => without_password(uri).replacen("postgres://", "postgresql://", 1),
    })
}

/// The file that a database is in; `None` if it is in none, or `uri` names no database.
#[must_use]
pub fn file_of(uri: &str) -> Option<PathBuf> {
    match Uri::parse(uri).ok()? {
        Uri::Sqlite(path) => Some(std::path::absolute(&path).unwrap_or(path)),
        Uri::Postgres(_) => None,
    }
}

/// The URI without a password, in its authority or its options.
pub(crate) fn without_password(uri: &str) -> String {
    let (uri, options) = uri.split_once('?').map_or((uri, None), |(uri, options)| (uri, Some(options)));
    let told = |option: &&str| !option.starts_with("password=") && !option.starts_with("passfile=");
    let options = options.map(|options| options.split('&').filter(told).collect::<Vec<_>>().join("&"));
    let options =
        options.filter(|options| !options.is_empty()).map(|options| format!("?{options}")).unwrap_or_default();
    format!("{}{options}", without_authoritys_password(uri))
}

fn without_authoritys_password(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return uri.to_owned() };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    let Some((credentials, host)) = rest[..authority_end].rsplit_once('@') else { return uri.to_owned() };
    let user = credentials.split_once(':').map_or(credentials, |(user, _)| user);
    format!("{scheme}://{user}@{host}{}", &rest[authority_end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_sqlalchemy_takes_them() {
        for (uri, path) in [
            ("sqlite:mlflow.db", "mlflow.db"),
            ("sqlite:/srv/mlflow.db", "/srv/mlflow.db"),
            ("sqlite:///mlflow.db", "mlflow.db"),
            ("sqlite:////srv/mlflow.db", "/srv/mlflow.db"),
        ] {
            assert_eq!(Uri::parse(uri).unwrap(), Uri::Sqlite(path.into()), "{uri}");
        }
    }

    #[test]
    fn mlflow_is_told_of_the_same_database() {
        assert_eq!(sqlalchemy_uri("sqlite:/srv/mlflow.db").unwrap(), "sqlite:////srv/mlflow.db");
        assert_eq!(sqlalchemy_uri("sqlite:////srv/mlflow.db").unwrap(), "sqlite:////srv/mlflow.db");
        let with_driver = sqlalchemy_uri("postgresql+psycopg2://ranking:hunter2@db/mlflow").unwrap();
        assert_eq!(with_driver, "postgresql+psycopg2://ranking@db/mlflow");
        assert_eq!(sqlalchemy_uri("postgres://db/mlflow").unwrap(), "postgresql://db/mlflow");
        let in_options = sqlalchemy_uri("postgresql://db/mlflow?user=a&password=hunter2&sslmode=require").unwrap();
        assert_eq!(in_options, "postgresql://db/mlflow?user=a&sslmode=require");
    }

    #[test]
    fn what_is_no_database_is_refused_without_showing_a_password() {
        for uri in ["sqlite::memory:", "sqlite://", "sqlite:", "sqlite://relative.db", "sqlite:a.db?mode=ro", "a.db"] {
            assert!(Uri::parse(uri).is_err(), "{uri}");
        }
        let error = Uri::parse("mysql://ranking:hunter2@db/mlflow").unwrap_err().to_string();
        assert!(error.starts_with("`mysql://ranking@db/mlflow` is not a database"), "{error}");
    }
}
