//! How makes of modems differ, as data: one TOML file each in `personalities`.

use serde::Deserialize;
use std::{collections::HashMap, time::Duration};

/// Name and text of every personality.
const ALL: &[(&str, &str)] = &[("generic-27007", include_str!("personalities/generic-27007.toml"))];

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Personality {
    /// AT+CGMI.
    pub manufacturer: String,
    /// AT+CGMM.
    pub model: String,
    /// AT+CGMR.
    pub revision: String,
    /// Lines of ATI.
    pub identity: Vec<String>,
    /// URCs after power-up.
    pub boot: Vec<String>,
    /// URCs when the card has asked for a reset (REFRESH).
    pub sim_restart: Vec<String>,
    pub unknown: Unknown,
    pub toolkit: ToolkitOwner,
    pub storage: Storage,
    /// Values of the five parameters of AT+CNMI.
    pub cnmi: [Vec<u8>; 5],
    /// How long the network waits for +CNMA.
    #[serde(with = "crate::config::units::duration")]
    pub cnma_timeout: Duration,
    /// Commands that are taken in any form and change nothing.
    pub accepted: Vec<String>,
    /// Answers to commands as written, in upper case without `AT`. They come before anything built in.
    pub answers: HashMap<String, Vec<String>>,
}

/// The answer to an unknown command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    Error,
    Cme(u16),
    Text(String),
    Silence,
}

/// Who fetches proactive commands: exactly one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolkitOwner {
    /// The modem; the host sees 9000 instead of 91xx.
    Baseband,
    /// The host sees 91xx and sends FETCH and TERMINAL RESPONSE.
    Host,
}

/// Places for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Storage {
    pub sm: u16,
    pub me: u16,
    pub sr: u16,
    pub first_index: u16,
}

/// There is no personality of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no personality {name:?}; known are: {known}")]
pub struct UnknownPersonality {
    pub name: String,
    pub known: String,
}

impl Personality {
    /// # Panics
    /// If one of this program's own files is wrong, which its test excludes.
    pub fn named(name: &str) -> Result<Self, UnknownPersonality> {
        let Some((_, text)) = ALL.iter().find(|(known, _)| *known == name) else {
            let known = ALL.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(UnknownPersonality { name: name.to_string(), known });
        };
        Ok(toml::from_str(text).expect("the personalities are part of the program"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_personality_can_be_read_and_others_are_refused_with_the_names() {
        for (name, text) in ALL {
            let read: Result<Personality, _> = toml::from_str(text);
            assert!(read.is_ok(), "{name}: {read:?}");
            assert_eq!(Personality::named(name), Ok(read.unwrap()));
        }
        assert!(Personality::named("x").unwrap_err().to_string().contains("generic-27007"));
    }
}
