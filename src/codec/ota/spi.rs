//! SPI, the security parameter indicator (TS 102 225 5.1.1), and the minimum security level built on its first octet.

use std::fmt;

/// Both octets as they are on the wire; the methods are views of their fields.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spi {
    /// What protects the command.
    pub spi1: u8,
    /// What response is wanted, and what protects it.
    pub spi2: u8,
}

/// SPI1 b5b4. Ordered by strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CounterMode {
    /// The field is sent and ignored.
    None,
    /// Available, not checked.
    Available,
    /// Processed if higher than the stored one.
    Higher,
    /// Processed if exactly one higher than the stored one.
    ExactlyNext,
}

/// SPI1 b2b1 for the command, SPI2 b4b3 for the response. Ordered by strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Integrity {
    None,
    RedundancyCheck,
    CryptographicChecksum,
    /// Not supported: never produced, never verified.
    DigitalSignature,
}

/// SPI2 b2b1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PorRequest {
    Never,
    Always,
    OnError,
    Reserved,
}

impl Spi {
    pub const fn new(spi1: u8, spi2: u8) -> Self {
        Self { spi1, spi2 }
    }

    pub const fn from_octets([spi1, spi2]: [u8; 2]) -> Self {
        Self { spi1, spi2 }
    }

    pub const fn octets(self) -> [u8; 2] {
        [self.spi1, self.spi2]
    }

    pub const fn counter_mode(self) -> CounterMode {
        match self.spi1 >> 3 & 0b11 {
            0b00 => CounterMode::None,
            0b01 => CounterMode::Available,
            0b10 => CounterMode::Higher,
            _ => CounterMode::ExactlyNext,
        }
    }

    /// Whether the command is ciphered (SPI1 b3).
    pub const fn ciphered(self) -> bool {
        self.spi1 & 0x04 != 0
    }

    /// What protects the command's integrity (SPI1 b2b1).
    pub const fn integrity(self) -> Integrity {
        Integrity::from_bits(self.spi1)
    }

    pub const fn por_request(self) -> PorRequest {
        match self.spi2 & 0b11 {
            0b00 => PorRequest::Never,
            0b01 => PorRequest::Always,
            0b10 => PorRequest::OnError,
            _ => PorRequest::Reserved,
        }
    }

    /// What shall protect the response's integrity (SPI2 b4b3).
    pub const fn por_integrity(self) -> Integrity {
        Integrity::from_bits(self.spi2 >> 2)
    }

    /// Whether the response shall be ciphered (SPI2 b5).
    pub const fn por_ciphered(self) -> bool {
        self.spi2 & 0x10 != 0
    }

    /// Whether the response comes in an SMS-SUBMIT (SPI2 b6) and not in the SMS-DELIVER-REPORT.
    pub const fn por_by_submit(self) -> bool {
        self.spi2 & 0x20 != 0
    }

    /// Bits or values that are reserved for future use: nobody can know what they ask for.
    pub const fn uses_reserved(self) -> bool {
        self.spi1 & 0xE0 != 0 || self.spi2 & 0xC0 != 0 || matches!(self.por_request(), PorRequest::Reserved)
    }

    /// CC and a counter that is checked: the least that a gateway relays and an agent looks at. Reserved bits spoil it.
    pub fn is_authentic_and_fresh(self) -> bool {
        self.integrity() == Integrity::CryptographicChecksum
            && self.counter_mode() >= CounterMode::Higher
            && !self.uses_reserved()
    }

    /// SPI1 in words: `CC, ciphered, counter higher`.
    pub fn command_meaning(self) -> String {
        let ciphered = if self.ciphered() { ", ciphered" } else { "" };
        let reserved = if self.spi1 & 0xE0 != 0 { ", reserved bits set" } else { "" };
        format!("{}{ciphered}, {}{reserved}", self.integrity(), self.counter_mode())
    }

