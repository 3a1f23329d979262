//! Which identities belong to one subscriber.

use super::{Directory, GatewayStore, records::*};
use crate::io::store::{Answer, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

impl Directory for GatewayStore {
    fn put(&self, entries: Vec<DirectoryEntry>) -> Answer<'_, ()> {
        Box::pin(self.engine.write(move |connection, _| entries.iter().try_for_each(|entry| put(connection, entry))))
    }

    fn resolve(&self, identities: Vec<Identity>) -> Answer<'_, Vec<Option<DirectoryEntry>>> {
        Box::pin(
            self.engine
                .read(move |connection| identities.iter().map(|identity| resolve(connection, identity)).collect()),
        )
    }
}

fn put(connection: &Connection, entry: &DirectoryEntry) -> Result<(), StoreError> {
    // Every identity is unique in the table, so that REPLACE removes all entries that share one with this.
    connection
        .prepare_cached("INSERT OR REPLACE INTO directory (eid, imsi, msisdn, impu, impi) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![entry.eid, entry.imsi, entry.msisdn, entry.impu, entry.impi])?;
    Ok(())
}

fn resolve(connection: &Connection, identity: &Identity) -> Result<Option<DirectoryEntry>, StoreError> {
    let sql = match identity.kind {
        IdentityKind::Eid => "SELECT eid, imsi, msisdn, impu, impi FROM directory WHERE eid = ?1",
        IdentityKind::Imsi => "SELECT eid, imsi, msisdn, impu, impi FROM directory WHERE imsi = ?1",
        IdentityKind::Msisdn => "SELECT eid, imsi, msisdn, impu, impi FROM directory WHERE msisdn = ?1",
        IdentityKind::Impu => "SELECT eid, imsi, msisdn, impu, impi FROM directory WHERE impu = ?1",
        IdentityKind::Impi => "SELECT eid, imsi, msisdn, impu, impi FROM directory WHERE impi = ?1",
    };
    let mut statement = connection.prepare_cached(sql)?;
    let entry = statement.query_row([&identity.value], |row| {
        Ok(DirectoryEntry {
            eid: row.get(0)?,
            imsi: row.get(1)?,
            msisdn: row.get(2)?,
            impu: row.get(3)?,
            impi: row.get(4)?,
        })
    });
    Ok(entry.optional()?)
}
