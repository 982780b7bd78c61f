//! Why a comparison ended.

use thiserror::Error;

/// See the variants.
#[derive(Error, Debug)]
pub(crate) enum Fault {
    /// The load generator's.
    #[error(transparent)]
    Load(#[from] fen_loadgen::Fault),
    /// PostgreSQL refused something.
    #[error("PostgreSQL: {}", in_full(.0))]
    Postgres(#[from] postgres::Error),
    /// PostgreSQL does not start.
    #[error("{0}")]
    Server(String),
    /// A side's books are wrong, so there is nothing to compare.
    #[error("{0}")]
    Books(String),
}

/// What a step comes to.
pub(crate) type Run<T> = Result<T, Fault>;

/// The server's own words, where it has some.
fn in_full(error: &postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}
