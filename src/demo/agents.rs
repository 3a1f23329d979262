//! All agents of the demo in one process, each with the configuration that its enrolment gave it.

use super::place::Place;
use super::setup::write_private;
use crate::config::Role;
use crate::daemon;
use serde::Deserialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// The hidden command: one agent per configuration.
pub fn main(configs: &[PathBuf]) -> ExitCode {
    daemon::start_several(Role::Agent, configs.to_vec(), crate::agent::run)
}

/// What the SM-SR answers to an enrolment.
#[derive(Deserialize)]
pub struct Enrolled {
    trigger_keys: String,
    client_certificate: String,
    client_key: String,
    sm_sr: EnrolledSmSr,
    agent_config: String,
}

#[derive(Deserialize)]
struct EnrolledSmSr {
    ca: String,
}

impl Enrolled {
    /// Writes the files of one terminal; its agent finds the modem at `run/modems/<name>`.
    pub fn write(&self, place: &Place, name: &str) -> Result<PathBuf, String> {
        let folder = format!("config/{name}");
        crate::io::file::create_directory(&place.path(&folder)).map_err(|error| error.to_string())?;
        let write = |file: &str, content: &str| write_private(&place.path(&format!("{folder}/{file}")), content);
        write("trigger-keys.toml", &self.trigger_keys)?;
        write("client.pem", &self.client_certificate)?;
        write("client.key", &self.client_key)?;
        write("sm-sr-ca.pem", &self.sm_sr.ca)?;
        let mut config: toml::Table = self.agent_config.parse().map_err(|error| format!("agent_config: {error}"))?;
        let agent = config.get_mut("agent").and_then(toml::Value::as_table_mut);
        let agent = agent.ok_or("agent_config: the table [agent] is missing")?;
        let mut set = |key: &str, path: PathBuf| agent.insert(key.to_string(), path.display().to_string().into());
        set("device", place.path(&format!("run/modems/{name}")));
        set("state-dir", place.path(&format!("state/{name}")));
        set("control-socket", place.path(&format!("run/{name}.sock")));
        let path = place.path(&format!("{folder}/agent.toml"));
        write_private(&path, &config.to_string())?;
        Ok(path)
    }
}
