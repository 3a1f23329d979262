//! What can be wrong with bytes (or with a value that has to become bytes): structure, field, offset, and why.

use std::borrow::Cow;

/// Why a field could not be read. `offset` counts from the start of the outermost input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{structure}, {field} at offset {offset}: {fault}")]
pub struct DecodeError {
    pub structure: &'static str,
    pub field: Cow<'static, str>,
    pub offset: usize,
    pub fault: Fault,
}

/// The kinds of fault a decoder tells apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The input ends before the field does.
    #[error("expected {needed} octets, {available} left")]
    Truncated { needed: usize, available: usize },
    /// Octets are left over after the structure's end.
    #[error("expected the end, {extra} octets left")]
    Trailing { extra: usize },
    /// A length field contradicts what it measures.
    #[error("expected a length of {expected}, found {found}")]
    Length { expected: Cow<'static, str>, found: usize },
    /// A value that the structure does not allow here.
    #[error("expected {expected}, found {found}")]
    Value { expected: Cow<'static, str>, found: String },
    /// Something that may occur once occurs again.
    #[error("occurs more than once")]
    Duplicate,
    /// Something mandatory is not there.
    #[error("is missing")]
    Missing,
    /// More than the caller allows.
    #[error("{found} exceeds the limit of {limit}")]
    Limit { limit: usize, found: usize },
}

impl DecodeError {
    pub fn new(structure: &'static str, field: impl Into<Cow<'static, str>>, offset: usize, fault: Fault) -> Self {
        Self { structure, field: field.into(), offset, fault }
    }
}

/// A value that cannot be put into the structure as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{structure}, {field}: {problem}")]
pub struct EncodeError {
    pub structure: &'static str,
    pub field: Cow<'static, str>,
    pub problem: Cow<'static, str>,
}

impl EncodeError {
    pub fn new(
        structure: &'static str,
        field: impl Into<Cow<'static, str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { structure, field: field.into(), problem: problem.into() }
    }

    /// The usual refusal of a value that is too long for its length field or its place.
    pub fn too_long(structure: &'static str, field: &'static str, limit: usize, found: usize) -> Self {
        Self::new(structure, field, format!("at most {limit} octets fit, {found} given"))
    }
}
