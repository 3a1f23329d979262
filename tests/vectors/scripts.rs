//! `scripts.json`: compact and expanded remote APDU formats.

use crate::Op;
use crate::row::{Outcome, Row, same, same_hex, text};
use euicc_push::codec::apdu::{
    CommandApdu, CommandObject, CompactCommand, CompactResponse, ExpandedCommand, ExpandedResponse, ResponseApdu,
    ResponseObject, ScriptChaining, ScriptForm,
};
use euicc_push::types::hex;

pub const OPS: &[Op] = &[
    ("expanded_command", expanded_command),
    ("expanded_response", expanded_response),
    ("compact_command", compact_command),
    ("compact_response", compact_response),
];

fn form(word: &str) -> Result<ScriptForm, String> {
    match word {
        "definite" => Ok(ScriptForm::Definite),
        "indefinite" => Ok(ScriptForm::Indefinite),
        _ => Err(format!("unknown form `{word}`")),
    }
}

fn chaining(word: &str) -> Result<ScriptChaining, String> {
    match word {
        "first-delete-on-reset" => Ok(ScriptChaining::FirstDeleteOnReset),
        "first-keep-on-reset" => Ok(ScriptChaining::FirstKeepOnReset),
        "subsequent" => Ok(ScriptChaining::Subsequent),
        "last" => Ok(ScriptChaining::Last),
        _ => Err(format!("unknown chaining `{word}`")),
    }
}

fn expanded_command(row: &Row) -> Outcome {
    let mut script = ExpandedCommand::of_apdus(form(row.inputs.str("form")?)?, row.inputs.hex_list("apdus")?);
    if row.inputs.has("chaining") {
        script.objects.insert(0, CommandObject::Chaining(chaining(row.inputs.str("chaining")?)?));
    }
    let octets = row.expected.hex("hex")?;
    same_hex("encoded", &script.encode().map_err(text)?, &octets)?;
    let decoded = ExpandedCommand::decode(&octets).map_err(text)?;
    same("decoded", &decoded, &script)?;
    same("chaining", decoded.chaining(), script.chaining())?;
    let as_card = ExpandedCommand::decode_for_execution(&octets).map_err(text)?;
    same("as the card reads it", as_card, (script, None))
}

fn expanded_response(row: &Row) -> Outcome {
    let octets = row.inputs.hex("hex")?;
    let decoded = ExpandedResponse::decode(&octets);
    if row.expected.has("error") {
        row.expected.bool("error")?;
        return decoded.map_or(Ok(()), |value| Err(format!("expected an error, got {value:?}")));
    }
    let response = decoded.map_err(text)?;
    same_hex("encoded again", &response.encode().map_err(text)?, &octets)?;
    if row.expected.has("executed") {
        same("executed", response.executed, Some(row.expected.int::<u16>("executed")?))?;
    }
    let rapdus: Vec<_> = response.responses().map(ResponseApdu::encode).collect();
    same("rapdus", rapdus, row.expected.hex_list("rapdus")?)?;
    if row.expected.has("bad_format") {
        let code = response.bad_format().map(|fault| fault.code());
        same("bad_format", code, Some(row.expected.int::<u8>("bad_format")?))?;
    }
    if row.expected.has("immediate_action_response") {
        let expected = row.expected.hex("immediate_action_response")?;
        let found = response.objects.contains(&ResponseObject::ImmediateAction(expected));
        same("immediate_action_response", found, true)?;
    }
    if row.expected.has("script_chaining_response") {
        let expected = row.expected.hex("script_chaining_response")?;
        same("script_chaining_response", response.objects.contains(&ResponseObject::Chaining(expected)), true)?;
    }
    if row.expected.has("other") {
        let others: Vec<_> = response.objects.iter().filter_map(other).collect();
        let expected: Vec<Vec<&str>> = row.expected.array("other")?.iter().map(pair).collect::<Result<_, _>>()?;
        same("other", others, expected)?;
    }
    Ok(())
}

fn other(object: &ResponseObject) -> Option<Vec<String>> {
    match object {
        ResponseObject::Other { tag, value } => Some(vec![format!("{tag:02x}"), hex::encode(value)]),
        _ => None,
    }
}

fn pair(value: &serde_json::Value) -> Result<Vec<&str>, String> {
    let words = value.as_array().and_then(|pair| pair.iter().map(|word| word.as_str()).collect::<Option<Vec<_>>>());
    words.ok_or_else(|| format!("not a pair of texts: {value}"))
}

fn compact_command(row: &Row) -> Outcome {
    let apdus = row.inputs.hex_list("apdus")?;
    let commands = apdus.iter().map(|apdu| CommandApdu::decode(apdu).map_err(text)).collect::<Result<_, _>>()?;
    let script = CompactCommand { commands };
    let octets = row.expected.hex("hex")?;
    same_hex("encoded", &script.encode().map_err(text)?, &octets)?;
    same("decoded", CompactCommand::decode(&octets).map_err(text)?, script)
}

fn compact_response(row: &Row) -> Outcome {
    let octets = row.inputs.hex("hex")?;
    let decoded = CompactResponse::decode(&octets);
    if row.expected.has("error") {
        row.expected.bool("error")?;
        return decoded.map_or(Ok(()), |value| Err(format!("expected an error, got {value:?}")));
    }
    let response = decoded.map_err(text)?;
    same_hex("encoded again", &response.encode(), &octets)?;
    same("number_of_commands", response.executed, row.expected.int::<u8>("number_of_commands")?)?;
    same_hex("last_sw", &response.sw.octets(), &row.expected.hex("last_sw")?)?;
    same_hex("last_data", &response.data, &row.expected.hex("last_data")?)
}
