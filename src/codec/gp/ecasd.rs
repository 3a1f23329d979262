//! Reading the EID from the ECASD (SGP.02): SELECT, then GET DATA `5A`.

use super::Aid;
use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Fault, Reader, tlv};
use crate::types::Eid;

const STRUCTURE: &str = "EID object";

/// GET DATA of the EID, `80 CA 00 5A 00`, to the selected ECASD.
pub const GET_EID: [u8; 5] = [0x80, 0xCA, 0x00, 0x5A, 0x00];

/// SELECT by AID on the basic channel; on a logical channel the CLA carries the channel number.
pub fn select() -> Vec<u8> {
    let aid = Aid::ECASD;
    let mut apdu = vec![0x00, 0xA4, 0x04, 0x00, 0x10];
    apdu.extend_from_slice(aid.octets());
    apdu
}

/// The answer to [`GET_EID`] without its status word: `5A 10 EID`.
pub fn decode_eid(bytes: &[u8]) -> Read<Eid> {
    let mut reader = Reader::new(STRUCTURE, bytes);
    let mut object = reader.ber_tlv()?;
    if object.tag != 0x5A {
        return Err(reader.error_at(object.offset, "EID", Fault::Missing));
    }
    let eid = read_eid(&mut object.value)?;
    reader.finish()?;
    Ok(eid)
}

/// The inverse of [`decode_eid`], for a card.
pub fn encode_eid(eid: &Eid) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    tlv::put(&mut out, 0x5A, eid.octets())?;
    Ok(out)
}

/// The whole of `reader` as 16 octets of plain BCD.
pub(super) fn read_eid(reader: &mut Reader<'_>) -> Read<Eid> {
    let start = reader.offset();
    let octets = reader.array::<16>("EID")?;
    let eid = Eid::from_octets(octets).map_err(|error| reader.value_error(start, "EID", "an EID", error.problem))?;
    reader.note("SGP.02", || eid.to_string());
    reader.finish()?;
    Ok(eid)
}
