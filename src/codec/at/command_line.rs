//! The body of a command line, read by the modem's side (V.250 5.2.1, 5.3, 5.4).
//!
//! Basic commands follow each other (`E0Q0V1`), extended ones end at `;` or at the end of the line. Commands come out
//! one by one because a modem executes those before a faulty one.

use crate::codec::{DecodeError, Fault, Reader};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while, take_while1};
use nom::character::complete::one_of;
use nom::combinator::recognize;
use nom::sequence::{delimited, pair};
use nom::{IResult, Parser};

const CLAUSE: &str = "V.250 5.4";

/// One command of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A letter, perhaps after `&`, with its number: `E0`, `&F`, `Z`. Upper case.
    Basic { name: String, number: Option<u32> },
    /// `S3=13`
    SetRegister { register: u32, value: u32 },
    /// `S3?`
    ReadRegister { register: u32 },
    /// `D` and all that follows it up to `;` or the end.
    Dial(String),
    /// `+X...` and vendors' signs. The name is in upper case with its sign.
    Extended { name: String, form: Form },
}

/// The four forms of an extended command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    Execute,
    Read,
    Test,
    Set(Vec<Argument>),
}

/// One parameter of a set command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// Left out; its place is kept.
    Omitted,
    Bare(String),
    Quoted(String),
}

impl Argument {
    /// The text, quoted or not; `None` when left out.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Omitted => None,
            Self::Bare(text) | Self::Quoted(text) => Some(text),
        }
    }

    /// A decimal number without quotes.
    pub fn number(&self) -> Option<u32> {
        match self {
            Self::Bare(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// The commands of a line's body (what follows `AT`). After an error nothing more comes.
#[derive(Debug, Clone)]
pub struct Commands<'a> {
    reader: Reader<'a>,
    failed: bool,
}

impl<'a> Commands<'a> {
    pub fn new(body: &'a [u8]) -> Self {
        Self::read(Reader::new("AT command", body))
    }

    /// Reads on from where a reader stands, after `AT`.
    pub fn read(reader: Reader<'a>) -> Self {
        Self { reader, failed: false }
    }
}

impl Iterator for Commands<'_> {
    type Item = Result<Command, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        skip_while(&mut self.reader, |byte| matches!(byte, b' ' | b';'));
        if self.failed || self.reader.is_empty() {
            return None;
        }
        let command = read_command(&mut self.reader);
        self.failed = command.is_err();
        Some(command)
    }
}

fn skip_while(reader: &mut Reader<'_>, skipped: impl Fn(u8) -> bool) {
    let count = reader.peek().iter().take_while(|byte| skipped(**byte)).count();
    reader.skip(count);
}

fn sign(input: &[u8]) -> IResult<&[u8], char> {
    one_of(&b"+^#!*%$"[..]).parse(input)
}

fn extended_name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let name = take_while1(|byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b':' | b'_'));
    recognize(pair(sign, name)).parse(input)
}

fn basic_name(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let letter = |input| take_letter(input);
    alt((recognize(pair(tag(&b"&"[..]), letter)), letter)).parse(input)
}

fn take_letter(input: &[u8]) -> IResult<&[u8], &[u8]> {
    recognize(one_of(&b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[..])).parse(input)
}

/// Takes from the reader what `parser` accepts, as `field`.
fn accept<'a>(
    reader: &mut Reader<'a>,
    field: &'static str,
    expected: &'static str,
    mut parser: impl FnMut(&'a [u8]) -> IResult<&'a [u8], &'a [u8]>,
) -> Result<&'a [u8], DecodeError> {
    match parser(reader.peek()) {
        Ok((_, taken)) => {
            reader.take(taken.len(), field)?;
            reader.note(CLAUSE, String::new);
            Ok(taken)
        }
        Err(_) => Err(wrong(reader, field, expected)),
    }
}

fn wrong(reader: &Reader<'_>, field: &'static str, expected: &'static str) -> DecodeError {
    match reader.peek().first() {
        Some(byte) => reader.value_error(reader.offset(), field, expected, format!("`{}`", byte.escape_ascii())),
        None => reader.error(field, Fault::Missing),
    }
}

fn upper(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_ascii_uppercase()
}

fn read_command(reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    if sign(reader.peek()).is_ok() {
        let name = upper(accept(reader, "name", "a command name", extended_name)?);
        return Ok(Command::Extended { name, form: read_form(reader)? });
    }
    let name = upper(accept(reader, "name", "a letter, & or the sign of an extended command", basic_name)?);
    match name.as_str() {
        "S" => read_register(reader),
        "D" => {
            let dial = reader.peek().iter().take_while(|byte| **byte != b';').count();
            let string = reader.take(dial, "dial string")?;
            Ok(Command::Dial(String::from_utf8_lossy(string).into_owned()))
        }
        _ => Ok(Command::Basic { name, number: read_number(reader, "number")? }),
    }
}

fn read_number(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<u32>, DecodeError> {
    let digits = reader.peek().iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 {
        return Ok(None);
    }
    let offset = reader.offset();
    let text = reader.take(digits, field)?;
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| reader.value_error(offset, field, "a number of 32 bits", "a longer one"))
}

fn read_register(reader: &mut Reader<'_>) -> Result<Command, DecodeError> {
    let register = read_number(reader, "S-parameter")?.ok_or_else(|| wrong(reader, "S-parameter", "a number"))?;
    match reader.peek_u8() {
        Some(b'?') => {
            reader.skip(1);
            Ok(Command::ReadRegister { register })
        }
        Some(b'=') => {
            reader.skip(1);
            Ok(Command::SetRegister { register, value: read_number(reader, "value")?.unwrap_or(0) })
        }
        _ => Err(wrong(reader, "S-parameter", "= or ?")),
    }
}

