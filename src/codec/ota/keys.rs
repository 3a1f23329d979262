//! A key set: KIc and KID with their keys expanded, ready for any number of packets.

use super::cipher::{BlockKey, prepare};
use super::{Algorithm, CommandHeader, CounterMode, Integrity, Kic, Kid, Spi};
use crate::types::{Invalid, Secret};
use std::fmt;
use std::sync::Arc;

/// Prepared keys. Cloning shares the expanded keys; they are zeroed with the last clone.
///
/// Single DES, and AES with a counter that is not checked, are refused unless the set was made with
/// [`permit_legacy`](Self::permit_legacy).
#[derive(Clone)]
pub struct KeySet {
    kic: Kic,
    kid: Kid,
    cipher: Option<Arc<dyn BlockKey>>,
    checksum: Option<Arc<dyn BlockKey>>,
    cc_length: CcLength,
    legacy: bool,
}

/// Octets of a CC. DES-family checksums always have eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CcLength {
    Four,
    /// SGP.02 knows no other.
    #[default]
    Eight,
}

impl CcLength {
    pub const fn octets(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// The algorithms a key set of our own files may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFamily {
    Aes,
    TripleDes,
}

impl KeySet {
    /// No keys yet: good for packets without CC and ciphering, which carry these two octets unused.
    pub fn without_keys(kic: Kic, kid: Kid) -> Self {
        Self { kic, kid, cipher: None, checksum: None, cc_length: CcLength::Eight, legacy: false }
    }

    /// The usual set: both keys of one version and one family; 3DES keys of 16 or 24 octets, AES keys of 16, 24 or 32.
    pub fn of_family(
        family: KeyFamily,
        version: u8,
        kic_key: &Secret,
        kid_key: &Secret,
        cc_length: CcLength,
    ) -> Result<Self, Invalid> {
        if !(1..=15).contains(&version) {
            return Err(Invalid::new("key version", format!("expected 1 to 15, found {version}")));
        }
        let octet = |key: &Secret| {
            let nibble = match (family, key.len()) {
                (KeyFamily::Aes, _) => 0x2,
                (KeyFamily::TripleDes, 24) => 0x9,
                (KeyFamily::TripleDes, _) => 0x5,
            };
            version << 4 | nibble
        };
        Self::without_keys(Kic(octet(kic_key)), Kid(octet(kid_key)))
            .with_kic_key(kic_key)?
            .with_kid_key(kid_key, cc_length)
    }

    /// Accepts single DES and AES in counter modes 00 and 01 from here on: for old cards and for tests.
    pub fn permit_legacy(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// Adds the ciphering key; its length must fit the algorithm that KIc names.
    pub fn with_kic_key(mut self, key: &Secret) -> Result<Self, Invalid> {
        self.refuse_single_des("KIc", self.kic.algorithm())?;
        self.cipher = Some(prepare("KIc", self.kic.algorithm(), key)?);
        Ok(self)
    }

    /// Adds the key of the CC; its length must fit the algorithm that KID names.
    pub fn with_kid_key(mut self, key: &Secret, cc_length: CcLength) -> Result<Self, Invalid> {
        self.refuse_single_des("KID", self.kid.algorithm())?;
        let checksum = prepare("KID", self.kid.algorithm(), key)?;
        if !checksum.is_aes() && cc_length == CcLength::Four {
            return Err(Invalid::new("KID", "a CC of 4 octets exists only with AES"));
        }
        self.checksum = Some(checksum);
        self.cc_length = cc_length;
        Ok(self)
    }

    pub const fn kic(&self) -> Kic {
        self.kic
    }

    pub const fn kid(&self) -> Kid {
        self.kid
    }

    /// Whether the packet's header names these keys, as far as its SPI uses them.
    pub fn serves(&self, header: &CommandHeader) -> bool {
        let keyed = header.spi.integrity() == Integrity::CryptographicChecksum;
        (!header.spi.ciphered() || (header.kic == self.kic && self.cipher.is_some()))
            && (!keyed || (header.kid == self.kid && self.checksum.is_some()))
    }

    /// Whether this set may be used for commands of this kind: AES keys are only for counters that are checked.
    pub(super) fn allows(&self, spi: Spi) -> bool {
        let is_aes = |key: &Option<Arc<dyn BlockKey>>| key.as_ref().is_some_and(|key| key.is_aes());
        let keyed = spi.integrity() == Integrity::CryptographicChecksum;
        let aes = (spi.ciphered() && is_aes(&self.cipher)) || (keyed && is_aes(&self.checksum));
        self.legacy || !aes || spi.counter_mode() >= CounterMode::Higher
    }

    pub(super) fn cipher(&self) -> Option<&dyn BlockKey> {
        self.cipher.as_deref()
    }

    pub(super) fn checksum(&self) -> Option<&dyn BlockKey> {
        self.checksum.as_deref()
    }

    pub(super) const fn cc_octets(&self) -> usize {
        self.cc_length.octets()
    }

    fn refuse_single_des(&self, what: &'static str, algorithm: Algorithm) -> Result<(), Invalid> {
        if algorithm == Algorithm::Des && !self.legacy {
            return Err(Invalid::new(what, "single DES is broken and refused without the legacy permission"));
        }
        Ok(())
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({:?}, {:?})", self.kic, self.kid)
    }
}
