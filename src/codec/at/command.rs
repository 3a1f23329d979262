//! Command lines to be sent (V.250 5.2, 5.4). Nothing that ends a line or changes the modem's mode can get into one.

use crate::codec::EncodeError;
use crate::types::Secret;
use std::fmt::{self, Write as _};

/// Longest command line sent: +CSIM with an APDU of 261 octets needs 540 characters, firmware often allows 2048.
const LONGEST: usize = 2048;

/// One complete command line, `AT` included, without the CR.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandLine {
    text: String,
    confidential: bool,
}

impl CommandLine {
    /// A line as given, which begins with `AT`; refused when it contains a control character (CR, Ctrl-Z, ESC, ...).
    pub fn raw(text: &str) -> Result<Self, EncodeError> {
        let refuse = |problem| Err(EncodeError::new("AT command", "line", problem));
        if !text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("AT")) {
            return refuse("it does not begin with AT");
        }
        if !text.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
            return refuse("only printable ASCII may be sent; CR, Ctrl-Z and ESC would start or end something else");
        }
        if text.len() > LONGEST {
            return Err(EncodeError::too_long("AT command", "line", LONGEST, text.len()));
        }
        Ok(Self { text: text.to_owned(), confidential: false })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The octets to send, ended by S3 (CR).
    pub fn to_wire(&self) -> Vec<u8> {
        [self.text.as_bytes(), b"\r"].concat()
    }
}

/// Shows the line, except for the parameters of one that carries a password or an APDU.
impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.split_once('=') {
            Some((name, _)) if self.confidential => write!(f, "{name}=***"),
            _ => f.write_str(&self.text),
        }
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Builds one extended command, parameter by parameter; the first refusal is kept until [`build`](Self::build).
#[derive(Debug)]
pub struct Builder {
    line: CommandLine,
    parameters: usize,
    refused: Option<EncodeError>,
}

impl Builder {
    /// `name` with its sign: `+CMGS`, `^CURC`, `#CCID`.
    fn named(name: &str, form: &str) -> Self {
        let (sign, rest) = name.split_at_checked(1).unwrap_or_default();
        let is_name = matches!(sign, "+" | "^" | "#" | "!" | "*" | "%" | "$")
            && !rest.is_empty()
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let refused =
            (!is_name).then(|| EncodeError::new("AT command", "name", format!("`{}` is none", name.escape_default())));
        let line = CommandLine { text: format!("AT{name}{form}"), confidential: false };
        Self { line, parameters: 0, refused }
    }

    /// `AT+X`
    pub fn execute(name: &str) -> Self {
        Self::named(name, "")
    }

    /// `AT+X?`
    pub fn query(name: &str) -> Self {
        Self::named(name, "?")
    }

    /// `AT+X=?`
    pub fn test(name: &str) -> Self {
        Self::named(name, "=?")
    }

    /// `AT+X=`, to be followed by parameters.
    pub fn set(name: &str) -> Self {
        Self::named(name, "=")
    }

    /// Keeps the parameters out of logs.
    pub fn confidential(mut self) -> Self {
        self.line.confidential = true;
        self
    }

    fn separate(&mut self) {
        if self.parameters > 0 {
            self.line.text.push(',');
        }
        self.parameters += 1;
    }

    pub fn number(mut self, number: impl Into<u64>) -> Self {
        self.separate();
        let _ = write!(self.line.text, "{}", number.into());
        self
    }

    /// A parameter left out: its place is kept.
    pub fn omitted(mut self) -> Self {
        self.separate();
        self
    }

    /// A string in quotes.
    pub fn quoted(mut self, text: &str) -> Self {
        self.separate();
        if !text.bytes().all(|byte| (0x20..0x7F).contains(&byte) && byte != b'"') {
            self.refuse("a string may hold printable ASCII without quotes only");
        }
        let _ = write!(self.line.text, "\"{text}\"");
        self
    }

