//! Holds the table of `docs/architecture.md`: which folder of `src` may import which, and where clocks may be read.

use std::fs;
use std::path::{Path, PathBuf};

/// Folder of `src`, and the folders it may import besides itself.
const TABLE: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("codec", &["types"]),
    ("config", &["types"]),
    ("session", &["codec", "types"]),
    ("card", &["session", "codec", "types"]),
    ("io", &["session", "card", "codec", "types"]),
    ("daemon", &["io", "config", "types"]),
    ("gateway", &["daemon", "io", "session", "card", "codec", "config", "types"]),
    ("agent", &["daemon", "io", "session", "card", "codec", "config", "types"]),
    ("smsr", &["daemon", "io", "session", "card", "codec", "config", "types"]),
    ("emulator", &["daemon", "io", "session", "card", "codec", "config", "types"]),
    ("cli", &["daemon", "io", "session", "card", "codec", "config", "types"]),
    (
        "demo",
        &["gateway", "agent", "smsr", "emulator", "cli", "daemon", "io", "session", "card", "codec", "config", "types"],
    ),
];

/// Time and chance enter the house through `io/clock` alone; everything else is told.
const CLOCKS: &[&str] = &[
    "Instant::now",
    "SystemTime::now",
    "time::sleep",
    "time::timeout",
    "time::interval",
    "thread::sleep",
    "getrandom::",
    "rand::",
    "thread_rng",
];

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("directory entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The file's code without comments and string contents, so that prose cannot break a rule.
fn code(text: &str) -> String {
    let mut result = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        let outside_strings = line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
        result.push_str(&outside_strings);
        result.push('\n');
    }
    result
}

/// Names that follow `crate::` anywhere: in `use`, in inline paths, and in `use crate::{a, b::c}` groups.
fn imports(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut names = Vec::new();
    for (position, marker) in code.match_indices("crate::") {
        let rest = code[position + marker.len()..].trim_start();
        let Some(group) = rest.strip_prefix('{') else {
            names.push(word(rest));
            continue;
        };
        let (mut depth, mut start_of_item) = (0, true);
        for (index, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => start_of_item = true,
                c if start_of_item && c.is_alphabetic() => {
                    names.push(word(&group[index..]));
                    start_of_item = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// (folder, path relative to `src`, code) of every file below a layer's folder.
fn layered_files() -> Vec<(String, String, String)> {
    let mut files = Vec::new();
    rust_files(&src(), &mut files);
    files
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(src()).expect("below src").to_string_lossy().into_owned();
            let folder = relative.split('/').next().unwrap_or_default().to_string();
            (folder, relative, code(&fs::read_to_string(&path).expect("source is readable")))
        })
        .filter(|(folder, relative, _)| relative.contains('/') && folder != "bin")
        .collect()
}

#[test]
fn a_layer_imports_only_lower_layers() {
    let mut violations = Vec::new();
    for (folder, relative, code) in layered_files() {
        let Some((_, allowed)) = TABLE.iter().find(|(layer, _)| *layer == folder) else {
            violations.push(format!("{relative}: `{folder}` is not a layer of the table"));
            continue;
        };
        for name in imports(&code) {
            let is_layer = TABLE.iter().any(|(layer, _)| *layer == name);
            if is_layer && name != folder && !allowed.contains(&name.as_str()) {
                violations.push(format!("{relative} imports crate::{name}"));
            }
        }
    }
    if !violations.is_empty() {
        let table: Vec<_> =
            TABLE.iter().map(|(layer, allowed)| format!("  {layer} may import: {}", allowed.join(", "))).collect();
        panic!("{}\n\nthe table:\n{}", violations.join("\n"), table.join("\n"));
    }
}

#[test]
fn only_io_clock_reads_a_clock_sleeps_or_draws() {
    let mut violations = Vec::new();
    for (_, relative, code) in layered_files() {
        if relative.starts_with("io/clock") {
            continue;
        }
        violations.extend(CLOCKS.iter().filter(|word| code.contains(*word)).map(|word| format!("{relative}: {word}")));
    }
    assert!(violations.is_empty(), "outside io/clock:\n{}", violations.join("\n"));
}

#[test]
fn binaries_stay_thin() {
    for entry in fs::read_dir(src().join("bin")).expect("src/bin is readable") {
        let path = entry.expect("directory entry").path();
        let lines = fs::read_to_string(&path).expect("source is readable").lines().count();
        assert!(lines < 15, "{} has {lines} lines", path.display());
    }
}

#[test]
fn the_import_reader_sees_groups_and_inline_paths() {
    let code = code(
        "use crate::{types::Eid, codec::{self, tlv}};\nfn f() { crate::io::clock::now(); } // crate::demo\n let s = \"crate::cli\";",
    );
    assert_eq!(imports(&code), ["types", "codec", "io"]);
}
