//! A trace as people read it: one line per field, members indented below their group; or as JSON.

use crate::codec::Span;
use crate::types::hex;
use serde_json::{Value, json};

/// Octets of a group shown before its members repeat them all.
const GROUP_PREVIEW: usize = 8;

/// Lines of `offset  name  octets  meaning  [clause]`.
pub fn render(spans: &[Span]) -> String {
    let label = |span: &Span| format!("{}{}", "  ".repeat(span.depth), span.name);
    let width = spans.iter().map(|span| label(span).chars().count()).max().unwrap_or(0).min(48);
    let mut text = String::new();
    for (index, span) in spans.iter().enumerate() {
        let is_group = spans.get(index + 1).is_some_and(|next| next.depth > span.depth);
        let mut line = format!("{:>4}  {:<width$}  {}", span.offset, label(span), octets(&span.raw, is_group));
        if !span.meaning.is_empty() {
            line.push_str("  ");
            line.push_str(&span.meaning);
        }
        if !span.clause.is_empty() {
            line.push_str(&format!("  [{}]", span.clause));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn octets(raw: &[u8], is_group: bool) -> String {
    match raw.get(..GROUP_PREVIEW) {
        Some(first) if is_group && raw.len() > GROUP_PREVIEW => {
            format!("{}… ({} octets)", hex::encode(first), raw.len())
        }
        _ => hex::encode(raw),
    }
}

/// The same as nested objects `{name, offset, raw, meaning, clause, members}`.
pub fn to_json(spans: &[Span]) -> Value {
    level(&mut spans.iter().peekable(), 0)
}

fn level<'a>(spans: &mut std::iter::Peekable<impl Iterator<Item = &'a Span>>, depth: usize) -> Value {
    let mut nodes = Vec::new();
    while let Some(span) = spans.next_if(|span| span.depth >= depth) {
        let mut node = json!({ "name": span.name, "offset": span.offset, "raw": hex::encode(&span.raw) });
        if !span.meaning.is_empty() {
            node["meaning"] = json!(span.meaning);
        }
        if !span.clause.is_empty() {
            node["clause"] = json!(span.clause);
        }
        if spans.peek().is_some_and(|next| next.depth > span.depth) {
            node["members"] = level(spans, span.depth + 1);
        }
        nodes.push(node);
    }
    Value::Array(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(depth: usize, name: &'static str, offset: usize, raw: &[u8]) -> Span {
        Span { depth, name: name.into(), offset, raw: raw.to_vec(), meaning: "m".into(), clause: "c" }
    }

    #[test]
    fn members_stand_indented_below_their_group_and_nested_in_json() {
        let spans = [span(0, "group", 0, &[1; 9]), span(1, "member", 2, &[3]), span(0, "next", 9, &[4])];
        assert_eq!(
            render(&spans),
            "   0  group     0101010101010101… (9 octets)  m  [c]\n   2    member  03  m  [c]\n   9  next      04  m  [c]\n"
        );
        let json = to_json(&spans);
        assert_eq!(json[0]["members"][0]["name"], "member");
        assert_eq!(json[1]["raw"], "04");
    }
}
