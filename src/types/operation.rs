//! What a trigger or a service request asks for (US20160286380A1), with the words and codes we use for it.

use super::Invalid;
use std::fmt;

/// An operation on the subscriptions of an eUICC.
///
/// The code is tag `80` of the trigger object and `op=` of a SIM trigger's URI; the word is the same in every
/// API, header, file and command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Operation {
    Download = 0x01,
    Install = 0x02,
    Enable = 0x03,
    Disable = 0x04,
    Delete = 0x05,
    StatusChange = 0x06,
    SmSrChange = 0x07,
}

impl Operation {
    pub const ALL: [Self; 7] = [
        Self::Download,
        Self::Install,
        Self::Enable,
        Self::Disable,
        Self::Delete,
        Self::StatusChange,
        Self::SmSrChange,
    ];

    /// The code on the wire, 01 to 07.
    pub const fn code(self) -> u8 {
        self as u8
    }

    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.code() == code)
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Download => "download",
            Self::Install => "install",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Delete => "delete",
            Self::StatusChange => "status-change",
            Self::SmSrChange => "sm-sr-change",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for Operation {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|operation| operation.word() == text).ok_or_else(|| {
            Invalid::new(
                "operation",
                "expected one of download, install, enable, disable, delete, status-change, sm-sr-change",
            )
        })
    }
}

super::serde_as_text!(Operation);

/// Who began the session: the SM-SR with a trigger (`push`), or the terminal by itself (`pull`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ManagementMode {
    Push,
    Pull,
}

impl fmt::Display for ManagementMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Push => "push",
            Self::Pull => "pull",
        })
    }
}

impl std::str::FromStr for ManagementMode {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "push" => Ok(Self::Push),
            "pull" => Ok(Self::Pull),
            _ => Err(Invalid::new("management mode", "expected push or pull")),
        }
    }
}

super::serde_as_text!(ManagementMode);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_survives_its_code_and_its_word() {
        for operation in Operation::ALL {
            assert_eq!(Operation::from_code(operation.code()), Some(operation));
            assert_eq!(operation.word().parse(), Ok(operation));
        }
        assert_eq!(Operation::from_code(0), None);
        assert_eq!(Operation::from_code(8), None);
    }
}
