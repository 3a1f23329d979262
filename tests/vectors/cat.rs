//! `cat.json`: proactive commands, TERMINAL RESPONSE, event envelopes.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use euicc_push::codec::cat::{Bearer, Duration};
use euicc_push::codec::cat::{
    ChannelStatus, Command, CommandDetails, CommandResult, CommandType, Device, Envelope, Event, LinkState, Location,
    MobileIdentity, Object, OpenChannel, OtherAddress, ProactiveCommand, TerminalResponse, TextString, TimerAction,
    TimerValue, TransportKind,
};
use euicc_push::codec::sms::{Address, LocalTime, Ton, gsm7};
use euicc_push::codec::{Reader, tlv};
use serde_json::Value;

pub const OPS: &[Op] = &[
    ("decode_proactive", decode_proactive),
    ("terminal_response", terminal_response),
    ("event_envelope", event_envelope),
];

const COMMANDS: &[(&str, CommandType)] = &[
    ("refresh", CommandType::REFRESH),
    ("more_time", CommandType::MORE_TIME),
    ("poll_interval", CommandType::POLL_INTERVAL),
    ("polling_off", CommandType::POLLING_OFF),
    ("set_up_event_list", CommandType::SET_UP_EVENT_LIST),
    ("send_short_message", CommandType::SEND_SHORT_MESSAGE),
    ("play_tone", CommandType::PLAY_TONE),
    ("tone", CommandType::PLAY_TONE),
    ("display_text", CommandType::DISPLAY_TEXT),
    ("set_up_menu", CommandType::SET_UP_MENU),
    ("provide_local_information", CommandType::PROVIDE_LOCAL_INFORMATION),
    ("timer_management", CommandType::TIMER_MANAGEMENT),
    ("idle_text", CommandType::IDLE_TEXT),
    ("set_up_idle_mode_text", CommandType::IDLE_TEXT),
    ("run_at_command", CommandType::RUN_AT_COMMAND),
    ("open_channel", CommandType::OPEN_CHANNEL),
    ("close_channel", CommandType::CLOSE_CHANNEL),
    ("receive_data", CommandType::RECEIVE_DATA),
    ("send_data", CommandType::SEND_DATA),
    ("get_channel_status", CommandType::GET_CHANNEL_STATUS),
];

const TRANSPORTS: &[(&str, TransportKind)] = &[
    ("udp_client_remote", TransportKind::UDP_CLIENT_REMOTE),
    ("tcp_client_remote", TransportKind::TCP_CLIENT_REMOTE),
    ("tcp_server", TransportKind::TCP_SERVER),
    ("udp_client_local", TransportKind::UDP_CLIENT_LOCAL),
    ("tcp_client_local", TransportKind::TCP_CLIENT_LOCAL),
    ("direct", TransportKind::DIRECT),
];

const ACTIONS: &[(&str, TimerAction)] = &[
    ("start", TimerAction::Start),
    ("deactivate", TimerAction::Deactivate),
    ("get_value", TimerAction::GetValue),
    ("get", TimerAction::GetValue),
];

fn word<T: Copy>(table: &[(&str, T)], word: &str) -> Result<T, String> {
    table
        .iter()
        .find(|(name, _)| *name == word)
        .map(|(_, value)| *value)
        .ok_or_else(|| format!("unknown word `{word}`"))
}

fn device(name: &str) -> Result<Device, String> {
    let numbered = |prefix: &str| name.strip_prefix(prefix).and_then(|number| number.parse::<u8>().ok());
    match name {
        "keypad" => Ok(Device::KEYPAD),
        "display" => Ok(Device::DISPLAY),
        "earpiece" => Ok(Device::EARPIECE),
        "uicc" => Ok(Device::UICC),
        "terminal" => Ok(Device::TERMINAL),
        "network" => Ok(Device::NETWORK),
        _ => match (numbered("channel_"), numbered("additional_reader_")) {
            (Some(channel), _) => Device::of_channel(channel).ok_or_else(|| format!("no channel {channel}")),
            (_, Some(reader @ 0..=7)) => Ok(Device(0x10 | reader)),
            _ => Err(format!("unknown device `{name}`")),
        },
    }
}

/// Checks one optional key of `expected`.
fn check<T: PartialEq + std::fmt::Debug>(
    fields: &Fields,
    key: &str,
    actual: impl FnOnce() -> Option<T>,
    expected: impl FnOnce() -> Result<T, String>,
) -> Outcome {
    if !fields.has(key) {
        return Ok(());
    }
    same(key, actual(), Some(expected()?))
}

