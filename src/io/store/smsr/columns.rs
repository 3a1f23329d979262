//! Values to columns and back.

use super::records::{Access, TriggerKind};
use crate::{
    codec::gp::Aid,
    io::store::StoreError,
    types::{AccessControl, Eid, Tar, TransactionId, UnixSeconds, UserIdentity},
};
use rusqlite::Row;

/// SQLite's integers are signed; times, counters and counts stay far below the sign.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn time(value: UnixSeconds) -> i64 {
    signed(value.0)
}

pub(super) fn optional_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<UnixSeconds>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|value| UnixSeconds(unsigned(value))))
}

/// A value this program never writes: the file was changed by somebody else.
pub(super) fn strange(what: &str) -> StoreError {
    StoreError::Failed(format!("the database holds an unknown {what}"))
}

/// A column whose text is one of our types.
pub(super) fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: &str) -> Result<Option<T>, StoreError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|_| strange(column))).transpose()
}

pub(super) fn eid(row: &Row<'_>) -> Result<Eid, StoreError> {
    parsed(row, "eid")?.ok_or_else(|| strange("EID"))
}

pub(super) fn aid(row: &Row<'_>, column: &str) -> Result<Option<Aid>, StoreError> {
    let octets: Option<Vec<u8>> = row.get(column)?;
    octets.map(|octets| Aid::new(&octets).map_err(|_| strange("AID"))).transpose()
}

pub(super) fn tar(row: &Row<'_>) -> Result<Tar, StoreError> {
    Ok(Tar(row.get("tar")?))
}

pub(super) fn transaction(row: &Row<'_>) -> rusqlite::Result<TransactionId> {
    Ok(TransactionId(row.get("transaction_id")?))
}

const KINDS: [&str; 4] = ["imsi", "msisdn", "impu", "impi"];

pub(super) fn identity_columns(identity: Option<&UserIdentity>) -> (Option<i64>, Option<&str>) {
    let kind = identity.and_then(|identity| KINDS.iter().position(|kind| *kind == identity.kind()));
    (kind.and_then(|kind| i64::try_from(kind).ok()), identity.map(UserIdentity::clear))
}

pub(super) fn identity(row: &Row<'_>) -> Result<Option<UserIdentity>, StoreError> {
    let (kind, value): (Option<u8>, Option<String>) = (row.get("identity_kind")?, row.get("identity")?);
    let (Some(kind), Some(value)) = (kind, value) else { return Ok(None) };
    let kind = KINDS.get(usize::from(kind)).ok_or_else(|| strange("identity kind"))?;
    UserIdentity::parse(kind, &value).map(Some).map_err(|_| strange("identity"))
}

/// Kind, and its two numbers.
pub(super) fn access_columns(access: Access) -> (u8, i64, i64) {
    match access {
        Access::Fixed(None) => (0, 0, 0),
        Access::Auto => (1, 0, 0),
        Access::Fixed(Some(AccessControl::Backoff(seconds))) => (2, i64::from(seconds), 0),
        Access::Fixed(Some(AccessControl::Window { start, end })) => (3, time(start), time(end)),
        Access::Fixed(Some(AccessControl::WindowFromReceipt(seconds))) => (4, i64::from(seconds), 0),
        Access::Fixed(Some(AccessControl::At(at))) => (5, time(at), 0),
    }
}

pub(super) fn access(row: &Row<'_>) -> Result<Access, StoreError> {
    let (kind, first, second): (u8, i64, i64) =
        (row.get("access")?, row.get("access_first")?, row.get("access_second")?);
    let seconds = || u32::try_from(first).map_err(|_| strange("access control"));
    let at = |value| UnixSeconds(unsigned(value));
    Ok(match kind {
        0 => Access::Fixed(None),
        1 => Access::Auto,
        2 => Access::Fixed(Some(AccessControl::Backoff(seconds()?))),
        3 => Access::Fixed(Some(AccessControl::Window { start: at(first), end: at(second) })),
        4 => Access::Fixed(Some(AccessControl::WindowFromReceipt(seconds()?))),
        5 => Access::Fixed(Some(AccessControl::At(at(first)))),
        _ => return Err(strange("access control")),
    })
}

pub(super) const fn trigger_kind(kind: TriggerKind) -> u8 {
    match kind {
        TriggerKind::Host => 0,
        TriggerKind::Sim => 1,
    }
}

pub(super) fn read_trigger_kind(code: u8) -> Result<TriggerKind, StoreError> {
    match code {
        0 => Ok(TriggerKind::Host),
        1 => Ok(TriggerKind::Sim),
        _ => Err(strange("trigger kind")),
    }
}
