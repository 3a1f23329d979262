//! The numbered values of SMPP: each keeps what came over the wire and can name what it knows (SMPP 3.4 5.1, 5.2).

use std::fmt;

/// A wire number as a newtype with its named values; unknown values survive untouched.
macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident($repr:ty), $width:literal { $($constant:ident = $value:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub $repr);

        impl $name {
            $(pub const $constant: Self = Self($value);)*

            /// The standard's word for this value, when it has one.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!("unknown (0x{:0", $width, "X})"), self.0),
                }
            }
        }
    };
}

numbers! {
    /// What a PDU is (SMPP 3.4 5.1.2.1). A response is its request with the top bit set.
    CommandId(u32), 8 {
        BIND_RECEIVER = 0x0000_0001 "bind_receiver",
        BIND_TRANSMITTER = 0x0000_0002 "bind_transmitter",
        QUERY_SM = 0x0000_0003 "query_sm",
        SUBMIT_SM = 0x0000_0004 "submit_sm",
        DELIVER_SM = 0x0000_0005 "deliver_sm",
        UNBIND = 0x0000_0006 "unbind",
        REPLACE_SM = 0x0000_0007 "replace_sm",
        CANCEL_SM = 0x0000_0008 "cancel_sm",
        BIND_TRANSCEIVER = 0x0000_0009 "bind_transceiver",
        OUTBIND = 0x0000_000B "outbind",
        ENQUIRE_LINK = 0x0000_0015 "enquire_link",
        SUBMIT_MULTI = 0x0000_0021 "submit_multi",
        ALERT_NOTIFICATION = 0x0000_0102 "alert_notification",
        DATA_SM = 0x0000_0103 "data_sm",
        GENERIC_NACK = 0x8000_0000 "generic_nack",
        BIND_RECEIVER_RESP = 0x8000_0001 "bind_receiver_resp",
        BIND_TRANSMITTER_RESP = 0x8000_0002 "bind_transmitter_resp",
        QUERY_SM_RESP = 0x8000_0003 "query_sm_resp",
        SUBMIT_SM_RESP = 0x8000_0004 "submit_sm_resp",
        DELIVER_SM_RESP = 0x8000_0005 "deliver_sm_resp",
        UNBIND_RESP = 0x8000_0006 "unbind_resp",
        REPLACE_SM_RESP = 0x8000_0007 "replace_sm_resp",
        CANCEL_SM_RESP = 0x8000_0008 "cancel_sm_resp",
        BIND_TRANSCEIVER_RESP = 0x8000_0009 "bind_transceiver_resp",
        ENQUIRE_LINK_RESP = 0x8000_0015 "enquire_link_resp",
        SUBMIT_MULTI_RESP = 0x8000_0021 "submit_multi_resp",
        DATA_SM_RESP = 0x8000_0103 "data_sm_resp",
    }
}

impl CommandId {
    const RESPONSE: u32 = 0x8000_0000;

    pub const fn is_response(self) -> bool {
        self.0 & Self::RESPONSE != 0
    }

    /// The command that answers this one.
    pub const fn response(self) -> Self {
        Self(self.0 | Self::RESPONSE)
    }
}

numbers! {
    /// Type of number (SMPP 3.4 5.2.5).
    Ton(u8), 2 {
        UNKNOWN = 0 "unknown",
        INTERNATIONAL = 1 "international",
        NATIONAL = 2 "national",
        NETWORK_SPECIFIC = 3 "network_specific",
        SUBSCRIBER = 4 "subscriber",
        ALPHANUMERIC = 5 "alphanumeric",
        ABBREVIATED = 6 "abbreviated",
    }
}

numbers! {
    /// Numbering plan indicator (SMPP 3.4 5.2.6). `LAND_MOBILE` (E.212) carries an IMSI.
    Npi(u8), 2 {
        UNKNOWN = 0 "unknown",
        ISDN = 1 "isdn",
        DATA = 3 "data",
        TELEX = 4 "telex",
        LAND_MOBILE = 6 "land_mobile",
        NATIONAL = 8 "national",
        PRIVATE = 9 "private",
        ERMES = 10 "ermes",
        INTERNET = 14 "internet",
        WAP_CLIENT_ID = 18 "wap_client_id",
    }
}

