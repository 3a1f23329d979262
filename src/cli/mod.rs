//! The command line `euicc`: what people use by hand. One file per subcommand; this one only dispatches.

pub mod check;
pub mod decode;
pub mod encode;
pub mod enroll;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
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

/// A subcommand that a higher layer brings along.
pub struct Extension {
    pub command: fn() -> clap::Command,
    pub run: fn(&ArgMatches) -> ExitCode,
}

/// Parses the arguments and runs the subcommand.
///
/// Exit status: 0 done, 1 the work failed, 2 the arguments are wrong (clap's own).
pub fn main(extensions: &[Extension]) -> ExitCode {
    let extended = extensions.iter().map(|extension| (extension.command)());
    let matches = Arguments::command().subcommands(extended).get_matches();
    if let Some((name, matches)) = matches.subcommand()
        && let Some(extension) = extensions.iter().find(|extension| (extension.command)().get_name() == name)
    {
        return (extension.run)(matches);
    }
    match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => run(arguments.command),
        Err(error) => error.exit(),
    }
}

fn run(command: Command) -> ExitCode {
    match command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Decode(arguments) => decode::run(&arguments),
        Command::Encode(arguments) => encode::run(&arguments),
        Command::Enroll(arguments) => enroll::run(&arguments),
    }
}
