//! EIS, certificates, and what the gateway's directory has to be told.

use super::{
    Actor, CertificateRecord, Eis, Identities, Registry, SmsrStore,
    columns::{self, optional_time, parsed, time},
    keys, write_audit,
};
use crate::{
    codec::gp::isd_r::ProfileState,
    io::store::{Answer, StoreError},
    session::operation::ProfileRecord,
    types::{Eid, UnixSeconds, UserIdentity},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

impl Registry for SmsrStore {
    fn put_eis(&self, eis: Box<Eis>, by: Actor) -> Answer<'_, ()> {
        Box::pin(self.engine.write(move |connection, _| {
            put_identities(connection, &eis.eid, &eis.identities, by.now)?;
            connection
                .prepare_cached("UPDATE eis SET trigger = ?2 WHERE eid = ?1")?
                .execute(params![eis.eid.clear(), columns::trigger_kind(eis.trigger)])?;
            keys::replace(connection, &eis.eid, &eis.key_sets)?;
            put_profiles(connection, &eis.eid, &with_subscription(&eis))?;
            write_audit(connection, &by, "put-eis", &eis.eid.to_string())
        }))
    }

    fn eis(&self, eid: Eid) -> Answer<'_, Option<Eis>> {
        Box::pin(self.engine.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT * FROM eis WHERE eid = ?1")?;
            statement.query_row([eid.clear()], |row| Ok(read(connection, row))).optional()?.transpose()
        }))
    }

    fn list_eis(&self, after: Option<Eid>, limit: usize) -> Answer<'_, Vec<Eis>> {
        Box::pin(self.engine.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT * FROM eis WHERE eid > ?1 ORDER BY eid LIMIT ?2")?;
            let after = after.map(|eid| eid.clear()).unwrap_or_default();
            let rows =
                statement.query_map(params![after, columns::signed(limit as u64)], |row| Ok(read(connection, row)))?;
            rows.map(|row| row?).collect()
        }))
    }

    fn delete_eis(&self, eid: Eid, by: Actor) -> Answer<'_, bool> {
        Box::pin(self.engine.write(move |connection, _| {
            for table in ["key_set", "profile"] {
                connection.execute(&format!("DELETE FROM {table} WHERE eid = ?1"), [eid.clear()])?;
            }
            let deleted = connection.execute("DELETE FROM eis WHERE eid = ?1", [eid.clear()])?;
            write_audit(connection, &by, "delete-eis", &eid.to_string())?;
            Ok(deleted > 0)
        }))
    }

    fn certify(&self, certificate: CertificateRecord, by: Actor) -> Answer<'_, ()> {
        Box::pin(self.engine.write(move |connection, _| {
            connection
                .prepare_cached("INSERT INTO certificate (serial, eid, issued_at, not_after) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![
                    certificate.serial,
                    certificate.eid.clear(),
                    time(certificate.issued_at),
                    time(certificate.not_after),
                ])?;
            write_audit(connection, &by, "certify", &certificate.eid.to_string())
        }))
    }

    fn revoke(&self, eid: Eid, by: Actor) -> Answer<'_, u64> {
        Box::pin(self.engine.write(move |connection, _| {
            let revoked = connection.execute(
                "UPDATE certificate SET revoked_at = ?2 WHERE eid = ?1 AND revoked_at IS NULL",
                params![eid.clear(), time(by.now)],
            )?;
            write_audit(connection, &by, "revoke", &eid.to_string())?;
            Ok(revoked as u64)
        }))
    }

    fn revoked(&self) -> Answer<'_, Vec<CertificateRecord>> {
        Box::pin(self.engine.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT * FROM certificate WHERE revoked_at IS NOT NULL ORDER BY revoked_at, serial")?;
            let rows = statement.query_map([], |row| Ok(certificate(row)))?;
            rows.map(|row| row?).collect()
        }))
    }

    fn untold_identities(&self, limit: usize) -> Answer<'_, Vec<(Eid, Identities)>> {
        Box::pin(self.engine.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT * FROM eis WHERE untold = 1 LIMIT ?1")?;
            let rows =
                statement.query_map([columns::signed(limit as u64)], |row| Ok((columns::eid(row), identities(row))))?;
            rows.map(|row| row.map(|(eid, identities)| Ok((eid?, identities?)))?).collect()
        }))
    }

    fn identities_told(&self, told: Vec<(Eid, Identities)>) -> Answer<'_, ()> {
        Box::pin(self.engine.write(move |connection, _| {
            for (eid, told) in told {
                // What has changed meanwhile is still to be told.
                if self::identities_of(connection, &eid)?.as_ref() == Some(&told) {
                    connection.execute("UPDATE eis SET untold = 0 WHERE eid = ?1", [eid.clear()])?;
                }
            }
            Ok(())
        }))
    }
}

/// The identities are those of the enabled profile: when another has been enabled, they lead back to it.
fn with_subscription(eis: &Eis) -> Vec<ProfileRecord> {
    let mut profiles = eis.profiles.clone();
    for profile in &mut profiles {
        if profile.state == ProfileState::ENABLED && profile.imsi.is_none() && profile.msisdn.is_none() {
            (profile.imsi, profile.msisdn) = (eis.identities.imsi.clone(), eis.identities.msisdn.clone());
        }
    }
    profiles
}

