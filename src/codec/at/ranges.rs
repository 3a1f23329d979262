//! Value lists of test answers (`=?`): `(0-3,5)`, `("ME","SM")` (V.250 5.7.3).

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till};
use nom::character::complete::{multispace0, u32 as decimal};
use nom::combinator::all_consuming;
use nom::multi::separated_list0;
use nom::sequence::{delimited, separated_pair};
use nom::{IResult, Parser};
use std::ops::RangeInclusive;

/// The numbers that a parameter may take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NumberSet(Vec<RangeInclusive<u32>>);

impl NumberSet {
    pub fn contains(&self, number: u32) -> bool {
        self.0.iter().any(|range| range.contains(&number))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn item(input: &[u8]) -> IResult<&[u8], RangeInclusive<u32>> {
    let range = separated_pair(decimal, delimited(multispace0, tag(&b"-"[..]), multispace0), decimal);
    alt((range.map(|(low, high)| low..=high), decimal.map(|number| number..=number))).parse(input)
}

/// What stands between the parentheses.
pub(super) fn number_set(input: &[u8]) -> Option<NumberSet> {
    let comma = delimited(multispace0, tag(&b","[..]), multispace0);
    let mut list = all_consuming(delimited(multispace0, separated_list0(comma, item), multispace0));
    list.parse(input).ok().map(|(_, ranges)| NumberSet(ranges))
}

/// What stands between the parentheses; quotes are optional.
pub(super) fn name_list(input: &[u8]) -> Vec<String> {
    let name = take_till(|byte| byte == b',')
        .map(|name: &[u8]| String::from_utf8_lossy(name.trim_ascii()).trim_matches('"').to_owned());
    let parsed: IResult<&[u8], Vec<String>> = separated_list0(tag(&b","[..]), name).parse(input);
    let mut names = parsed.map(|(_, names)| names).unwrap_or_default();
    names.retain(|name| !name.is_empty());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_single_numbers_form_a_set() {
        let set = number_set(b"0-2, 5").unwrap();
        let inside: Vec<_> = (0..8).filter(|number| set.contains(*number)).collect();
        assert_eq!(inside, [0, 1, 2, 5]);
        assert!(number_set(b"").unwrap().is_empty());
        assert_eq!(number_set(b"a"), None);
        assert_eq!(number_set(b"1,"), None);
    }

    #[test]
    fn names_come_with_and_without_quotes() {
        assert_eq!(name_list(b"\"ME\", \"SM\",MT"), ["ME", "SM", "MT"]);
        assert!(name_list(b"").is_empty());
    }
}
