//! Response packets, the proof of receipt (TS 102 225 5.2, TS 31.115 4.3).
//!
//! Nothing in a response repeats the SPI and the keys of its command: whoever reads one must remember them.

use super::sealing::{Form, Opened, Protection};
use super::{Counter, Integrity, KeySet, Rejection, ResponseStatus, Spi};
use crate::codec::cursor::Result;
use crate::codec::{EncodeError, Fault, Reader};
use crate::types::Tar;

/// The UDH of the single SMS counts as part of the integrity input, in concatenated responses too: every known
/// implementation uses these literal octets.
const FORM: Form = Form { structure: "response packet", implied: &[0x02, 0x71, 0x00], clear: 6, fixed: 7 };

/// What a response packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponsePacket {
    pub tar: Tar,
    /// Copied from the command.
    pub counter: Counter,
    pub status: ResponseStatus,
    /// Additional response data: of a script, its results.
    pub data: Vec<u8>,
}

/// A response packet whose lengths are right. Nothing in it is authentic.
#[derive(Debug, Clone)]
pub struct UnverifiedResponse<'a> {
    pub tar: Tar,
    /// The whole packet, RPL first.
    packet: &'a [u8],
    offset: usize,
    /// Octets of RC/CC/DS as RHL tells them.
    integrity: usize,
}

/// How much a response that was read may be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// It carries the CC that the command asked for, and the CC is right.
    Authentic,
    /// The command asked for no CC; nothing is proved.
    NotAsked,
    /// An error without the security that was asked for: the card could not apply keys, or somebody plays the card.
    /// A hint for diagnosis; never to be taken as an outcome.
    Unprotected,
}

/// A response together with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedResponse {
    pub packet: ResponsePacket,
    pub proof: Proof,
}

impl ResponsePacket {
    /// The packet from RPL to its last octet, as the command's SPI asks and under the command's keys.
    pub fn secure(&self, spi: Spi, keys: &KeySet) -> std::result::Result<Vec<u8>, EncodeError> {
        FORM.seal(keys, protection(spi, keys), &self.tar.0, self.counter, Some(self.status.0), &self.data)
    }
}

