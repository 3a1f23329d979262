//! From a dotted key back to its octets in the file, for the caret under the fault.

use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// The octets of the value of `path` (`gateway.route[0].device`), or of the nearest table around it that exists.
pub(super) fn locate(text: &str, path: &str) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?;
    let mut span = None;
    let mut table = Some(document.get_ref());
    'keys: for step in path.split('.') {
        let (key, indices) = step.split_once('[').map_or((step, ""), |(key, rest)| (key, rest));
        let Some((name, found)) = table.and_then(|table| table.iter().find(|(name, _)| name.get_ref() == key)) else {
            break;
        };
        let mut value = found;
        span = Some(match value.get_ref() {
            DeValue::Table(_) => name.span(),
            _ => value.span(),
        });
        for index in indices.split('[').filter_map(|index| index.strip_suffix(']')?.parse::<usize>().ok()) {
            let Some(entry) = value.get_ref().as_array().and_then(|array| array.get(index)) else { break 'keys };
            value = entry;
            span = Some(entry.span());
        }
        table = value.get_ref().as_table();
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_values_list_entries_and_the_nearest_table() {
        let text = "[a]\nb = 1\n[[a.c]]\nd = \"x\"\n[[a.c]]\nd = \"y\"\ne = [1, 22]\n";
        let at = |path| locate(text, path).map(|span| &text[span]);
        assert_eq!(at("a.b"), Some("1"));
        assert_eq!(at("a.c[1].d"), Some("\"y\""));
        assert_eq!(at("a.c[1].e[1]"), Some("22"));
        assert_eq!(at("a.missing"), Some("a"));
        assert!(at("a.c[1].missing").unwrap().contains("[[a.c]]"));
        assert_eq!(at("nowhere"), None);
    }
}
