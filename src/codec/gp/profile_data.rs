//! Profile data: STORE DATA commands to the ISD-P, `80 E2 00|80 nn`, in blocks of at most 240 octets.
//!
//! The first object of the data is `5A` with the ICCID; everything after it is opaque here.

use super::es5::apdu;
use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Fault, Reader};

const STRUCTURE: &str = "profile data";
/// Octets of profile data in one command: leaves room for the script object around it and for secure messaging.
pub const BLOCK: usize = 240;
/// Block numbers are one octet and do not wrap.
pub const MAX_OCTETS: usize = BLOCK * 256;

/// One STORE DATA command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreData<'a> {
    /// P1 bit 8.
    pub last: bool,
    /// P2, from 0.
    pub number: u8,
    pub data: &'a [u8],
}

/// Cuts profile data into its commands.
pub fn blocks(data: &[u8]) -> Result<Vec<StoreData<'_>>, EncodeError> {
    if data.is_empty() {
        return Err(EncodeError::new(STRUCTURE, "data", "is empty"));
    }
    let count = data.len().div_ceil(BLOCK);
    let too_long = |_| EncodeError::too_long(STRUCTURE, "data", MAX_OCTETS, data.len());
    let block = |(index, data): (usize, _)| {
        let number = u8::try_from(index).map_err(too_long)?;
        Ok(StoreData { last: index.saturating_add(1) == count, number, data })
    };
    data.chunks(BLOCK).enumerate().map(block).collect()
}

impl<'a> StoreData<'a> {
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        if self.data.len() > BLOCK {
            return Err(EncodeError::too_long(STRUCTURE, "block", BLOCK, self.data.len()));
        }
        apdu([0x80, 0xE2, if self.last { 0x80 } else { 0x00 }, self.number], self.data, false)
    }

    pub fn decode(bytes: &'a [u8]) -> Read<Self> {
        let mut reader = Reader::new(STRUCTURE, bytes);
        let block = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(block)
    }

    pub fn read(reader: &mut Reader<'a>) -> Read<Self> {
        let start = reader.offset();
        let [cla, ins, p1, number] = reader.array("CLA INS P1 P2")?;
        if (cla, ins) != (0x80, 0xE2) || p1 & 0x7F != 0 {
            let found = format_args!("{cla:02X}{ins:02X}{p1:02X}");
            return Err(reader.value_error(start, "CLA INS P1", "80E200 or 80E280", found));
        }
        let last = p1 == 0x80;
        reader.note("GlobalPlatform 11.11", || format!("block {number}{}", if last { ", the last" } else { "" }));
        let length = usize::from(reader.u8("Lc")?);
        if length > BLOCK {
            return Err(reader.error("Lc", Fault::Limit { limit: BLOCK, found: length }));
        }
        Ok(Self { last, number, data: reader.take(length, "profile data")? })
    }
}

/// The 10 octets of the ICCID (swapped BCD) at the beginning of profile data.
pub fn iccid_octets(data: &[u8]) -> Read<[u8; 10]> {
    let mut reader = Reader::new(STRUCTURE, data);
    let mut object = reader.ber_tlv()?;
    if object.tag != 0x5A {
        return Err(reader.error_at(object.offset, "ICCID (tag 5A)", Fault::Missing));
    }
    let octets = object.value.array("ICCID")?;
    object.value.finish()?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_join_to_the_data_again_and_only_the_last_says_so() {
        for length in [1, 239, 240, 241, 480, 481, MAX_OCTETS] {
            let data: Vec<u8> = (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect();
            let commands: Vec<_> = blocks(&data).unwrap().iter().map(|block| block.encode().unwrap()).collect();
            let read: Vec<_> = commands.iter().map(|command| StoreData::decode(command).unwrap()).collect();
            assert_eq!(read.iter().flat_map(|block| block.data.iter().copied()).collect::<Vec<_>>(), data);
            assert!(read.iter().enumerate().all(|(index, block)| usize::from(block.number) == index));
            assert_eq!(read.iter().position(|block| block.last), Some(read.len() - 1));
        }
    }

    #[test]
    fn refuses_more_blocks_than_there_are_numbers() {
        assert!(blocks(&vec![0; MAX_OCTETS + 1]).is_err());
        assert!(blocks(&[]).is_err());
    }

    #[test]
    fn finds_the_iccid_in_front() {
        let data = [&[0x5A, 10][..], &[0x98; 10], &[1, 2, 3]].concat();
        assert_eq!(iccid_octets(&data), Ok([0x98; 10]));
        assert!(iccid_octets(&data[2..]).is_err());
        assert!(iccid_octets(&[0x5A, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }
}
