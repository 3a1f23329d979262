//! TERMINAL RESPONSE: the terminal's answer to a proactive command (TS 102 223 6.8).

use super::details::{CommandDetails, CommandResult, Devices};
use super::object::{Object, picked, read_all, take_first};
use super::proactive::ProactiveCommand;
use crate::codec::apdu::CommandApdu;
use crate::codec::cursor::Result;
use crate::codec::{EncodeError, Fault, Reader};

/// The answer. Exactly one is sent per FETCH, before anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminalResponse {
    /// Those of the command, unchanged.
    pub details: CommandDetails,
    pub devices: Devices,
    pub result: CommandResult,
    /// What the command asked for, in the order of TS 102 223 6.8.
    pub objects: Vec<Object>,
}

impl TerminalResponse {
    pub const fn new(details: CommandDetails, result: CommandResult) -> Self {
        Self { details, devices: Devices::TERMINAL_TO_UICC, result, objects: Vec::new() }
    }

    /// The answer to `command` without further objects.
    pub const fn to(command: &ProactiveCommand, result: CommandResult) -> Self {
        Self::new(command.details(), result)
    }

    pub fn with(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    /// Reads the whole command, header included.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let (apdu, offset) = super::read_command(reader, 0x14, "TERMINAL RESPONSE")?;
        let mut body = reader.substitute("TERMINAL RESPONSE", &apdu.data, offset);
        let mut objects = read_all(&mut body)?;
        let missing = |name: &'static str| body.error_at(offset, name, Fault::Missing);
        let details = take_first(&mut objects, picked!(CommandDetails)).ok_or_else(|| missing("command details"))?;
        let devices = take_first(&mut objects, picked!(Devices)).ok_or_else(|| missing("device identities"))?;
        let result: CommandResult = take_first(&mut objects, picked!(Result)).ok_or_else(|| missing("result"))?;
        reader.note("TS 102 223 6.8", || format!("{}: {}", details.kind.meaning(), result.meaning()));
        Ok(Self { details, devices, result, objects })
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("TERMINAL RESPONSE", bytes);
        let response = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(response)
    }

    /// The whole command `80 14 00 00 Lc ..`.
    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        let mut data = Vec::new();
        Object::CommandDetails(self.details).put(&mut data, true)?;
        Object::Devices(self.devices).put(&mut data, true)?;
        Object::Result(self.result.clone()).put(&mut data, true)?;
        for object in &self.objects {
            object.put(&mut data, false)?;
        }
        CommandApdu::new(0x80, 0x14, 0x00, 0x00).with_data(data).encode()
    }
}
