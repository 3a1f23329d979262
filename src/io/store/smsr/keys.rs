//! Key sets of an eUICC, and the counters that are used up with them.

use super::columns::{self, signed, strange, unsigned};
use crate::{
    codec::ota::{CcLength, Counter, KeyFamily},
    io::store::StoreError,
    session::scp80::{CounterBlock, KeyOwner, Sender, StoredKeySet},
    types::{Eid, Secret},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

const fn owner_code(owner: KeyOwner) -> u8 {
    match owner {
        KeyOwner::Agent => 0,
        KeyOwner::IsdR => 1,
    }
}

fn key_set(row: &Row<'_>) -> Result<StoredKeySet, StoreError> {
    Ok(StoredKeySet {
        owner: if row.get::<_, u8>("owner")? == 0 { KeyOwner::Agent } else { KeyOwner::IsdR },
        tar: columns::tar(row)?,
        version: row.get("version")?,
        family: if row.get::<_, u8>("family")? == 0 { KeyFamily::Aes } else { KeyFamily::TripleDes },
        cc_length: if row.get::<_, u8>("cc_length")? == 4 { CcLength::Four } else { CcLength::Eight },
        counter: Counter::new(unsigned(row.get("counter")?)).map_err(|_| strange("counter"))?,
        new: row.get("fresh")?,
        kic: Secret::new(row.get("kic")?),
        kid: Secret::new(row.get("kid")?),
    })
}

pub(super) fn read_all(connection: &Connection, eid: &Eid) -> Result<Vec<StoredKeySet>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT * FROM key_set WHERE eid = ?1 ORDER BY owner, version")?;
    let rows = statement.query_map([eid.clear()], |row| Ok(key_set(row)))?;
    rows.map(|row| row?).collect()
}

/// Replaces the key sets. One that stays the same keeps the higher counter: what was used is used.
pub(super) fn replace(connection: &Connection, eid: &Eid, key_sets: &[StoredKeySet]) -> Result<(), StoreError> {
    let before = read_all(connection, eid)?;
    connection.prepare_cached("DELETE FROM key_set WHERE eid = ?1")?.execute([eid.clear()])?;
    for key_set in key_sets {
        let same = |old: &&StoredKeySet| {
            (old.owner, old.version) == (key_set.owner, key_set.version)
                && old.kic == key_set.kic
                && old.kid == key_set.kid
        };
        let counter = before.iter().find(same).map_or(key_set.counter, |old| old.counter.max(key_set.counter));
        connection
            .prepare_cached(
                "INSERT INTO key_set (eid, owner, version, tar, family, cc_length, counter, fresh, kic, kid)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                eid.clear(),
                owner_code(key_set.owner),
                key_set.version,
                key_set.tar.0,
                u8::from(key_set.family == KeyFamily::TripleDes),
                signed(key_set.cc_length.octets() as u64),
                signed(counter.value()),
                key_set.new,
                key_set.kic.expose(),
                key_set.kid.expose(),
            ])?;
    }
    Ok(())
}

/// A sender with its key set; `None` without keys of this owner. The newest version is used.
pub(super) fn newest(connection: &Connection, eid: &Eid, owner: KeyOwner) -> Result<Option<StoredKeySet>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT * FROM key_set WHERE eid = ?1 AND owner = ?2 ORDER BY version DESC LIMIT 1")?;
    statement.query_row(params![eid.clear(), owner_code(owner)], |row| Ok(key_set(row))).optional()?.transpose()
}

/// The set with this version.
pub(super) fn of_version(connection: &Connection, eid: &Eid, version: u8) -> Result<Option<StoredKeySet>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM key_set WHERE eid = ?1 AND owner = 1 AND version = ?2")?;
    statement.query_row(params![eid.clear(), version], |row| Ok(key_set(row))).optional()?.transpose()
}

/// Puts `count` counters aside, in the transaction at hand: they are durable before anything they secure leaves.
pub(super) fn sender(
    connection: &Connection,
    eid: &Eid,
    key_set: &StoredKeySet,
    count: usize,
) -> Result<Result<Sender, crate::types::Invalid>, StoreError> {
    let reserved = key_set.counter.next().zip(key_set.counter.advanced(count as u64));
    let block = reserved.map(|(first, last)| CounterBlock::new(first, last));
    let (block, keys) = match (block, key_set.prepare()) {
        (Some(Ok(block)), Ok(keys)) => (block, keys),
        (Some(Err(invalid)), _) | (_, Err(invalid)) => return Ok(Err(invalid)),
        (None, _) => return Ok(Err(crate::types::Invalid::new("CNTR", "the counters of the key set are used up"))),
    };
    connection
        .prepare_cached(
            "UPDATE key_set SET counter = counter + ?4, fresh = 0 WHERE eid = ?1 AND owner = ?2 AND version = ?3",
        )?
        .execute(params![eid.clear(), owner_code(key_set.owner), key_set.version, signed(count as u64)])?;
    let mut sender = Sender::new(keys, count);
    sender.reserve(block);
    Ok(Ok(sender))
}