    /// SPI2 in words: `PoR always, CC, ciphered, by SMS-SUBMIT`.
    pub fn response_meaning(self) -> String {
        let request = match self.por_request() {
            PorRequest::Never => "no PoR",
            PorRequest::Always => "PoR always",
            PorRequest::OnError => "PoR on error",
            PorRequest::Reserved => "PoR request reserved",
        };
        let reserved = if self.spi2 & 0xC0 != 0 { ", reserved bits set" } else { "" };
        if self.por_request() == PorRequest::Never {
            return format!("{request}{reserved}");
        }
        let ciphered = if self.por_ciphered() { ", ciphered" } else { "" };
        let carrier = if self.por_by_submit() { "SMS-SUBMIT" } else { "SMS-DELIVER-REPORT" };
        format!("{request}, {}{ciphered}, by {carrier}{reserved}", self.por_integrity())
    }
}

impl Integrity {
    const fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0b00 => Self::None,
            0b01 => Self::RedundancyCheck,
            0b10 => Self::CryptographicChecksum,
            _ => Self::DigitalSignature,
        }
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no integrity",
            Self::RedundancyCheck => "RC",
            Self::CryptographicChecksum => "CC",
            Self::DigitalSignature => "DS",
        })
    }
}

impl fmt::Display for CounterMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no counter",
            Self::Available => "counter not checked",
            Self::Higher => "counter higher",
            Self::ExactlyNext => "counter plus one",
        })
    }
}

/// As four hexadecimal digits, the way everybody writes it.
impl fmt::Display for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X} {:02X}", self.spi1, self.spi2)
    }
}

impl fmt::Debug for Spi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spi({self})")
    }
}

/// The minimum security level of an application (TS 102 225 5.1.1, TS 102 226): one octet coded like SPI1, each field of which is a
/// lower bound. `00` asks for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinimumSecurity(pub u8);

impl MinimumSecurity {
    /// CC, ciphered, counter higher: the SGP.02 ISD-R.
    pub const ISD_R: Self = Self(0x16);

    /// Whether a command with this SPI may be looked at. Reserved bits never pass, whatever the level.
    pub fn is_met_by(self, spi: Spi) -> bool {
        let required = Spi::new(self.0, 0);
        !spi.uses_reserved()
            && (spi.ciphered() || !required.ciphered())
            && spi.integrity() >= required.integrity()
            && spi.counter_mode() >= required.counter_mode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_pair_of_sgp_02_reads_as_cc_ciphered_and_a_submitted_por() {
        let spi = Spi::new(0x16, 0x39);
        assert_eq!(spi.command_meaning(), "CC, ciphered, counter higher");
        assert_eq!(spi.response_meaning(), "PoR always, CC, ciphered, by SMS-SUBMIT");
        assert!(!spi.uses_reserved());
    }

    #[test]
    fn only_cc_with_a_checked_counter_is_authentic_and_fresh() {
        let octets = || (0..=u8::MAX).filter(|spi1| Spi::new(*spi1, 0x39).is_authentic_and_fresh());
        assert_eq!(octets().collect::<Vec<_>>(), [0x12, 0x16, 0x1A, 0x1E]);
        assert!(!Spi::new(0x16, 0x03).is_authentic_and_fresh());
    }

    #[test]
    fn of_all_spi_pairs_only_those_at_or_above_the_level_pass() {
        let mut passed = Vec::new();
        for spi1 in 0..=u8::MAX {
            let with_each_spi2 = (0..=u8::MAX).filter(|spi2| MinimumSecurity::ISD_R.is_met_by(Spi::new(spi1, *spi2)));
            let count = with_each_spi2.count();
            assert!(count == 0 || count == 48, "SPI2: 64 without b8b7, less 16 with b2b1 = 11");
            if count > 0 {
                passed.push(spi1);
            }
        }
        assert_eq!(passed, [0x16, 0x17, 0x1E, 0x1F]);
    }
}
