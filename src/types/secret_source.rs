//! Where a secret is read from: never from the configuration itself.

use super::Invalid;
use std::{fmt, path::PathBuf};

/// A file, or a credential that the service manager hands over (systemd `LoadCredential=`).
///
/// Text form: a path, or `credential:NAME` for the file NAME in `$CREDENTIALS_DIRECTORY`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SecretSource {
    File(PathBuf),
    Credential(String),
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Credential(name) => write!(f, "credential:{name}"),
        }
    }
}

impl std::str::FromStr for SecretSource {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = |problem| Err(Invalid::new("secret", problem));
        match text.strip_prefix("credential:") {
            None if text.is_empty() => wrong("expected a path or credential:NAME"),
            None => Ok(Self::File(text.into())),
            // systemd allows what may stand in a file name; a path would leave the directory.
            Some(name) if name.is_empty() || name.starts_with('.') || name.contains('/') => {
                wrong("expected a plain file name after `credential:`")
            }
            Some(name) => Ok(Self::Credential(name.to_string())),
        }
    }
}

impl From<&str> for SecretSource {
    /// A path; for defaults and tests.
    fn from(path: &str) -> Self {
        Self::File(path.into())
    }
}

super::serde_as_text!(SecretSource);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_and_credential_names_and_keeps_credentials_in_their_directory() {
        assert_eq!("/etc/key.pem".parse(), Ok(SecretSource::File("/etc/key.pem".into())));
        assert_eq!("credential:tls-key".parse(), Ok(SecretSource::Credential("tls-key".into())));
        for text in ["", "credential:", "credential:../shadow", "credential:a/b"] {
            assert!(text.parse::<SecretSource>().is_err(), "{text}");
        }
    }
}
