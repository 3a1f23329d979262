//! Admin sessions: what is pending, the next packets, and what responses change; each step in one transaction.

use super::{
    Actor, Identities, Known, Responses, Served, ServiceRequest, Sessions, SmsrStore,
    columns::{self, strange, time, unsigned},
    keys, registry,
    target::Target,
    write_audit,
};
use crate::{
    codec::{
        gp::{Aid, Notification, isd_r::ProfileState},
        ota::{Counter, Spi},
    },
    io::store::{Answer as Pending, StoreError},
    session::{
        admin::{Answer, Exchange},
        batch::Reason,
        operation::{self, Account, Command, Limits, Milestone, Next, Order, StatusChange, Work},
        scp80::{Expected, KeyOwner, ResponseBook},
    },
    types::{Eid, Operation, TransactionId, TransactionResult, UnixSeconds, hex::Octets},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// CC and ciphering, counter higher; the response with CC and ciphered, in the answer to ENVELOPE.
const PACKET_SPI: Spi = Spi::new(0x16, 0x19);
/// Times a notification is confirmed without a proof before it is left to the next session.
const MAX_CONFIRMATIONS: u8 = 3;

impl Sessions for SmsrStore {
    fn exchange(&self, transaction: TransactionId, eid: Eid) -> Pending<'_, Option<Exchange>> {
        Box::pin(self.engine.read(move |connection| {
            let session = Session::read(connection, transaction, &eid)?;
            session.map(|session| session.exchange(connection)).transpose()
        }))
    }

    fn requested(&self, request: ServiceRequest) -> Pending<'_, Option<Known>> {
        Box::pin(self.engine.write(move |connection, _| requested(connection, &request)))
    }

    fn begin(&self, transaction: TransactionId, eid: Eid, now: UnixSeconds, limits: Limits) -> Pending<'_, Served> {
        Box::pin(self.engine.write(move |connection, _| {
            let session = Session::read(connection, transaction, &eid)?;
            let mut session = session.ok_or_else(|| StoreError::Failed("a session that was not requested".into()))?;
            if let Some(mut target) = session.open_target(connection)? {
                target.life.admitted(now);
                // The eUICC calls without having reported the switch: what came of it an audit tells.
                target.work.certain &= !target.work.awaiting;
                target.write(connection, now)?;
            }
            session.advance(connection, now, limits)
        }))
    }

    fn respond(&self, responses: Responses) -> Pending<'_, Served> {
        Box::pin(self.engine.write(move |connection, _| respond(connection, &responses)))
    }

    fn forget(&self, before: UnixSeconds, limit: usize) -> Pending<'_, usize> {
        Box::pin(self.engine.write(move |connection, _| {
            let over: Vec<TransactionId> = connection
                .prepare_cached(
                    "SELECT session.transaction_id FROM session LEFT JOIN target ON target.id = session.target
                     WHERE session.started_at < ?1 AND coalesce(target.state, 7) >= 6 LIMIT ?2",
                )?
                .query_map(params![time(before), columns::signed(limit as u64)], |row| Ok(TransactionId(row.get(0)?)))?
                .collect::<Result<_, _>>()?;
            for transaction in &over {
                connection.execute("DELETE FROM packet WHERE transaction_id = ?1", [transaction.0])?;
                connection.execute("DELETE FROM session WHERE transaction_id = ?1", [transaction.0])?;
            }
            Ok(over.len())
        }))
    }
}

/// A row of `session`.
struct Session {
    transaction: TransactionId,
    eid: Eid,
    target: Option<i64>,
    script: u32,
    /// Sequence number and the profile that is said to be enabled.
    notification: Option<(u16, Aid)>,
    confirmations: u8,
}

impl Session {
    fn read(connection: &Connection, transaction: TransactionId, eid: &Eid) -> Result<Option<Self>, StoreError> {
        let mut statement =
            connection.prepare_cached("SELECT * FROM session WHERE transaction_id = ?1 AND eid = ?2")?;
        statement.query_row(params![transaction.0, eid.clear()], |row| Ok(Self::from_row(row))).optional()?.transpose()
    }

    fn from_row(row: &Row<'_>) -> Result<Self, StoreError> {
        let sequence: Option<u16> = row.get("sequence")?;
        Ok(Self {
            transaction: columns::transaction(row)?,
            eid: columns::eid(row)?,
            target: row.get("target")?,
            script: row.get("script")?,
            notification: sequence.zip(columns::aid(row, "enabled")?),
            confirmations: row.get("confirmations")?,
        })
    }

