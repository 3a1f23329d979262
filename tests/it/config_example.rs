//! `config.toml.example` is parsed as it stands and with everything uncommented, and held against the schema.

use euicc_push::config::{Agent, Config, Emulator, Gateway, Smsr, route::ModemRoute, smpp_route::SmppRoute};
use serde::de::{self, DeserializeOwned, Visitor, value::StrDeserializer};
use std::fmt;

const EXAMPLE: &str = include_str!("../../config.toml.example");

/// A key or table header that is commented out: `#key` or `#[`, while prose is `# text`.
fn is_commented_out(line: &str) -> bool {
    line.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '['))
}

fn uncommented() -> String {
    let line = |line: &'static str| if is_commented_out(line) { &line[1..] } else { line };
    EXAMPLE.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn as_it_stands_it_is_the_defaults_of_every_role() {
    let expected = Config {
        gateway: Some(Gateway::default()),
        agent: Some(Agent::default()),
        smsr: Some(Smsr::default()),
        emulator: Some(Emulator::default()),
        ..Config::default()
    };
    assert_eq!(Config::read(EXAMPLE).expect("the example is right"), expected);
}

#[test]
fn every_default_stands_in_it() {
    let defaults = toml::Table::try_from(Config::read(EXAMPLE).expect("the example is right")).expect("a table");
    let written: toml::Table = EXAMPLE.parse().expect("TOML");
    // The other direction, a key that stands in it at another value than the default, is the test before.
    let mut missing = Vec::new();
    compare("", &defaults, &written, &mut missing);
    assert!(missing.is_empty(), "defaults not in config.toml.example: {missing:?}");
}

fn compare(path: &str, defaults: &toml::Table, written: &toml::Table, missing: &mut Vec<String>) {
    for (key, value) in defaults {
        let path = format!("{path}.{key}");
        match (value, written.get(key)) {
            (toml::Value::Table(defaults), Some(toml::Value::Table(written))) => {
                compare(&path, defaults, written, missing);
            }
            // Lists of entries are commented out; the default is none.
            (toml::Value::Array(list), None) if list.is_empty() => {}
            (_, Some(_)) => {}
            (_, None) => missing.push(path),
        }
    }
}

#[test]
fn uncommented_it_is_right_and_has_every_key_of_the_schema() {
    let text = uncommented();
    if let Err(faults) = Config::read(&text) {
        panic!("{}", faults.iter().map(|fault| format!("{fault}\n")).collect::<String>());
    }
    let document: toml::Value = toml::Value::Table(text.parse().expect("TOML"));
    let mut keys = schema::<Config>("");
    keys.extend(schema::<ModemRoute>("gateway.route."));
    keys.extend(schema::<SmppRoute>("gateway.route."));
    assert!(keys.len() > 150, "the schema has more keys than {}", keys.len());
    let missing: Vec<_> = keys.into_iter().filter(|key| !contains(&document, key)).collect();
    assert!(missing.is_empty(), "keys not in config.toml.example: {missing:?}");
}

/// Whether a dotted key exists, in a list in any of its entries.
fn contains(value: &toml::Value, path: &str) -> bool {
    if let toml::Value::Array(entries) = value {
        return entries.iter().any(|entry| contains(entry, path));
    }
    match path.split_once('.') {
        Some((key, rest)) => value.get(key).is_some_and(|value| contains(value, rest)),
        None => value.get(path).is_some(),
    }
}

#[test]
fn every_key_and_table_has_a_comment() {
    let mut before = "";
    for line in EXAMPLE.lines() {
        let is_key = is_commented_out(line) || line.starts_with(|c: char| c.is_ascii_lowercase() || c == '[');
        assert!(!is_key || before.starts_with("# "), "no comment above: {line}");
        before = line;
    }
}

/// Dotted names of all keys that `T` accepts, found by asking its `Deserialize` which fields it has.
fn schema<T: DeserializeOwned>(prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let Err(Answer::Fields(fields)) = T::deserialize(Probe { path: &path }) else { continue };
        for field in fields {
            let path: Vec<&'static str> = path.iter().copied().chain([*field]).collect();
            names.push(format!("{prefix}{}", path.join(".")));
            open.push(path);
        }
    }
    names
}

/// Walks to the structure at `path` and answers with its fields as the error.
struct Probe<'a> {
    path: &'a [&'static str],
}

#[derive(Debug)]
enum Answer {
    Fields(&'static [&'static str]),
    NotAStructure,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Answer {}

impl de::Error for Answer {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::NotAStructure
    }
}

impl<'de> de::Deserializer<'de> for Probe<'_> {
    type Error = Answer;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Answer> {
        Err(Answer::NotAStructure)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Answer> {
        visitor.visit_seq(Entries(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Answer> {
        match self.path.split_first() {
            None => Err(Answer::Fields(fields)),
            Some((key, path)) => visitor.visit_map(Entry { key: Some(key), inner: Probe { path } }),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct tuple tuple_struct map enum identifier ignored_any
    }
}

/// A list with one entry.
struct Entries<'a>(Probe<'a>);

impl<'de> de::SeqAccess<'de> for Entries<'_> {
    type Error = Answer;

    fn next_element_seed<T: de::DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Answer> {
        seed.deserialize(Probe { path: self.0.path }).map(Some)
    }
}

/// A structure of which only the field on the path is given.
struct Entry<'a> {
    key: Option<&'static str>,
    inner: Probe<'a>,
}

impl<'de> de::MapAccess<'de> for Entry<'_> {
    type Error = Answer;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Answer> {
        self.key.take().map(|key| seed.deserialize(StrDeserializer::<Answer>::new(key))).transpose()
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Answer> {
        seed.deserialize(Probe { path: self.inner.path })
    }
}
