//! The emulator's control socket.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
};

pub struct Control(PathBuf);

impl Control {
    /// The one behind a listener's address.
    pub fn at(address: &str) -> Self {
        Self(address.strip_prefix("unix:").expect("a UNIX socket").into())
    }

    /// One request and its answer.
    pub fn ask(&self, request: &Value) -> Value {
        let mut stream = UnixStream::connect(&self.0).expect("control listens");
        writeln!(stream, "{request}").expect("asked");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).expect("answered");
        serde_json::from_str(&answer).expect("JSON")
    }

    /// One request; its answer, which is positive.
    pub fn order(&self, request: &Value) -> Value {
        let answer = self.ask(request);
        assert_eq!(answer["ok"], true, "{request}: {answer}");
        answer
    }
}
