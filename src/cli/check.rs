//! `euicc check`: is a configuration file right, and which daemons can start with it.

use crate::{
    config::{Config, Role},
    daemon::{exit::ConfigFailure, load, report},
};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Check a configuration file; faults are shown with their line and what to write instead
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Configuration file
    #[arg(long, value_name = "FILE", default_value = load::DEFAULT_PATH)]
    config: PathBuf,
}

pub fn run(arguments: &Arguments) -> ExitCode {
    match load::load(&arguments.config, None) {
        Ok(config) => {
            print!("{}", summary(&arguments.config, &config));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprint!("{}", report::report(&failure));
            if let ConfigFailure::Faults { path, faults, .. } = &failure {
                let count = faults.len();
                eprintln!("{}: {count} {}", path.display(), if count == 1 { "fault" } else { "faults" });
            }
            ExitCode::FAILURE
        }
    }
}

fn summary(path: &Path, config: &Config) -> String {
    let mut text = format!("{}: no fault found\n", path.display());
    for role in [Role::Gateway, Role::Agent, Role::Smsr, Role::Emulator] {
        let verdict = match config.lacks(role) {
            None => "can start with it".to_string(),
            Some(lack) => format!("cannot: {}; {}", lack.problem, lack.remedy),
        };
        // Writing into a String does not fail.
        let _ = writeln!(text, "  {:<15} {verdict}", role.program());
    }
    text
}
