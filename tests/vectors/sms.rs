//! `sms_tpdu.json`: TPDUs and their fields.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use euicc_push::codec::Reader;
use euicc_push::codec::sms::{
    Address, BasebandRoute, Dcs, Deliver, DeliverReport, LocalTime, Npi, Parameters, Pid, ReportKind, Scts, StClass,
    StatusReport, Submit, Ton, UserData, ValidityPeriod, baseband_route,
};

pub const OPS: &[Op] = &[
    ("address", address),
    ("scts", scts),
    ("deliver", deliver),
    ("submit", submit),
    ("status_report", status_report),
    ("deliver_report", deliver_report),
    ("reject_deliver", reject_deliver),
    ("baseband_route", route),
];

fn ton(word: &str) -> Result<Ton, String> {
    Ok(match word {
        "unknown" => Ton::UNKNOWN,
        "international" => Ton::INTERNATIONAL,
        "national" => Ton::NATIONAL,
        "network_specific" => Ton::NETWORK_SPECIFIC,
        "subscriber" => Ton::SUBSCRIBER,
        "alphanumeric" => Ton::ALPHANUMERIC,
        "abbreviated" => Ton::ABBREVIATED,
        _ => return Err(format!("unknown ton `{word}`")),
    })
}

fn npi(word: &str) -> Result<Npi, String> {
    Ok(match word {
        "unknown" => Npi::UNKNOWN,
        "isdn" => Npi::ISDN,
        "data" => Npi::DATA,
        "telex" => Npi::TELEX,
        "national" => Npi::NATIONAL,
        "private" => Npi::PRIVATE,
        _ => return Err(format!("unknown npi `{word}`")),
    })
}

/// `{digits|text, ton, npi}`.
pub fn address_of(fields: &Fields) -> Result<Address, String> {
    let (ton, npi) = (ton(fields.str("ton")?)?, npi(fields.str("npi")?)?);
    let address = match ton {
        Ton::ALPHANUMERIC => Address::text(fields.str("text")?).map_err(text)?.with_npi(npi),
        _ => Address::digits(ton, npi, fields.str("digits")?).map_err(text)?,
    };
    fields.all_used()?;
    Ok(address)
}

pub fn scts_of(fields: &Fields, key: &str) -> Result<Scts, String> {
    fields.hex(key)?.try_into().map(Scts).map_err(|_| format!("{key} is not 7 octets"))
}

fn optional<T>(
    fields: &Fields,
    key: &str,
    read: impl Fn(&Fields, &str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    fields.has(key).then(|| read(fields, key)).transpose()
}

fn address(row: &Row) -> Outcome {
    let value = address_of(&row.inputs)?;
    let wire = row.expected.hex("hex")?;
    same_hex("encoded", &value.encode(), &wire)?;
    let mut reader = Reader::new("address", &wire);
    let decoded = Address::read(&mut reader, "address").map_err(text)?;
    reader.finish().map_err(text)?;
    same("decoded", &decoded, &value)?;
    same("in clear", decoded.clear(), value.clear())
}

fn scts(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let time = LocalTime {
        year: inputs.int("year")?,
        month: inputs.int("month")?,
        day: inputs.int("day")?,
        hour: inputs.int("hour")?,
        minute: inputs.int("minute")?,
        second: inputs.int("second")?,
        quarter_hours: inputs.int("tz_quarter_hours")?,
    };
    let wire = scts_of(&row.expected, "hex")?;
    same("encoded", time.encode().map_err(text)?, wire)?;
    same("decoded", wire.local_time(), Some(time))?;
    let utc = wire.to_unix().ok_or("no UTC")?;
    same("from UTC", Scts::from_unix(utc, time.quarter_hours).map_err(text)?, wire)
}

/// User data of `ud`; where TP-UDL counts septets, their number is the expected `udl`, or all that fit.
fn user_data(row: &Row, dcs: Dcs, udhi: bool) -> Result<UserData, String> {
    let octets = row.inputs.hex("ud")?;
    let fitting = i64::try_from(octets.len() * 8 / 7).map_err(text)?;
    let udl: i64 = if row.expected.has("udl") { row.expected.int("udl")? } else { fitting };
    let septets = if dcs.counts_septets() { Some(u8::try_from(udl).map_err(text)?) } else { None };
    Ok(UserData { udhi, octets, septets })
}

fn check_udl(row: &Row, ud: &UserData) -> Outcome {
    let Some(expected) = optional(&row.expected, "udl", Fields::int::<usize>)? else { return Ok(()) };
    same("udl", ud.septets.map_or(ud.octets.len(), usize::from), expected)
}

fn deliver(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let dcs = Dcs(inputs.int("dcs")?);
    let value = Deliver {
        mms: inputs.bool("tp_mms")?,
        lp: inputs.bool("tp_lp")?,
        sri: inputs.bool("tp_sri")?,
        rp: inputs.bool("tp_rp")?,
        oa: address_of(&inputs.object("oa")?)?,
        pid: Pid(inputs.int("pid")?),
        dcs,
        scts: scts_of(inputs, "scts")?,
        ud: user_data(row, dcs, inputs.bool("tp_udhi")?)?,
    };
    let wire = row.expected.hex("hex")?;
    same_hex("encoded", &value.encode().map_err(text)?, &wire)?;
    let decoded = Deliver::decode(&wire).map_err(text)?;
    check_udl(row, &decoded.ud)?;
    same("decoded", decoded, value)
}

fn validity(inputs: &Fields) -> Result<ValidityPeriod, String> {
    let octets = inputs.hex("vp")?;
    match (inputs.str("vp_format")?, octets.as_slice()) {
        ("none", []) => Ok(ValidityPeriod::None),
        ("relative", &[value]) => Ok(ValidityPeriod::Relative(value)),
        ("enhanced", octets) => octets.try_into().map(ValidityPeriod::Enhanced).map_err(text),
        ("absolute", octets) => octets.try_into().map(|octets| ValidityPeriod::Absolute(Scts(octets))).map_err(text),
        (format, _) => Err(format!("unknown vp_format `{format}` or wrong length of vp")),
    }
}

fn submit(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let dcs = Dcs(inputs.int("dcs")?);
    let value = Submit {
        rd: inputs.bool("tp_rd")?,
        srr: inputs.bool("tp_srr")?,
        rp: inputs.bool("tp_rp")?,
        mr: inputs.int("mr")?,
        da: address_of(&inputs.object("da")?)?,
        pid: Pid(inputs.int("pid")?),
        dcs,
        vp: validity(inputs)?,
        ud: user_data(row, dcs, inputs.bool("tp_udhi")?)?,
    };
    let wire = row.expected.hex("hex")?;
    same_hex("encoded", &value.encode().map_err(text)?, &wire)?;
    let decoded = Submit::decode(&wire).map_err(text)?;
    check_udl(row, &decoded.ud)?;
    same("decoded", decoded, value)
}

fn class_word(class: StClass) -> &'static str {
    match class {
        StClass::Success => "success",
        StClass::TemporaryTrying => "temporary_trying",
        StClass::TemporaryStopped => "temporary_stopped",
        StClass::Permanent => "permanent",
        StClass::Reserved => "reserved",
    }
}

