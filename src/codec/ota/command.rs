//! Command packets: securing, and verifying what arrived (TS 102 225 5.1, TS 31.115 4.2).

use super::sealing::{Form, Protection};
use super::{Counter, Integrity, KeySet, Kid, Rejection, Spi, UnverifiedCommand};
use crate::codec::{EncodeError, Reader};
use crate::types::Tar;

pub(super) const FORM: Form = Form { structure: "command packet", implied: &[], clear: 10, fixed: 6 };

/// What a command packet says, once its integrity is proved or before it is secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandPacket {
    pub spi: Spi,
    pub tar: Tar,
    pub counter: Counter,
    /// The secured data: a script, an Amendment B trigger, our trigger object.
    pub data: Vec<u8>,
}

/// Length of a whole packet from CPL on. `block` is the cipher's block size when ciphered (16 for AES, 8 for DES
/// and 3DES), `integrity` the octets of RC/CC, `data` those of the secured data.
pub const fn packet_length(block: Option<usize>, integrity: usize, data: usize) -> usize {
    FORM.packet_length(block, integrity, data)
}

impl CommandPacket {
    /// The packet from CPL to its last octet, under these keys as the SPI says.
    pub fn secure(&self, keys: &KeySet) -> Result<Vec<u8>, EncodeError> {
        let refuse = |problem: &'static str| Err(EncodeError::new(FORM.structure, "SPI", problem));
        if self.spi.uses_reserved() {
            return refuse("reserved bits or values are set");
        }
        if !keys.allows(self.spi) {
            return refuse("AES needs a counter that is checked (mode 10 or 11) without the legacy permission");
        }
        let ([spi1, spi2], Tar([a, b, c])) = (self.spi.octets(), self.tar);
        let identity = [spi1, spi2, keys.kic().0, keys.kid().0, a, b, c];
        FORM.seal(keys, protection(self.spi, keys.kid()), &identity, self.counter, None, &self.data)
    }
}

impl UnverifiedCommand<'_> {
    /// Deciphers and checks the packet. The counter is not judged here: that needs the stored one.
    pub fn verify(&self, keys: &KeySet) -> Result<CommandPacket, Rejection> {
        self.open(keys, None)
    }

    /// The same, showing the deciphered part in the trace of `reader`, which has read this packet. What was
    /// deciphered is shown only when its check is right: anything else would be noise.
    pub fn verify_traced(&self, keys: &KeySet, reader: &Reader<'_>) -> Result<CommandPacket, Rejection> {
        self.open(keys, Some(reader))
    }

    fn open(&self, keys: &KeySet, reader: Option<&Reader<'_>>) -> Result<CommandPacket, Rejection> {
        let spi = self.header.spi;
        if spi.uses_reserved() || !keys.allows(spi) {
            return Err(Rejection::SecurityLevel);
        }
        if spi.integrity() == Integrity::DigitalSignature {
            return Err(Rejection::Integrity);
        }
        if !keys.serves(&self.header) {
            return Err(Rejection::KeyUnknown);
        }
        let opened = FORM.open(keys, protection(spi, self.header.kid), self.packet, self.integrity)?;
        let block = if spi.ciphered() { keys.cipher().map_or(1, |key| key.block_size()) } else { 1 };
        // Padding fills up the last block; there is none without ciphering.
        if opened.padding >= block || opened.padding > opened.data_and_padding() {
            return Err(Rejection::Ciphering);
        }
        if let (true, Some(reader)) = (spi.ciphered(), reader) {
            let offset = self.offset.saturating_add(FORM.clear);
            self.read_secured(&mut reader.substitute(FORM.structure, &opened.plain, offset))?;
        }
        Ok(CommandPacket { spi, tar: self.header.tar, counter: opened.counter, data: opened.into_data() })
    }
}

const fn protection(spi: Spi, kid: Kid) -> Protection {
    Protection { integrity: spi.integrity(), ciphered: spi.ciphered(), kid }
}
