//! The SM-SR as a process, with the real gateway behind it and `euicc enroll` before it.

use crate::harness::{Folder, Program, certify, client, smsr_config};
use euicc_push::{
    io::{clock, file, http_client::Client},
    types::{Eid, hex},
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

const PATIENCE: Duration = Duration::from_secs(30);

fn start_smsr(folder: &Folder) -> Program {
    Program::start(env!("CARGO_BIN_EXE_euicc-smsr"), folder, &smsr_config(folder, "127.0.0.1:0", "127.0.0.1:8443"))
}

/// `euicc enroll` with an EIS file as the maker of the card delivers it.
fn enroll(folder: &Folder, eid: &Eid) {
    let key = || hex::encode(&clock::random_bytes::<16>());
    let eis = json!({
        "keysets": [{ "owner": "isd-r", "tar": "000001", "version": 1, "algorithm": "aes", "kic": key(), "kid": key() }],
        "profiles": [],
    });
    let path = folder.path("eis.json");
    file::write_atomic(&path, eis.to_string().as_bytes(), file::Access::Owner).expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_euicc"))
        .args(["enroll", "--eid", &eid.clear(), "--msisdn", "4915100000001", "--device", "/dev/ttyUSB2"])
        .arg(format!("--smsr=unix:{}", folder.path("smsr.sock").display()))
        .arg("--eis")
        .arg(path)
        .arg("--out")
        .arg(folder.path("terminal"))
        .output()
        .expect("euicc runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn assert_enrolled(folder: &Path) {
    let config = fs::read_to_string(folder.join("agent.toml")).expect("agent.toml");
    let config = euicc_push::config::Config::read(&config).expect("a right configuration").agent.expect("[agent]");
    let entry = &config.sm_sr[0];
    assert_eq!((entry.id.as_str(), entry.address.as_str()), ("sm-sr.test", "127.0.0.1:8443"));
    for name in [&entry.ca_file, &entry.client_certificate_file] {
        assert!(folder.join(name).exists(), "{}", name.display());
    }
    for name in ["trigger-keys.toml", "client.key"] {
        let mode = fs::metadata(folder.join(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// The only target of the gateway's first push.
async fn pushed(gateway: &Client) -> Value {
    let found = async {
        loop {
            let answer = gateway.get("/v1/pushes/1/targets").await.expect("the gateway answers");
            if let Ok(page) = answer.json::<Value>() {
                return page["targets"][0].clone();
            }
            clock::sleep(Duration::from_millis(50)).await;
        }
    };
    clock::timeout(PATIENCE, found).await.expect("the push comes to the gateway")
}

#[test]
fn a_signed_trigger_reaches_the_gateway_once_although_the_sm_sr_is_killed() {
    let folder = Folder::create();
    certify(&folder);
    let gateway_config = format!(
        "[gateway]\nlisten = [\"unix:{socket}\"]\ndatabase = \"{database}\"\n\
         [[gateway.route]]\nkind = \"modem\"\nname = \"absent\"\ndevice = \"{device}\"\n",
        socket = folder.path("gateway.sock").display(),
        database = folder.path("gateway.sqlite").display(),
        device = folder.path("no-modem").display(),
    );
    let _gateway = Program::start(env!("CARGO_BIN_EXE_euicc-gateway"), &folder, &gateway_config);
    let smsr = start_smsr(&folder);
    assert!(smsr.listener("ADMIN").starts_with("127.0.0.1:"));
    let eid = Eid::with_check_digits("890490320010011223344500000001").expect("an EID");
    enroll(&folder, &eid);
    assert_enrolled(&folder.path("terminal"));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (api, gateway) = (client(&folder, "smsr.sock"), client(&folder, "gateway.sock"));
        let request = json!({ "operation": "status-change", "status": "audit", "targets": [{ "eid": eid }] });
        let answer: Value = api.post_json("/v1/batches", &request).await.expect("answered").json().expect("accepted");
        assert_eq!(answer["accepted"], 1, "{answer}");
        let target = pushed(&gateway).await;
        assert_eq!(target["identity"]["msisdn"], "4915100000001");
        smsr.kill();
        let again = start_smsr(&folder);
        let targets: Value = api.get("/v1/batches/1/targets").await.expect("answered").json().expect("a page");
        assert_eq!(targets["targets"][0]["transaction"], target["ref"]);
        assert_eq!(targets["targets"][0]["state"], "triggered");
        let pushes: Value = gateway.get("/v1/pushes").await.expect("answered").json().expect("a page");
        assert_eq!(pushes["pushes"].as_array().map(Vec::len), Some(1), "one push");
        let ready: Value = api.get("/readyz").await.expect("answered").json().expect("ready");
        assert_eq!(ready["ok"], true);
        let directory = format!("/v1/directory/eid/{}", eid.clear());
        assert!(gateway.get(&directory).await.expect("answered").success().is_ok(), "the directory knows the eUICC");
        assert_eq!(again.stop(), Some(0));
    });
    let log = fs::read_to_string(folder.path("euicc-smsr.log")).expect("a log");
    assert!(!log.contains(&eid.clear()) && !log.contains("4915100000001"), "identities are masked");
}