fn status_report(row: &Row) -> Outcome {
    let expected = &row.expected;
    let report = StatusReport::decode(&row.inputs.hex("hex")?).map_err(text)?;
    let byte = |key| optional(expected, key, Fields::int::<u8>);
    let check = |key, actual: Option<u8>| match byte(key)? {
        Some(wanted) => same(key, actual, Some(wanted)),
        None => Ok(()),
    };
    check("mr", Some(report.mr))?;
    check("st", Some(report.st.0))?;
    let parameters = report.parameters.as_ref();
    check("pi", parameters.map(Parameters::indicator))?;
    check("pid", parameters.and_then(|tail| tail.pid).map(|pid| pid.0))?;
    check("dcs", parameters.and_then(|tail| tail.dcs).map(|dcs| dcs.0))?;
    let ud = parameters.and_then(|tail| tail.ud.as_ref());
    check("udl", ud.map(|ud| ud.septets.unwrap_or(ud.octets.len() as u8)))?;
    if let Some(octets) = optional(expected, "ud", Fields::hex)? {
        same_hex("ud", ud.map_or(&[], |ud| &ud.octets), &octets)?;
    }
    if expected.has("ra") {
        same("ra", &report.ra, &address_of(&expected.object("ra")?)?)?;
    }
    for (key, actual) in [("scts", report.scts), ("dt", report.dt)] {
        if expected.has(key) {
            same(key, actual, scts_of(expected, key)?)?;
        }
    }
    let udhi = ud.is_some_and(|ud| ud.udhi);
    for (key, actual) in [("tp_mms", report.mms), ("tp_lp", report.lp), ("tp_srq", report.srq), ("tp_udhi", udhi)] {
        if expected.has(key) {
            same(key, actual, expected.bool(key)?)?;
        }
    }
    match expected.has("st_class") {
        true => same("st_class", class_word(report.st.class()), expected.str("st_class")?),
        false => Ok(()),
    }
}

fn deliver_report(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let (kind, failure) = match inputs.str("kind")? {
        "ack" => (ReportKind::Ack, None),
        "error" => (ReportKind::Error, Some(inputs.int("fcs")?)),
        other => return Err(format!("unknown kind `{other}`")),
    };
    let pid = optional(inputs, "pid", Fields::int)?.map(Pid);
    let dcs = optional(inputs, "dcs", Fields::int)?.map(Dcs);
    let udhi = inputs.bool("udhi")?;
    let ud = if inputs.has("ud") { Some(user_data(row, dcs.unwrap_or(Dcs::GSM7), udhi)?) } else { None };
    let value = DeliverReport { failure, parameters: Parameters { pid, dcs, ud } };
    let wire = row.expected.hex("hex")?;
    same_hex("encoded", &value.encode().map_err(text)?, &wire)?;
    same("decoded", DeliverReport::decode(&wire, kind).map_err(text)?, value)
}

fn reject_deliver(row: &Row) -> Outcome {
    same("error", Deliver::decode(&row.inputs.hex("hex")?).is_err(), row.expected.bool("error")?)
}

fn route(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let download = inputs.bool("sim_service_data_download")?;
    let word = match baseband_route(Pid(inputs.int("pid")?), Dcs(inputs.int("dcs")?), download) {
        BasebandRoute::Host => "host",
        BasebandRoute::SimEnvelope => "sim_envelope",
        BasebandRoute::SimStorage => "sim_storage",
        BasebandRoute::DiscardAck => "discard_ack",
    };
    same("target", word, row.expected.str("target")?)
}