fn certificate(row: &Row<'_>) -> Result<CertificateRecord, StoreError> {
    let at = |column| Ok::<_, StoreError>(optional_time(row, column)?.unwrap_or_default());
    Ok(CertificateRecord {
        serial: row.get("serial")?,
        eid: columns::eid(row)?,
        issued_at: at("issued_at")?,
        not_after: at("not_after")?,
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

fn read(connection: &Connection, row: &Row<'_>) -> Result<Eis, StoreError> {
    let eid = columns::eid(row)?;
    Ok(Eis {
        eid,
        identities: identities(row)?,
        trigger: columns::read_trigger_kind(row.get("trigger")?)?,
        key_sets: keys::read_all(connection, &eid)?,
        profiles: profiles(connection, &eid)?,
    })
}

fn identities(row: &Row<'_>) -> Result<Identities, StoreError> {
    Ok(Identities {
        imsi: parsed(row, "imsi")?,
        msisdn: parsed(row, "msisdn")?,
        impu: parsed(row, "impu")?,
        impi: parsed(row, "impi")?,
    })
}

pub(super) fn identities_of(connection: &Connection, eid: &Eid) -> Result<Option<Identities>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT * FROM eis WHERE eid = ?1")?;
    statement.query_row([eid.clear()], |row| Ok(identities(row))).optional()?.transpose()
}

/// How an eUICC with this EID is triggered; `None`: it is not in the registry.
pub(super) fn trigger_of(connection: &Connection, eid: &Eid) -> Result<Option<super::TriggerKind>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT trigger FROM eis WHERE eid = ?1")?;
    let code: Option<u8> = statement.query_row([eid.clear()], |row| row.get(0)).optional()?;
    code.map(columns::read_trigger_kind).transpose()
}

pub(super) fn find(connection: &Connection, identity: &UserIdentity) -> Result<Option<Eid>, StoreError> {
    // The column names are our own words.
    let mut statement = connection.prepare_cached(&format!("SELECT eid FROM eis WHERE {} = ?1", identity.kind()))?;
    statement.query_row([identity.clear()], |row| Ok(columns::eid(row))).optional()?.transpose()
}

/// Writes the identities of an eUICC, taking them from whichever had them.
pub(super) fn put_identities(
    connection: &Connection,
    eid: &Eid,
    identities: &Identities,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    let Identities { imsi, msisdn, impu, impi } = identities;
    let values = [
        ("imsi", imsi.as_ref().map(|imsi| imsi.clear())),
        ("msisdn", msisdn.as_ref().map(|msisdn| msisdn.clear())),
        ("impu", impu.as_ref().map(|impu| impu.clear())),
        ("impi", impi.as_ref().map(|impi| impi.clear())),
    ];
    for (column, value) in values {
        if let Some(value) = value {
            let sql = format!("UPDATE eis SET {column} = NULL, untold = 1 WHERE {column} = ?1 AND eid <> ?2");
            connection.prepare_cached(&sql)?.execute(params![value, eid.clear()])?;
        }
    }
    let [(_, imsi), (_, msisdn), (_, impu), (_, impi)] = values;
    connection
        .prepare_cached(
            "INSERT INTO eis (eid, imsi, msisdn, impu, impi, trigger, updated_at, untold)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, 1)
             ON CONFLICT (eid) DO UPDATE SET imsi = ?2, msisdn = ?3, impu = ?4, impi = ?5, updated_at = ?6, untold = 1",
        )?
        .execute(params![eid.clear(), imsi, msisdn, impu, impi, time(now)])?;
    Ok(())
}

pub(super) fn profiles(connection: &Connection, eid: &Eid) -> Result<Vec<ProfileRecord>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT * FROM profile WHERE eid = ?1 ORDER BY isd_p")?;
    let rows = statement.query_map([eid.clear()], |row| Ok(profile(row)))?;
    rows.map(|row| row?).collect()
}

fn profile(row: &Row<'_>) -> Result<ProfileRecord, StoreError> {
    Ok(ProfileRecord {
        isd_p: columns::aid(row, "isd_p")?.ok_or_else(|| columns::strange("AID"))?,
        iccid: parsed(row, "iccid")?,
        state: ProfileState(row.get("state")?),
        fall_back: row.get("fall_back")?,
        imsi: parsed(row, "imsi")?,
        msisdn: parsed(row, "msisdn")?,
    })
}

pub(super) fn put_profiles(connection: &Connection, eid: &Eid, profiles: &[ProfileRecord]) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM profile WHERE eid = ?1")?.execute([eid.clear()])?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO profile (eid, isd_p, iccid, state, fall_back, imsi, msisdn) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for profile in profiles {
        statement.execute(params![
            eid.clear(),
            profile.isd_p.octets(),
            profile.iccid.as_ref().map(|iccid| iccid.clear()),
            profile.state.0,
            profile.fall_back,
            profile.imsi.as_ref().map(|imsi| imsi.clear()),
            profile.msisdn.as_ref().map(|msisdn| msisdn.clear()),
        ])?;
    }
    Ok(())
}
