//! Runs the `euicc` examples of the documents: what a page shows must be what the program prints.

use std::path::Path;
use std::process::Command;

/// (document, command line after `$ `, the output shown below it).
fn examples(document: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join(document)).expect("document is readable");
    let blocks = text.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut examples = Vec::new();
    for block in blocks {
        for part in block.split("$ ").skip(1) {
            let (command, output) = part.split_once('\n').unwrap_or((part, ""));
            examples.push((command.trim().to_string(), output.trim_end().to_string()));
        }
    }
    examples
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_examples_of_the_wire_formats_come_out_as_printed() {
    let examples = examples("docs/wire-formats.md");
    assert!(examples.len() >= 3, "the page has lost its examples");
    for (command, expected) in examples {
        let arguments = command.strip_prefix("euicc ").unwrap_or_else(|| panic!("not an euicc command: {command}"));
        let output = Command::new("sh")
            .args(["-c", &format!("exec \"$EUICC\" {arguments}")])
            .env("EUICC", env!("CARGO_BIN_EXE_euicc"))
            .current_dir(root())
            .output()
            .expect("a shell");
        let printed = String::from_utf8_lossy(&output.stdout);
        assert_eq!(printed.trim_end(), expected, "`{command}`");
    }
}
