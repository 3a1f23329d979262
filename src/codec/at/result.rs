//! Final results of a command line: V.250 5.7.1, TS 27.007 9.1, TS 27.005 3.2.5 and what vendors add.

use super::error_table::{CME, CMS, ErrorEntry};
use std::fmt;

/// The code or text after `+CME ERROR:` or `+CMS ERROR:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    Code(u16),
    /// AT+CMEE=2, or firmware that never reports numbers.
    Text(String),
}

/// How a command line ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinalResult {
    Ok,
    Connect(String),
    Error,
    Cme(Reported),
    Cms(Reported),
    NoCarrier,
    NoDialtone,
    Busy,
    NoAnswer,
    /// `COMMAND NOT SUPPORT` (Huawei E220, E17xx), `TOO MANY PARAMETERS`.
    Unsupported(String),
}

impl FinalResult {
    /// The final result that a line is, `None` for any other line. Numbers (V0) are read by [`numeric`](Self::numeric).
    pub fn parse(line: &[u8]) -> Option<Self> {
        // Most lines are no final result: decide on the first octet before looking closer.
        if !matches!(line.first()?, b'O' | b'E' | b'+' | b'N' | b'B' | b'C' | b'T' | b' ') {
            return None;
        }
        let text = std::str::from_utf8(line).ok()?.trim();
        match text {
            "OK" => Some(Self::Ok),
            "ERROR" => Some(Self::Error),
            "NO CARRIER" => Some(Self::NoCarrier),
            "NO DIALTONE" | "NO DIAL TONE" => Some(Self::NoDialtone),
            "BUSY" => Some(Self::Busy),
            "NO ANSWER" => Some(Self::NoAnswer),
            "COMMAND NOT SUPPORT" | "COMMAND NOT SUPPORTED" | "TOO MANY PARAMETERS" => {
                Some(Self::Unsupported(text.into()))
            }
            "CONNECT" => Some(Self::Connect(String::new())),
            _ => Self::with_detail(text),
        }
    }

    fn with_detail(text: &str) -> Option<Self> {
        if let Some(speed) = text.strip_prefix("CONNECT ") {
            return Some(Self::Connect(speed.trim().into()));
        }
        let (kind, detail): (fn(Reported) -> Self, _) = if let Some(detail) = text.strip_prefix("+CME ERROR") {
            (Self::Cme, detail)
        } else {
            (Self::Cms, text.strip_prefix("+CMS ERROR")?)
        };
        let detail = detail.trim_start_matches([':', ' ']);
        Some(kind(detail.parse().map_or_else(|_| Reported::Text(detail.into()), Reported::Code)))
    }

    /// The final result that a line is after ATV0 (V.250 6.2.6). RING (2) is none.
    pub fn numeric(line: &[u8]) -> Option<Self> {
        match line.trim_ascii() {
            b"0" => Some(Self::Ok),
            b"1" => Some(Self::Connect(String::new())),
            b"3" => Some(Self::NoCarrier),
            b"4" => Some(Self::Error),
            b"6" => Some(Self::NoDialtone),
            b"7" => Some(Self::Busy),
            b"8" => Some(Self::NoAnswer),
            _ => None,
        }
    }

    pub fn is_success(&self) -> bool {
        matches!(self, Self::Ok | Self::Connect(_))
    }

    /// Name, class and pace of the error reported, where it has a number or a known text.
    pub fn entry(&self) -> Option<ErrorEntry> {
        match self {
            Self::Cme(reported) => CME.entry(reported),
            Self::Cms(reported) => CMS.entry(reported),
            _ => None,
        }
    }

    /// The +CME ERROR number, also of an error reported as text.
    pub fn cme(&self) -> Option<u16> {
        match self {
            Self::Cme(reported) => CME.code(reported),
            _ => None,
        }
    }

    /// The +CMS ERROR number, also of an error reported as text.
    pub fn cms(&self) -> Option<u16> {
        match self {
            Self::Cms(reported) => CMS.code(reported),
            _ => None,
        }
    }
}

impl fmt::Display for FinalResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, prefix: &str, reported: &Reported| match (reported, self.entry()) {
            (Reported::Code(code), Some(entry)) => write!(f, "{prefix}: {code} ({})", entry.name),
            (Reported::Code(code), None) => write!(f, "{prefix}: {code}"),
            (Reported::Text(text), _) => write!(f, "{prefix}: {text}"),
        };
        match self {
            Self::Ok => f.write_str("OK"),
            Self::Connect(speed) if speed.is_empty() => f.write_str("CONNECT"),
            Self::Connect(speed) => write!(f, "CONNECT {speed}"),
            Self::Error => f.write_str("ERROR"),
            Self::Cme(reported) => named(f, "+CME ERROR", reported),
            Self::Cms(reported) => named(f, "+CMS ERROR", reported),
            Self::NoCarrier => f.write_str("NO CARRIER"),
            Self::NoDialtone => f.write_str("NO DIALTONE"),
            Self::Busy => f.write_str("BUSY"),
            Self::NoAnswer => f.write_str("NO ANSWER"),
            Self::Unsupported(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::error_table::Class;
    use super::*;

    #[test]
    fn reads_every_final_result() {
        let cases: &[(&[u8], FinalResult)] = &[
            (b"OK", FinalResult::Ok),
            (b" OK ", FinalResult::Ok),
            (b"ERROR", FinalResult::Error),
            (b"+CME ERROR: 10", FinalResult::Cme(Reported::Code(10))),
            (b"+CMS ERROR:500", FinalResult::Cms(Reported::Code(500))),
            (b"+CMS ERROR: unknown error", FinalResult::Cms(Reported::Text("unknown error".into()))),
            (b"CONNECT 150000000", FinalResult::Connect("150000000".into())),
            (b"NO CARRIER", FinalResult::NoCarrier),
            (b"COMMAND NOT SUPPORT", FinalResult::Unsupported("COMMAND NOT SUPPORT".into())),
        ];
        for (line, expected) in cases {
            assert_eq!(FinalResult::parse(line).as_ref(), Some(expected));
        }
        for line in [b"OKAY".as_slice(), b"+CMEE: 1", b"0", b"CONNECTED", b"\xff", b""] {
            assert_eq!(FinalResult::parse(line), None);
        }
        assert_eq!(FinalResult::numeric(b"4"), Some(FinalResult::Error));
        assert_eq!(FinalResult::numeric(b"2"), None);
    }

    #[test]
    fn an_error_in_words_finds_its_number_and_class() {
        let result = FinalResult::parse(b"+CME ERROR: SIM busy").unwrap();
        assert_eq!((result.cme(), result.entry().unwrap().class), (Some(14), Class::Retry));
        assert_eq!(FinalResult::parse(b"+CMS ERROR: 38").unwrap().to_string(), "+CMS ERROR: 38 (network out of order)");
    }
}
