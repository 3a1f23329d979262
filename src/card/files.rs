//! The few files a terminal reads at start: MF and ADF USIM of the active subscription (TS 102 221 13, TS 31.102 4.2).

use super::state::Subscription;
use crate::codec::sms::{Address, Npi, Ton};
use crate::codec::tlv;

/// USIM application of TS 31.102: RID of 3GPP, application code 1002.
pub(super) const USIM_AID: [u8; 7] = [0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02];

pub(super) const MF: u16 = 0x3F00;
/// The current ADF, and the DF that 2G terminals know.
pub(super) const ADF_USIM: u16 = 0x7FFF;
pub(super) const DF_GSM: u16 = 0x7F20;
const EF_DIR: u16 = 0x2F00;
const EF_ICCID: u16 = 0x2FE2;
const EF_IMSI: u16 = 0x6F07;
const EF_UST: u16 = 0x6F38;
const EF_MSISDN: u16 = 0x6F40;
const EF_SMSP: u16 = 0x6F42;
const EF_AD: u16 = 0x6FAD;

/// Content of an elementary file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum File {
    Transparent(Vec<u8>),
    /// Linear fixed: all records have the same length.
    Records(Vec<Vec<u8>>),
}

/// Whether a directory may be selected by this identifier.
pub(super) const fn is_directory(id: u16) -> bool {
    matches!(id, MF | ADF_USIM | DF_GSM)
}

/// Whether reading takes PIN1. EF_ICCID and EF_DIR are free (TS 102 221 13.1, 13.2).
pub(super) const fn needs_pin(id: u16) -> bool {
    !matches!(id, EF_ICCID | EF_DIR)
}

/// The file with this identifier. EFs are found wherever they are asked for: identifiers do not overlap here.
pub(super) fn read(subscription: Option<&Subscription>, id: u16) -> Option<File> {
    if id == EF_DIR {
        return Some(File::Records(vec![directory_entry()]));
    }
    let subscription = subscription?;
    Some(match id {
        EF_ICCID => File::Transparent(subscription.iccid.octets().to_vec()),
        EF_IMSI => File::Transparent(imsi(subscription.imsi.clear())),
        // Administrative data: normal operation, MNC of two digits (TS 31.102 4.2.18).
        EF_AD => File::Transparent(vec![0x00, 0x00, 0x00, 0x02]),
        EF_UST => File::Transparent(service_table()),
        EF_MSISDN => File::Records(vec![msisdn(subscription)]),
        EF_SMSP => File::Records(vec![vec![0xFF; 28]]),
        _ => return None,
    })
}

/// Length, then the parity nibble and the digits in swapped BCD (TS 31.102 4.2.2).
fn imsi(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().map(|byte| byte & 0x0F).collect();
    let parity = if digits.len() % 2 == 1 { 0x09 } else { 0x01 };
    let nibbles: Vec<u8> = std::iter::once(parity).chain(digits).collect();
    let mut octets: Vec<u8> = nibbles
        .chunks(2)
        .map(|pair| match pair {
            [low, high] => high << 4 | low,
            [low] => 0xF0 | low,
            _ => 0xFF,
        })
        .collect();
    octets.insert(0, u8::try_from(octets.len()).unwrap_or(0));
    octets.resize(9, 0xFF);
    octets
}

/// Services 10 (SMS), 12 (SMS parameters), 21 (MSISDN) and 28 (data download via SMS-PP), TS 31.102 4.2.8.
fn service_table() -> Vec<u8> {
    let mut octets = vec![0_u8; 12];
    for service in [10_usize, 12, 21, 28] {
        if let Some(octet) = octets.get_mut((service - 1) / 8) {
            *octet |= 1 << ((service - 1) % 8);
        }
    }
    octets
}

/// Dialling number record: 14 octets after an empty alpha identifier (TS 31.102 4.2.26).
fn msisdn(subscription: &Subscription) -> Vec<u8> {
    let mut record = vec![0xFF; 14];
    let number = subscription.msisdn.as_ref();
    let address = number.and_then(|number| Address::digits(Ton::INTERNATIONAL, Npi::ISDN, number.clear()).ok());
    if let Some(octets) = address.map(|address| address.encode_to_end()).filter(|octets| octets.len() <= 11) {
        let length = u8::try_from(octets.len()).unwrap_or(0);
        for (place, octet) in record.iter_mut().zip(std::iter::once(length).chain(octets)) {
            *place = octet;
        }
    }
    record
}

/// Application template of EF_DIR (TS 102 221 13.1).
fn directory_entry() -> Vec<u8> {
    let mut template = Vec::new();
    let mut record = Vec::new();
    // Short constants: their lengths fit.
    let _ = tlv::put(&mut template, 0x4F, &USIM_AID);
    let _ = tlv::put(&mut template, 0x50, b"USIM");
    let _ = tlv::put(&mut record, 0x61, &template);
    record
}

/// File control parameters, the answer to SELECT (TS 102 221 11.1.1.3): file descriptor, identifier, size.
pub(super) fn control_parameters(id: u16, file: Option<&File>) -> Vec<u8> {
    let mut parameters = Vec::new();
    let (descriptor, size): (Vec<u8>, usize) = match file {
        None => (vec![0x78, 0x21], 0),
        Some(File::Transparent(octets)) => (vec![0x41, 0x21], octets.len()),
        Some(File::Records(records)) => {
            let length = records.first().map_or(0, Vec::len);
            let octet = |number: usize| u8::try_from(number).unwrap_or(0);
            (vec![0x42, 0x21, 0x00, octet(length), octet(records.len())], length.saturating_mul(records.len()))
        }
    };
    let _ = tlv::put(&mut parameters, 0x82, &descriptor);
    let _ = tlv::put(&mut parameters, 0x83, &id.to_be_bytes());
    if file.is_some() {
        let _ = tlv::put(&mut parameters, 0x80, &u16::try_from(size).unwrap_or(u16::MAX).to_be_bytes());
    }
    let mut out = Vec::new();
    let _ = tlv::put(&mut out, 0x62, &parameters);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_imsi_of_15_and_of_14_digits_is_coded_with_its_parity() {
        assert_eq!(imsi("262011234567890"), [0x08, 0x29, 0x26, 0x10, 0x21, 0x43, 0x65, 0x87, 0x09]);
        assert_eq!(imsi("26201123456789"), [0x08, 0x21, 0x26, 0x10, 0x21, 0x43, 0x65, 0x87, 0xF9]);
    }

    #[test]
    fn data_download_by_sms_pp_is_switched_on_in_the_service_table() {
        assert_eq!(service_table().get(3).map(|octet| octet & 0x08), Some(0x08));
    }
}
