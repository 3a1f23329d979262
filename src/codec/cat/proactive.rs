//! Proactive commands: what the card asks of the terminal, as FETCH brings it (TS 102 223 6.6, BER tag D0).

use super::bip::{Bearer, NetworkAccessName, OtherAddress, Transport};
use super::details::{CommandDetails, CommandType, Devices};
use super::object::{Object, picked, read_all, take_first};
use super::value::{Duration, TextString, TimerValue};
use crate::codec::cursor::Result;
use crate::codec::sms::Address;
use crate::codec::{EncodeError, Fault, Reader, tlv};

/// A proactive command.
///
/// What the qualifier and the devices say is read from them by methods ([`immediate`](Self::immediate),
/// [`channel`](Self::channel), ...), so that it cannot contradict them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProactiveCommand {
    pub number: u8,
    pub qualifier: u8,
    pub devices: Devices,
    pub command: Command,
    /// Objects that the command's own fields do not hold, in their order.
    pub other: Vec<Object>,
}

/// The command and its objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Refresh,
    MoreTime,
    PollInterval(Duration),
    PollingOff,
    /// Event codes; empty = no event is reported any more.
    SetUpEventList(Vec<u8>),
    SendShortMessage {
        smsc: Option<Address>,
        tpdu: Vec<u8>,
    },
    PlayTone,
    DisplayText(TextString),
    SetUpMenu,
    ProvideLocalInformation,
    /// The value is there to start the timer.
    TimerManagement {
        timer: u8,
        value: Option<TimerValue>,
    },
    IdleText(TextString),
    RunAtCommand,
    OpenChannel(OpenChannel),
    CloseChannel,
    ReceiveData {
        /// Octets wanted.
        length: u8,
    },
    SendData(Vec<u8>),
    GetChannelStatus,
    Unknown(CommandType),
}

/// OPEN CHANNEL (TS 102 223 6.4.27).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenChannel {
    /// Coded text; empty = open silently.
    pub alpha: Option<Vec<u8>>,
    /// Not there in server mode.
    pub bearer: Option<Bearer>,
    pub buffer_size: u16,
    pub access_name: Option<NetworkAccessName>,
    pub login: Option<TextString>,
    pub password: Option<TextString>,
    pub local_address: Option<OtherAddress>,
    pub transport: Option<Transport>,
    pub destination: Option<OtherAddress>,
}

/// Qualifier of TIMER MANAGEMENT, bits 2 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerAction {
    Start,
    Deactivate,
    GetValue,
    Reserved,
}

/// Qualifier values of REFRESH (TS 102 223 8.6).
pub mod refresh {
    pub const INIT_AND_FULL_FILE_CHANGE: u8 = 0x00;
    pub const FILE_CHANGE: u8 = 0x01;
    pub const INIT_AND_FILE_CHANGE: u8 = 0x02;
    pub const INIT: u8 = 0x03;
    pub const UICC_RESET: u8 = 0x04;
    pub const APPLICATION_RESET: u8 = 0x05;
    pub const SESSION_RESET: u8 = 0x06;
}

impl Command {
    pub const fn kind(&self) -> CommandType {
        match self {
            Self::Refresh => CommandType::REFRESH,
            Self::MoreTime => CommandType::MORE_TIME,
            Self::PollInterval(_) => CommandType::POLL_INTERVAL,
            Self::PollingOff => CommandType::POLLING_OFF,
            Self::SetUpEventList(_) => CommandType::SET_UP_EVENT_LIST,
            Self::SendShortMessage { .. } => CommandType::SEND_SHORT_MESSAGE,
            Self::PlayTone => CommandType::PLAY_TONE,
            Self::DisplayText(_) => CommandType::DISPLAY_TEXT,
            Self::SetUpMenu => CommandType::SET_UP_MENU,
            Self::ProvideLocalInformation => CommandType::PROVIDE_LOCAL_INFORMATION,
            Self::TimerManagement { .. } => CommandType::TIMER_MANAGEMENT,
            Self::IdleText(_) => CommandType::IDLE_TEXT,
            Self::RunAtCommand => CommandType::RUN_AT_COMMAND,
            Self::OpenChannel(_) => CommandType::OPEN_CHANNEL,
            Self::CloseChannel => CommandType::CLOSE_CHANNEL,
            Self::ReceiveData { .. } => CommandType::RECEIVE_DATA,
            Self::SendData(_) => CommandType::SEND_DATA,
            Self::GetChannelStatus => CommandType::GET_CHANNEL_STATUS,
            Self::Unknown(kind) => *kind,
        }
    }
}