    fn write(&self, connection: &Connection, now: UnixSeconds) -> Result<(), StoreError> {
        let (sequence, enabled) = self.notification.unzip();
        connection
            .prepare_cached(
                "INSERT INTO session (transaction_id, eid, target, script, sequence, enabled, confirmations, started_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (transaction_id) DO UPDATE SET target = ?3, script = ?4, sequence = ?5, enabled = ?6,
                     confirmations = ?7",
            )?
            .execute(params![
                self.transaction.0,
                self.eid.clear(),
                self.target,
                self.script,
                sequence,
                enabled.as_ref().map(|enabled| enabled.octets()),
                self.confirmations,
                time(now),
            ])?;
        Ok(())
    }

    fn exchange(&self, connection: &Connection) -> Result<Exchange, StoreError> {
        let mut statement =
            connection.prepare_cached("SELECT octets FROM packet WHERE transaction_id = ?1 ORDER BY position")?;
        let packets = statement.query_map([self.transaction.0], |row| Ok(Octets(row.get(0)?)))?;
        let packets: Vec<Octets> = packets.collect::<Result<_, _>>()?;
        let outstanding = (!packets.is_empty()).then_some(packets);
        Ok(Exchange { transaction: self.transaction, script: self.script, outstanding })
    }

    fn open_target(&self, connection: &Connection) -> Result<Option<Target>, StoreError> {
        let target = self.target.map(|id| Target::read(connection, id)).transpose()?.flatten();
        Ok(target.filter(|target| !target.life.state.is_final()))
    }

    /// What comes next in this session, written down with everything it needs.
    fn advance(&mut self, connection: &Connection, now: UnixSeconds, limits: Limits) -> Result<Served, StoreError> {
        if let Some((sequence, enabled)) = self.notification {
            let (_, account) = self.notified_account(connection)?;
            let commands = Account::notified(sequence, enabled);
            return match self.secure(connection, &account, &commands, now)? {
                Ok(answer) => self.served(connection, answer, None),
                Err(_) => self.served(connection, Answer::End, None),
            };
        }
        let Some(mut target) = self.open_target(connection)? else { return self.served(connection, Answer::End, None) };
        let mut account = target.account(connection, &self.eid)?;
        let next = account.next(limits);
        target.work = account.work.clone();
        let (answer, end) = match next {
            Next::Send(commands) => match self.secure(connection, &account, &commands, now)? {
                Ok(answer) => (answer, None),
                Err(reason) => (Answer::End, Some(Err(reason))),
            },
            Next::AwaitNotification => (Answer::End, None),
            Next::Done => (Answer::End, Some(Ok(()))),
            Next::Failed(reason) => (Answer::End, Some(Err(reason))),
        };
        let ended = end.map(|result| finish(&mut target, now, result));
        target.write(connection, now)?;
        self.served(connection, answer, ended)
    }

    /// Secures one packet per command with a fresh counter each, and keeps what their responses are verified with.
    fn secure(
        &mut self,
        connection: &Connection,
        account: &Account,
        commands: &[Command],
        now: UnixSeconds,
    ) -> Result<Result<Answer, Reason>, StoreError> {
        let failed = |error: &dyn std::fmt::Display| Ok(Err(Reason::execution(error.to_string())));
        let Some(key_set) = keys::newest(connection, &self.eid, KeyOwner::IsdR)? else {
            return Ok(Err(Reason::new("8.7", "3.9", "the registry has no keys of the ISD-R")));
        };
        let mut sender = match keys::sender(connection, &self.eid, &key_set, commands.len())? {
            Ok(sender) => sender,
            Err(invalid) => return failed(&invalid),
        };
        let mut packets = Vec::with_capacity(commands.len());
        for (position, command) in commands.iter().enumerate() {
            let (tar, script) = match (command.tar(account), command.script(account)) {
                (Ok(tar), Ok(script)) => (tar, script),
                (Err(error), _) | (_, Err(error)) => return failed(&error),
            };
            let secured = match sender.send(PACKET_SPI, tar, script) {
                Ok(secured) => secured,
                Err(error) => return failed(&error),
            };
            let (code, first, second) = command.code();
            connection
                .prepare_cached(
                    "INSERT INTO packet (transaction_id, position, command, command_first, command_second, tar,
                         key_version, counter, octets) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute(params![
                    self.transaction.0,
                    columns::signed(position as u64),
                    code,
                    first,
                    second,
                    tar.0,
                    key_set.version,
                    columns::signed(secured.counter.value()),
                    secured.packet,
                ])?;
            packets.push(secured.packet);
        }
        self.script = self.script.saturating_add(1);
        self.write(connection, now)?;
        Ok(Ok(Answer::Packets(packets)))
    }

    fn served(
        &self,
        connection: &Connection,
        answer: Answer,
        ended: Option<(Operation, Result<(), Reason>)>,
    ) -> Result<Served, StoreError> {
        Ok(Served { answer, exchange: Some(self.exchange(connection)?), ended, unproved: 0 })
    }

