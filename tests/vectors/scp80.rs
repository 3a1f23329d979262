//! `scp80_cmd.json`: command packets, counters and redundancy checks.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use euicc_push::codec::ota::command::packet_length;
use euicc_push::codec::ota::{
    Algorithm, CcLength, CommandPacket, Counter, CounterDecision, CounterMode, Integrity, KeySet, Kic, Kid,
    MinimumSecurity, Rejection, Spi, UnverifiedCommand, crc,
};
use euicc_push::codec::{Reader, Trace};
use euicc_push::types::{Secret, Tar};

pub const OPS: &[Op] =
    &[("scp80_cmd", command), ("scp80_cmd_reject", reject), ("counter_check", counter_check), ("crc", checksums)];

pub fn octet(fields: &Fields, key: &str) -> Result<u8, String> {
    match fields.hex(key)?.as_slice() {
        [octet] => Ok(*octet),
        other => Err(format!("`{key}` has {} octets", other.len())),
    }
}

/// Both octets of an SPI in one text.
pub fn spi(fields: &Fields, key: &str) -> Result<Spi, String> {
    let octets = fields.hex(key)?;
    <[u8; 2]>::try_from(octets.as_slice()).map(Spi::from_octets).map_err(|_| format!("`{key}` is not an SPI"))
}

pub fn tar(fields: &Fields, key: &str) -> Result<Tar, String> {
    fields.str(key)?.parse().map_err(text)
}

pub fn counter(fields: &Fields, key: &str) -> Result<Counter, String> {
    let octets = fields.hex(key)?;
    <[u8; 5]>::try_from(octets.as_slice()).map(Counter::from_octets).map_err(|_| format!("`{key}` is not a CNTR"))
}

/// The keys of a row. Which of them the packet uses follows from the protection asked for: an unused key may be
/// one that its octet does not even name.
pub struct RowKeys {
    kic: Kic,
    kid: Kid,
    kic_key: Secret,
    kid_key: Secret,
    cc_length: CcLength,
}

impl RowKeys {
    pub fn of(inputs: &Fields) -> Result<Self, String> {
        Ok(Self {
            kic: Kic(octet(inputs, "kic")?),
            kid: Kid(octet(inputs, "kid")?),
            kic_key: Secret::new(inputs.hex("kic_key")?),
            kid_key: Secret::new(inputs.hex("kid_key")?),
            // 0 and 2 stand in rows without CC, as does the 4 of a CRC-32.
            cc_length: match if inputs.has("cc_len") { inputs.int::<u8>("cc_len")? } else { 8 } {
                4 => CcLength::Four,
                0 | 2 | 8 => CcLength::Eight,
                other => return Err(format!("cc_len {other}")),
            },
        })
    }

    pub fn prepare(&self, ciphered: bool, integrity: Integrity, legacy: bool) -> Result<KeySet, String> {
        let mut keys = KeySet::without_keys(self.kic, self.kid);
        if legacy {
            keys = keys.permit_legacy();
        }
        if ciphered {
            keys = keys.with_kic_key(&self.kic_key).map_err(text)?;
        }
        if integrity == Integrity::CryptographicChecksum {
            keys = keys.with_kid_key(&self.kid_key, self.cc_length).map_err(text)?;
        }
        Ok(keys)
    }

    /// Single DES, or AES with a counter that is not checked: only with the legacy permission.
    pub fn need_permission(&self, ciphered: bool, integrity: Integrity, mode: CounterMode) -> bool {
        let keyed = integrity == Integrity::CryptographicChecksum;
        let uses =
            |algorithm| (ciphered && self.kic.algorithm() == algorithm) || (keyed && self.kid.algorithm() == algorithm);
        uses(Algorithm::Des) || (uses(Algorithm::Aes) && mode < CounterMode::Higher)
    }
}

/// The command of a row, its keys, and the packet expected.
pub fn command_of(inputs: &Fields) -> Result<(CommandPacket, RowKeys), String> {
    let packet = CommandPacket {
        spi: Spi::new(octet(inputs, "spi1")?, octet(inputs, "spi2")?),
        tar: tar(inputs, "tar")?,
        counter: counter(inputs, "cntr")?,
        data: inputs.hex("data")?,
    };
    Ok((packet, RowKeys::of(inputs)?))
}

/// Both directions with the keys as needed; and refused both ways without the legacy permission where that is needed.
pub fn secure_and_verify(command: &CommandPacket, row_keys: &RowKeys, octets: &[u8]) -> Outcome {
    let spi = command.spi;
    let legacy = row_keys.need_permission(spi.ciphered(), spi.integrity(), spi.counter_mode());
    let keys = row_keys.prepare(spi.ciphered(), spi.integrity(), legacy)?;
    same_hex("secured", &command.secure(&keys).map_err(text)?, octets)?;
    let unverified = UnverifiedCommand::decode(octets).map_err(text)?;
    same("header", (unverified.header.spi, unverified.header.tar), (spi, command.tar))?;
    same("verified", &unverified.verify(&keys).map_err(text)?, command)?;
    if legacy && let Ok(strict) = row_keys.prepare(spi.ciphered(), spi.integrity(), false) {
        same("secured without permission", command.secure(&strict).is_err(), true)?;
        same("verified without permission", unverified.verify(&strict), Err(Rejection::SecurityLevel))?;
    }
    Ok(())
}