fn decode_proactive(row: &Row) -> Outcome {
    let octets = row.inputs.hex("hex")?;
    let expected = &row.expected;
    let decoded = ProactiveCommand::decode(&octets);
    if expected.has("error") {
        expected.bool("error")?;
        return decoded.map_or(Ok(()), |value| Err(format!("expected an error, got {value:?}")));
    }
    let command = decoded.map_err(text)?;
    let again = ProactiveCommand::decode(&command.encode().map_err(text)?).map_err(text)?;
    same("encoded and decoded again", &again, &command)?;
    match expected.str("command")? {
        "unknown" => {
            let kind = CommandType(expected.int("type")?);
            same("command", &command.command, &Command::Unknown(kind))?;
        }
        name => same("command", command.command.kind(), word(COMMANDS, name)?)?,
    }
    check(expected, "type", || Some(command.command.kind().0), || expected.int("type"))?;
    check(expected, "number", || Some(command.number), || expected.int("number"))?;
    check(expected, "qualifier", || Some(command.qualifier), || expected.int("qualifier"))?;
    check(expected, "source", || Some(command.devices.source), || device(expected.str("source")?))?;
    check(expected, "dest", || Some(command.devices.destination), || device(expected.str("dest")?))?;
    check(expected, "channel", || command.channel(), || expected.int("channel"))?;
    check(expected, "immediate", || Some(command.immediate()), || expected.bool("immediate"))?;
    check(
        expected,
        "automatic_reconnection",
        || Some(command.reconnect()),
        || expected.bool("automatic_reconnection"),
    )?;
    let packing = || Some(command.packing_required());
    check(expected, "packing_required", packing, || expected.bool("packing_required"))?;
    if let Command::OpenChannel(open) = &command.command {
        return check_open_channel(expected, open);
    }
    check_command(expected, &command)
}

fn address_text(address: &OtherAddress) -> String {
    match address {
        OtherAddress::Dynamic => "dynamic".to_string(),
        OtherAddress::Ip(ip) => ip.to_string(),
        OtherAddress::Other { kind, address } => format!("{kind:02x}{}", euicc_push::types::hex::encode(address)),
    }
}

fn check_open_channel(expected: &Fields, open: &OpenChannel) -> Outcome {
    let words = |key: &'static str| move || expected.str(key).map(str::to_string);
    let bearer = open.bearer.as_ref();
    check(expected, "bearer_type", || bearer.map(|bearer| bearer.kind), || expected.int("bearer_type"))?;
    let parameters = || bearer.map(|bearer| bearer.parameters.clone());
    check(expected, "bearer_params", parameters, || expected.hex("bearer_params"))?;
    check(expected, "buffer_size", || Some(open.buffer_size), || expected.int("buffer_size"))?;
    let kind = || open.transport.map(|transport| transport.kind);
    check(expected, "transport", kind, || word(TRANSPORTS, expected.str("transport")?))?;
    check(expected, "port", || open.transport.map(|transport| transport.port), || expected.int("port"))?;
    check(expected, "apn", || open.access_name.as_ref().map(|name| name.text()), words("apn"))?;
    let destination = || open.destination.as_ref().map(address_text);
    check(expected, "dest_address", destination, words("dest_address"))?;
    check(expected, "local_address", || open.local_address.as_ref().map(address_text), words("local_address"))?;
    check(expected, "alpha", || open.alpha.as_deref().map(gsm7::text), words("alpha"))?;
    check(expected, "login", || open.login.as_ref().and_then(TextString::clear), words("login"))?;
    check(expected, "password", || open.password.as_ref().and_then(TextString::clear), words("password"))
}