    /// The target that a notification of this eUICC completes, and its account; an account of its own without one.
    fn notified_account(&self, connection: &Connection) -> Result<(Option<Target>, Account), StoreError> {
        for target in Target::asked(connection, &self.eid)? {
            let account = target.account(connection, &self.eid)?;
            if account.order.switches() {
                return Ok((Some(target), account));
            }
        }
        let order = Order {
            operation: Operation::StatusChange,
            status: Some(StatusChange::Audit),
            profile_data: None,
            iccid: None,
            imsi: None,
            msisdn: None,
        };
        let profiles = registry::profiles(connection, &self.eid)?;
        Ok((None, Account { order, work: Work::on(None), profiles }))
    }
}

/// Ends a target.
fn finish(target: &mut Target, now: UnixSeconds, result: Result<(), Reason>) -> (Operation, Result<(), Reason>) {
    match &result {
        Ok(()) => target.life.succeeded(now),
        Err(reason) => target.life.failed(now, reason.clone()),
    }
    (target.operation, result)
}

fn requested(connection: &Connection, request: &ServiceRequest) -> Result<Option<Known>, StoreError> {
    let (eid, now) = (&request.eid, request.now);
    for (transaction, result) in &request.results {
        if *transaction != request.transaction {
            take_result(connection, *transaction, eid, *result, now)?;
        }
    }
    let session = Session::read(connection, request.transaction, eid)?;
    let mut target = match Target::of_transaction(connection, request.transaction, eid)? {
        None if request.pull => pending(connection, eid)?,
        found => found,
    };
    target = target.filter(|target| !target.life.state.is_final() && target.life.validity_end > now);
    let notification = request.notification.as_deref().and_then(|octets| Notification::decode(octets).ok());
    let notification = notification.filter(|notification| notification.eid == *eid);
    if target.is_none() && notification.is_none() {
        return Ok(None);
    }
    let mut session = session.unwrap_or(Session {
        transaction: request.transaction,
        eid: *eid,
        target: None,
        script: 0,
        notification: None,
        confirmations: 0,
    });
    if let Some(target) = &mut target {
        session.target = Some(target.id);
        target.life.requested(now);
        target.write(connection, now)?;
        connection
            .prepare_cached("UPDATE target SET access_at = coalesce(access_at, ?2) WHERE id = ?1")?
            .execute(params![target.id, request.access_at.map(time)])?;
    }
    if let Some(notification) = notification {
        session.notification = Some((notification.sequence, notification.isd_p));
        session.confirmations = 0;
    }
    session.write(connection, now)?;
    let resumes = session.script > 0 || session.notification.is_some();
    Ok(Some(match target {
        Some(target) => Known { operation: Some(target.operation), batch_priority: target.priority, resumes },
        None => Known { operation: None, batch_priority: 1, resumes },
    }))
}

/// The longest pending target, for a terminal that asks what there is.
fn pending(connection: &Connection, eid: &Eid) -> Result<Option<Target>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT id FROM target WHERE eid = ?1 AND state < 6 ORDER BY id LIMIT 1")?;
    let id = statement.query_row([eid.clear()], |row| row.get(0)).optional()?;
    Ok(id.map(|id| Target::read(connection, id)).transpose()?.flatten())
}

/// A result that the agent kept because it had no session to tell it in.
fn take_result(
    connection: &Connection,
    transaction: TransactionId,
    eid: &Eid,
    result: TransactionResult,
    now: UnixSeconds,
) -> Result<(), StoreError> {
    let reason = match result {
        // What was done the responses have told.
        TransactionResult::Done => return Ok(()),
        TransactionResult::Failed => Reason::execution("the agent could not bring the session to its end"),
        TransactionResult::RefusedByEuicc => Reason::execution("the eUICC refused the packet of the trigger"),
        TransactionResult::Rejected => Reason::new("8.1", "3.8", "the agent refused the trigger"),
        TransactionResult::Expired => Reason::inaccessible("the terminal could not call in time"),
    };
    if let Some(mut target) = Target::of_transaction(connection, transaction, eid)? {
        target.life.failed(now, reason);
        target.write(connection, now)?;
    }
    Ok(())
}

/// The commands that were sent, and a book that awaits their responses.
fn outstanding(connection: &Connection, session: &Session) -> Result<(Vec<Command>, ResponseBook), StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM packet WHERE transaction_id = ?1 ORDER BY position")?;
    let mut rows = statement.query([session.transaction.0])?;
    let (mut commands, mut expected) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (code, first, second) = (row.get("command")?, row.get("command_first")?, row.get("command_second")?);
        commands.push(Command::from_code(code, first, second).ok_or_else(|| strange("command"))?);
        let key_set = keys::of_version(connection, &session.eid, row.get("key_version")?)?;
        let Some(Ok(keys)) = key_set.map(|key_set| key_set.prepare()) else { continue };
        let counter = Counter::new(unsigned(row.get("counter")?)).map_err(|_| strange("counter"))?;
        expected.push(Expected { tar: columns::tar(row)?, counter, spi: PACKET_SPI, keys });
    }
    let mut book = ResponseBook::new(expected.len().max(1));
    for expected in expected {
        book.expect(expected);
    }
    Ok((commands, book))
}

