//! `euicc enroll`: makes a terminal known to its SM-SR and writes what its agent needs.

use crate::{
    config::agent::CardChannel,
    io::{
        file::{self, Access, FileError},
        http_client::{BaseUrl, Client, ClientLimits, HttpError, Reach},
        secret_file::{self, SecretFileError},
        tls::{ClientParameters, Connector, TlsError, VerificationTime},
    },
    types::{Eid, Impi, Impu, Imsi, Msisdn, SecretSource},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

const LIMITS: ClientLimits =
    ClientLimits { timeout: Duration::from_secs(60), response: 1 << 20, reach: Reach::Anywhere };

/// Enrol a terminal at its SM-SR: keys, certificate and configuration for euicc-agent
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Management API of the SM-SR: unix:/path, http://127.0.0.1:PORT or https://HOST:PORT
    #[arg(long, value_name = "URL", default_value = "unix:/run/euicc-push/smsr.sock")]
    smsr: String,
    /// The eUICC's identifier, 32 digits
    #[arg(long)]
    eid: Eid,
    /// Directory for the files, created if needed
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// EIS of the eUICC (JSON: keysets of the ISD-R, profiles), as its maker delivers it
    #[arg(long, value_name = "FILE")]
    eis: Option<PathBuf>,
    #[arg(long)]
    imsi: Option<Imsi>,
    #[arg(long)]
    msisdn: Option<Msisdn>,
    #[arg(long)]
    impu: Option<Impu>,
    #[arg(long)]
    impi: Option<Impi>,
    /// The modem's AT port on the terminal
    #[arg(long, value_name = "PATH")]
    device: Option<PathBuf>,
    /// How APDUs reach the eUICC: csim, cgla, cusat or vpcd:HOST:PORT
    #[arg(long, value_name = "CHANNEL")]
    card: Option<CardChannel>,
    /// For https: authorities (PEM) that may certify the SM-SR
    #[arg(long, value_name = "FILE", requires_all = ["certificate", "key"])]
    ca: Option<PathBuf>,
    /// For https: our certificate, PEM
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// For https: our private key, PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// By what the caller can do.
#[derive(Debug, thiserror::Error)]
enum EnrollError {
    #[error("the SM-SR: {0}")]
    Http(#[from] HttpError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    #[error("{}: {problem}", path.display())]
    Eis { path: PathBuf, problem: String },
    #[error("the SM-SR's configuration for the agent cannot be used: {0}")]
    Config(String),
    #[error("no runtime: {0}")]
    Runtime(std::io::Error),
}

/// The answer to an enrolment.
#[derive(Deserialize)]
struct Enrolled {
    trigger_keys: String,
    client_certificate: String,
    client_key: String,
    sm_sr: SmSr,
    agent_config: String,
}

#[derive(Deserialize)]
struct SmSr {
    ca: String,
}

pub fn run(arguments: &Arguments) -> ExitCode {
    match enroll(arguments) {
        Ok(files) => {
            for file in files {
                println!("{}", file.display());
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("euicc enroll: {error}");
            ExitCode::FAILURE
        }
    }
}

fn enroll(arguments: &Arguments) -> Result<Vec<PathBuf>, EnrollError> {
    let request = request(arguments)?;
    let client = client(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(EnrollError::Runtime)?;
    let enrolled: Enrolled = runtime.block_on(client.post_json("/v1/enrolments", &request))?.json()?;
    write(arguments, &enrolled)
}

/// The EIS of the file, with what the options say instead.
fn request(arguments: &Arguments) -> Result<Value, EnrollError> {
    let mut eis = match &arguments.eis {
        None => json!({}),
        Some(path) => {
            // Keys are in it: not for everybody to read.
            let text = secret_file::read(&SecretSource::File(path.clone()))?;
            let wrong = |problem: String| EnrollError::Eis { path: path.clone(), problem };
            let eis: Value = serde_json::from_slice(text.expose())
                .map_err(|error| wrong(format!("line {}: no JSON", error.line())))?;
            if !eis.is_object() {
                return Err(wrong("expected a JSON object".into()));
            }
            if eis.get("eid").is_some_and(|eid| *eid != json!(arguments.eid)) {
                return Err(wrong("is of another eUICC than --eid".into()));
            }
            eis
        }
    };
    eis["eid"] = json!(arguments.eid);
    let given = [
        ("imsi", arguments.imsi.as_ref().map(|imsi| json!(imsi))),
        ("msisdn", arguments.msisdn.as_ref().map(|msisdn| json!(msisdn))),
        ("impu", arguments.impu.as_ref().map(|impu| json!(impu))),
        ("impi", arguments.impi.as_ref().map(|impi| json!(impi))),
    ];
    for (name, value) in given {
        if let Some(value) = value {
            eis["identities"][name] = value;
        }
    }
    Ok(eis)
}

fn client(arguments: &Arguments) -> Result<Client, EnrollError> {
    let url: BaseUrl = arguments.smsr.parse()?;
    let connector = match (&arguments.ca, &arguments.certificate, &arguments.key, url.host()) {
        (Some(ca), Some(certificate), Some(key), Some(host)) => Some(Connector::new(ClientParameters {
            ca_file: ca.clone(),
            identity: Some((certificate.clone(), SecretSource::File(key.clone()))),
            server_name: host.to_string(),
            time: VerificationTime::system(),
        })?),
        _ => None,
    };
    Ok(Client::new(url, connector, LIMITS)?)
}

fn write(arguments: &Arguments, enrolled: &Enrolled) -> Result<Vec<PathBuf>, EnrollError> {
    let config = agent_config(&enrolled.agent_config, arguments).map_err(EnrollError::Config)?;
    file::create_directory(&arguments.out)?;
    let files: [(&str, &str, Access); 5] = [
        ("trigger-keys.toml", &enrolled.trigger_keys, Access::Owner),
        ("client.key", &enrolled.client_key, Access::Owner),
        ("client.pem", &enrolled.client_certificate, Access::Everybody),
        ("sm-sr-ca.pem", &enrolled.sm_sr.ca, Access::Everybody),
        // Last: whoever finds it finds what it names.
        ("agent.toml", &config, Access::Everybody),
    ];
    let write = |(name, text, access): &(&str, &str, Access)| {
        let path: PathBuf = Path::new(&arguments.out).join(name);
        file::write_atomic(&path, text.as_bytes(), *access).map(|()| path)
    };
    Ok(files.iter().map(write).collect::<Result<_, _>>()?)
}

/// The SM-SR's configuration with what only the terminal knows.
fn agent_config(text: &str, arguments: &Arguments) -> Result<String, String> {
    let mut config: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().to_string())?;
    let agent = config.get_mut("agent").and_then(toml::Value::as_table_mut).ok_or("there is no table [agent]")?;
    if let Some(device) = &arguments.device {
        agent.insert("device".into(), device.display().to_string().into());
    }
    if let Some(card) = &arguments.card {
        agent.insert("card".into(), card.to_string().into());
    }
    toml::to_string(&config).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use clap::Parser;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    const EID: &str = "89049032123451234512345678901235";

    fn arguments(scratch: &Scratch, more: &[&str]) -> Arguments {
        let out = scratch.path("out").display().to_string();
        let line = ["euicc", "--eid", EID, "--out", &out].into_iter().chain(more.iter().copied());
        Line::try_parse_from(line).unwrap().arguments
    }

    #[test]
    fn the_files_are_those_the_configuration_names_and_secrets_are_for_their_owner() {
        let scratch = Scratch::create();
        let arguments = arguments(&scratch, &["--device", "/dev/ttyUSB2", "--card", "cgla"]);
        let enrolled = Enrolled {
            trigger_keys: "keys".into(),
            client_certificate: "certificate".into(),
            client_key: "key".into(),
            sm_sr: SmSr { ca: "ca".into() },
            agent_config: "[agent]\ncard = \"csim\"\ntrigger-keys-file = \"trigger-keys.toml\"\n\n[[agent.sm-sr]]\n\
                           id = \"a\"\naddress = \"a:1\"\nca-file = \"sm-sr-ca.pem\"\n\
                           client-certificate-file = \"client.pem\"\nclient-key-file = \"client.key\"\n"
                .into(),
        };
        let files = write(&arguments, &enrolled).unwrap();
        for path in &files {
            let secret = path.ends_with("client.key") || path.ends_with("trigger-keys.toml");
            let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if secret { 0o600 } else { 0o644 }, "{}", path.display());
        }
        let text = fs::read_to_string(scratch.path("out").join("agent.toml")).unwrap();
        let config = crate::config::Config::read(&text).unwrap().agent.unwrap();
        assert_eq!((config.device, config.card), ("/dev/ttyUSB2".into(), CardChannel::Cgla));
        assert_eq!(config.sm_sr[0].client_key_file, SecretSource::from("client.key"));
    }

    #[test]
    fn options_win_over_the_eis_and_another_euicc_is_refused() {
        let scratch = Scratch::create();
        let path = scratch.path("eis.json");
        let eis = json!({ "identities": { "imsi": "262011234567890", "msisdn": "4915100000001" }, "profiles": [] });
        file::write_atomic(&path, eis.to_string().as_bytes(), Access::Owner).unwrap();
        let path = path.display().to_string();
        let asked = request(&arguments(&scratch, &["--eis", &path, "--msisdn", "4915100000002"])).unwrap();
        assert_eq!(asked["identities"], json!({ "imsi": "262011234567890", "msisdn": "4915100000002" }));
        assert_eq!((asked["eid"].as_str(), &asked["profiles"]), (Some(EID), &json!([])));
        file::write_atomic(Path::new(&path), br#"{"eid":"89001012012341234012345678901224"}"#, Access::Owner).unwrap();
        let error = request(&arguments(&scratch, &["--eis", &path])).unwrap_err().to_string();
        assert!(error.contains("another eUICC") && !error.contains("8900101201"), "{error}");
    }
}
