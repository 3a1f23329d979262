//! The card's toolkit through the modem (TS 27.007 12.2).

use super::Answer;
use crate::codec::DecodeError;
use crate::codec::at::fields::Fields;

/// +CUSATP: a proactive command, BER-TLV (TS 102 223 6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProactiveCommand(pub Vec<u8>);

impl Answer for ProactiveCommand {
    const PREFIX: &'static str = "+CUSATP";
    const CLAUSE: &'static str = "TS 27.007 12.2.3";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        fields.octets("proactive command").map(|octets| Self(octets.unwrap_or_default()))
    }
}

/// +CUSATE: the card's response to an ENVELOPE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeAnswer {
    pub response: Vec<u8>,
    /// 1 when the toolkit is busy.
    pub busy: Option<u8>,
}

impl Answer for EnvelopeAnswer {
    const PREFIX: &'static str = "+CUSATE";
    const CLAUSE: &'static str = "TS 27.007 12.2.5";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self { response: fields.octets("envelope response")?.unwrap_or_default(), busy: fields.number("busy")? })
    }
}

/// +CUSATS: the state of the card, after a REFRESH for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiccState(pub u8);

impl Answer for UiccState {
    const PREFIX: &'static str = "+CUSATS";
    const CLAUSE: &'static str = "TS 27.007 12.2.2";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        fields.required_number("state").map(Self)
    }
}
