//! Durable state of the gateway and of the SM-SR: SQLite behind small async traits. No SQL outside this folder.
//!
//! [`engine`] is common to both: one writer thread that commits many requests with one fsync, reader threads, and
//! numbered migrations. An answer means durable: it is sent after the commit.

pub mod engine;
pub mod gateway;
pub mod smsr;

use std::{future::Future, path::PathBuf, pin::Pin};

/// What every operation of a store's trait returns.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// By what the caller must do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Operators must free space; nothing was changed.
    #[error("the store's file system is full")]
    Full,
    /// Do not start: the file belongs to something else, or to a newer program.
    #[error("{path}: {problem}")]
    Refused { path: PathBuf, problem: String },
    /// The store has been closed; the process is going down.
    #[error("the store is closed")]
    Closed,
    /// The request failed and changed nothing; the store may work again later.
    #[error("store: {0}")]
    Failed(String),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            _ => Self::Failed(error.to_string()),
        }
    }
}
