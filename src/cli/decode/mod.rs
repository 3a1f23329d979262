//! `euicc decode`: octets in, an indented tree of fields out, each with offset, raw octets, meaning and clause.
//!
//! The tree is the codec's own trace, so what is printed is what the daemons read.

pub mod kinds;
pub mod sms;
pub mod tree;

use crate::codec::{DecodeError, Reader, Span, Trace};
use crate::types::hex;
use kinds::Kind;
use serde_json::json;
use std::io::{BufRead, Write};
use std::process::ExitCode;

/// Decode octets given in hexadecimal, field by field
#[derive(Debug, clap::Args)]
#[command(after_help = kind_list())]
pub struct Arguments {
    /// What the octets are (see the list below)
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(kinds::KINDS.iter().map(|kind| kind.name)), hide_possible_values = true)]
    kind: String,
    /// The octets in hexadecimal; without them, one input per line is read from standard input
    hex: Vec<String>,
    /// Print JSON: one object per input
    #[arg(long)]
    json: bool,
}

fn kind_list() -> String {
    let lines = kinds::KINDS.iter().map(|kind| format!("  {:<18} {}", kind.name, kind.about));
    format!("Kinds:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

pub fn run(arguments: &Arguments) -> ExitCode {
    let Some(kind) = kinds::by_name(&arguments.kind) else { return ExitCode::from(2) };
    let inputs = if arguments.hex.is_empty() { lines_of_stdin() } else { vec![arguments.hex.concat()] };
    let several = inputs.len() > 1;
    let mut all_good = true;
    for (index, input) in inputs.iter().enumerate() {
        let decoded = decode(kind, input);
        all_good &= decoded.error.is_none();
        let text = if arguments.json { decoded.json(kind) } else { decoded.text(several.then_some(index + 1)) };
        // A closed pipe ends the output, not the program with a panic.
        if std::io::stdout().write_all(text.as_bytes()).is_err() {
            break;
        }
    }
    if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn lines_of_stdin() -> Vec<String> {
    std::io::stdin().lock().lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()).collect()
}

/// What came out of one input: the fields up to the error, if there was one.
struct Decoded {
    spans: Vec<Span>,
    error: Option<String>,
}

fn decode(kind: &Kind, input: &str) -> Decoded {
    match hex::decode(input) {
        Err(error) => Decoded { spans: Vec::new(), error: Some(error.to_string()) },
        Ok(octets) => {
            let trace = Trace::new();
            let error = read_all(kind, &octets, &trace).err().map(|error| error.to_string());
            Decoded { spans: trace.into_spans(), error }
        }
    }
}

fn read_all(kind: &Kind, octets: &[u8], trace: &Trace) -> Result<(), DecodeError> {
    let mut reader = Reader::traced(kind.name, octets, trace);
    (kind.read)(&mut reader)?;
    reader.finish()
}

impl Decoded {
    fn text(&self, number: Option<usize>) -> String {
        let heading = number.map(|number| format!("input {number}\n")).unwrap_or_default();
        let error = self.error.as_ref().map(|error| format!("error: {error}\n")).unwrap_or_default();
        format!("{heading}{}{error}", tree::render(&self.spans))
    }

    fn json(&self, kind: &Kind) -> String {
        let mut object = json!({ "kind": kind.name, "fields": tree::to_json(&self.spans) });
        if let Some(error) = &self.error {
            object["error"] = json!(error);
        }
        format!("{object}\n")
    }
}