fn check_command(expected: &Fields, command: &ProactiveCommand) -> Outcome {
    let words = |key: &'static str| move || expected.str(key).map(str::to_string);
    let body = &command.command;
    let data = || if let Command::SendData(data) = body { Some(data.clone()) } else { None };
    check(expected, "data", data, || expected.hex("data"))?;
    let requested = || if let Command::ReceiveData { length } = body { Some(*length) } else { None };
    check(expected, "requested", requested, || expected.int("requested"))?;
    let events = || if let Command::SetUpEventList(events) = body { Some(events.clone()) } else { None };
    check(expected, "events", events, || {
        let octet = |value: &Value| value.as_u64().and_then(|number| u8::try_from(number).ok()).ok_or("no event code");
        Ok(expected.array("events")?.iter().map(octet).collect::<Result<Vec<_>, _>>()?)
    })?;
    let seconds = || match body {
        Command::PollInterval(duration) => duration.tenths().map(|tenths| f64::from(tenths) / 10.0),
        Command::TimerManagement { value, .. } => value.and_then(TimerValue::seconds).map(f64::from),
        _ => None,
    };
    check(expected, "seconds", seconds, || {
        expected.get("seconds").and_then(Value::as_f64).ok_or("no number".to_string())
    })?;
    let timer = || if let Command::TimerManagement { timer, .. } = body { Some(*timer) } else { None };
    check(expected, "timer", timer, || expected.int("timer"))?;
    let action = || Some(command.timer_action());
    check(expected, "action", action, || word(ACTIONS, expected.str("action")?))?;
    let (smsc, tpdu) = match body {
        Command::SendShortMessage { smsc, tpdu } => (smsc.as_ref(), Some(tpdu)),
        _ => (None, None),
    };
    check(expected, "smsc", || smsc.map(number_text), words("smsc"))?;
    check(expected, "tpdu", || tpdu.cloned(), || expected.hex("tpdu"))?;
    let alpha = || {
        command.other.iter().find_map(|object| match object {
            Object::AlphaId(octets) => Some(gsm7::text(octets)),
            _ => None,
        })
    };
    check(expected, "alpha", alpha, words("alpha"))?;
    let shown = || match body {
        Command::DisplayText(shown) | Command::IdleText(shown) => shown.clear(),
        _ => None,
    };
    check(expected, "text", shown, words("text"))
}

fn number_text(address: &Address) -> String {
    let plus = if address.ton() == Ton::INTERNATIONAL { "+" } else { "" };
    format!("{plus}{}", address.clear())
}

fn terminal_response(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let kind = match inputs.str("command")? {
        "unknown" => CommandType(inputs.int("type")?),
        name => word(COMMANDS, name)?,
    };
    let qualifier = if inputs.has("qualifier") { inputs.int("qualifier")? } else { 0 };
    let details = CommandDetails { number: inputs.int("number")?, kind, qualifier };
    let result = inputs.hex("result")?;
    let (general, additional) = result.split_first().ok_or("empty result")?;
    let result = CommandResult { general: *general, additional: additional.to_vec() };
    let succeeded = result.is_success();
    let mut response = TerminalResponse::new(details, result);
    response.objects = response_objects(inputs, kind, succeeded)?;
    let apdu = row.expected.hex("apdu")?;
    same_hex("encoded", &masked(&response.encode().map_err(text)?)?, &masked(&apdu)?)?;
    same("decoded", TerminalResponse::decode(&apdu).map_err(text)?, response)
}

/// What the answer carries after the result, from the keys of the row.
fn response_objects(inputs: &Fields, kind: CommandType, succeeded: bool) -> Result<Vec<Object>, String> {
    let mut objects = Vec::new();
    if inputs.has("channel") {
        objects.push(Object::ChannelStatus(channel_status(inputs, "channel")?));
    }
    if inputs.has("bearer_type") {
        let parameters = if inputs.has("bearer_params") { inputs.hex("bearer_params")? } else { Vec::new() };
        objects.push(Object::Bearer(Bearer { kind: inputs.int("bearer_type")?, parameters }));
    }
    if inputs.has("buffer_size") {
        objects.push(Object::BufferSize(inputs.int("buffer_size")?));
    }
    if inputs.has("data") {
        objects.push(Object::ChannelData(inputs.hex("data")?));
    }
    for key in ["remaining", "tx_free"] {
        if inputs.has(key) {
            objects.push(Object::ChannelDataLength(at_most_255(inputs.int::<u32>(key)?)));
        }
    }
    if inputs.has("channels") {
        let channels = inputs.array("channels")?.iter().map(one_channel).collect::<Result<Vec<_>, _>>()?;
        if channels.is_empty() && kind == CommandType::GET_CHANNEL_STATUS {
            objects.push(Object::ChannelStatus(ChannelStatus::NO_CHANNEL));
        }
        objects.extend(channels.into_iter().map(Object::ChannelStatus));
    }
    if inputs.has("seconds") {
        objects.push(Object::Duration(Duration::from_seconds(inputs.int("seconds")?)));
    }
    // A contradiction with the timer's state is reported without the timer.
    if inputs.has("timer") && succeeded {
        objects.push(Object::TimerId(inputs.int("timer")?));
    }
    if inputs.has("remaining_seconds") {
        let value = TimerValue::from_seconds(inputs.int("remaining_seconds")?).map_err(text)?;
        objects.push(Object::TimerValue(value));
    }
    objects.extend(local_information(inputs)?);
    Ok(objects)
}

