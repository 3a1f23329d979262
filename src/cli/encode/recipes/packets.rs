//! Recipes of secured packets and of what they carry.

use crate::cli::encode::fields::{Hex, HexArray, Number};
use crate::codec::ota::{
    CcLength, CommandPacket, Counter, Integrity, KeySet, Kic, Kid, ResponsePacket, ResponseStatus, Spi,
};
use crate::types::{Secret, Tar};
use serde::Deserialize;

/// A command packet, or with `status` the response packet to a command with this SPI and these keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketFields {
    spi: HexArray<2>,
    kic: HexArray<1>,
    kid: HexArray<1>,
    kic_key: Option<Hex>,
    kid_key: Option<Hex>,
    #[serde(default = "eight")]
    cc_len: Number<u8>,
    tar: Tar,
    cntr: Number<u64>,
    /// Permits single DES, and AES with a counter that is not checked.
    #[serde(default)]
    legacy: bool,
    #[serde(default)]
    data: Hex,
    status: Option<HexArray<1>>,
}

const fn eight() -> Number<u8> {
    Number(8)
}

impl PacketFields {
    fn spi(&self) -> Spi {
        Spi::from_octets(self.spi.0)
    }

    fn counter(&self) -> Result<Counter, String> {
        Counter::new(self.cntr.0).map_err(|error| error.to_string())
    }

    fn keys(&self) -> Result<KeySet, String> {
        let ([kic], [kid]) = (self.kic.0, self.kid.0);
        let mut keys = KeySet::without_keys(Kic(kic), Kid(kid));
        if self.legacy {
            keys = keys.permit_legacy();
        }
        let cc_length = match self.cc_len.0 {
            4 => CcLength::Four,
            8 => CcLength::Eight,
            other => return Err(format!("cc_len: expected 4 or 8, found {other}")),
        };
        if let Some(Hex(key)) = &self.kic_key {
            keys = keys.with_kic_key(&Secret::new(key.clone())).map_err(|error| error.to_string())?;
        }
        // The octet of a packet with RC names a CRC, which has no key.
        let keyed = [self.spi().integrity(), self.spi().por_integrity()].contains(&Integrity::CryptographicChecksum);
        if let (Some(Hex(key)), true) = (&self.kid_key, keyed) {
            keys = keys.with_kid_key(&Secret::new(key.clone()), cc_length).map_err(|error| error.to_string())?;
        }
        Ok(keys)
    }

    pub fn command(self) -> Result<Vec<u8>, String> {
        if self.status.is_some() {
            return Err("status: only response packets have one; use por".into());
        }
        let (spi, keys, counter) = (self.spi(), self.keys()?, self.counter()?);
        let packet = CommandPacket { spi, tar: self.tar, counter, data: self.data.0 };
        packet.secure(&keys).map_err(|error| error.to_string())
    }

    pub fn response(self) -> Result<Vec<u8>, String> {
        let HexArray([status]) = self.status.ok_or("status: is missing")?;
        let (spi, keys, counter) = (self.spi(), self.keys()?, self.counter()?);
        let packet = ResponsePacket { tar: self.tar, counter, status: ResponseStatus(status), data: self.data.0 };
        packet.secure(spi, &keys).map_err(|error| error.to_string())
    }
}