impl ProactiveCommand {
    /// From the card to the terminal.
    pub const fn new(number: u8, qualifier: u8, command: Command) -> Self {
        Self { number, qualifier, devices: Devices::UICC_TO_TERMINAL, command, other: Vec::new() }
    }

    pub const fn details(&self) -> CommandDetails {
        CommandDetails { number: self.number, kind: self.command.kind(), qualifier: self.qualifier }
    }

    /// The BIP channel the command is for.
    pub const fn channel(&self) -> Option<u8> {
        self.devices.destination.channel()
    }

    /// SEND DATA: send now. OPEN CHANNEL: establish the link now.
    pub const fn immediate(&self) -> bool {
        self.qualifier & 0x01 != 0
    }

    /// OPEN CHANNEL: reconnect automatically.
    pub const fn reconnect(&self) -> bool {
        self.qualifier & 0x02 != 0
    }

    /// SEND SHORT MESSAGE: the terminal packs the user data to 7 bits.
    pub const fn packing_required(&self) -> bool {
        self.qualifier & 0x01 != 0
    }

    /// TIMER MANAGEMENT: what to do.
    pub const fn timer_action(&self) -> TimerAction {
        match self.qualifier & 0x03 {
            0 => TimerAction::Start,
            1 => TimerAction::Deactivate,
            2 => TimerAction::GetValue,
            _ => TimerAction::Reserved,
        }
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut outer = reader.ber_tlv()?;
        if outer.tag != 0xD0 {
            let found = tlv::tag_name(outer.tag);
            return Err(reader.value_error(outer.offset, "tag", "D0 (proactive command)", found));
        }
        reader.label("proactive command", "TS 102 223 6.6", String::new);
        let mut objects = read_all(&mut outer.value)?;
        let missing = |name: &'static str| reader.error_at(outer.offset, name, Fault::Missing);
        let details: CommandDetails =
            take_first(&mut objects, picked!(CommandDetails)).ok_or_else(|| missing("command details"))?;
        let devices = take_first(&mut objects, picked!(Devices)).ok_or_else(|| missing("device identities"))?;
        reader.note("TS 102 223 6.6", || details.kind.meaning().to_string());
        let CommandDetails { number, qualifier, .. } = details;
        let command = take_command(details, &mut objects).map_err(missing)?;
        Ok(Self { number, qualifier, devices, command, other: objects })
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("proactive command", bytes);
        let command = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(command)
    }

    /// The response data of FETCH; at most 256 octets fit there.
    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        let mut body = Vec::new();
        Object::CommandDetails(self.details()).put(&mut body, true)?;
        Object::Devices(self.devices).put(&mut body, true)?;
        for object in self.command.objects().iter().chain(&self.other) {
            object.put(&mut body, true)?;
        }
        let mut out = Vec::new();
        tlv::put(&mut out, 0xD0, &body)?;
        if out.len() > 256 {
            return Err(EncodeError::too_long("proactive command", "FETCH data", 256, out.len()));
        }
        Ok(out)
    }
}

