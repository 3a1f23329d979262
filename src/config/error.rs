//! What is wrong in a configuration file: the key, the problem, and what to write instead.

use std::{fmt, ops::Range};

/// One fault. `Display` gives `key: problem; remedy` on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// Dotted key with indices, like `gateway.route[0].device`; empty when the text itself is not TOML or not the schema.
    pub path: String,
    pub problem: String,
    /// What to write instead, as an order to the reader; empty when the problem says it.
    pub remedy: String,
    /// Octets of the file the fault is about; `None` when there is nothing to point at.
    pub span: Option<Range<usize>>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.problem)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl std::error::Error for ConfigError {}

impl From<toml::de::Error> for ConfigError {
    fn from(error: toml::de::Error) -> Self {
        Self { path: String::new(), problem: error.message().to_string(), remedy: String::new(), span: error.span() }
    }
}
