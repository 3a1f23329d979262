//! A client of a JSON API on a UNIX socket.

use serde_json::Value;
use std::{
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(60);
/// Between two questions whether it has become so.
const PACE: Duration = Duration::from_millis(10);

pub struct Api(PathBuf);

impl Api {
    /// The one behind a listener's address.
    pub fn at(address: &str) -> Self {
        Self(address.strip_prefix("unix:").expect("a UNIX socket").into())
    }

    /// Status and body; `None` if the server went away before it had answered. `head` is the request line without the
    /// version, and header lines after it.
    pub fn ask(&self, head: &str, body: &str) -> Option<(u16, String)> {
        let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
        let headers: String = headers.lines().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        let mut stream = UnixStream::connect(&self.0).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // In one piece: a server may answer before it has read the body, and close.
        let request = format!(
            "{line} HTTP/1.1\r\nHost: it\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_string()))
    }

    fn json(&self, head: &str, body: &str) -> (u16, Value) {
        let (status, body) = self.ask(head, body).expect("an answer");
        let value = serde_json::from_str(&body).unwrap_or(Value::String(body));
        (status, value)
    }

    pub fn get(&self, path: &str) -> Value {
        let (status, value) = self.json(&format!("GET {path}"), "");
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.json(&format!("POST {path}\nContent-Type: application/json"), &body.to_string())
    }

    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.json(&format!("PUT {path}\nContent-Type: application/json"), &body.to_string())
    }

    /// What the path shows once `wanted` holds.
    pub fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let value = self.get(path);
            if wanted(&value) {
                return value;
            }
            assert!(start.elapsed() < PATIENCE, "{path} does not become what it should: {value}");
            std::thread::sleep(PACE);
        }
    }

    /// Waits until the metrics have this line.
    pub fn await_metric(&self, line: &str) {
        let start = Instant::now();
        loop {
            let (_, text) = self.ask("GET /metrics", "").expect("metrics");
            if text.lines().any(|found| found == line) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{line} in\n{text}");
            std::thread::sleep(PACE);
        }
    }
}