/// Takes the command's own objects out of the list; an error is the name of what is missing.
fn take_command(details: CommandDetails, objects: &mut Vec<Object>) -> std::result::Result<Command, &'static str> {
    Ok(match details.kind {
        CommandType::REFRESH => Command::Refresh,
        CommandType::MORE_TIME => Command::MoreTime,
        CommandType::POLL_INTERVAL => Command::PollInterval(take_first(objects, picked!(Duration)).ok_or("duration")?),
        CommandType::POLLING_OFF => Command::PollingOff,
        CommandType::SET_UP_EVENT_LIST => {
            Command::SetUpEventList(take_first(objects, picked!(EventList)).ok_or("event list")?)
        }
        CommandType::SEND_SHORT_MESSAGE => Command::SendShortMessage {
            smsc: take_first(objects, picked!(Address)),
            tpdu: take_first(objects, picked!(SmsTpdu)).ok_or("SMS TPDU")?,
        },
        CommandType::PLAY_TONE => Command::PlayTone,
        CommandType::DISPLAY_TEXT => Command::DisplayText(take_first(objects, picked!(Text)).ok_or("text string")?),
        CommandType::SET_UP_MENU => Command::SetUpMenu,
        CommandType::PROVIDE_LOCAL_INFORMATION => Command::ProvideLocalInformation,
        CommandType::TIMER_MANAGEMENT => {
            let timer = take_first(objects, picked!(TimerId)).ok_or("timer identifier")?;
            Command::TimerManagement { timer, value: take_first(objects, picked!(TimerValue)) }
        }
        CommandType::IDLE_TEXT => Command::IdleText(take_first(objects, picked!(Text)).ok_or("text string")?),
        CommandType::RUN_AT_COMMAND => Command::RunAtCommand,
        CommandType::OPEN_CHANNEL => Command::OpenChannel(OpenChannel::take(objects)?),
        CommandType::CLOSE_CHANNEL => Command::CloseChannel,
        CommandType::RECEIVE_DATA => {
            let length = take_first(objects, picked!(ChannelDataLength)).ok_or("channel data length")?;
            Command::ReceiveData { length }
        }
        CommandType::SEND_DATA => Command::SendData(take_first(objects, picked!(ChannelData)).ok_or("channel data")?),
        CommandType::GET_CHANNEL_STATUS => Command::GetChannelStatus,
        unknown => Command::Unknown(unknown),
    })
}

impl Command {
    fn objects(&self) -> Vec<Object> {
        match self {
            Self::PollInterval(duration) => vec![Object::Duration(*duration)],
            Self::SetUpEventList(events) => vec![Object::EventList(events.clone())],
            Self::SendShortMessage { smsc, tpdu } => {
                let smsc = smsc.clone().map(Object::Address);
                smsc.into_iter().chain([Object::SmsTpdu(tpdu.clone())]).collect()
            }
            Self::DisplayText(text) | Self::IdleText(text) => vec![Object::Text(text.clone())],
            Self::TimerManagement { timer, value } => {
                [Object::TimerId(*timer)].into_iter().chain(value.map(Object::TimerValue)).collect()
            }
            Self::OpenChannel(open) => open.objects(),
            Self::ReceiveData { length } => vec![Object::ChannelDataLength(*length)],
            Self::SendData(data) => vec![Object::ChannelData(data.clone())],
            Self::Refresh
            | Self::MoreTime
            | Self::PollingOff
            | Self::PlayTone
            | Self::SetUpMenu
            | Self::ProvideLocalInformation
            | Self::RunAtCommand
            | Self::CloseChannel
            | Self::GetChannelStatus
            | Self::Unknown(_) => Vec::new(),
        }
    }
}

impl OpenChannel {
    fn take(objects: &mut Vec<Object>) -> std::result::Result<Self, &'static str> {
        // An other address is the local one before the transport level and the destination after it.
        let transport_at = objects.iter().position(|object| matches!(object, Object::Transport(_)));
        let mut after = objects.split_off(transport_at.unwrap_or(objects.len()));
        let local_address = take_first(objects, picked!(OtherAddress));
        let destination = take_first(&mut after, picked!(OtherAddress));
        objects.append(&mut after);
        Ok(Self {
            alpha: take_first(objects, picked!(AlphaId)),
            bearer: take_first(objects, picked!(Bearer)),
            buffer_size: take_first(objects, picked!(BufferSize)).ok_or("buffer size")?,
            access_name: take_first(objects, picked!(NetworkAccessName)),
            login: take_first(objects, picked!(Text)),
            password: take_first(objects, picked!(Text)),
            local_address,
            transport: take_first(objects, picked!(Transport)),
            destination,
        })
    }

    fn objects(&self) -> Vec<Object> {
        let all = [
            self.alpha.clone().map(Object::AlphaId),
            self.bearer.clone().map(Object::Bearer),
            Some(Object::BufferSize(self.buffer_size)),
            self.access_name.clone().map(Object::NetworkAccessName),
            self.local_address.clone().map(Object::OtherAddress),
            self.login.clone().map(Object::Text),
            self.password.clone().map(Object::Text),
            self.transport.map(Object::Transport),
            self.destination.clone().map(Object::OtherAddress),
        ];
        all.into_iter().flatten().collect()
    }
}
