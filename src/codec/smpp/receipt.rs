//! Delivery receipts: optional parameters first, then the text (SMPP 3.4 appendix B and 2.11).
//!
//! The text is read as SMSCs write it: keys in any letter case and order, `submitdate:` without its blank, dates with
//! and without seconds, ids with hyphens, UCS-2, behind a user data header.

use super::tlv::find;
use super::{Carried, MessageState, TlvTag};
use nom::bytes::complete::{tag_no_case, take_till};
use nom::character::complete::{char, space0};
use nom::combinator::value;
use nom::{IResult, Parser, branch::alt};

/// network_error_code (SMPP 3.4 5.3.2.31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkError {
    /// 1 ANSI-136, 2 IS-95, 3 GSM, others reserved.
    pub network_type: u8,
    pub code: u16,
}

/// What became of a message. Everything is optional: SMSCs leave out any of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryReceipt {
    /// receipted_message_id, else `id:`, as written.
    pub message_id: Option<String>,
    /// message_state, else `stat:`.
    pub state: Option<MessageState>,
    /// The word behind `stat:`, also when it is none of the standard's.
    pub stat: Option<String>,
    /// `err:`, often but not always a number.
    pub err: Option<String>,
    pub network_error: Option<NetworkError>,
    pub sub: Option<u32>,
    pub dlvrd: Option<u32>,
    /// `YYMMDDhhmm` or `YYMMDDhhmmss`, in the SMSC's local time.
    pub submit_date: Option<String>,
    pub done_date: Option<String>,
    /// The beginning of the message's text.
    pub text: Option<String>,
    /// esm_class said that this is an intermediate notification.
    pub intermediate: bool,
}

impl DeliveryReceipt {
    /// The receipt that a deliver_sm or data_sm carries, if it is one: by esm_class, by receipted_message_id, or by a
    /// text with both `id:` and `stat:`.
    pub fn find(carried: Carried<'_>) -> Option<Self> {
        let text = receipt_text(carried);
        let mut receipt = Self::from_text(&text);
        let by_text = receipt.message_id.is_some() && receipt.stat.is_some();
        let by_tlv = find(carried.tlvs, TlvTag::RECEIPTED_MESSAGE_ID);
        let ordinary = carried.esm_class.message_type() == 0;
        if !(carried.esm_class.is_receipt() || ordinary && (by_text || by_tlv.is_some())) {
            return None;
        }
        receipt.intermediate = carried.esm_class.message_type() == 0x20;
        if let Some(id) = by_tlv.map(super::Tlv::to_text).filter(|id| !id.is_empty()) {
            receipt.message_id = Some(id);
        }
        let state = find(carried.tlvs, TlvTag::MESSAGE_STATE).and_then(super::Tlv::number);
        if let Some(state) = state.and_then(|state| u8::try_from(state).ok()) {
            receipt.state = Some(MessageState(state));
        }
        let error = find(carried.tlvs, TlvTag::NETWORK_ERROR_CODE).map(|tlv| tlv.value.as_slice());
        if let Some([network_type, high, low]) = error {
            receipt.network_error =
                Some(NetworkError { network_type: *network_type, code: u16::from_be_bytes([*high, *low]) });
        }
        Some(receipt)
    }

    /// Reads a receipt text. What is not there stays `None`; no text is refused.
    pub fn from_text(text: &str) -> Self {
        let mut receipt = Self::default();
        let mut rest = text;
        while let Some((key, behind)) = next_key(rest) {
            if key == Key::Text {
                receipt.text = Some(behind.trim_start().into());
                break;
            }
            let (after, word) = word(behind);
            receipt.set(key, word);
            rest = after;
        }
        receipt
    }

    /// The text as most SMSCs write it (SMPP 3.4 appendix B), for a server's own receipts. Missing parts get the
    /// standard's fillers.
    pub fn to_text(&self) -> String {
        let word = |word: &Option<String>, filler: &str| word.clone().unwrap_or_else(|| filler.into());
        format!(
            "id:{} sub:{:03} dlvrd:{:03} submit date:{} done date:{} stat:{} err:{} text:{}",
            word(&self.message_id, ""),
            self.sub.unwrap_or(1),
            self.dlvrd.unwrap_or_else(|| u32::from(self.state == Some(MessageState::DELIVERED))),
            word(&self.submit_date, "0000000000"),
            word(&self.done_date, "0000000000"),
            self.state.and_then(MessageState::stat).unwrap_or("UNKNOWN"),
            word(&self.err, "000"),
            word(&self.text, ""),
        )
    }