    /// Letters and digits without quotes, e.g. the session of +CGLA.
    pub fn word(mut self, text: &str) -> Self {
        self.separate();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            self.refuse("a parameter without quotes may hold letters and digits only");
        }
        self.line.text.push_str(text);
        self
    }

    /// Octets in quotes, as upper-case hexadecimal digits.
    pub fn octets(mut self, octets: &[u8]) -> Self {
        self.separate();
        let _ = write!(self.line.text, "\"{}\"", upper_hex(octets));
        self
    }

    /// A password in quotes; the line becomes confidential.
    pub fn secret(self, secret: &Secret) -> Self {
        match std::str::from_utf8(secret.expose()) {
            Ok(text) => self.quoted(text).confidential(),
            Err(_) => {
                let mut builder = self.omitted().confidential();
                builder.refuse("a password may hold ASCII only");
                builder
            }
        }
    }

    fn refuse(&mut self, problem: &'static str) {
        let field = format!("parameter {}", self.parameters);
        self.refused.get_or_insert_with(|| EncodeError::new("AT command", field, problem));
    }

    pub fn build(self) -> Result<CommandLine, EncodeError> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        let checked = CommandLine::raw(&self.line.text)?;
        Ok(CommandLine { confidential: self.line.confidential, ..checked })
    }
}

/// What is typed at the prompt: hexadecimal digits, ended by Ctrl-Z.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(String);

impl Payload {
    /// A PDU, service centre address first (TS 27.005 3.1).
    pub fn pdu(octets: &[u8]) -> Self {
        Self(upper_hex(octets))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn to_wire(&self) -> Vec<u8> {
        [self.0.as_bytes(), &[CTRL_Z]].concat()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} digits)", self.0.len())
    }
}

/// Ends a PDU at the prompt.
pub const CTRL_Z: u8 = 0x1A;
/// Leaves the prompt without sending.
pub const ESC: u8 = 0x1B;

/// Upper-case hexadecimal digits, as TS 27.005 wants its PDUs.
fn upper_hex(octets: &[u8]) -> String {
    crate::types::hex::encode(octets).to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_every_form() {
        let line = |builder: Builder| builder.build().unwrap().as_str().to_owned();
        assert_eq!(line(Builder::execute("+CSQ")), "AT+CSQ");
        assert_eq!(line(Builder::query("+CREG")), "AT+CREG?");
        assert_eq!(line(Builder::test("+CNMI")), "AT+CNMI=?");
        assert_eq!(line(Builder::set("+CNMI").omitted().number(1_u8)), "AT+CNMI=,1");
        assert_eq!(line(Builder::set("+CPMS").quoted("ME").quoted("SM")), "AT+CPMS=\"ME\",\"SM\"");
        assert_eq!(
            line(Builder::set("+CGLA").word("00000000038aa32f").number(4_u8).octets(&[0x80, 0xCA])),
            "AT+CGLA=00000000038aa32f,4,\"80CA\""
        );
        assert_eq!(Builder::execute("+CSQ").build().unwrap().to_wire(), b"AT+CSQ\r");
        assert_eq!(Payload::pdu(&[0x00, 0xAB]).to_wire(), b"00AB\x1a");
    }

    #[test]
    fn refuses_whatever_would_end_a_line_or_a_string() {
        for evil in ["1\rATZ", "1\u{1a}", "\u{1b}", "a\"b", "ä", "\0"] {
            assert!(Builder::set("+CPIN").quoted(evil).build().is_err(), "{evil:?}");
            assert!(Builder::set("+CGLA").word(evil).build().is_err(), "{evil:?}");
            assert!(CommandLine::raw(&format!("AT{evil}")).is_err() || evil == "a\"b");
        }
        for name in ["CSQ", "+", "+CSQ;Z", "+CS Q", "é"] {
            assert!(Builder::execute(name).build().is_err(), "{name}");
        }
        assert!(CommandLine::raw("+CSQ").is_err());
        assert!(CommandLine::raw(&format!("AT{}", "1".repeat(3000))).is_err());
    }

    #[test]
    fn a_password_is_sent_but_not_shown() {
        let line = Builder::set("+CPIN").secret(&Secret::new(b"1234".to_vec())).build().unwrap();
        assert_eq!(line.as_str(), "AT+CPIN=\"1234\"");
        assert_eq!(format!("{line} {line:?}"), "AT+CPIN=*** AT+CPIN=***");
    }
}