fn at_most_255(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn channel_status(fields: &Fields, channel: &str) -> Result<ChannelStatus, String> {
    let link = if fields.bool("link")? { LinkState::Established } else { LinkState::None };
    let info = if fields.has("info") { fields.int("info")? } else { 0 };
    Ok(ChannelStatus { channel: fields.int(channel)?, link, info })
}

fn one_channel(value: &Value) -> Result<ChannelStatus, String> {
    let known = ["id", "link", "info"];
    if let Some(key) = value.as_object().and_then(|object| object.keys().find(|key| !known.contains(&key.as_str()))) {
        return Err(format!("unknown key `{key}` of a channel"));
    }
    let number = |key: &str| value[key].as_u64().and_then(|number| u8::try_from(number).ok());
    let link = value["link"].as_bool().ok_or("a channel without link")?;
    Ok(ChannelStatus {
        channel: number("id").ok_or("a channel without id")?,
        link: if link { LinkState::Established } else { LinkState::None },
        info: number("info").unwrap_or(0),
    })
}

fn local_information(inputs: &Fields) -> Result<Vec<Object>, String> {
    let mut objects = Vec::new();
    if inputs.has("imei") {
        objects.push(Object::Imei(MobileIdentity::imei(inputs.str("imei")?).map_err(text)?));
    }
    if inputs.has("mcc") {
        objects.push(Object::Location(location(inputs)?));
    }
    if inputs.has("time") {
        let numbers: Vec<i64> = inputs.array("time")?.iter().filter_map(Value::as_i64).collect();
        let [year, month, day, hour, minute, second, zone] = numbers[..] else {
            return Err("time needs 7 numbers".into());
        };
        let small = |number: i64| u8::try_from(number).map_err(text);
        let time = LocalTime {
            year: u16::try_from(year).map_err(text)?,
            month: small(month)?,
            day: small(day)?,
            hour: small(hour)?,
            minute: small(minute)?,
            second: small(second)?,
            quarter_hours: i8::try_from(zone).map_err(text)?,
        };
        objects.push(Object::DateTime(time.encode().map_err(text)?));
    }
    if inputs.has("access_technology") {
        objects.push(Object::AccessTechnology(vec![inputs.int("access_technology")?]));
    }
    Ok(objects)
}

fn location(inputs: &Fields) -> Result<Location, String> {
    let (mcc, mnc) = (inputs.str("mcc")?, inputs.str("mnc")?);
    Location::new(mcc, mnc, inputs.int("lac")?, inputs.int("cell_id")?).map_err(text)
}

/// The command with bit 8 of every tag cleared: header and first lengths stay.
fn masked(apdu: &[u8]) -> Result<Vec<u8>, String> {
    let (header, mut body) = apdu.split_at_checked(5).ok_or("no header")?;
    let mut out = header.to_vec();
    if header[1] == 0xC2 {
        let whole = Reader::new("ENVELOPE", body).ber_tlv().map_err(text)?;
        let length = whole.octets().len();
        let (tag, rest) = body.split_at(body.len() - length);
        out.extend_from_slice(tag);
        body = rest;
    }
    let mut reader = Reader::new("objects", body);
    while !reader.is_empty() {
        let object = reader.comprehension_tlv().map_err(text)?;
        tlv::put(&mut out, object.tag, object.octets()).map_err(text)?;
    }
    Ok(out)
}

fn event_envelope(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let envelope = match inputs.str("event")? {
        "data_available" => {
            let available = at_most_255(inputs.int::<u32>("available")?);
            Envelope::EventDownload(Event::DataAvailable { status: channel_status(inputs, "channel")?, available })
        }
        "channel_status" => Envelope::EventDownload(Event::ChannelStatus(channel_status(inputs, "channel")?)),
        "location_status" => {
            let location = if inputs.has("mcc") { Some(location(inputs)?) } else { None };
            Envelope::EventDownload(Event::LocationStatus { status: inputs.int("status")?, location })
        }
        "timer_expiration" => {
            let value = TimerValue::from_seconds(inputs.int("elapsed_seconds")?).map_err(text)?;
            Envelope::TimerExpiration { timer: inputs.int("timer")?, value }
        }
        unknown => return Err(format!("unknown event `{unknown}`")),
    };
    let apdu = row.expected.hex("apdu")?;
    same_hex("encoded", &masked(&envelope.encode().map_err(text)?)?, &masked(&apdu)?)?;
    same("decoded", Envelope::decode(&apdu).map_err(text)?, envelope)
}
