//! Messages from terminals.

use super::{
    GatewayStore, Inbound,
    columns::{limit_column, optional_time, time, time_column},
    records::*,
};
use crate::io::store::{Answer, StoreError};
use rusqlite::{Connection, params};

impl Inbound for GatewayStore {
    fn receive(&self, message: NewInbound) -> Answer<'_, i64> {
        Box::pin(self.engine.write(move |connection, _| insert(connection, &message)))
    }

    fn inbound(&self, after: i64, limit: usize) -> Answer<'_, Vec<InboundView>> {
        Box::pin(self.engine.read(move |connection| {
            let mut statement =
                connection.prepare_cached("SELECT * FROM inbound WHERE id > ?1 ORDER BY id LIMIT ?2")?;
            let rows = statement.query_map(params![after, limit_column(limit)], view)?;
            Ok(rows.collect::<Result<_, _>>()?)
        }))
    }

    fn newest_inbound(&self) -> Answer<'_, i64> {
        Box::pin(self.engine.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT coalesce(max(id), 0) FROM inbound")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        }))
    }
}

pub(super) fn insert(connection: &Connection, message: &NewInbound) -> Result<i64, StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO inbound (received_at, route, sender, service_centre_time, pid, dcs, udh, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            time_column(message.received_at),
            message.route,
            message.sender,
            message.service_centre_time.map(time_column),
            message.pid,
            message.dcs,
            message.udh,
            message.data,
        ])?;
    Ok(connection.last_insert_rowid())
}

fn view(row: &rusqlite::Row<'_>) -> rusqlite::Result<InboundView> {
    Ok(InboundView {
        id: row.get("id")?,
        message: NewInbound {
            received_at: time(row.get("received_at")?),
            route: row.get("route")?,
            sender: row.get("sender")?,
            service_centre_time: optional_time(row, "service_centre_time")?,
            pid: row.get("pid")?,
            dcs: row.get("dcs")?,
            udh: row.get("udh")?,
            data: row.get("data")?,
        },
    })
}
