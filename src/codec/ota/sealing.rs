//! What command and response packets have in common: a clear head, then
//! `CNTR PCNTR [STATUS] RC/CC/DS data padding`, checked and ciphered alike (TS 102 225 5.1, 5.2).

use super::algorithm::RedundancyCheck;
use super::{Counter, Integrity, KeySet, Kid, Rejection, crc};
use crate::codec::EncodeError;
use subtle::ConstantTimeEq;

/// What differs between the two kinds of packet.
pub(super) struct Form {
    pub(super) structure: &'static str,
    /// Octets that count as part of the integrity input without being in the packet.
    pub(super) implied: &'static [u8],
    /// Octets before CNTR, which are never ciphered.
    pub(super) clear: usize,
    /// Octets from CNTR up to RC/CC/DS.
    pub(super) fixed: usize,
}

/// What an SPI asks for in one direction.
#[derive(Clone, Copy)]
pub(super) struct Protection {
    pub(super) integrity: Integrity,
    pub(super) ciphered: bool,
    /// Of the command; tells the kind of RC.
    pub(super) kid: Kid,
}

/// A packet whose RC or CC was found right.
pub(super) struct Opened {
    pub(super) counter: Counter,
    /// PCNTR as received: not yet compared with what is there.
    pub(super) padding: usize,
    /// The last fixed octet: the status of a response packet.
    pub(super) status: u8,
    /// From CNTR to the end, deciphered.
    pub(super) plain: Vec<u8>,
    /// Octets of `plain` before the data.
    data_at: usize,
}

impl Opened {
    /// Octets of data and padding.
    pub(super) fn data_and_padding(&self) -> usize {
        self.plain.len().saturating_sub(self.data_at)
    }

    /// The data without padding.
    pub(super) fn into_data(mut self) -> Vec<u8> {
        self.plain.truncate(self.plain.len().saturating_sub(self.padding));
        self.plain.split_off(self.data_at.min(self.plain.len()))
    }
}

impl Form {
    /// Length of a whole packet, length field included, around `data` octets.
    pub(super) const fn packet_length(&self, block: Option<usize>, integrity: usize, data: usize) -> usize {
        let secured = self.fixed.saturating_add(integrity).saturating_add(data);
        self.clear.saturating_add(match block {
            Some(block) => secured.next_multiple_of(block),
            None => secured,
        })
    }

    /// Builds the packet. `identity` is what stands between the header length and CNTR, `status` what follows PCNTR.
    pub(super) fn seal(
        &self,
        keys: &KeySet,
        protection: Protection,
        identity: &[u8],
        counter: Counter,
        status: Option<u8>,
        data: &[u8],
    ) -> Result<Vec<u8>, EncodeError> {
        let integrity = self.integrity_octets(keys, protection)?;
        let cipher = match protection.ciphered {
            false => None,
            true => Some(keys.cipher().ok_or_else(|| self.error("KIc", "ciphering needs a key"))?),
        };
        let total = self.packet_length(cipher.map(|key| key.block_size()), integrity, data.len());
        let padding = total.saturating_sub(self.packet_length(None, integrity, data.len()));
        let length = u16::try_from(total.saturating_sub(2))
            .map_err(|_| EncodeError::too_long(self.structure, "data", usize::from(u16::MAX), data.len()))?;
        let header_length = u8::try_from((self.clear + self.fixed + integrity).saturating_sub(3)).unwrap_or(u8::MAX);

        let mut packet = Vec::with_capacity(total);
        packet.extend(length.to_be_bytes());
        packet.push(header_length);
        packet.extend_from_slice(identity);
        packet.extend(counter.octets());
        packet.push(u8::try_from(padding).unwrap_or(u8::MAX));
        packet.extend(status);
        packet.resize(packet.len() + integrity, 0);
        packet.extend_from_slice(data);
        packet.resize(total, 0);

        if let Some((head, rest)) = packet.split_at_mut_checked(self.clear + self.fixed)
            && let Some((place, data)) = rest.split_at_mut_checked(integrity)
        {
            let computed = check_of(keys, protection, &[self.implied, head, data]);
            place.copy_from_slice(computed.get(..integrity).unwrap_or_default());
        }
        if let (Some(cipher), Some(ciphered)) = (cipher, packet.get_mut(self.clear..)) {
            cipher.encrypt(ciphered);
        }
        Ok(packet)
    }