fn respond(connection: &Connection, input: &Responses) -> Result<Served, StoreError> {
    let stale = || StoreError::Failed("the script has been answered on another connection".into());
    let mut session = Session::read(connection, input.transaction, &input.eid)?.ok_or_else(stale)?;
    let (commands, mut book) = outstanding(connection, &session)?;
    if session.script != input.script || commands.is_empty() {
        return Err(stale());
    }
    let answers = operation::answers(&input.responses, commands.len(), &mut book);
    let unproved = answers.iter().filter(|answer| **answer == operation::Answer::Unproved).count();
    let answered: Vec<_> = commands.into_iter().zip(answers).collect();
    connection.prepare_cached("DELETE FROM packet WHERE transaction_id = ?1")?.execute([input.transaction.0])?;
    let ended = match session.notification {
        Some(_) => settle_notification(connection, &mut session, &answered, input.now)?,
        None => settle_target(connection, &session, &answered, input.now)?,
    };
    session.write(connection, input.now)?;
    let mut served = session.advance(connection, input.now, input.limits)?;
    (served.ended, served.unproved) = (served.ended.or(ended), unproved);
    Ok(served)
}

type Answered = [(Command, operation::Answer)];
type Ended = Option<(Operation, Result<(), Reason>)>;

fn settle_target(
    connection: &Connection,
    session: &Session,
    answered: &Answered,
    now: UnixSeconds,
) -> Result<Ended, StoreError> {
    // Also of a target whose validity has ended meanwhile: what the eUICC did is to be known.
    let target = session.target.map(|id| Target::read(connection, id)).transpose()?.flatten();
    let Some(mut target) = target else { return Ok(None) };
    let mut account = target.account(connection, &session.eid)?;
    let result = account.apply(answered);
    registry::put_profiles(connection, &session.eid, &account.profiles)?;
    target.work = account.work;
    let ended = match result {
        Ok(Some(Milestone::ContainerCreated)) => {
            target.life.container_created(now);
            None
        }
        Ok(None) => None,
        Err(reason) => Some(finish(&mut target, now, Err(reason))),
    };
    target.write(connection, now)?;
    Ok(ended)
}

fn settle_notification(
    connection: &Connection,
    session: &mut Session,
    answered: &Answered,
    now: UnixSeconds,
) -> Result<Ended, StoreError> {
    let (target, mut account) = session.notified_account(connection)?;
    let awaited = account.work.awaiting;
    account.work.audited = false;
    let result = account.apply(answered);
    registry::put_profiles(connection, &session.eid, &account.profiles)?;
    let settled = match result {
        Ok(_) => account.settled(),
        // The eUICC knows no such notification: nothing of it is to be believed.
        Err(_) => {
            session.notification = None;
            account.work.certain = false;
            None
        }
    };
    if settled.is_none() {
        session.confirmations = session.confirmations.saturating_add(1);
        if session.confirmations >= MAX_CONFIRMATIONS {
            session.notification = None;
        }
    } else {
        session.notification = None;
        let by = Actor { name: "eUICC".into(), now };
        write_audit(connection, &by, "profile-change", &session.eid.to_string())?;
        take_identities(connection, &session.eid, &account, now)?;
    }
    let Some(mut target) = target else { return Ok(None) };
    target.work = account.work;
    // Where the answer to the switch has not come, a notification that does not show its goal is that of another.
    let settled = settled.filter(|result| awaited || result.is_ok());
    let ended = settled.map(|result| finish(&mut target, now, result));
    target.write(connection, now)?;
    Ok(ended)
}

/// The terminal is now who the enabled profile makes it.
fn take_identities(connection: &Connection, eid: &Eid, account: &Account, now: UnixSeconds) -> Result<(), StoreError> {
    let enabled = account.profiles.iter().find(|profile| profile.state == ProfileState::ENABLED);
    let Some(enabled) = enabled else { return Ok(()) };
    let identities = Identities { imsi: enabled.imsi.clone(), msisdn: enabled.msisdn.clone(), impu: None, impi: None };
    let before = registry::identities_of(connection, eid)?;
    let same =
        before.as_ref().is_some_and(|before| before.imsi == identities.imsi && before.msisdn == identities.msisdn);
    if same { Ok(()) } else { registry::put_identities(connection, eid, &identities, now) }
}