fn read_form(reader: &mut Reader<'_>) -> Result<Form, DecodeError> {
    skip_while(reader, |byte| byte == b' ');
    match reader.peek() {
        [] | [b';', ..] => Ok(Form::Execute),
        [b'?', ..] => {
            accept(reader, "form", "?", |input| tag(&b"?"[..]).parse(input))?;
            reader.note(CLAUSE, || "read".into());
            end_of_command(reader).map(|()| Form::Read)
        }
        [b'=', b'?', ..] => {
            accept(reader, "form", "=?", |input| tag(&b"=?"[..]).parse(input))?;
            reader.note(CLAUSE, || "test".into());
            end_of_command(reader).map(|()| Form::Test)
        }
        [b'=', ..] => {
            reader.skip(1);
            read_arguments(reader).map(Form::Set)
        }
        _ => Err(wrong(reader, "form", "?, =, ; or the end")),
    }
}

fn end_of_command(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    skip_while(reader, |byte| byte == b' ');
    match reader.peek_u8() {
        None | Some(b';') => Ok(()),
        Some(_) => Err(wrong(reader, "end", "; or the end of the line")),
    }
}

fn quoted(input: &[u8]) -> IResult<&[u8], &[u8]> {
    recognize(delimited(tag(&b"\""[..]), take_till(|byte| byte == b'"'), tag(&b"\""[..]))).parse(input)
}

fn bare(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte| !matches!(byte, b',' | b';' | b'"')).parse(input)
}

fn read_arguments(reader: &mut Reader<'_>) -> Result<Vec<Argument>, DecodeError> {
    let mut arguments = Vec::new();
    loop {
        skip_while(reader, |byte| byte == b' ');
        arguments.push(match reader.peek_u8() {
            Some(b'"') => {
                let text = accept(reader, "parameter", "a closing quote", quoted)?;
                let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
                Argument::Quoted(String::from_utf8_lossy(inner).into_owned())
            }
            None | Some(b',' | b';') => Argument::Omitted,
            Some(_) => {
                let text = accept(reader, "parameter", "a parameter", bare)?;
                Argument::Bare(String::from_utf8_lossy(text.trim_ascii_end()).into_owned())
            }
        });
        skip_while(reader, |byte| byte == b' ');
        match reader.peek_u8() {
            Some(b',') => reader.skip(1),
            None | Some(b';') => return Ok(arguments),
            Some(_) => return Err(wrong(reader, "parameter", "a comma, ; or the end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(body: &str) -> Vec<Command> {
        Commands::new(body.as_bytes()).collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    fn extended(name: &str, form: Form) -> Command {
        Command::Extended { name: name.into(), form }
    }

    fn basic(name: &str, number: Option<u32>) -> Command {
        Command::Basic { name: name.into(), number }
    }

    fn bare(text: &str) -> Argument {
        Argument::Bare(text.into())
    }

    #[test]
    fn basic_commands_follow_each_other() {
        assert_eq!(all("E0q0V1&F"), [basic("E", Some(0)), basic("Q", Some(0)), basic("V", Some(1)), basic("&F", None)]);
        assert_eq!(
            all("S3=13S4?"),
            [Command::SetRegister { register: 3, value: 13 }, Command::ReadRegister { register: 4 }]
        );
        assert_eq!(all("DT*99#;+CSQ"), [Command::Dial("T*99#".into()), extended("+CSQ", Form::Execute)]);
        assert_eq!(all(""), []);
    }

    #[test]
    fn extended_commands_come_in_four_forms_and_any_case() {
        assert_eq!(
            all("+cmee=1;+CREG=2"),
            [extended("+CMEE", Form::Set(vec![bare("1")])), extended("+CREG", Form::Set(vec![bare("2")]))]
        );
        assert_eq!(
            all("E0+CSQ;^CURC?;#CCID;*CNTI=?"),
            [
                basic("E", Some(0)),
                extended("+CSQ", Form::Execute),
                extended("^CURC", Form::Read),
                extended("#CCID", Form::Execute),
                extended("*CNTI", Form::Test)
            ]
        );
    }

    #[test]
    fn parameters_keep_their_places_and_quotes_hide_separators() {
        assert_eq!(all("+CNMI=,1"), [extended("+CNMI", Form::Set(vec![Argument::Omitted, bare("1")]))]);
        assert_eq!(
            all("+X=\"a;b,c\", 2 ,"),
            [extended("+X", Form::Set(vec![Argument::Quoted("a;b,c".into()), bare("2"), Argument::Omitted]))]
        );
        let Command::Extended { form: Form::Set(arguments), .. } = &all("+CSIM=10,\"0020000100\"")[0] else { panic!() };
        assert_eq!((arguments[0].number(), arguments[1].text()), (Some(10), Some("0020000100")));
        assert_eq!(arguments[1].number(), None);
    }

    #[test]
    fn commands_before_a_faulty_one_still_come_out() {
        let commands: Vec<_> = Commands::new(b"E0+CSQ;+CREG=\"x").collect();
        assert_eq!(commands.len(), 3);
        assert!(commands[1].is_ok());
        let error = commands[2].as_ref().unwrap_err().to_string();
        assert!(error.contains("parameter at offset 13"), "{error}");
        for faulty in ["+", "+CREG?x", "7", "S", "S3", "+CREG x", "E99999999999", "+X=\"a\"b", "\u{1a}"] {
            assert!(Commands::new(faulty.as_bytes()).any(|command| command.is_err()), "{faulty}");
        }
    }
}
