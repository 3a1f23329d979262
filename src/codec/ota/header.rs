//! The part of a command packet that everybody can read: from CPL to TAR, and the rest as it stands (TS 102 225 5.1).

use super::command::FORM;
use super::{Integrity, Kic, Kid, Spi};
use crate::codec::cursor::Result;
use crate::codec::{DecodeError, Fault, Reader};
use crate::types::Tar;

/// SPI, KIc, KID and TAR: what a relay policy can judge without any key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandHeader {
    pub spi: Spi,
    pub kic: Kic,
    pub kid: Kid,
    pub tar: Tar,
}

/// A command packet whose lengths are right. Nothing in it is authentic.
#[derive(Debug, Clone)]
pub struct UnverifiedCommand<'a> {
    pub header: CommandHeader,
    /// The whole packet, CPL first.
    pub(super) packet: &'a [u8],
    /// Offset of the packet from the start of the outermost input.
    pub(super) offset: usize,
    /// Octets of RC/CC/DS as CHL tells them.
    pub(super) integrity: usize,
}

impl<'a> UnverifiedCommand<'a> {
    /// Reads a packet that fills `bytes`.
    pub fn decode(bytes: &'a [u8]) -> Result<Self> {
        Self::read(&mut Reader::new(FORM.structure, bytes))
    }

    /// Reads up to the end of the reader, which must be the end of the packet.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let (packet, offset) = (reader.peek(), reader.offset());
        let cpl = reader.u16("CPL")?;
        reader.note("TS 102 225 5.1", || format!("{cpl} octets follow"));
        if usize::from(cpl) != reader.remaining() {
            let expected = format!("{} (what follows)", reader.remaining()).into();
            return Err(reader.error_at(offset, "CPL", Fault::Length { expected, found: usize::from(cpl) }));
        }
        let chl_offset = reader.offset();
        let chl = reader.u8("CHL")?;
        let header = Self::read_header(reader)?;
        let integrity = integrity_octets(header.spi.integrity(), chl, chl_offset)?;
        let needed = FORM.fixed.saturating_add(integrity);
        if reader.remaining() < needed {
            return Err(reader.error("CNTR", Fault::Truncated { needed, available: reader.remaining() }));
        }
        let command = Self { header, packet, offset, integrity };
        if header.spi.ciphered() {
            reader.take_rest("ciphered part");
            reader.note("TS 102 225 5.1.2", || "CNTR, PCNTR, RC/CC/DS, data, padding".into());
        } else {
            command.read_secured(reader)?;
        }
        Ok(command)
    }

    fn read_header(reader: &mut Reader<'_>) -> Result<CommandHeader> {
        let spi_octets = reader.array("SPI")?;
        let spi = Spi::from_octets(spi_octets);
        reader.note("TS 102 225 5.1.1", || format!("{}; {}", spi.command_meaning(), spi.response_meaning()));
        let kic = Kic(reader.u8("KIc")?);
        reader.note("TS 102 225 5.1.2", || kic.meaning());
        let kid = Kid(reader.u8("KID")?);
        reader.note("TS 102 225 5.1.3", || kid.meaning(spi.integrity()));
        let tar = Tar(reader.array("TAR")?);
        reader.note("TS 101 220 Annex D", || tar.meaning().into());
        Ok(CommandHeader { spi, kic, kid, tar })
    }

    /// Shows the secured part, clear or deciphered, in the reader's trace.
    pub(super) fn read_secured(&self, reader: &mut Reader<'_>) -> Result<()> {
        let cntr = reader.array::<5>("CNTR")?;
        reader.note("TS 102 225 5.1.4", || format!("{}", super::Counter::from_octets(cntr).value()));
        let pcntr = reader.u8("PCNTR")?;
        reader.note("TS 102 225 5.1", || format!("{pcntr} octets of padding"));
        if self.integrity > 0 {
            reader.take(self.integrity, "RC/CC/DS")?;
            reader.note("TS 102 225 5.1.3", || self.header.spi.integrity().to_string());
        }
        reader.take(reader.remaining().saturating_sub(usize::from(pcntr)), "secured data")?;
        reader.take_rest("padding");
        Ok(())
    }

    /// Octets of RC/CC/DS.
    pub const fn integrity_length(&self) -> usize {
        self.integrity
    }

    /// Where the secured data begin in the outermost input, for showing what they mean.
    pub const fn data_offset(&self) -> usize {
        self.offset.saturating_add(FORM.clear + FORM.fixed).saturating_add(self.integrity)
    }
}

/// CHL counts from SPI to the end of RC/CC/DS: `0D`, and as many more as the kind of integrity can have.
fn integrity_octets(integrity: Integrity, chl: u8, offset: usize) -> Result<usize> {
    let without = FORM.clear + FORM.fixed - 3;
    let octets = usize::from(chl).checked_sub(without);
    let (allowed, expected): (&[usize], _) = match integrity {
        Integrity::None => (&[0], "0D without RC/CC/DS"),
        Integrity::RedundancyCheck => (&[2, 4], "0F or 11 with RC"),
        Integrity::CryptographicChecksum => (&[4, 8], "11 or 15 with CC"),
        Integrity::DigitalSignature => (&[], "0D or more"),
    };
    match octets {
        Some(octets) if allowed.contains(&octets) || integrity == Integrity::DigitalSignature => Ok(octets),
        _ => {
            let fault = Fault::Length { expected: expected.into(), found: usize::from(chl) };
            Err(DecodeError::new(FORM.structure, "CHL", offset, fault))
        }
    }
}
