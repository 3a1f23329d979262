//! Loading a profile into its ISD-P: STORE DATA in numbered blocks (our stand-in for ES8), then its confirmation; reached
//! under SCP80 only.
//!
//! The first object of the data is the ICCID (`5A`). Objects that follow it at once may say who the terminal is with
//! this profile: `C1` IMSI and `C2` MSISDN, as digits. Both tags are a convention of this simulator, for a real profile
//! hides its identity in its file system; without `C1` the profile gets a test IMSI (MCC 001, MNC 01) made from the
//! ICCID. Everything else is counted, not looked into.

use super::device::Card;
use super::state::{Loading, PROFILE_OVERHEAD, Subscription};
use crate::codec::apdu::{CommandApdu, ResponseApdu, StatusWord};
use crate::codec::gp::isd_r::ProfileState;
use crate::codec::gp::profile_data::{StoreData, iccid_octets};
use crate::codec::gp::{Aid, Es5Command};
use crate::codec::{EncodeError, Reader, tlv};
use crate::types::{Iccid, Imsi, Msisdn};

const TAG_IMSI: u32 = 0xC1;
const TAG_MSISDN: u32 = 0xC2;

impl Subscription {
    /// Profile data for this subscription, `size` octets of them in all, or as many as the identity takes.
    pub fn profile_data(&self, size: usize) -> Result<Vec<u8>, EncodeError> {
        let mut data = Vec::with_capacity(size);
        tlv::put(&mut data, 0x5A, &self.iccid.octets())?;
        tlv::put(&mut data, TAG_IMSI, self.imsi.clear().as_bytes())?;
        if let Some(msisdn) = &self.msisdn {
            tlv::put(&mut data, TAG_MSISDN, msisdn.clear().as_bytes())?;
        }
        data.resize(data.len().max(size), 0x00);
        Ok(data)
    }

    /// From the first block.
    fn read(data: &[u8]) -> Option<Self> {
        let iccid = Iccid::from_octets(iccid_octets(data).ok()?).ok()?;
        let (mut imsi, mut msisdn) = (None::<Imsi>, None::<Msisdn>);
        let mut reader = Reader::new("profile data", data);
        while let Ok(object) = reader.ber_tlv() {
            let digits = std::str::from_utf8(object.octets()).ok();
            match object.tag {
                0x5A => {}
                TAG_IMSI => imsi = digits.and_then(|digits| digits.parse().ok()),
                TAG_MSISDN => msisdn = digits.and_then(|digits| digits.parse().ok()),
                _ => break,
            }
        }
        let imsi = match imsi {
            Some(imsi) => imsi,
            None => test_imsi(&iccid)?,
        };
        Some(Self { iccid, imsi, msisdn })
    }
}

/// MCC 001, MNC 01, and the ten digits before the ICCID's check digit.
fn test_imsi(iccid: &Iccid) -> Option<Imsi> {
    let digits = iccid.clear();
    let end = digits.len().checked_sub(1)?;
    format!("00101{}", digits.get(end.checked_sub(10)?..end)?).parse().ok()
}

impl Card {
    pub(super) fn execute_isd_p(&mut self, isd_p: Aid, apdu: &[u8]) -> ResponseApdu {
        if let Ok(Es5Command::ConfirmProfile { isd_p: named }) = Es5Command::decode(apdu) {
            let confirmed = if named == isd_p { self.confirm_profile(isd_p) } else { Err(StatusWord::WRONG_DATA) };
            return confirmed.err().unwrap_or(StatusWord::OK).into();
        }
        let sw = match StoreData::decode(apdu) {
            Ok(block) => self.store(isd_p, &block).err().unwrap_or(StatusWord::OK),
            Err(_) => match CommandApdu::decode(apdu) {
                Err(_) => StatusWord::WRONG_LENGTH,
                Ok(CommandApdu { cla: 0x80..=0x83, ins: 0xE2, .. }) => StatusWord::WRONG_P1_P2,
                Ok(_) => StatusWord::UNKNOWN_INSTRUCTION,
            },
        };
        sw.into()
    }

    /// Blocks come in order; block 0 begins anew.
    fn store(&mut self, isd_p: Aid, block: &StoreData<'_>) -> Result<(), StatusWord> {
        let free = self.state.free_memory();
        let taken = |iccid: &Iccid| {
            let others = self.state.profiles.iter().filter(|profile| profile.isd_p != isd_p);
            let subscriptions = others.filter_map(|other| other.subscription.as_ref());
            subscriptions.into_iter().any(|subscription| subscription.iccid == *iccid)
        };
        let begun = match block.number {
            0 => {
                let subscription = Subscription::read(block.data).ok_or(StatusWord::WRONG_DATA)?;
                // An ICCID names one profile.
                if taken(&subscription.iccid) {
                    return Err(StatusWord::WRONG_DATA);
                }
                Some(Loading { next_block: 0, subscription })
            }
            _ => None,
        };
        let profile = self.state.profile_mut(isd_p).ok_or(StatusWord::REFERENCE_NOT_FOUND)?;
        if profile.state != ProfileState::CREATED.0 {
            return Err(StatusWord::CONDITIONS_NOT_SATISFIED);
        }
        let held = profile.memory();
        let size = if begun.is_some() { 0 } else { profile.size };
        let mut loading = begun.or_else(|| profile.loading.clone()).ok_or(StatusWord::WRONG_P1_P2)?;
        if loading.next_block != block.number {
            return Err(StatusWord::WRONG_P1_P2);
        }
        let size = size.saturating_add(u32::try_from(block.data.len()).unwrap_or(u32::MAX));
        let needed = size.max(profile.reserved).saturating_add(PROFILE_OVERHEAD);
        if needed.saturating_sub(held) > free {
            return Err(StatusWord::NO_MEMORY);
        }
        profile.size = size;
        if block.last {
            profile.state = ProfileState::SELECTABLE.0;
            profile.subscription = Some(loading.subscription);
            profile.loading = None;
            return Ok(());
        }
        loading.next_block = block.number.checked_add(1).ok_or(StatusWord::WRONG_P1_P2)?;
        profile.loading = Some(loading);
        Ok(())
    }
}