numbers! {
    /// interface_version (SMPP 3.4 5.2.4). Values up to 0x33 are SMPP 3.3 or earlier, which knows no TLVs.
    InterfaceVersion(u8), 2 {
        V3_3 = 0x33 "3.3",
        V3_4 = 0x34 "3.4",
        V5_0 = 0x50 "5.0",
    }
}

impl InterfaceVersion {
    /// TLVs came with 3.4.
    pub const fn allows_tlvs(self) -> bool {
        self.0 >= Self::V3_4.0
    }
}

numbers! {
    /// message_state (SMPP 3.4 5.2.28; 0 and 9 are of SMPP 5.0).
    MessageState(u8), 2 {
        SCHEDULED = 0 "SCHEDULED",
        ENROUTE = 1 "ENROUTE",
        DELIVERED = 2 "DELIVERED",
        EXPIRED = 3 "EXPIRED",
        DELETED = 4 "DELETED",
        UNDELIVERABLE = 5 "UNDELIVERABLE",
        ACCEPTED = 6 "ACCEPTED",
        UNKNOWN = 7 "UNKNOWN",
        REJECTED = 8 "REJECTED",
        SKIPPED = 9 "SKIPPED",
    }
}

impl MessageState {
    /// `stat:` words of receipt texts (SMPP 3.4 appendix B).
    const STAT: [(Self, &'static str); 10] = [
        (Self::ENROUTE, "ENROUTE"),
        // SMPP 5.0 knows the state but no word of its own for it.
        (Self::SCHEDULED, "ENROUTE"),
        (Self::DELIVERED, "DELIVRD"),
        (Self::EXPIRED, "EXPIRED"),
        (Self::DELETED, "DELETED"),
        (Self::UNDELIVERABLE, "UNDELIV"),
        (Self::ACCEPTED, "ACCEPTD"),
        (Self::UNKNOWN, "UNKNOWN"),
        (Self::REJECTED, "REJECTD"),
        (Self::SKIPPED, "SKIPPED"),
    ];

    /// The seven-letter word of a receipt text.
    pub fn stat(self) -> Option<&'static str> {
        Self::STAT.iter().find(|(state, _)| *state == self).map(|(_, word)| *word)
    }

    /// The state that a `stat:` word means, in any letter case. Five letters decide: some SMSCs write the full name.
    pub fn from_stat(word: &str) -> Option<Self> {
        let start = word.get(..5)?;
        let matches = |known: &str| known.get(..5).is_some_and(|known| known.eq_ignore_ascii_case(start));
        Self::STAT.iter().find(|(_, known)| matches(known)).map(|(state, _)| *state)
    }

    /// Whether no further report follows. Some SMSCs stop at ACCEPTED, which still is no outcome.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::DELIVERED | Self::EXPIRED | Self::DELETED | Self::UNDELIVERABLE | Self::REJECTED | Self::SKIPPED
        )
    }
}

/// esm_class: message mode (bits 1-0), message type (bits 5-2), UDHI and reply path (SMPP 3.4 5.2.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EsmClass(pub u8);

impl EsmClass {
    /// The SMSC's default mode, no header.
    pub const DEFAULT: Self = Self(0x00);
    /// User data begins with a user data header. The way every trigger is submitted.
    pub const UDHI: Self = Self(0x40);
    pub const DELIVERY_RECEIPT: Self = Self(0x04);
    pub const INTERMEDIATE_NOTIFICATION: Self = Self(0x20);

    pub const fn has_udhi(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// Bits 5-2 in their place: 0 is an ordinary message.
    pub const fn message_type(self) -> u8 {
        self.0 & 0x3C
    }

    /// A final receipt or an intermediate notification.
    pub const fn is_receipt(self) -> bool {
        matches!(self.message_type(), 0x04 | 0x20)
    }

    pub fn meaning(self) -> String {
        let mode = ["default mode", "datagram mode", "forward mode", "store-and-forward mode"];
        let mode = mode.get(usize::from(self.0 & 0x03)).copied().unwrap_or_default();
        let kind = match self.message_type() {
            0x00 => "",
            0x04 => ", delivery receipt",
            0x08 => ", delivery acknowledgement",
            0x10 => ", user acknowledgement",
            0x18 => ", conversation abort",
            0x20 => ", intermediate notification",
            _ => ", reserved type",
        };
        let udhi = if self.has_udhi() { ", UDHI" } else { "" };
        let reply = if self.0 & 0x80 != 0 { ", reply path" } else { "" };
        format!("{mode}{kind}{udhi}{reply}")
    }
}

/// registered_delivery: receipt (bits 1-0), SME acknowledgements (3-2), intermediate notification (4)
/// (SMPP 3.4 5.2.17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RegisteredDelivery(pub u8);

impl RegisteredDelivery {
    pub const NONE: Self = Self(0x00);
    pub const FINAL: Self = Self(0x01);
    pub const ON_FAILURE: Self = Self(0x02);
    /// SMPP 5.0.
    pub const ON_SUCCESS: Self = Self(0x03);

