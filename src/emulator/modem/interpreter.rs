//! From octets to commands and back (V.250 5.2 to 5.7): one command at a time, one final result per line.

use super::call::{Call, Executed, Failure, Next, PayloadFor};
use super::commands;
use super::fault::Action;
use super::personality::Unknown;
use super::port::State;
use super::{Air, Modem};
use crate::codec::at::{Command, Commands, Form, Input};

/// Commands whose faults strike when their payload is there.
const WITH_PAYLOAD: &[&str] = &["+CMGS"];

impl Modem {
    /// What a client has written to a port.
    pub fn handle_input(&mut self, air: &mut Air<'_>, port: usize, octets: &[u8]) {
        for octet in octets {
            self.handle_octet(air, port, *octet);
        }
    }

    fn handle_octet(&mut self, air: &mut Air<'_>, port: usize, octet: u8) {
        let Some(receiver) = self.ports.get_mut(port).filter(|_| self.powered) else { return };
        if receiver.state == State::Busy {
            return receiver.hold(octet);
        }
        receiver.echo(octet);
        match receiver.reader.feed(octet) {
            None => {}
            Some(Input::Line(body)) => {
                receiver.commands = Commands::new(&body).collect();
                receiver.state = State::Busy;
                self.continue_line(air, port);
            }
            Some(Input::Overlong) => self.finish(air, port, Err(Failure::Error)),
            // TS 27.005 3.5.1: cancelled is OK without +CMGS.
            Some(Input::Cancelled) => self.finish(air, port, Ok(())),
            Some(Input::Payload(payload)) => {
                if let State::Prompt(purpose) = receiver.state {
                    receiver.state = State::Busy;
                    let executed = self.handle_payload(air, port, purpose, &payload);
                    self.conclude(air, port, executed);
                }
            }
        }
    }

    fn handle_payload(&mut self, air: &mut Air<'_>, port: usize, purpose: PayloadFor, payload: &[u8]) -> Executed {
        match purpose {
            PayloadFor::Send { length } => self.send_typed(air, port, length, payload),
            PayloadFor::Acknowledge { positive } => self.acknowledge(air, positive),
        }
    }

    /// Executes what is left of the line.
    fn continue_line(&mut self, air: &mut Air<'_>, port: usize) {
        while let Some(commands) = self.ports.get_mut(port).map(|port| &mut port.commands) {
            let executed = match commands.pop_front() {
                None => return self.finish(air, port, Ok(())),
                Some(Err(_)) => Err(Failure::Error),
                Some(Ok(command)) => self.execute_or_fail(air, port, &command),
            };
            if !self.show(air, port, executed) {
                return;
            }
        }
    }

    /// A command that has waited is done; the line goes on.
    pub(super) fn conclude(&mut self, air: &mut Air<'_>, port: usize, executed: Executed) {
        if self.show(air, port, executed) {
            self.continue_line(air, port);
        }
    }

    /// Puts out what a command gave; true when the line goes on at once.
    fn show(&mut self, air: &mut Air<'_>, port: usize, executed: Executed) -> bool {
        let Some(sender) = self.ports.get_mut(port) else { return false };
        match executed {
            Ok(Next::Done(lines)) => {
                lines.iter().for_each(|line| sender.information(line));
                return true;
            }
            Ok(Next::Prompt(purpose)) => sender.prompt(purpose),
            Ok(Next::Wait) => {}
            Err(failure) => self.finish(air, port, Err(failure)),
        }
        false
    }

    fn finish(&mut self, air: &mut Air<'_>, port: usize, result: Result<(), Failure>) {
        let Some(sender) = self.ports.get_mut(port) else { return };
        sender.finish(result);
        let held = std::mem::take(&mut sender.held);
        for octet in held {
            self.handle_octet(air, port, octet);
        }
    }

    fn execute_or_fail(&mut self, air: &mut Air<'_>, port: usize, command: &Command) -> Executed {
        let name = match command {
            Command::Basic { name, .. } | Command::Extended { name, .. } => name.as_str(),
            Command::SetRegister { .. } | Command::ReadRegister { .. } => "S",
            Command::Dial(_) => "D",
        };
        if !WITH_PAYLOAD.contains(&name)
            && let Some(failure) = self.strike(port, name)
        {
            return Err(failure);
        }
        self.execute(air, port, name, command)
    }

    /// The failure that a fault makes of this command, if one is due.
    pub(super) fn strike(&mut self, port: usize, name: &str) -> Option<Failure> {
        let action = self.faults.hit(name)?;
        if action == Action::LoseAnswer
            && let Some(port) = self.ports.get_mut(port)
        {
            port.muted = true;
        }
        action.failure()
    }

    fn execute(&mut self, air: &mut Air<'_>, port: usize, name: &str, command: &Command) -> Executed {
        let written = match command {
            Command::Extended { form: Form::Read, .. } => format!("{name}?"),
            Command::Extended { form: Form::Test, .. } => format!("{name}=?"),
            _ => name.to_string(),
        };
        let set = matches!(command, Command::Extended { form: Form::Set(_), .. });
        if let Some(lines) = self.personality.answers.get(&written).filter(|_| !set) {
            return Ok(Next::Done(lines.clone()));
        }
        let executed = match command {
            Command::Extended { name, form } => {
                commands::extended(name).map(|handler| handler(self, air, &Call { port, name, form }))
            }
            _ => self.basic(port, command),
        };
        executed.unwrap_or_else(|| self.not_built_in(name))
    }

    fn not_built_in(&self, name: &str) -> Executed {
        if self.personality.accepted.iter().any(|accepted| accepted == name) {
            return super::call::OK;
        }
        Err(match &self.personality.unknown {
            Unknown::Error => Failure::Error,
            Unknown::Cme(code) => Failure::Cme(*code),
            Unknown::Text(text) => Failure::Text(text.clone()),
            Unknown::Silence => Failure::Silence,
        })
    }
}
