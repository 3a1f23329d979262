//! Runs every row of `tests/vectors/*.json` in every direction its op has, prints one line per op, then `NNN rows`.
//!
//! Without libtest's harness, so that the counts show when all passes. Exit status 1 on any failure, unknown op or
//! unknown key: a row that nothing looks at would prove nothing.

mod amdb;
mod cat;
mod concat;
mod envelope;
mod http;
mod identities;
mod row;
mod scp80;
mod scp80_multi;
mod scp80_por;
mod scripts;
mod sgp02;
mod smpp;
mod sms;
mod trigger;

use row::{Outcome, Row};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// An op's name in the JSON files and the code that runs its rows.
type Op = (&'static str, fn(&Row) -> Outcome);

/// Every op and the code that runs it; each module lists its own.
fn ops() -> BTreeMap<&'static str, fn(&Row) -> Outcome> {
    let tables: &[&[Op]] = &[
        amdb::OPS,
        cat::OPS,
        concat::OPS,
        envelope::OPS,
        http::OPS,
        identities::OPS,
        scp80::OPS,
        scp80_multi::OPS,
        scp80_por::OPS,
        scripts::OPS,
        sgp02::OPS,
        smpp::OPS,
        sms::OPS,
        trigger::OPS,
    ];
    tables.iter().flat_map(|table| table.iter().copied()).collect()
}

fn main() -> ExitCode {
    let ops = ops();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures = 0_usize;
    let rows = row::load_all();
    for row in &rows {
        let outcome = match ops.get(row.op.as_str()) {
            Some(run) => run(row).and_then(|()| row.all_keys_used()),
            None => Err(format!("unknown op `{}`", row.op)),
        };
        if let Err(problem) = outcome {
            failures += 1;
            println!("FAILED {} {} ({}): {problem}", row.file, row.name, row.op);
        }
        *counts.entry(format!("{} {}", row.file, row.op)).or_default() += 1;
    }
    for (op, count) in &counts {
        println!("{op}: {count}");
    }
    println!("{} rows", rows.len());
    println!("{} passed, {failures} failed", rows.len() - failures);
    if failures == 0 && !rows.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
