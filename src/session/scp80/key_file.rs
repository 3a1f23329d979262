//! Key sets as they stand in files: TOML, one `[[keyset]]` per set. The text is a secret as a whole.

use super::test_keys;
use crate::codec::ota::{CcLength, Counter, KeyFamily, KeySet};
use crate::types::{Invalid, Secret, Tar, hex};
use serde::{Deserialize, Serialize};

/// Whose packets the keys secure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOwner {
    /// Triggers to the agent.
    Agent,
    /// Commands to the ISD-R and its ISD-Ps.
    IsdR,
}

/// One key set of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKeySet {
    pub owner: KeyOwner,
    pub tar: Tar,
    /// 1 to 15, of KIc and KID.
    pub version: u8,
    pub family: KeyFamily,
    pub cc_length: CcLength,
    /// The last one used.
    pub counter: Counter,
    /// Never used yet: a receiver without a counter of its own may begin with `counter`.
    pub new: bool,
    pub kic: Secret,
    pub kid: Secret,
}

/// Why a file of keys is refused. Says nothing of the keys themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    #[error("line {line}: {problem}")]
    Form { line: usize, problem: String },
    #[error("key set {number}: {problem}")]
    KeySet { number: usize, problem: Invalid },
    /// Anybody who reads specifications and test suites has these keys.
    #[error("key set {number} has a published test key; keys must be random")]
    TestKey { number: usize },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    keyset: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Entry {
    owner: KeyOwner,
    tar: Tar,
    version: u8,
    algorithm: Algorithm,
    cc_length: u8,
    counter: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    new: bool,
    kic: String,
    kid: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Algorithm {
    #[serde(rename = "aes")]
    Aes,
    #[serde(rename = "3des")]
    TripleDes,
}

impl StoredKeySet {
    /// Reads a whole file. Keys that cannot be prepared, and keys that everybody knows, are refused.
    pub fn read_all(text: &str) -> Result<Vec<Self>, KeyFileError> {
        let file: File = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            // A value in the wrong place would be quoted, and it may be a key.
            let problem = error.message().split('"').step_by(2).collect::<Vec<_>>().join("..");
            KeyFileError::Form { line: before.matches('\n').count().saturating_add(1), problem }
        })?;
        (1..).zip(file.keyset).map(|(number, entry)| Self::read(number, entry)).collect()
    }

    fn read(number: usize, entry: Entry) -> Result<Self, KeyFileError> {
        let key_set = Self::of(entry).map_err(|problem| KeyFileError::KeySet { number, problem })?;
        key_set.prepare().map_err(|problem| KeyFileError::KeySet { number, problem })?;
        if test_keys::is_known(&key_set.kic) || test_keys::is_known(&key_set.kid) {
            return Err(KeyFileError::TestKey { number });
        }
        Ok(key_set)
    }

    fn of(entry: Entry) -> Result<Self, Invalid> {
        let secret = |what, text: &str| match hex::decode(text) {
            Ok(octets) => Ok(Secret::new(octets)),
            Err(error) => Err(Invalid::new(what, error.problem)),
        };
        Ok(Self {
            owner: entry.owner,
            tar: entry.tar,
            version: entry.version,
            family: match entry.algorithm {
                Algorithm::Aes => KeyFamily::Aes,
                Algorithm::TripleDes => KeyFamily::TripleDes,
            },
            cc_length: match entry.cc_length {
                4 => CcLength::Four,
                8 => CcLength::Eight,
                found => return Err(Invalid::new("cc-length", format!("expected 4 or 8, found {found}"))),
            },
            counter: Counter::new(entry.counter)?,
            new: entry.new,
            kic: secret("kic", &entry.kic)?,
            kid: secret("kid", &entry.kid)?,
        })
    }

    /// The keys, ready for packets.
    pub fn prepare(&self) -> Result<KeySet, Invalid> {
        KeySet::of_family(self.family, self.version, &self.kic, &self.kid, self.cc_length)
    }

    /// The text of a file with these sets.
    pub fn write_all(key_sets: &[Self]) -> Result<Secret, Invalid> {
        let keyset = key_sets.iter().map(Self::entry).collect();
        let text = toml::to_string(&File { keyset }).map_err(|error| Invalid::new("key file", error.to_string()))?;
        Ok(Secret::new(text.into_bytes()))
    }

    fn entry(&self) -> Entry {
        Entry {
            owner: self.owner,
            tar: self.tar,
            version: self.version,
            algorithm: match self.family {
                KeyFamily::Aes => Algorithm::Aes,
                KeyFamily::TripleDes => Algorithm::TripleDes,
            },
            cc_length: if self.cc_length == CcLength::Four { 4 } else { 8 },
            counter: self.counter.value(),
            new: self.new,
            kic: hex::encode(self.kic.expose()),
            kid: hex::encode(self.kid.expose()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIC: &str = "f3dfea98a2a0356902d210ab3c2d53de";
    const KID: &str = "396ad24297cb921419c8e02ee2eb4a57";

    fn text(kic: &str, rest: &str) -> String {
        format!(
            "[[keyset]]\nowner = \"agent\"\ntar = \"BFFF16\"\nversion = 1\nalgorithm = \"aes\"\nkic = \"{kic}\"\nkid = \
             \"{KID}\"\ncc-length = 8\ncounter = 7\n{rest}"
        )
    }

    #[test]
    fn key_sets_survive_the_way_through_a_file() {
        let read = StoredKeySet::read_all(&text(KIC, "new = true\n")).unwrap();
        assert_eq!(
            (read[0].owner, read[0].tar, read[0].counter.value(), read[0].new),
            (KeyOwner::Agent, Tar::AGENT, 7, true)
        );
        let written = StoredKeySet::write_all(&read).unwrap();
        assert_eq!(StoredKeySet::read_all(std::str::from_utf8(written.expose()).unwrap()), Ok(read));
    }

    #[test]
    fn faults_are_named_without_the_keys() {
        let fault = |text: &str| StoredKeySet::read_all(text).unwrap_err().to_string();
        assert_eq!(fault(&text("0011", "")), "key set 1: KIc: a key of 2 octets does not fit AES");
        assert_eq!(fault(&text(KIC, "color = 1\n")).split(':').next(), Some("line 10"));
        assert!(fault(&text(KIC, "new = 1\n")).starts_with("line 10"));
        assert_eq!(fault(&text("zz", "")), "key set 1: kic: character 1 is not a hexadecimal digit");
        for wrong in [text("canary", ""), text(KIC, "").replace("version = 1", "version = \"canary\"")] {
            assert!(!fault(&wrong).contains("canary"), "{}", fault(&wrong));
        }
    }

    #[test]
    fn published_test_keys_are_refused() {
        let known = "000102030405060708090a0b0c0d0e0f";
        assert_eq!(StoredKeySet::read_all(&text(known, "")), Err(KeyFileError::TestKey { number: 1 }));
    }
}
