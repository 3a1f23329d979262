//! Expanded remote APDU format (TS 102 226 5.2): commands and responses as BER-TLV objects.
//!
//! The definite form (AA, AB) has lengths; the indefinite one (AE 80, AF 80) ends with 00 00, found by walking the
//! objects and never by searching, for data may contain 00 00 anywhere. Which of compact and expanded a TAR speaks is
//! a property of the TAR; SGP.02 speaks expanded.

mod command;
mod response;
#[cfg(test)]
mod tests;

pub use command::{CommandObject, ExpandedCommand, ScriptChaining};
pub use response::{BadFormat, ExpandedResponse, ResponseObject};

use crate::codec::cursor::Result;
use crate::codec::{EncodeError, Fault, Reader, tlv};

/// Constructed objects of indefinite length may be nested this deep inside a script.
const MAX_DEPTH: usize = 4;

/// How a script says where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptForm {
    Definite,
    Indefinite,
}

fn label_other(tag: u32, body: &Reader<'_>) {
    if (0x84..=0x88).contains(&tag) {
        body.label(format!("SCP03t object {tag:02X}"), "SGP.02 2.5", String::new);
    }
}

/// The outer tag, and which form it announces.
fn open(reader: &mut Reader<'_>, definite: u8, indefinite: u8) -> Result<ScriptForm> {
    let start = reader.offset();
    let tag = reader.u8("script tag")?;
    let form = match tag {
        tag if tag == definite => ScriptForm::Definite,
        tag if tag == indefinite => ScriptForm::Indefinite,
        found => {
            let expected = format!("{definite:02X} or {indefinite:02X}");
            return Err(reader.value_error(start, "script tag", expected, format_args!("{found:02X}")));
        }
    };
    reader.note("TS 102 226 5.2", || format!("expanded script, {form:?} length").to_ascii_lowercase());
    Ok(form)
}

fn close(form: ScriptForm, definite: u8, indefinite: u8, body: &[u8]) -> std::result::Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(body.len().saturating_add(5));
    match form {
        ScriptForm::Definite => tlv::put(&mut out, u32::from(definite), body)?,
        ScriptForm::Indefinite => {
            out.extend([indefinite, 0x80]);
            out.extend_from_slice(body);
            out.extend([0x00, 0x00]);
        }
    }
    Ok(out)
}

/// Reads length and objects; what was read before an error stays in `objects`.
fn read_body<T>(
    reader: &mut Reader<'_>,
    form: ScriptForm,
    objects: &mut Vec<T>,
    mut parse: impl FnMut(u32, &mut Reader<'_>, &Reader<'_>) -> Result<T>,
) -> Result<()> {
    if form == ScriptForm::Definite {
        let length = reader.ber_length()?;
        let mut body = reader.nested(length, "script")?;
        while !body.is_empty() {
            objects.push(read_object(&mut body, &mut parse)?);
        }
        return Ok(());
    }
    let start = reader.offset();
    let length = reader.u8("length")?;
    if length != 0x80 {
        return Err(reader.value_error(start, "length", "80 (indefinite)", format_args!("{length:02X}")));
    }
    while !reader.peek().starts_with(&[0x00, 0x00]) {
        if reader.is_empty() {
            return Err(reader.error("end of contents", Fault::Missing));
        }
        objects.push(read_object(reader, &mut parse)?);
    }
    reader.take(2, "end of contents").map(|_| ())
}

fn read_object<T>(
    body: &mut Reader<'_>,
    parse: &mut impl FnMut(u32, &mut Reader<'_>, &Reader<'_>) -> Result<T>,
) -> Result<T> {
    if let Some(length) = indefinite_length(body, MAX_DEPTH)? {
        let tag = u32::from(body.peek_u8().unwrap_or_default());
        let mut group = body.nested(length, tlv::tag_name(tag))?;
        group.skip(2);
        let contents = length.saturating_sub(4);
        let mut value = group.nested(contents, "contents")?;
        return parse(tag, &mut value, body);
    }
    let mut object = body.ber_tlv()?;
    parse(object.tag, &mut object.value, body)
}

/// Length, with header and end-of-contents, of a constructed object of indefinite length that begins here.
///
/// 22 and 23 have the constructed bit too but are plain containers of octets: an 80 after them is a wrong length.
fn indefinite_length(reader: &Reader<'_>, depth: usize) -> Result<Option<usize>> {
    let [tag @ (0xA0..=0xBE | 0xE0..=0xFE), 0x80, ..] = reader.peek() else { return Ok(None) };
    let Some(depth) = depth.checked_sub(1) else {
        return Err(
            reader.error(tlv::tag_name(u32::from(*tag)), Fault::Limit { limit: MAX_DEPTH, found: MAX_DEPTH + 1 })
        );
    };
    let mut inner = reader.untraced();
    inner.take(2, "header")?;
    while !inner.peek().starts_with(&[0x00, 0x00]) {
        if inner.is_empty() {
            return Err(inner.error("end of contents", Fault::Missing));
        }
        match indefinite_length(&inner, depth)? {
            Some(length) => inner.take(length, "object").map(|_| ())?,
            None => inner.ber_tlv().map(|_| ())?,
        }
    }
    inner.take(2, "end of contents")?;
    Ok(Some(inner.offset().saturating_sub(reader.offset())))
}
