//! `euicc encode`: named fields in, octets in hexadecimal out. The counterpart of `euicc decode`.
//!
//! Fields come as `KEY=VALUE` arguments or as one JSON object, both with the words of `tests/vectors`.

mod fields;
mod recipes;

use recipes::{RECIPES, Recipe};
use serde_json::{Map, Value};
use std::io::{BufRead, Write};
use std::process::ExitCode;

/// Encode named fields to octets, printed in hexadecimal
#[derive(Debug, clap::Args)]
#[command(after_help = recipe_list())]
pub struct Arguments {
    /// What to build (see the list below)
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(RECIPES.iter().map(|recipe| recipe.name)), hide_possible_values = true)]
    kind: String,
    /// KEY=VALUE pairs, or one JSON object; without them, one JSON object per line is read from standard input
    fields: Vec<String>,
}

fn recipe_list() -> String {
    let lines = RECIPES.iter().map(|recipe| format!("  {:<18} {}", recipe.name, recipe.keys));
    format!(
        "Kinds and their fields (octets in hexadecimal, [optional]):\n{}\n\nLists and objects are JSON: euicc encode script form=definite 'apdus=[\"80f20000\"]'",
        lines.collect::<Vec<_>>().join("\n")
    )
}

pub fn run(arguments: &Arguments) -> ExitCode {
    let Some(recipe) = RECIPES.iter().find(|recipe| recipe.name == arguments.kind) else { return ExitCode::from(2) };
    let inputs = if arguments.fields.is_empty() { objects_of_stdin() } else { vec![object_of(&arguments.fields)] };
    let mut status = ExitCode::SUCCESS;
    for input in inputs {
        match input.and_then(|object| build(recipe, object)) {
            Ok(line) => {
                if writeln!(std::io::stdout(), "{line}").is_err() {
                    break;
                }
            }
            Err(problem) => {
                eprintln!("error: {}: {problem}", recipe.name);
                status = ExitCode::FAILURE;
            }
        }
    }
    status
}

fn build(recipe: &Recipe, object: Map<String, Value>) -> Result<String, String> {
    (recipe.build)(Value::Object(object)).map(|lines| lines.join("\n"))
}

/// `KEY=VALUE` pairs, or a single JSON object.
fn object_of(arguments: &[String]) -> Result<Map<String, Value>, String> {
    if let [text] = arguments
        && text.trim_start().starts_with('{')
    {
        return parse_object(text);
    }
    let mut object = Map::new();
    for argument in arguments {
        let (key, value) = argument
            .split_once('=')
            .ok_or_else(|| format!("`{argument}` is not KEY=VALUE; JSON goes into one argument"))?;
        // Numbers stay text: `data=0011` is two octets, and the field itself knows whether it wants a number.
        let structured = value.starts_with(['{', '[']) || matches!(value, "true" | "false");
        let value = if structured {
            serde_json::from_str(value).map_err(|error| format!("{key}: {error}"))?
        } else {
            Value::String(value.to_string())
        };
        if object.insert(key.to_string(), value).is_some() {
            return Err(format!("{key} is given twice"));
        }
    }
    Ok(object)
}

fn objects_of_stdin() -> Vec<Result<Map<String, Value>, String>> {
    let lines = std::io::stdin().lock().lines().map_while(Result::ok);
    lines.filter(|line| !line.trim().is_empty()).map(|line| parse_object(&line)).collect()
}

fn parse_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("expected one JSON object: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(kind: &str, arguments: &[&str]) -> Result<String, String> {
        let recipe = RECIPES.iter().find(|recipe| recipe.name == kind).expect("known kind");
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string()).collect();
        object_of(&arguments).and_then(|object| build(recipe, object))
    }

    #[test]
    fn pairs_and_json_build_the_same_octets() {
        let expected = Ok("80f24002024f00".to_string());
        assert_eq!(encode("apdu", &["cla=80", "ins=f2", "p1=40", "p2=02", "data=4f00"]), expected);
        assert_eq!(encode("apdu", &[r#"{"cla":"80","ins":"f2","p1":"40","p2":"02","data":"4f00"}"#]), expected);
        assert_eq!(
            encode("script", &["form=definite", r#"apdus=["80f24002024f00"]"#]),
            Ok("aa09220780f24002024f00".into())
        );
    }

    #[test]
    fn a_wrong_field_is_named_with_what_is_allowed() {
        let error = encode("apdu", &["cla=80", "ins=f2", "p1=40", "p2=02", "lc=3"]).unwrap_err();
        assert!(error.contains("unknown field `lc`") && error.contains("`data`"), "{error}");
        let error = encode("apdu", &["cla=8z", "ins=f2"]).unwrap_err();
        assert!(error.starts_with("cla: hex: character 2"), "{error}");
        let error = encode("apdu", &["cla"]).unwrap_err();
        assert!(error.contains("not KEY=VALUE"), "{error}");
    }
}
