//! One row of a vector file, and the accounting of which of its keys a test has looked at.

use euicc_push::types::hex;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Debug;

pub type Outcome = Result<(), String>;

pub struct Row {
    pub file: String,
    pub name: String,
    pub op: String,
    pub inputs: Fields,
    pub expected: Fields,
}

/// The members of one JSON object. Reading a key marks it as used.
pub struct Fields {
    side: &'static str,
    members: Map<String, Value>,
    used: RefCell<HashSet<String>>,
}

/// All rows of all files, in file order. A malformed file is a fault of the tree: panic.
pub fn load_all() -> Vec<Row> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("tests/vectors is readable")
        .map(|entry| entry.expect("directory entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    paths.iter().flat_map(|path| load(path)).collect()
}

fn load(path: &std::path::Path) -> Vec<Row> {
    let file = path.file_name().expect("file name").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).expect("vector file is readable");
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(document["schema"], 1, "{file}: schema");
    let mut names = HashSet::new();
    let rows = document["vectors"].as_array().unwrap_or_else(|| panic!("{file}: no vectors"));
    let read = |value: &Value| {
        let text = |key: &str| value[key].as_str().unwrap_or_else(|| panic!("{file}: {key} missing")).to_string();
        let fields = |side| Fields {
            side,
            members: value[side].as_object().unwrap_or_else(|| panic!("{file}: {side} missing")).clone(),
            used: RefCell::default(),
        };
        let row = Row {
            file: file.clone(),
            name: text("name"),
            op: text("op"),
            inputs: fields("inputs"),
            expected: fields("expected"),
        };
        for key in value.as_object().expect("row is an object").keys() {
            let known = ["name", "op", "inputs", "expected", "produced_by", "note"];
            assert!(known.contains(&key.as_str()), "{file} {}: unknown key {key}", row.name);
        }
        assert!(names.insert(row.name.clone()), "{file}: {} occurs twice", row.name);
        row
    };
    rows.iter().map(read).collect()
}

impl Row {
    pub fn all_keys_used(&self) -> Outcome {
        self.inputs.all_used().and_then(|()| self.expected.all_used())
    }
}

impl Fields {
    /// The value of a key, when present and not null.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.used.borrow_mut().insert(key.to_string());
        self.members.get(key).filter(|value| !value.is_null())
    }

    /// Whether the key is there, even as null.
    pub fn is_present(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn need<'a, T>(&'a self, key: &str, kind: &str, convert: impl Fn(&'a Value) -> Option<T>) -> Result<T, String> {
        let value = self.get(key).ok_or_else(|| format!("{}: key `{key}` is missing", self.side))?;
        convert(value).ok_or_else(|| format!("{}: key `{key}` is not {kind}: {value}", self.side))
    }

    pub fn str(&self, key: &str) -> Result<&str, String> {
        self.need(key, "text", Value::as_str)
    }

    pub fn bool(&self, key: &str) -> Result<bool, String> {
        self.need(key, "true or false", Value::as_bool)
    }

    /// A number of any integer type.
    pub fn int<T: TryFrom<i64>>(&self, key: &str) -> Result<T, String> {
        self.need(key, "a number of the expected size", |value| {
            value.as_i64().and_then(|number| T::try_from(number).ok())
        })
    }

    /// Hexadecimal text as octets.
    pub fn hex(&self, key: &str) -> Result<Vec<u8>, String> {
        self.need(key, "hexadecimal text", |value| value.as_str().and_then(|text| hex::decode(text).ok()))
    }

    pub fn array(&self, key: &str) -> Result<&Vec<Value>, String> {
        self.need(key, "a list", Value::as_array)
    }

    pub fn hex_list(&self, key: &str) -> Result<Vec<Vec<u8>>, String> {
        let octets = |value: &Value| value.as_str().and_then(|text| hex::decode(text).ok());
        self.need(key, "a list of hexadecimal texts", |value| value.as_array()?.iter().map(octets).collect())
    }

    /// A list of objects, each with its own accounting.
    pub fn objects(&self, key: &str) -> Result<Vec<Fields>, String> {
        let object = |value: &Value| {
            let members = value.as_object()?.clone();
            Some(Fields { side: self.side, members, used: RefCell::default() })
        };
        self.need(key, "a list of objects", |value| value.as_array()?.iter().map(object).collect())
    }

    /// A nested object, with its own accounting: call [`all_used`](Self::all_used) on it.
    pub fn object(&self, key: &str) -> Result<Fields, String> {
        let members = self.need(key, "an object", Value::as_object)?.clone();
        Ok(Fields { side: self.side, members, used: RefCell::default() })
    }

    /// Fails naming the keys that nothing has looked at.
    pub fn all_used(&self) -> Outcome {
        let used = self.used.borrow();
        let unknown: Vec<_> = self.members.keys().filter(|key| !used.contains(*key)).collect();
        if unknown.is_empty() { Ok(()) } else { Err(format!("{}: unknown keys {unknown:?}", self.side)) }
    }
}

/// `Ok` when both are equal, else both in the text.
pub fn same<T: PartialEq<U> + Debug, U: Debug>(what: &str, actual: T, expected: U) -> Outcome {
    if actual == expected { Ok(()) } else { Err(format!("{what}: got {actual:?}, expected {expected:?}")) }
}

/// The same for octets, shown in hexadecimal.
pub fn same_hex(what: &str, actual: &[u8], expected: &[u8]) -> Outcome {
    if actual == expected {
        return Ok(());
    }
    Err(format!("{what}: got {}, expected {}", hex::encode(actual), hex::encode(expected)))
}

/// Any displayable error as the text of an outcome.
pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
