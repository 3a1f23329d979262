//! The keys given on the command line, for what only they can open.

use crate::codec::ota::{CcLength, KeyFamily, KeySet, Kic, Kid, Spi};
use crate::types::{Invalid, Secret, hex};

/// Keys of the card or the agent. Without them secured parts are shown as they are.
#[derive(Debug, Default, clap::Args)]
pub struct Keys {
    /// Ciphering key of secured packets, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = secret)]
    kic: Option<Secret>,
    /// Key of the cryptographic checksum, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = secret)]
    kid: Option<Secret>,
    /// Octets of an AES checksum
    #[arg(long, value_name = "4|8", default_value = "8", value_parser = cc_length)]
    cc_length: Option<CcLength>,
    /// SPI of the command that a response packet answers (the packet itself does not repeat it)
    #[arg(long, value_name = "HEX", default_value = "1639", value_parser = spi)]
    spi: Option<Spi>,
    /// Algorithm of the keys of a response packet
    #[arg(long, value_name = "aes|3des", default_value = "aes", value_parser = family)]
    algorithm: Option<KeyFamily>,
}

impl Keys {
    /// A key set for a command packet, whose header names the algorithms. `None` when no key was given.
    pub fn for_command(&self, kic: Kic, kid: Kid) -> Option<Result<KeySet, Invalid>> {
        self.any().then(|| {
            let mut keys = KeySet::without_keys(kic, kid).permit_legacy();
            if let Some(key) = &self.kic {
                keys = keys.with_kic_key(key)?;
            }
            if let Some(key) = &self.kid {
                keys = keys.with_kid_key(key, self.cc_length())?;
            }
            Ok(keys)
        })
    }

    /// SPI of the command and a key set for its response packet. `None` unless both keys were given.
    pub fn for_response(&self) -> Option<Result<(Spi, KeySet), Invalid>> {
        let (kic, kid) = (self.kic.as_ref()?, self.kid.as_ref()?);
        let family = self.algorithm.unwrap_or(KeyFamily::Aes);
        let keys = KeySet::of_family(family, 1, kic, kid, self.cc_length());
        Some(keys.map(|keys| (self.spi.unwrap_or(Spi::new(0x16, 0x39)), keys.permit_legacy())))
    }

    fn any(&self) -> bool {
        self.kic.is_some() || self.kid.is_some()
    }

    fn cc_length(&self) -> CcLength {
        self.cc_length.unwrap_or_default()
    }
}

fn secret(text: &str) -> Result<Secret, Invalid> {
    hex::decode(text).map(Secret::new)
}

fn cc_length(text: &str) -> Result<CcLength, &'static str> {
    match text {
        "4" => Ok(CcLength::Four),
        "8" => Ok(CcLength::Eight),
        _ => Err("expected 4 or 8"),
    }
}

fn spi(text: &str) -> Result<Spi, String> {
    let octets = hex::decode(text).map_err(|error| error.to_string())?;
    <[u8; 2]>::try_from(octets.as_slice()).map(Spi::from_octets).map_err(|_| "expected two octets, like 1639".into())
}

fn family(text: &str) -> Result<KeyFamily, &'static str> {
    match text {
        "aes" => Ok(KeyFamily::Aes),
        "3des" => Ok(KeyFamily::TripleDes),
        _ => Err("expected aes or 3des"),
    }
}
