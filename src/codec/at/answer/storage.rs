//! Message storages (TS 27.005 3.1, 3.2.3).

use super::Answer;
use crate::codec::DecodeError;
use crate::codec::at::fields::Fields;
use std::fmt;

/// The two-letter name of a storage: ME, SM, MT (both), SR (status reports), BM, TA.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Memory([u8; 2]);

impl Memory {
    pub const ME: Self = Self(*b"ME");
    pub const SM: Self = Self(*b"SM");
    pub const MT: Self = Self(*b"MT");
    pub const SR: Self = Self(*b"SR");

    /// A name of two letters or digits.
    pub fn new(name: &str) -> Option<Self> {
        let name: [u8; 2] = name.as_bytes().try_into().ok()?;
        name.iter().all(u8::is_ascii_alphanumeric).then_some(Self(name))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn memory(fields: &mut Fields<'_, '_>) -> Result<Option<Memory>, DecodeError> {
    let Some(name) = fields.text("mem")? else { return Ok(None) };
    fields.meaning(|| {
        match name.as_str() {
            "ME" => "modem",
            "SM" => "SIM",
            "MT" => "modem and SIM",
            "SR" => "status reports",
            "BM" => "cell broadcast",
            "TA" => "terminal adapter",
            _ => "vendor's storage",
        }
        .into()
    });
    Ok(Memory::new(&name))
}

/// +CMTI and +CDSI: something was stored (TS 27.005 3.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoredAt {
    pub memory: Memory,
    pub index: u32,
}

impl Answer for StoredAt {
    const PREFIX: &'static str = "+CMTI";
    const CLAUSE: &'static str = "TS 27.005 3.4.1";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let memory = memory(fields)?;
        let index = fields.required_number("index")?;
        // A storage without a usable name is taken for the modem's own.
        Ok(Self { memory: memory.unwrap_or(Memory::ME), index })
    }
}

/// One storage of +CPMS?.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLocation {
    pub memory: Memory,
    pub used: u32,
    pub total: u32,
}

/// +CPMS?: the storages for reading, writing and receiving, as many as the modem has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryUse(pub Vec<MemoryLocation>);

impl Answer for MemoryUse {
    const PREFIX: &'static str = "+CPMS";
    const CLAUSE: &'static str = "TS 27.005 3.2.3";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let mut list = Vec::new();
        while list.len() < 3 && !fields.is_at_end() {
            let memory = memory(fields)?.unwrap_or(Memory::ME);
            let used = fields.required_number("used")?;
            let total = fields.required_number("total")?;
            list.push(MemoryLocation { memory, used, total });
        }
        Ok(Self(list))
    }
}

/// +CPMS=?: the names allowed for reading, writing and receiving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryRanges(pub Vec<Vec<Memory>>);

impl Answer for MemoryRanges {
    const PREFIX: &'static str = "+CPMS";
    const CLAUSE: &'static str = "TS 27.005 3.2.3";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let mut lists = Vec::new();
        while lists.len() < 3 && !fields.is_at_end() {
            let names = fields.names("mems")?.unwrap_or_default();
            lists.push(names.iter().filter_map(|name| Memory::new(name)).collect());
        }
        Ok(Self(lists))
    }
}
