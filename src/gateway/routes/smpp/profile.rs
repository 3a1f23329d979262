//! How one SMSC wants to be bound and its messages to look.

use super::{super::Message, verdict::Verdict};
use crate::{
    codec::{
        EncodeError,
        smpp::{
            Address, Bind, BindMode, CommandStatus, EsmClass, IdBase, InterfaceVersion, Npi, RegisteredDelivery,
            ShortMessage, Time, Ton,
        },
        sms::UserData,
    },
    config::{
        route::Reports,
        smpp_route::{self, IdForm, MessageMode, StatusMeaning, ValidityForm},
    },
    io::secret_file::{self, SecretFileError},
    session::{
        delivery::Payload,
        smpp::{Config as SessionConfig, Timer},
    },
    types::{Secret, UnixSeconds},
};
use std::time::Duration;

/// The modes an account is bound in, one connection each.
pub(super) fn binds(bind: smpp_route::Bind) -> &'static [BindMode] {
    match bind {
        smpp_route::Bind::Transceiver => &[BindMode::Transceiver],
        smpp_route::Bind::TransmitterAndReceiver => &[BindMode::Transmitter, BindMode::Receiver],
    }
}

/// The configuration of a route in the terms of SMPP.
pub(super) struct Profile {
    bind: Bind,
    pub(super) session: SessionConfig,
    pub(super) write_timeout: Duration,
    pub(super) reconnect: Duration,
    pub(super) reconnect_longest: Duration,
    pub(super) alarm_pause: Duration,
    service_type: String,
    source: Address,
    destination_ton: Ton,
    destination_npi: Npi,
    message_mode: u8,
    registered_delivery: RegisteredDelivery,
    host: (u8, u8),
    sim: (u8, u8),
    validity_form: ValidityForm,
    priority_flags: [u8; 4],
    pub(super) response_ids: IdBase,
    pub(super) receipt_ids: IdBase,
    status: Vec<StatusMeaning>,
}

fn base(form: IdForm) -> IdBase {
    match form {
        IdForm::Unknown => IdBase::Unknown,
        IdForm::Decimal => IdBase::Decimal,
        IdForm::Hexadecimal => IdBase::Hexadecimal,
    }
}

impl Profile {
    pub(super) fn read(config: &smpp_route::SmppRoute) -> Result<Self, SecretFileError> {
        let password = match &config.password_file {
            Some(source) => secret_file::read_word(source)?,
            None => Secret::new(Vec::new()),
        };
        let mut session = SessionConfig { window: usize::from(config.window), ..SessionConfig::esme() };
        session.timers = session
            .timers
            .with(Timer::EnquireLink, Some(config.enquire_link))
            .with(Timer::EnquireLinkAnswer, Some(config.enquire_link_timeout))
            .with(Timer::Response, Some(config.response_timeout));
        let reports = config.reports == Reports::Final;
        Ok(Self {
            bind: Bind {
                system_id: config.system_id.clone(),
                password,
                system_type: config.system_type.clone(),
                interface_version: InterfaceVersion::V3_4,
                address_range: Address::default(),
            },
            session,
            write_timeout: config.write_timeout,
            reconnect: config.reconnect,
            reconnect_longest: config.reconnect_longest,
            alarm_pause: config.alarm_pause,
            service_type: config.service_type.clone(),
            source: Address::new(Ton(config.source_ton), Npi(config.source_npi), config.source_address.clone()),
            destination_ton: Ton(config.destination_ton),
            destination_npi: Npi(config.destination_npi),
            message_mode: match config.message_mode {
                MessageMode::Default => 0,
                MessageMode::Datagram => 1,
                MessageMode::Forward => 2,
                MessageMode::StoreAndForward => 3,
            },
            registered_delivery: if reports { RegisteredDelivery::FINAL } else { RegisteredDelivery::NONE },
            host: (config.host_pid, config.host_dcs),
            sim: (config.sim_pid, config.sim_dcs),
            validity_form: config.validity_form,
            priority_flags: config.priority_flags,
            response_ids: base(config.response_ids),
            receipt_ids: base(config.receipt_ids),
            status: config.status.clone(),
        })
    }

    pub(super) fn bind(&self) -> Bind {
        self.bind.clone()
    }

    pub(super) fn verdict(&self, status: CommandStatus) -> Verdict {
        Verdict::of(status, &self.status)
    }

    pub(super) fn submit_sm(&self, message: &Message<'_>, ud: &UserData, now: UnixSeconds) -> ShortMessage {
        let (protocol_id, data_coding) = match message.target.payload {
            Payload::Host { .. } => self.host,
            Payload::Sim { .. } => self.sim,
            Payload::Raw { .. } => (message.pid.0, message.dcs.0),
        };
        let udhi = if ud.udhi { EsmClass::UDHI.0 } else { 0 };
        ShortMessage {
            service_type: self.service_type.clone(),
            source: self.source.clone(),
            destination: Address::new(self.destination_ton, self.destination_npi, message.address()),
            esm_class: EsmClass(self.message_mode | udhi),
            protocol_id,
            priority_flag: self.priority_flags.get(usize::from(message.target.priority)).copied().unwrap_or_default(),
            validity_period: self.validity_period(message.target.validity_end, now),
            registered_delivery: self.registered_delivery,
            data_coding,
            short_message: ud.octets.clone().into(),
            ..ShortMessage::default()
        }
    }

    fn validity_period(&self, end: UnixSeconds, now: UnixSeconds) -> String {
        match self.validity_form {
            // Without a form that fits, the SMSC's own validity applies; the gateway's still ends the target.
            ValidityForm::Relative => text(Time::relative(Duration::from_secs(end.since(now).max(1)))),
            ValidityForm::Absolute => text(Time::absolute(end)),
            ValidityForm::None => String::new(),
        }
    }
}

fn text(time: Result<Time, EncodeError>) -> String {
    time.map(|time| time.to_string()).unwrap_or_default()
}
