//! `euicc check` as a process.

use std::{path::Path, process::Command};

/// Exit status, standard output, standard error.
fn check(path: &Path) -> (Option<i32>, String, String) {
    let program = env!("CARGO_BIN_EXE_euicc");
    let output = Command::new(program).arg("check").arg("--config").arg(path).output().expect("euicc runs");
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_example_is_right_and_each_daemon_is_told_what_it_lacks() {
    let (status, stdout, stderr) = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml.example"));
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("euicc-gateway   can start with it"), "{stdout}");
    assert!(stdout.contains("euicc-agent     cannot: there is no SM-SR to connect to; add an entry"), "{stdout}");
}

#[test]
fn every_fault_is_shown_with_line_caret_and_remedy() {
    let folder = crate::harness::Folder::create();
    let path = folder.path("config.toml");
    std::fs::write(&path, "[gateway]\nlisten = [\"0.0.0.0:8080\"]\nhost-port = 0\n").expect("written");
    let (status, _, stderr) = check(&path);
    assert_eq!(status, Some(1));
    for expected in [
        "config.toml:2:11",
        "2 │ listen = [\"0.0.0.0:8080\"]",
        "help: listen on 127.0.0.1, [::1] or unix:/path, or add the table [gateway.tls]",
        "config.toml:3:13",
        "help: write a value from 1 to 65535",
        "2 faults",
    ] {
        assert!(stderr.contains(expected), "{expected} in\n{stderr}");
    }
}

#[test]
fn a_missing_file_is_named_with_the_way_out() {
    let (status, _, stderr) = check(Path::new("/nonexistent/config.toml"));
    assert_eq!(status, Some(1));
    assert!(stderr.contains("/nonexistent/config.toml") && stderr.contains("--config"), "{stderr}");
}
