//! Where a server listens and where a local client connects: a TCP address or a UNIX socket.

use super::Invalid;
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

/// `unix:/path/to/socket` or `127.0.0.1:8080`, `[::1]:8080` (port 0 = any free one).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenAddress {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl ListenAddress {
    /// Only processes of this host can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp(address) => match address.ip() {
                IpAddr::V4(ip) => ip.is_loopback(),
                IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
            },
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

impl std::str::FromStr for ListenAddress {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(path) = text.strip_prefix("unix:") {
            // sockaddr_un holds 108 octets with the closing zero.
            return if path.starts_with('/') && path.len() < 108 {
                Ok(Self::Unix(path.into()))
            } else {
                Err(Invalid::new("listen address", "expected an absolute path of at most 107 octets after `unix:`"))
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            Invalid::new("listen address", "expected unix:/path or IP:PORT, like 127.0.0.1:8080 or [::1]:8080")
        })
    }
}

super::serde_as_text!(ListenAddress);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_which_addresses_stay_on_the_host() {
        for (text, local) in [
            ("unix:/run/euicc-push/gateway/api.sock", true),
            ("127.0.0.1:80", true),
            ("127.9.9.9:80", true),
            ("[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("0.0.0.0:80", false),
            ("[::]:80", false),
            ("192.0.2.1:80", false),
            ("[::ffff:192.0.2.1]:80", false),
        ] {
            let address: ListenAddress = text.parse().unwrap();
            assert_eq!(address.is_local(), local, "{text}");
            assert_eq!(address.to_string().parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn refuses_names_relative_paths_and_missing_ports() {
        for text in ["localhost:80", "unix:gateway.sock", "127.0.0.1", "", "unix:"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
        assert!(format!("unix:/{}", "x".repeat(107)).parse::<ListenAddress>().is_err());
    }
}
