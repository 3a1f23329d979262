//! Exit statuses of every daemon, and the errors that end one.

use crate::config::ConfigError;
use std::{fmt, path::PathBuf};

/// Stopped on request.
pub const SUCCESS: u8 = 0;
/// Failed while running.
pub const FAILURE: u8 = 1;
/// Wrong arguments (given by the argument parser).
pub const USAGE: u8 = 2;
/// Something needed is missing or taken: an address, a file, a device (EX_UNAVAILABLE of sysexits.h).
pub const UNAVAILABLE: u8 = 69;
/// The configuration is wrong; a restart does not help (EX_CONFIG; units list it in RestartPreventExitStatus=).
pub const CONFIG: u8 = 78;

/// Why a daemon ends, other than on request.
#[derive(Debug)]
pub enum Fatal {
    /// The configuration file cannot be used: unreadable, or with these faults.
    Config(ConfigFailure),
    /// It could not start: what it was about, and why not.
    Start { what: String, why: String },
    /// It cannot go on.
    Run { what: String, why: String },
}

/// A configuration file with its text, for the report.
#[derive(Debug)]
pub enum ConfigFailure {
    Unreadable { path: PathBuf, why: String },
    Faults { path: PathBuf, text: String, faults: Vec<ConfigError> },
}

impl Fatal {
    pub fn start(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::Start { what: what.into(), why: why.to_string() }
    }

    pub fn run(what: impl Into<String>, why: impl fmt::Display) -> Self {
        Self::Run { what: what.into(), why: why.to_string() }
    }

    pub const fn status(&self) -> u8 {
        match self {
            Self::Config(_) => CONFIG,
            Self::Start { .. } => UNAVAILABLE,
            Self::Run { .. } => FAILURE,
        }
    }
}

impl fmt::Display for Fatal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(ConfigFailure::Unreadable { path, why }) => {
                write!(f, "cannot use the configuration {}: {why}; name another with --config", path.display())
            }
            Self::Config(ConfigFailure::Faults { path, faults, .. }) => {
                write!(f, "{}: ", path.display())?;
                let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join(" / "))
            }
            Self::Start { what, why } => write!(f, "cannot start: {what}: {why}"),
            Self::Run { what, why } => write!(f, "stopping: {what}: {why}"),
        }
    }
}

impl std::error::Error for Fatal {}
