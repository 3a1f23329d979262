//! The command line `euicc`: what people use by hand. One file per subcommand; this one only dispatches.

pub mod check;
pub mod decode;
pub mod encode;
pub mod enroll;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Batch management of M2M eUICCs from the command line.
#[derive(Debug, Parser)]
#[command(name = "euicc", version, about, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    Decode(decode::Arguments),
    Encode(encode::Arguments),
    Enroll(enroll::Arguments),
}

/// Parses the arguments and runs the subcommand.
///
/// Exit status: 0 done, 1 the work failed, 2 the arguments are wrong (clap's own).
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Encode(arguments) => encode::run(&arguments),
        Command::Enroll(arguments) => enroll::run(&arguments),
    }
}
