//! The service manager's end of sd_notify(3), for the children of the demo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tokio::net::UnixDatagram;

/// The longest notification that is read; the kernel cuts off the rest.
const MAX_NOTIFICATION: usize = 8192;

/// A socket for one child's notifications.
pub struct Readiness {
    socket: UnixDatagram,
    path: PathBuf,
}

/// Addresses a daemon listens on, by the name it gives them: `API`, `ADMIN`, `CONTROL`.
pub type Listeners = BTreeMap<String, String>;

impl Readiness {
    pub fn bind(path: PathBuf) -> Result<Self, String> {
        let socket = UnixDatagram::bind(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { socket, path })
    }

    /// What the child needs as `NOTIFY_SOCKET`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for `READY=1`.
    pub async fn ready(&self) -> Result<Listeners, String> {
        let mut buffer = vec![0; MAX_NOTIFICATION];
        loop {
            let length = self.socket.recv(&mut buffer).await.map_err(|error| error.to_string())?;
            let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
            if text.lines().any(|line| line == "READY=1") {
                return Ok(listeners(&text));
            }
        }
    }

    /// Takes whatever else is said.
    pub async fn discard(self) {
        let mut buffer = [0; MAX_NOTIFICATION];
        while self.socket.recv(&mut buffer).await.is_ok() {}
    }
}

fn listeners(text: &str) -> Listeners {
    let named = |line: &str| {
        let (name, address) = line.strip_prefix("X_EUICC_LISTEN_")?.split_once('=')?;
        Some((name.to_string(), address.to_string()))
    };
    text.lines().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_listeners_among_other_lines() {
        let found = listeners(
            "READY=1\nSTATUS=2 routes\nX_EUICC_LISTEN_API=unix:/run/x.sock\nX_EUICC_LISTEN_ADMIN=127.0.0.1:4433\n",
        );
        assert_eq!(found.get("API").map(String::as_str), Some("unix:/run/x.sock"));
        assert_eq!(found.get("ADMIN").map(String::as_str), Some("127.0.0.1:4433"));
        assert_eq!(found.len(), 2);
    }
}
