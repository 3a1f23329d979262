//! `scp80_multi.json`: packets over several messages, secured whole and then cut; and the secured triggers of
//! `amdb.json`.

use crate::Op;
use crate::concat;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use crate::scp80::{RowKeys, command_of, counter, secure_and_verify, spi, tar};
use crate::scp80_por::{compare, spi_and_keys, verify};
use crate::sms::{address_of, scts_of};
use euicc_push::codec::ota::CommandPacket;
use euicc_push::codec::ota::command::packet_length;
use euicc_push::codec::sms::{Dcs, Deliver, Ie, Pid, Reference, Segmentation, UserData};

pub const OPS: &[Op] =
    &[("scp80_multi_cmd", command), ("scp80_multi_por", response), ("amdb_secured_trigger", secured_trigger)];

/// How the commands of these rows reach a SIM: SIM data download, class 2 (TS 31.115).
const PID: Pid = Pid(0x7F);
const DCS: Dcs = Dcs(0xF6);

fn sim_segmentation(reference: Reference) -> Segmentation {
    Segmentation::new(Vec::new(), vec![Ie::command_packet()], reference)
}

fn reference(inputs: &Fields) -> Result<Reference, String> {
    match if inputs.has("ref_bits") { inputs.int("ref_bits")? } else { 8 } {
        8 => Ok(Reference::Short(inputs.int("concat_ref")?)),
        16 => Ok(Reference::Long(inputs.int("concat_ref")?)),
        other => Err(format!("ref_bits {other}")),
    }
}

/// The packet of user data in any number of parts, which must be marked as the given element says.
fn reassembled(parts: &[Vec<u8>], marker: u8) -> Result<Option<Vec<u8>>, String> {
    let (mut complete, rejected, pending) = concat::run(parts, "sender");
    same("rejected", rejected, Vec::<usize>::new())?;
    let Some(message) = complete.pop() else { return Ok(None) };
    same("others", (complete.len(), pending), (0, 0))?;
    same("marked", message.ies.iter().any(|ie| ie.iei == marker), true)?;
    Ok(Some(message.payload))
}

fn command(row: &Row) -> Outcome {
    let (inputs, expected) = (&row.inputs, &row.expected);
    inputs.has("note");
    let (command, row_keys) = command_of(inputs)?;
    let packet = expected.hex("packet")?;
    secure_and_verify(&command, &row_keys, &packet)?;
    if expected.has("cpl") {
        same("cpl", packet.len() - 2, expected.int::<usize>("cpl")?)?;
    }
    if expected.has("pcntr") {
        let unpadded = packet_length(None, inputs.int("cc_len")?, command.data.len());
        same("pcntr", packet.len() - unpadded, expected.int::<usize>("pcntr")?)?;
    }
    let concatenation_first = !inputs.has("concat_ie_first") || inputs.bool("concat_ie_first")?;
    let segmentation = Segmentation { concatenation_first, ..sim_segmentation(reference(inputs)?) };
    let parts = segmentation.segments(&packet).map_err(text)?;
    if expected.has("ud") {
        same("ud", &parts, &expected.hex_list("ud")?)?;
    }
    if expected.has("parts") {
        same("parts", parts.len(), expected.int::<usize>("parts")?)?;
    }
    same("reassembled", reassembled(&parts, Ie::COMMAND_PACKET)?, Some(packet.clone()))?;
    let backwards: Vec<_> = parts.iter().rev().cloned().collect();
    same("reassembled backwards", reassembled(&backwards, Ie::COMMAND_PACKET)?, Some(packet))?;
    let _ = (inputs.has("oa"), inputs.has("scts"));
    if expected.has("deliver") {
        same("deliver", delivers(inputs, &parts)?, expected.hex_list("deliver")?)?;
    }
    Ok(())
}

/// Each part as SMS-DELIVER; only behind the last one nothing more waits.
fn delivers(inputs: &Fields, parts: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, String> {
    let (oa, scts) = (address_of(&inputs.object("oa")?)?, scts_of(inputs, "scts")?);
    let last = parts.len() - 1;
    let deliver = |(index, part): (usize, &Vec<u8>)| {
        let ud = UserData::with_header(part.clone());
        let deliver = Deliver { mms: index == last, ..Deliver::new(oa.clone(), PID, DCS, scts, ud) };
        let octets = deliver.encode().map_err(text)?;
        same("decoded", Deliver::decode(&octets).map_err(text)?, deliver)?;
        Ok(octets)
    };
    parts.iter().enumerate().map(deliver).collect()
}

fn response(row: &Row) -> Outcome {
    let (spi, keys) = spi_and_keys(&row.inputs)?;
    let packet = reassembled(&row.inputs.hex_list("ud_parts")?, Ie::RESPONSE_PACKET)?;
    let incomplete = row.expected.has("incomplete") && row.expected.bool("incomplete")?;
    same("incomplete", packet.is_none(), incomplete)?;
    let Some(packet) = packet else { return Ok(()) };
    let (received, pcntr) = verify(&packet, spi, &keys)?;
    compare(&received, pcntr, &row.expected)?;
    same_hex("secured again", &received.packet.secure(spi, &keys).map_err(text)?, &packet)
}

fn secured_trigger(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let command = CommandPacket {
        spi: spi(inputs, "spi")?,
        tar: tar(inputs, "tar")?,
        counter: counter(inputs, "cntr")?,
        data: inputs.hex("data")?,
    };
    let parts = row.expected.hex_list("ud")?;
    let packet = reassembled(&parts, Ie::COMMAND_PACKET)?.ok_or("parts are missing")?;
    secure_and_verify(&command, &RowKeys::of(inputs)?, &packet)?;
    same("ud", sim_segmentation(reference(inputs)?).segments(&packet).map_err(text)?, parts)
}
