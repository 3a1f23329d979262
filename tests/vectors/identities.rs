//! `identities.json`: what is an identity and what is not, and IMS identities from an IMSI.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use euicc_push::types::{Eid, Iccid, Imei, Impi, Impu, Imsi, Invalid, Msisdn, derive_ims_identities};

pub const OPS: &[Op] = &[
    ("validate_imsi", |row| validate::<Imsi>(row, |_, _| Ok(()))),
    ("validate_msisdn", |row| validate(row, msisdn)),
    ("validate_iccid", |row| validate(row, iccid)),
    ("validate_eid", |row| validate::<Eid>(row, |_, _| Ok(()))),
    ("validate_imei", |row| validate::<Imei>(row, |_, _| Ok(()))),
    ("validate_impi", |row| validate::<Impi>(row, |_, _| Ok(()))),
    ("validate_impu", |row| validate::<Impu>(row, |_, _| Ok(()))),
    ("derive_ims_identities", derive),
];

/// `valid`, and for an invalid value the `reason`, for a valid one what `check` looks at.
fn validate<T>(row: &Row, check: fn(&T, &Fields) -> Outcome) -> Outcome
where
    T: std::str::FromStr<Err = Invalid>,
{
    let parsed = row.inputs.str("value")?.parse::<T>();
    same("valid", parsed.is_ok(), row.expected.bool("valid")?)?;
    match parsed {
        Ok(value) => check(&value, &row.expected),
        Err(invalid) if row.expected.has("reason") => reason(&invalid, row.expected.str("reason")?),
        Err(_) => Ok(()),
    }
}

fn reason(invalid: &Invalid, word: &str) -> Outcome {
    let phrase = match word {
        "luhn" => "Luhn digit",
        "check_digits" => "check digits",
        "prefix" => "prefix",
        "length" => "digits, found",
        _ => return Err(format!("unknown reason `{word}`")),
    };
    same(&format!("{invalid} speaks of {word}"), invalid.problem.contains(phrase), true)
}

fn msisdn(msisdn: &Msisdn, expected: &Fields) -> Outcome {
    if !expected.has("normalised") {
        return Ok(());
    }
    same("normalised", msisdn.clear(), expected.str("normalised")?)
}

fn iccid(iccid: &Iccid, expected: &Fields) -> Outcome {
    if let Some(warning) = expected.get("warning") {
        same("warning", iccid.warning().is_some(), warning.as_bool().unwrap_or(true))?;
    }
    if !expected.has("ef_hex") {
        return Ok(());
    }
    let octets = expected.hex("ef_hex")?;
    same_hex("ef_hex", &iccid.octets(), &octets)?;
    let octets = octets.try_into().map_err(|_| "ef_hex is not 10 octets")?;
    same("from ef_hex", Iccid::from_octets(octets).map_err(text)?.clear(), iccid.clear())
}

fn derive(row: &Row) -> Outcome {
    let imsi: Imsi = row.inputs.str("imsi")?.parse().map_err(text)?;
    let identities = derive_ims_identities(&imsi, row.inputs.int("mnc_length")?).map_err(text)?;
    for (key, actual) in [
        ("impi", identities.impi.clear()),
        ("temporary_impu", identities.temporary_impu.clear()),
        ("home_domain", &identities.home_domain),
    ] {
        if row.expected.has(key) {
            same(key, actual, row.expected.str(key)?)?;
        }
    }
    Ok(())
}