impl<'a> UnverifiedResponse<'a> {
    /// Reads a packet that fills `bytes` (the user data without their UDH).
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        Self::read(&mut Reader::new(FORM.structure, bytes))
    }

    /// Reads up to the end of the reader, which must be the end of the packet.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let (packet, offset) = (reader.peek(), reader.offset());
        let rpl = reader.u16("RPL")?;
        reader.note("TS 102 225 5.2", || format!("{rpl} octets follow"));
        if usize::from(rpl) != reader.remaining() {
            let expected = format!("{} (what follows)", reader.remaining()).into();
            return Err(reader.error_at(offset, "RPL", Fault::Length { expected, found: usize::from(rpl) }));
        }
        let rhl_offset = reader.offset();
        let rhl = reader.u8("RHL")?;
        let integrity = usize::from(rhl).checked_sub(FORM.clear + FORM.fixed - 3).ok_or_else(|| {
            let fault = Fault::Length { expected: "0A or more".into(), found: usize::from(rhl) };
            reader.error_at(rhl_offset, "RHL", fault)
        })?;
        reader.note("TS 102 225 5.2", || format!("{integrity} octets of RC/CC/DS"));
        let tar = Tar(reader.array("TAR")?);
        reader.note("TS 101 220 Annex D", || tar.meaning().into());
        let needed = FORM.fixed.saturating_add(integrity);
        if reader.remaining() < needed {
            return Err(reader.error("CNTR", Fault::Truncated { needed, available: reader.remaining() }));
        }
        reader.take_rest("CNTR to end");
        reader.note("TS 102 225 5.2", || "CNTR, PCNTR, status, RC/CC/DS, data; perhaps ciphered".into());
        Ok(Self { tar, packet, offset, integrity })
    }

    /// Deciphers and checks the packet as the response to a command with this SPI and these keys.
    pub fn verify(&self, spi: Spi, keys: &KeySet) -> std::result::Result<ReceivedResponse, Rejection> {
        self.open(spi, keys, None)
    }

    /// The same, showing the fields in the trace of `reader`, which has read this packet.
    pub fn verify_traced(
        &self,
        spi: Spi,
        keys: &KeySet,
        reader: &Reader<'_>,
    ) -> std::result::Result<ReceivedResponse, Rejection> {
        self.open(spi, keys, Some(reader))
    }

    /// Where the response data begin in the outermost input, for showing what they mean.
    pub const fn data_offset(&self) -> usize {
        self.offset.saturating_add(FORM.clear + FORM.fixed).saturating_add(self.integrity)
    }

    fn open(
        &self,
        spi: Spi,
        keys: &KeySet,
        reader: Option<&Reader<'_>>,
    ) -> std::result::Result<ReceivedResponse, Rejection> {
        let asked = protection(spi, keys);
        let (opened, proof) = match FORM.open(keys, asked, self.packet, self.integrity) {
            Ok(opened) if asked.integrity == Integrity::CryptographicChecksum => (opened, Proof::Authentic),
            Ok(opened) => (opened, Proof::NotAsked),
            Err(rejection) => (self.open_unprotected(asked, keys).ok_or(rejection)?, Proof::Unprotected),
        };
        // Cards pad in more ways than one (80 00.., a whole block): only PCNTR tells how much.
        if opened.padding > opened.data_and_padding() {
            return Err(Rejection::Ciphering);
        }
        if let Some(reader) = reader {
            let offset = self.offset.saturating_add(FORM.clear);
            self.read_opened(&mut reader.substitute(FORM.structure, &opened.plain, offset), &opened)?;
        }
        let (counter, status) = (opened.counter, ResponseStatus(opened.status));
        let packet = ResponsePacket { tar: self.tar, counter, status, data: opened.into_data() };
        Ok(ReceivedResponse { packet, proof })
    }

    /// An error response in clear and without RC/CC although more was asked for: a card that has no key for the
    /// command cannot do otherwise. Only an error can come so.
    fn open_unprotected(&self, asked: Protection, keys: &KeySet) -> Option<Opened> {
        let clear = Protection { integrity: Integrity::None, ciphered: false, kid: keys.kid() };
        let less = asked.ciphered || asked.integrity != Integrity::None;
        let opened = FORM.open(keys, clear, self.packet, 0).ok()?;
        let plausible = self.integrity == 0 && ResponseStatus(opened.status) != ResponseStatus::POR_OK;
        // Whole cipher blocks are ciphertext, whose octets only look like a status.
        let ciphertext = asked.ciphered && keys.cipher().is_some_and(|key| opened.plain.len() % key.block_size() == 0);
        (less && plausible && !ciphertext).then_some(opened)
    }

    fn read_opened(&self, reader: &mut Reader<'_>, opened: &Opened) -> Result<()> {
        reader.take(5, "CNTR")?;
        reader.note("TS 102 225 5.2", || format!("{}, of the command", opened.counter.value()));
        reader.u8("PCNTR")?;
        reader.note("TS 102 225 5.2", || format!("{} octets of padding", opened.padding));
        reader.u8("status")?;
        reader.note("TS 102 225 5.2", || ResponseStatus(opened.status).meaning().into());
        if self.integrity > 0 {
            reader.take(self.integrity, "RC/CC/DS")?;
            reader.note("TS 102 225 5.2", || "verified".into());
        }
        reader.take(reader.remaining().saturating_sub(opened.padding), "response data")?;
        reader.take_rest("padding");
        Ok(())
    }
}

/// The response's protection: SPI2 of the command, KIc and KID of the command.
const fn protection(spi: Spi, keys: &KeySet) -> Protection {
    Protection { integrity: spi.por_integrity(), ciphered: spi.por_ciphered(), kid: keys.kid() }
}