    /// Deciphers and checks. The RC/CC is judged before the padding counter is looked at, so that nothing but a valid
    /// packet can make its padding matter. `integrity` is the length that the packet's header length tells.
    pub(super) fn open(
        &self,
        keys: &KeySet,
        protection: Protection,
        packet: &[u8],
        integrity: usize,
    ) -> Result<Opened, Rejection> {
        let (clear, secured) = packet.split_at_checked(self.clear).ok_or(Rejection::Ciphering)?;
        let mut plain = secured.to_vec();
        if protection.ciphered {
            let cipher = keys.cipher().ok_or(Rejection::KeyUnknown)?;
            if plain.len() % cipher.block_size() != 0 {
                return Err(Rejection::Ciphering);
            }
            cipher.decrypt(&mut plain);
        }
        let (fixed, rest) = plain.split_at_checked(self.fixed).ok_or(Rejection::Ciphering)?;
        let (received, data) = rest.split_at_checked(integrity).ok_or(Rejection::Ciphering)?;
        let octets = self.integrity_octets(keys, protection).map_err(|_| Rejection::Integrity)?;
        let computed = check_of(keys, protection, &[self.implied, clear, fixed, data]);
        if !bool::from(computed.get(..octets).unwrap_or_default().ct_eq(received)) {
            return Err(Rejection::Integrity);
        }
        let counter = Counter::from_octets(fixed.first_chunk().copied().unwrap_or_default());
        let padding = fixed.get(5).copied().map_or(0, usize::from);
        let status = fixed.last().copied().unwrap_or_default();
        Ok(Opened { counter, padding, status, plain, data_at: self.fixed + integrity })
    }

    /// How long the RC or CC is; an error when it cannot be computed with these keys.
    fn integrity_octets(&self, keys: &KeySet, protection: Protection) -> Result<usize, EncodeError> {
        match protection.integrity {
            Integrity::None => Ok(0),
            Integrity::RedundancyCheck => match protection.kid.redundancy_check() {
                Some(RedundancyCheck::Crc16) => Ok(2),
                Some(RedundancyCheck::Crc32) => Ok(4),
                None => Err(self.error("KID", "names no redundancy check (1 = CRC-16, 5 = CRC-32)")),
            },
            Integrity::CryptographicChecksum if keys.checksum().is_some() => Ok(keys.cc_octets()),
            Integrity::CryptographicChecksum => Err(self.error("KID", "a CC needs a key")),
            Integrity::DigitalSignature => Err(self.error("SPI", "digital signatures are not supported")),
        }
    }

    fn error(&self, field: &'static str, problem: &'static str) -> EncodeError {
        EncodeError::new(self.structure, field, problem)
    }
}

/// The RC or CC over the concatenation of `parts`, as many octets as it has, then zeros.
fn check_of(keys: &KeySet, protection: Protection, parts: &[&[u8]]) -> [u8; 8] {
    match (protection.integrity, protection.kid.redundancy_check()) {
        (Integrity::RedundancyCheck, Some(RedundancyCheck::Crc16)) => {
            let [high, low] = crc::crc_16(parts).to_be_bytes();
            [high, low, 0, 0, 0, 0, 0, 0]
        }
        (Integrity::RedundancyCheck, Some(RedundancyCheck::Crc32)) => {
            let [a, b, c, d] = crc::crc_32(parts).to_be_bytes();
            [a, b, c, d, 0, 0, 0, 0]
        }
        (Integrity::CryptographicChecksum, _) => keys.checksum().map(|key| key.checksum(parts)).unwrap_or_default(),
        _ => [0; 8],
    }
}
