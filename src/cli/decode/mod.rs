//! `euicc decode`: octets in, an indented tree of fields out, each with offset, raw octets, meaning and clause.
//!
//! The tree is the codec's own trace, so what is printed is what the daemons read.

pub mod keys;
pub mod kinds;
mod messages;
mod reassembled;
pub mod tree;

use crate::codec::{Reader, Span, Trace};
use crate::types::hex;
use keys::Keys;
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
    /// The octets in hexadecimal (AT lines as text); without them, one input per line is read from standard input
    hex: Vec<String>,
    /// Print JSON: one object per input
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: Keys,
}

fn kind_list() -> String {
    let lines = kinds::KINDS.iter().map(|kind| format!("  {:<18} {}", kind.name, kind.about));
    format!("Kinds:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

pub fn run(arguments: &Arguments) -> ExitCode {
    let Some(kind) = kinds::by_name(&arguments.kind) else { return ExitCode::from(2) };
    let inputs = if arguments.hex.is_empty() { lines_of_stdin() } else { vec![arguments.hex.join(" ")] };
    let several = inputs.len() > 1;
    let mut decoded: Vec<_> = inputs.iter().map(|input| decode(kind, input, &arguments.keys)).collect();
    if several && kind.name == "deliver" {
        decoded.extend(reassembled::messages(&inputs, &arguments.keys));
    }
    let all_good = decoded.iter().all(|decoded| decoded.error.is_none());
    for (index, decoded) in decoded.iter().enumerate() {
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
    /// Where it comes from, when not from the input of its number.
    title: Option<String>,
    spans: Vec<Span>,
    error: Option<String>,
}

fn decode(kind: &Kind, input: &str, keys: &Keys) -> Decoded {
    let octets = if kind.name == kinds::AT { Ok(input.as_bytes().to_vec()) } else { hex::decode(input) };
    match octets {
        Err(error) => Decoded { title: None, spans: Vec::new(), error: Some(error.to_string()) },
        Ok(octets) => {
            let trace = Trace::new();
            let mut reader = Reader::traced(kind.name, &octets, &trace);
            let error = (kind.read)(&mut reader, keys).and_then(|()| reader.finish()).err();
            Decoded { title: None, spans: trace.into_spans(), error: error.map(|error| error.to_string()) }
        }
    }
}

impl Decoded {
    fn text(&self, number: Option<usize>) -> String {
        let heading = match (&self.title, number) {
            (Some(title), _) => format!("{title}\n"),
            (None, Some(number)) => format!("input {number}\n"),
            (None, None) => String::new(),
        };
        let error = self.error.as_ref().map(|error| format!("error: {error}\n")).unwrap_or_default();
        format!("{heading}{}{error}", tree::render(&self.spans))
    }

    fn json(&self, kind: &Kind) -> String {
        let mut object = json!({ "kind": kind.name, "fields": tree::to_json(&self.spans) });
        if let Some(title) = &self.title {
            object["title"] = json!(title);
        }
        if let Some(error) = &self.error {
            object["error"] = json!(error);
        }
        format!("{object}\n")
    }
}
