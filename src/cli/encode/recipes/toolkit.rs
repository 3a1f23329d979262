//! Recipes of the card application toolkit. Objects beyond the common ones are given as tag and value.

use crate::cli::encode::fields::{Hex, HexArray, Number};
use crate::codec::cat::{CommandType, Envelope, ProactiveCommand, TerminalResponse};
use crate::codec::sms::{Address, Npi, Ton};
use crate::codec::{EncodeError, tlv};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectFields {
    tag: HexArray<1>,
    value: Hex,
}

fn put_objects(out: &mut Vec<u8>, objects: &[ObjectFields]) -> Result<(), String> {
    objects.iter().try_for_each(|object| put(out, object.tag.0[0], &object.value.0))
}

fn put(out: &mut Vec<u8>, tag: u8, value: &[u8]) -> Result<(), String> {
    tlv::put(out, u32::from(tag), value).map_err(|error| error.to_string())
}

/// The names of TS 102 223 in snake_case, or the octet in hexadecimal.
fn command_type(word: &str) -> Result<u8, String> {
    let spelled = word.replace('_', " ").to_uppercase();
    let known = (0..=u8::MAX).find(|kind| CommandType(*kind).meaning() == spelled);
    let octet = || u8::from_str_radix(word, 16).ok();
    known.or_else(octet).ok_or_else(|| format!("command: `{word}` is neither a command's name nor an octet"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProactiveFields {
    command: String,
    #[serde(default = "one")]
    number: Number<u8>,
    #[serde(default)]
    qualifier: Number<u8>,
    #[serde(default = "terminal")]
    dest: HexArray<1>,
    #[serde(default)]
    objects: Vec<ObjectFields>,
}

const fn one() -> Number<u8> {
    Number(1)
}

const fn terminal() -> HexArray<1> {
    HexArray([0x82])
}

impl ProactiveFields {
    /// Checked by decoding what was put together: an object that the command does not allow is refused.
    pub fn encode(self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        put(&mut body, 0x81, &[self.number.0, command_type(&self.command)?, self.qualifier.0])?;
        put(&mut body, 0x82, &[0x81, self.dest.0[0]])?;
        put_objects(&mut body, &self.objects)?;
        let mut out = Vec::new();
        put(&mut out, 0xD0, &body)?;
        ProactiveCommand::decode(&out).map_err(|error| error.to_string())?;
        Ok(out)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TerminalResponseFields {
    command: String,
    #[serde(default = "one")]
    number: Number<u8>,
    #[serde(default)]
    qualifier: Number<u8>,
    /// General result, and additional information where there is some.
    result: Hex,
    #[serde(default)]
    objects: Vec<ObjectFields>,
}

impl TerminalResponseFields {
    pub fn encode(self) -> Result<Vec<u8>, String> {
        let mut body = Vec::new();
        put(&mut body, 0x81, &[self.number.0, command_type(&self.command)?, self.qualifier.0])?;
        put(&mut body, 0x82, &[0x82, 0x81])?;
        put(&mut body, 0x83, &self.result.0)?;
        put_objects(&mut body, &self.objects)?;
        let lc = u8::try_from(body.len()).map_err(|_| "objects: at most 255 octets fit".to_string())?;
        let out = [&[0x80, 0x14, 0x00, 0x00, lc][..], &body].concat();
        TerminalResponse::decode(&out).map_err(|error| error.to_string())?;
        Ok(out)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeFields {
    /// SMS-DELIVER, without service centre address.
    tpdu: Hex,
    /// Service centre, as an international number.
    smsc: Option<String>,
}

impl EnvelopeFields {
    pub fn encode(self) -> Result<Vec<u8>, EncodeError> {
        let international =
            |digits: String| Address::digits(Ton::INTERNATIONAL, Npi::ISDN, digits.trim_start_matches('+'));
        let smsc = self.smsc.map(international).transpose()?;
        Envelope::SmsPpDownload { smsc, tpdu: self.tpdu.0 }.encode()
    }
}