    fn set(&mut self, key: Key, word: &str) {
        if word.is_empty() {
            return;
        }
        let number = || word.parse().ok();
        match key {
            Key::Id => self.message_id = self.message_id.take().or_else(|| Some(word.into())),
            Key::Sub => self.sub = number(),
            Key::Dlvrd => self.dlvrd = number(),
            Key::SubmitDate => self.submit_date = Some(word.into()),
            Key::DoneDate => self.done_date = Some(word.into()),
            Key::Stat => {
                self.state = MessageState::from_stat(word);
                self.stat = Some(word.into());
            }
            Key::Err => self.err = Some(word.into()),
            Key::Text => {}
        }
    }

    /// Whether no further report about this message follows.
    pub fn is_final(&self) -> bool {
        !self.intermediate && self.state.is_some_and(MessageState::is_final)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Id,
    Sub,
    Dlvrd,
    SubmitDate,
    DoneDate,
    Stat,
    Err,
    Text,
}

/// A key with its colon.
fn key(input: &str) -> IResult<&str, Key> {
    let key = alt((
        value(Key::Id, tag_no_case("id")),
        value(Key::SubmitDate, (tag_no_case("submit"), space0, tag_no_case("date"))),
        value(Key::Sub, tag_no_case("sub")),
        value(Key::DoneDate, (tag_no_case("done"), space0, tag_no_case("date"))),
        value(Key::Dlvrd, tag_no_case("dlvrd")),
        value(Key::Stat, tag_no_case("stat")),
        value(Key::Err, tag_no_case("err")),
        value(Key::Text, tag_no_case("text")),
    ));
    (key, char(':')).map(|(key, _)| key).parse(input)
}

/// The next key that begins a word, and what follows it.
fn next_key(text: &str) -> Option<(Key, &str)> {
    let mut at_word = true;
    for (place, character) in text.char_indices() {
        if at_word && let Some(Ok((rest, key))) = text.get(place..).map(key) {
            return Some((key, rest));
        }
        at_word = character.is_whitespace() || matches!(character, ',' | ';');
    }
    None
}

/// The value behind a colon: up to white space, which some SMSCs also put in front of it.
fn word(input: &str) -> (&str, &str) {
    let trimmed = input.trim_start();
    if trimmed.len() < input.len() && key(trimmed).is_ok() {
        return (trimmed, "");
    }
    let parsed: IResult<&str, &str> = take_till(char::is_whitespace).parse(trimmed);
    parsed.map_or((trimmed, ""), |(rest, word)| (rest, word))
}

/// The text of a receipt, without its user data header and in whatever alphabet it came.
fn receipt_text(carried: Carried<'_>) -> String {
    let octets = match carried.octets {
        [header_length, rest @ ..] if carried.esm_class.has_udhi() => {
            rest.get(usize::from(*header_length)..).unwrap_or_default()
        }
        octets => octets,
    };
    // "id" in UCS-2, also where data_coding does not say so.
    let looks_wide = matches!(octets, [0, high, 0, ..] if high.is_ascii_alphabetic());
    if carried.data_coding == 0x08 && octets.first() == Some(&0) || looks_wide {
        let units = octets.chunks_exact(2).map(|pair| match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        });
        return char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    }
    octets.iter().map(|octet| char::from(*octet)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::smpp::{EsmClass, Tlv};

    const CANONICAL: &str = "id:0123456789 sub:001 dlvrd:001 submit date:2611230241 done date:2611230242 stat:DELIVRD err:000 text:Hello id:7";

    fn carried<'a>(esm_class: u8, data_coding: u8, octets: &'a [u8], tlvs: &'a [Tlv]) -> Carried<'a> {
        Carried { esm_class: EsmClass(esm_class), data_coding, octets, tlvs }
    }

    #[test]
    fn reads_the_canonical_text() {
        let receipt = DeliveryReceipt::from_text(CANONICAL);
        assert_eq!(receipt.message_id.as_deref(), Some("0123456789"));
        assert_eq!((receipt.sub, receipt.dlvrd), (Some(1), Some(1)));
        assert_eq!(receipt.submit_date.as_deref(), Some("2611230241"));
        assert_eq!(receipt.done_date.as_deref(), Some("2611230242"));
        assert_eq!((receipt.state, receipt.err.as_deref()), (Some(MessageState::DELIVERED), Some("000")));
        assert_eq!(receipt.text.as_deref(), Some("Hello id:7"));
        assert!(receipt.is_final());
    }

    #[test]
    fn writes_what_it_reads() {
        assert_eq!(DeliveryReceipt::from_text(CANONICAL).to_text(), CANONICAL);
        let receipt = DeliveryReceipt {
            message_id: Some("7".into()),
            state: Some(MessageState::EXPIRED),
            ..DeliveryReceipt::default()
        };
        let text = "id:7 sub:001 dlvrd:000 submit date:0000000000 done date:0000000000 stat:EXPIRED err:000 text:";
        assert_eq!(receipt.to_text(), text);
    }

    #[test]
    fn reads_the_variants_that_smscs_write() {
        type Case = (&'static str, Option<&'static str>, Option<MessageState>, Option<&'static str>);
        let cases: &[Case] = &[
            (
                "ID:5f-ab SUBMITDATE:261123024100 DONEDATE:000000000000 STAT:undeliv ERR:",
                Some("5f-ab"),
                Some(MessageState::UNDELIVERABLE),
                None,
            ),
            (
                "id:1f2e3d4c-0000-1000-8000-00805f9b34fb stat:EXPIRED err:0C2",
                Some("1f2e3d4c-0000-1000-8000-00805f9b34fb"),
                Some(MessageState::EXPIRED),
                Some("0C2"),
            ),
            ("id: 77 sub: 001 stat: REJECTD err: 5", Some("77"), Some(MessageState::REJECTED), Some("5")),
            ("id: sub:001 stat:ACCEPTD", None, Some(MessageState::ACCEPTED), None),
            ("stat:FOO id:9", Some("9"), None, None),
            ("Report: id:9\tstat:ENROUTE", Some("9"), Some(MessageState::ENROUTE), None),
            ("hello", None, None, None),
            ("", None, None, None),
            ("id:", None, None, None),
            ("idé:1 stat:é", None, None, None),
        ];
        for (text, id, state, err) in cases {
            let receipt = DeliveryReceipt::from_text(text);
            assert_eq!(
                (receipt.message_id.as_deref(), receipt.state, receipt.err.as_deref()),
                (*id, *state, *err),
                "{text}"
            );
        }
    }

    #[test]
    fn optional_parameters_win_over_the_text() {
        let tlvs = [
            Tlv::new(TlvTag::RECEIPTED_MESSAGE_ID, *b"tlv-id"),
            Tlv::new(TlvTag::MESSAGE_STATE, [0, 3]),
            Tlv::new(TlvTag::NETWORK_ERROR_CODE, [3, 0, 27]),
        ];
        let receipt = DeliveryReceipt::find(carried(0x04, 0, CANONICAL.as_bytes(), &tlvs)).unwrap();
        assert_eq!(receipt.message_id.as_deref(), Some("tlv-id"));
        assert_eq!(receipt.state, Some(MessageState::EXPIRED));
        assert_eq!(receipt.network_error, Some(NetworkError { network_type: 3, code: 27 }));
    }

    #[test]
    fn finds_receipts_without_esm_class_but_takes_no_text_for_one() {
        assert!(DeliveryReceipt::find(carried(0, 0, b"id:1 stat:DELIVRD", &[])).is_some());
        assert!(DeliveryReceipt::find(carried(0, 0, b"my id:1 is lost", &[])).is_none());
        assert!(DeliveryReceipt::find(carried(0, 0, b"", &[Tlv::text(TlvTag::RECEIPTED_MESSAGE_ID, "1")])).is_some());
        // A card's answer: user data header 02 71 00.
        assert!(DeliveryReceipt::find(carried(0x40, 0xF6, &[2, 0x71, 0, 1, 2, 3], &[])).is_none());
        let empty = DeliveryReceipt::find(carried(0x04, 0, b"", &[])).unwrap();
        assert_eq!(empty, DeliveryReceipt::default());
        let intermediate = DeliveryReceipt::find(carried(0x20, 0, CANONICAL.as_bytes(), &[])).unwrap();
        assert!(intermediate.intermediate && !intermediate.is_final());
    }

    #[test]
    fn reads_ucs2_and_text_behind_a_header() {
        let wide: Vec<u8> = CANONICAL.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for data_coding in [0x08, 0x00] {
            let receipt = DeliveryReceipt::find(carried(0x04, data_coding, &wide, &[])).unwrap();
            assert_eq!(receipt.message_id.as_deref(), Some("0123456789"), "{data_coding}");
        }
        let behind_header = [&[5, 0, 3, 9, 2, 1][..], CANONICAL.as_bytes()].concat();
        let receipt = DeliveryReceipt::find(carried(0x44, 0, &behind_header, &[])).unwrap();
        assert_eq!(receipt.state, Some(MessageState::DELIVERED));
        assert!(DeliveryReceipt::find(carried(0x44, 0, &[9, 1], &[])).is_some());
    }
}