    pub const fn with_intermediate(self) -> Self {
        Self(self.0 | 0x10)
    }

    pub const fn wants_intermediate(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// Whether a message that ended in `state` is to be reported.
    pub fn wants_final(self, state: MessageState) -> bool {
        match self.0 & 0x03 {
            0 => false,
            1 => true,
            2 => state != MessageState::DELIVERED,
            _ => state == MessageState::DELIVERED,
        }
    }

    pub fn meaning(self) -> String {
        let receipt = ["no receipt", "final receipt", "receipt on failure", "receipt on success"];
        let receipt = receipt.get(usize::from(self.0 & 0x03)).copied().unwrap_or_default();
        let acknowledgements = match self.0 & 0x0C {
            0x00 => "",
            0x04 => ", delivery acknowledgement",
            0x08 => ", user acknowledgement",
            _ => ", delivery and user acknowledgement",
        };
        let intermediate = if self.wants_intermediate() { ", intermediate notification" } else { "" };
        format!("{receipt}{acknowledgements}{intermediate}")
    }
}

/// What a data_coding octet says (SMPP 3.4 5.2.19; the class bits are of TS 23.038 4).
pub fn data_coding_meaning(data_coding: u8) -> String {
    let named = match data_coding {
        0x00 => "SMSC default alphabet",
        0x01 => "IA5",
        0x02 | 0x04 => "8-bit data",
        0x03 => "Latin-1",
        0x05 => "JIS",
        0x06 => "Cyrillic",
        0x07 => "Hebrew",
        0x08 => "UCS-2",
        0x0E => "KS C 5601",
        _ => "",
    };
    match data_coding {
        _ if !named.is_empty() => named.to_string(),
        0x10..=0x1F | 0xF0..=0xFF => {
            let bits = if data_coding & 0x04 != 0 { "8-bit data" } else { "default alphabet" };
            format!("{bits}, message class {}", data_coding & 0x03)
        }
        0xC0..=0xEF => "message waiting indication".into(),
        _ => format!("unknown (0x{data_coding:02X})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_values_print_their_number_and_survive() {
        assert_eq!(CommandId(0x0001_0200).to_string(), "unknown (0x00010200)");
        assert_eq!(Npi::LAND_MOBILE.to_string(), "land_mobile");
        assert_eq!(CommandId::SUBMIT_SM.response(), CommandId::SUBMIT_SM_RESP);
    }

    #[test]
    fn stat_words_are_read_in_any_case_and_full_length() {
        for (word, state) in [
            ("DELIVRD", Some(MessageState::DELIVERED)),
            ("delivered", Some(MessageState::DELIVERED)),
            ("Undeliv", Some(MessageState::UNDELIVERABLE)),
            ("REJECTD", Some(MessageState::REJECTED)),
            ("FOOBAR", None),
            ("DE", None),
            ("éééé", None),
        ] {
            assert_eq!(MessageState::from_stat(word), state, "{word}");
        }
        assert!(MessageState::EXPIRED.is_final() && !MessageState::ACCEPTED.is_final());
    }

    #[test]
    fn octets_explain_themselves() {
        assert_eq!(EsmClass(0x43).meaning(), "store-and-forward mode, UDHI");
        assert_eq!(EsmClass(0x04).meaning(), "default mode, delivery receipt");
        assert_eq!(RegisteredDelivery(0x11).meaning(), "final receipt, intermediate notification");
        assert_eq!(data_coding_meaning(0xF6), "8-bit data, message class 2");
        assert!(RegisteredDelivery::ON_FAILURE.wants_final(MessageState::EXPIRED));
    }
}