fn command(row: &Row) -> Outcome {
    let (command, row_keys) = command_of(&row.inputs)?;
    let octets = row.expected.hex("packet")?;
    secure_and_verify(&command, &row_keys, &octets)?;

    // The trace must show the same figures, also inside the ciphered part.
    let spi = command.spi;
    let keys = row_keys.prepare(spi.ciphered(), spi.integrity(), true)?;
    let trace = Trace::new();
    let mut reader = Reader::traced("command packet", &octets, &trace);
    let unverified = UnverifiedCommand::read(&mut reader).map_err(text)?;
    unverified.verify_traced(&keys, &reader).map_err(text)?;
    let integrity = unverified.integrity_length();
    let spans = trace.into_spans();
    let number = |name: &str| -> Option<u64> {
        let raw = &spans.iter().find(|span| span.name == name)?.raw;
        Some(raw.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
    };
    for (key, name) in [("cpl", "CPL"), ("chl", "CHL"), ("pcntr", "PCNTR")] {
        if row.expected.has(key) {
            same(key, number(name), Some(row.expected.int::<u64>(key)?))?;
        }
    }
    same("CNTR", number("CNTR"), Some(command.counter.value()))?;
    let block = spi.ciphered().then(|| if row_keys.kic.algorithm() == Algorithm::Aes { 16 } else { 8 });
    same("computed length", packet_length(block, integrity, command.data.len()), octets.len())
}

fn rejection_word(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::Length(_) => "length",
        Rejection::SecurityLevel => "insufficient_security_level",
        Rejection::Ciphering => "ciphering_error",
        Rejection::Integrity => "rc_cc_ds_failed",
        Rejection::KeyUnknown => "key_unknown",
        Rejection::TarUnknown => "tar_unknown",
        Rejection::CounterUnknown => "counter_unknown",
    }
}

fn known_word(word: &str) -> Outcome {
    let known = ["rc_cc_ds_failed", "ciphering_error", "length", "insufficient_security_level"];
    if known.contains(&word) { Ok(()) } else { Err(format!("unknown error `{word}`")) }
}

fn reject(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let spi = Spi::new(octet(inputs, "spi1")?, octet(inputs, "spi2")?);
    tar(inputs, "tar")?;
    let minimum = if inputs.has("min_spi1") { octet(inputs, "min_spi1")? } else { 0 };
    let row_keys = RowKeys::of(inputs)?;
    let octets = inputs.hex("packet")?;
    let attempt = |legacy: bool| -> Result<Rejection, String> {
        let keys = row_keys.prepare(spi.ciphered(), spi.integrity(), legacy)?;
        let verified = UnverifiedCommand::decode(&octets).map_err(Rejection::from).and_then(|unverified| {
            let met = MinimumSecurity(minimum).is_met_by(unverified.header.spi);
            if met { unverified.verify(&keys) } else { Err(Rejection::SecurityLevel) }
        });
        verified.err().ok_or_else(|| "accepted".into())
    };
    let expected = row.expected.str("error")?;
    known_word(expected)?;
    let mut acceptable = vec![expected];
    if row.expected.has("also_acceptable") {
        for word in row.expected.array("also_acceptable")? {
            let word = word.as_str().ok_or("also_acceptable: not a text")?;
            known_word(word)?;
            acceptable.push(word);
        }
    }
    let legacy = row_keys.need_permission(spi.ciphered(), spi.integrity(), spi.counter_mode());
    let word = rejection_word(&attempt(legacy)?);
    same(&format!("{word} is one of {acceptable:?}"), acceptable.contains(&word), true)?;
    if legacy {
        // Refused as well, by whichever rule comes first: when preparing the keys or when verifying.
        if let Err(problem) = attempt(false)
            && problem == "accepted"
        {
            return Err(problem);
        }
    }
    Ok(())
}

fn counter_check(row: &Row) -> Outcome {
    let mode: u8 = row.inputs.int("spi_counter_mode")?;
    if mode > 3 {
        return Err(format!("counter mode {mode}"));
    }
    let (stored, received) = (counter(&row.inputs, "stored")?, counter(&row.inputs, "received")?);
    let (word, after) = match stored.judge(Spi::new(mode << 3, 0).counter_mode(), received) {
        CounterDecision::Store(new) => ("accept", new),
        CounterDecision::Unchecked => ("accept", stored),
        CounterDecision::Low => ("cntr_low", stored),
        CounterDecision::High => ("cntr_high", stored),
        CounterDecision::Blocked => ("cntr_blocked", stored),
    };
    same("result", word, row.expected.str("result")?)?;
    same("stored_after", after, counter(&row.expected, "stored_after")?)
}

fn checksums(row: &Row) -> Outcome {
    let data = row.inputs.hex("data")?;
    let (start, end) = data.split_at(data.len() / 2);
    if row.expected.has("crc32") {
        same_hex("crc32", &crc::crc_32(&[start, end]).to_be_bytes(), &row.expected.hex("crc32")?)?;
    }
    if row.expected.has("crc16") {
        same_hex("crc16", &crc::crc_16(&[start, end]).to_be_bytes(), &row.expected.hex("crc16")?)?;
    }
    Ok(())
}
