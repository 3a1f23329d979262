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
    let lines: Vec<_> = RECIPES.iter().map(|recipe| hanging(recipe.name, recipe.keys)).collect();
    format!(
        "Kinds and their fields (octets in hexadecimal, [optional]):\n{}\n\nLists and objects are JSON: euicc encode script form=definite 'apdus=[\"80f20000\"]'",
        lines.join("\n")
    )
}

/// `name` and `text` in two columns, the text broken at blanks.
fn hanging(name: &str, text: &str) -> String {
    const WIDTH: usize = 78;
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        line.push_str(if line.is_empty() { "" } else { " " });
        line.push_str(word);
    }
    lines.push(line);
    format!("  {name:<18} {}", lines.join(&format!("\n{}", " ".repeat(21))))
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
    use crate::cli::decode::keys::Keys;
    use crate::cli::decode::kinds;
    use crate::codec::Reader;
    use crate::types::hex;

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

    /// One example of every kind, with the kind of `euicc decode` that must read it back.
    const EXAMPLES: &[(&str, &str, &[&str])] = &[
        (
            "deliver",
            "deliver",
            &["oa=4915112345678", "pid=7f", "dcs=f6", "scts=62113220410000", "ud=0400020102aa", "tp_udhi=true"],
        ),
        ("submit", "submit", &["da=4915112345678", "pid=00", "dcs=04", "vp=a7", "ud=0102", "tp_srr=true", "mr=7"]),
        (
            "status-report",
            "status-report",
            &["mr=7", "ra=4915112345678", "scts=62113220410000", "dt=62113220510000", "st=00"],
        ),
        ("udh", "udh", &[r#"ies=[{"iei":"05","data":"40240000"}]"#, "payload=aabb"]),
        (
            "packet",
            "packet",
            &[
                "spi=1200",
                "kic=12",
                "kid=12",
                "kid_key=000102030405060708090a0b0c0d0e0f",
                "tar=BFFF16",
                "cntr=1",
                "data=e10a860800000000000000ff",
            ],
        ),
        (
            "por",
            "por",
            &[
                "spi=1209",
                "kic=12",
                "kid=12",
                "kid_key=000102030405060708090a0b0c0d0e0f",
                "tar=000001",
                "cntr=1",
                "status=00",
                "data=ab00",
            ],
        ),
        (
            "trigger",
            "trigger",
            &["operation=enable", "backoff=600", "sm_sr_id=smsr.example", "transaction=0011223344556677"],
        ),
        (
            "amendment-b",
            "amendment-b",
            &[r#"http_post={"admin_uri":"/a?op=02"}"#, r#"retry={"retry_counter":3,"delay_seconds":60}"#],
        ),
        ("envelope", "envelope", &["tpdu=0405912143f500046211322041000001aa", "smsc=+491710760000"]),
        ("proactive", "proactive", &["command=refresh", "qualifier=4"]),
        ("terminal-response", "terminal-response", &["command=refresh", "qualifier=4", "result=00"]),
        ("apdu", "apdu", &["cla=80", "ins=f2", "p1=40", "p2=02", "data=4f00", "le=00"]),
        ("script", "script", &["form=indefinite", r#"apdus=["80f24002024f00"]"#]),
        ("compact-script", "compact-script", &[r#"apdus=["00a4000c023f00"]"#]),
        (
            "smpp",
            "smpp",
            &[
                "command=submit_sm",
                "sequence=7",
                r#"destination={"ton":1,"npi":1,"addr":"4915112345678"}"#,
                "esm_class=40",
                "data_coding=f6",
                "short_message=027000",
            ],
        ),
        ("smpp", "smpp", &["command=bind_transceiver", "sequence=1", "system_id=gw", "password=secret"]),
        ("at", "at", &["name=+CNMI", "parameters=[2,1,0,2,0]"]),
    ];

    #[test]
    fn every_recipe_builds_what_decode_reads_back() {
        for (recipe, kind, arguments) in EXAMPLES {
            let line = encode(recipe, arguments).unwrap_or_else(|error| panic!("{recipe}: {error}"));
            let kind = kinds::by_name(kind).expect("known kind");
            let octets = if kind.name == kinds::AT { line.into_bytes() } else { hex::decode(&line).expect("hex") };
            let mut reader = Reader::new(kind.name, &octets);
            let read = (kind.read)(&mut reader, &Keys::default()).and_then(|()| reader.finish());
            assert!(read.is_ok(), "{recipe}: {read:?}");
        }
        let untested = RECIPES
            .iter()
            .find(|recipe| recipe.name != "segments" && EXAMPLES.iter().all(|(name, ..)| *name != recipe.name));
        assert!(untested.is_none(), "no example of {}", untested.map_or("", |recipe| recipe.name));
    }

    #[test]
    fn segments_are_printed_one_a_line() {
        let payload = format!("payload={}", "ab".repeat(300));
        let lines = encode("segments", &["form=host", "reference=9", &payload]).unwrap();
        assert_eq!(lines.lines().count(), 3);
        assert!(lines.lines().all(|line| line.starts_with("0b00030903") && line.len() <= 280));
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
