use super::*;
use crate::codec::apdu::{ExpandedCommand, ExpandedResponse, ResponseApdu, ResponseObject, ScriptForm, StatusWord};
use crate::codec::gp::Es5Command;
use crate::codec::gp::isd_r::{ProfileStatus, encode_confirmation, encode_profiles};
use crate::codec::gp::profile_data::StoreData;
use crate::codec::gp::scp80_body::PacketResponse;
use crate::codec::ota::{CcLength, Counter, KeyFamily, KeySet, ResponsePacket, ResponseStatus, Spi};
use crate::session::scp80::{CounterBlock, Sender};
use crate::types::{Secret, Tar};

const LIMITS: Limits = Limits { packet: 1060, packets: 8 };
const ICCID: &str = "8949000000000000018";

fn aid(tar: u16) -> Aid {
    Aid::isd_p(tar).unwrap()
}

fn record(tar: u16, state: ProfileState) -> ProfileRecord {
    ProfileRecord { isd_p: aid(tar), iccid: None, state, fall_back: false, imsi: None, msisdn: None }
}

fn data(octets: usize) -> Vec<u8> {
    let mut data = vec![0x5A, 0x0A];
    data.extend(ICCID.parse::<Iccid>().unwrap().octets());
    data.resize(octets, 0x77);
    data
}

fn order(operation: Operation) -> Order {
    Order { operation, status: None, profile_data: None, iccid: None, imsi: None, msisdn: None }
}

fn download(operation: Operation, octets: usize) -> Account {
    let order = Order { profile_data: Some(data(octets)), iccid: Some(ICCID.parse().unwrap()), ..order(operation) };
    account(order, None)
}

/// The eUICC has 10 enabled with the fall-back attribute, and 11 disabled.
fn account(order: Order, isd_p: Option<Aid>) -> Account {
    let fall_back = ProfileRecord { fall_back: true, ..record(0x10, ProfileState::ENABLED) };
    Account { order, work: Work::on(isd_p), profiles: vec![fall_back, record(0x11, ProfileState::DISABLED)] }
}

fn responses(list: impl IntoIterator<Item = ResponseApdu>) -> Answer {
    let objects: Vec<_> = list.into_iter().map(ResponseObject::ResponseApdu).collect();
    let executed = u16::try_from(objects.len()).ok();
    Answer::Executed(ExpandedResponse { form: ScriptForm::Definite, executed, objects })
}

fn status(sw: StatusWord) -> Answer {
    responses([sw.into()])
}

/// A little eUICC: what profiles there are, and what it was told.
struct Euicc {
    profiles: Vec<ProfileStatus>,
    executed: Vec<String>,
    loaded: u8,
}

impl Euicc {
    fn of(account: &Account) -> Self {
        let profiles = account
            .profiles
            .iter()
            .map(|profile| ProfileStatus {
                aid: profile.isd_p,
                state: profile.state,
                fall_back: profile.fall_back,
                memory: None,
            })
            .collect();
        Self { profiles, executed: Vec::new(), loaded: 0 }
    }

    fn state(&mut self, isd_p: Aid) -> Option<&mut ProfileState> {
        self.profiles.iter_mut().find(|profile| profile.aid == isd_p).map(|profile| &mut profile.state)
    }

    fn run(&mut self, account: &Account, command: Command) -> Answer {
        let script = ExpandedCommand::decode(&command.script(account).unwrap()).unwrap();
        let tar = command.tar(account).unwrap();
        responses(script.apdus().map(|apdu| match StoreData::decode(apdu) {
            Ok(block) if tar != Tar::ISD_R => self.store(account.work.isd_p.unwrap(), &block),
            _ => self.es5(Es5Command::decode(apdu).unwrap()),
        }))
    }

    fn store(&mut self, isd_p: Aid, block: &StoreData<'_>) -> ResponseApdu {
        if block.number == 0 {
            self.loaded = 0;
        }
        assert_eq!(block.number, self.loaded, "blocks come in order");
        self.loaded += 1;
        if block.last {
            *self.state(isd_p).unwrap() = ProfileState::SELECTABLE;
            self.executed.push("loaded".into());
        }
        StatusWord::OK.into()
    }

    fn es5(&mut self, command: Es5Command) -> ResponseApdu {
        let audit = matches!(command, Es5Command::AuditProfiles { .. });
        if !audit {
            self.executed.push(command.function().into());
        }
        match command {
            Es5Command::AuditProfiles { isd_p } => {
                let asked: Vec<_> =
                    self.profiles.iter().filter(|p| isd_p.is_none_or(|aid| aid == p.aid)).copied().collect();
                if asked.is_empty() {
                    return StatusWord::REFERENCE_NOT_FOUND.into();
                }
                return ResponseApdu::ok(encode_profiles(&asked).unwrap());
            }
            Es5Command::CreateIsdP { isd_p, .. } if self.state(isd_p).is_some() => {
                return StatusWord::CONDITIONS_NOT_SATISFIED.into();
            }
            Es5Command::CreateIsdP { isd_p, .. } => self.profiles.push(ProfileStatus {
                aid: isd_p,
                state: ProfileState::CREATED,
                fall_back: false,
                memory: None,
            }),
            Es5Command::ConfirmProfile { isd_p } => *self.state(isd_p).unwrap() = ProfileState::DISABLED,
            Es5Command::EnableProfile { isd_p } => {
                for profile in &mut self.profiles {
                    let enabled = profile.aid == isd_p;
                    profile.state = if enabled { ProfileState::ENABLED } else { ProfileState::DISABLED };
                }
            }
            Es5Command::DeleteProfile { isd_p } => self.profiles.retain(|profile| profile.aid != isd_p),
            Es5Command::SetFallBackAttribute { isd_p } => {
                for profile in &mut self.profiles {
                    profile.fall_back = profile.aid == isd_p;
                }
            }
            Es5Command::HandleNotificationConfirmation { .. } => {
                return ResponseApdu::ok(encode_confirmation(&[]).unwrap());
            }
            other => panic!("{other:?}"),
        }
        StatusWord::OK.into()
    }
}

/// Runs to the end; the step with number `lost` is executed but its answers never come back.
fn run(account: &mut Account, euicc: &mut Euicc, lost: Option<usize>) -> Next {
    for step in 0..200 {
        let commands = match account.next(LIMITS) {
            Next::Send(commands) => commands,
            end => return end,
        };
        let answered: Vec<_> = commands.into_iter().map(|command| (command, euicc.run(account, command))).collect();
        let unproved: Vec<_> = answered.iter().map(|(command, _)| (*command, Answer::Unproved)).collect();
        let answered = if lost == Some(step) { unproved } else { answered };
        if let Err(reason) = account.apply(&answered) {
            return Next::Failed(reason);
        }
    }
    panic!("it goes on for ever")
}

#[test]
fn an_install_creates_loads_and_confirms_in_a_free_isd_p() {
    let mut account = download(Operation::Install, 5_000);
    let mut euicc = Euicc::of(&account);
    assert_eq!(run(&mut account, &mut euicc, None), Next::Done);
    assert_eq!(euicc.executed, ["CreateISDP", "loaded", "ConfirmProfile"]);
    let profile = account.profile(aid(0x12)).unwrap();
    assert_eq!((profile.state, profile.iccid.as_ref().unwrap().clear()), (ProfileState::DISABLED, ICCID));
}

#[test]
fn a_download_ends_loaded_and_an_install_confirms_it_later() {
    let mut account = download(Operation::Download, 100);
    let mut euicc = Euicc::of(&account);
    assert_eq!(run(&mut account, &mut euicc, None), Next::Done);
    assert_eq!(account.profile(aid(0x12)).unwrap().state, ProfileState::SELECTABLE);
    let isd_p = resolve(&order(Operation::Install), Some(&Selector::Iccid(ICCID.parse().unwrap())), &account.profiles);
    let mut install = Account { order: order(Operation::Install), work: Work::on(isd_p.unwrap()), ..account };
    assert_eq!(run(&mut install, &mut euicc, None), Next::Done);
    assert_eq!(euicc.executed, ["CreateISDP", "loaded", "ConfirmProfile"]);
    // Confirmed already: the audit says so, nothing is sent.
    install.work = Work::on(Some(aid(0x12)));
    assert_eq!(run(&mut install, &mut euicc, None), Next::Done);
    assert_eq!(euicc.executed.len(), 3);
}

#[test]
fn whichever_answer_is_lost_every_step_is_executed_once() {
    for lost in 0..8 {
        let mut account = download(Operation::Install, 20_000);
        let mut euicc = Euicc::of(&account);
        assert_eq!(run(&mut account, &mut euicc, Some(lost)), Next::Done, "step {lost} lost");
        let count = |name: &str| euicc.executed.iter().filter(|executed| *executed == name).count();
        assert_eq!((count("CreateISDP"), count("ConfirmProfile"), count("loaded")), (1, 1, 1), "step {lost} lost");
    }
}

#[test]
fn a_switch_is_asked_for_once_and_ends_with_the_confirmed_notification() {
    for lost in [None, Some(0)] {
        let mut account = account(order(Operation::Enable), Some(aid(0x11)));
        let mut euicc = Euicc::of(&account);
        assert_eq!(run(&mut account, &mut euicc, lost), Next::AwaitNotification);
        assert_eq!(euicc.executed, ["EnableProfile"]);
        let commands = Account::notified(7, aid(0x11));
        let answered: Vec<_> = commands.into_iter().map(|command| (command, euicc.run(&account, command))).collect();
        assert_eq!(account.apply(&answered), Ok(None));
        assert_eq!(account.settled(), Some(Ok(())));
        assert_eq!(account.enabled().unwrap().isd_p, aid(0x11));
    }
}

#[test]
fn a_rolled_back_switch_has_failed() {
    let mut account = account(order(Operation::Enable), Some(aid(0x11)));
    let mut euicc = Euicc::of(&account);
    run(&mut account, &mut euicc, None);
    euicc.es5(Es5Command::EnableProfile { isd_p: aid(0x10) });
    let answered: Vec<_> =
        Account::notified(8, aid(0x10)).into_iter().map(|command| (command, euicc.run(&account, command))).collect();
    account.apply(&answered).unwrap();
    assert!(matches!(account.settled(), Some(Err(_))));
    assert_eq!(account.enabled().unwrap().isd_p, aid(0x10));
}

#[test]
fn disabling_hands_over_to_the_fall_back_profile_and_deleting_removes() {
    let mut disable = account(order(Operation::Disable), Some(aid(0x11)));
    disable.profiles[0].state = ProfileState::DISABLED;
    disable.profiles[1].state = ProfileState::ENABLED;
    let Next::Send(commands) = disable.next(LIMITS) else { panic!("a command") };
    disable.apply(&[(commands[0], status(StatusWord::OK))]).unwrap();
    assert_eq!(disable.next(LIMITS), Next::AwaitNotification);
    assert_eq!(disable.enabled().unwrap().isd_p, aid(0x10));

    for lost in [None, Some(0)] {
        let mut delete = account(order(Operation::Delete), Some(aid(0x11)));
        let mut euicc = Euicc::of(&delete);
        assert_eq!(run(&mut delete, &mut euicc, lost), Next::Done);
        assert_eq!((euicc.executed.len(), delete.profile(aid(0x11))), (1, None));
    }
}

#[test]
fn status_changes_move_the_fall_back_attribute_or_only_ask() {
    let change = |status| Order { status: Some(status), ..order(Operation::StatusChange) };
    for lost in [None, Some(0)] {
        let mut fall_back = account(change(StatusChange::FallBack), Some(aid(0x11)));
        let mut euicc = Euicc::of(&fall_back);
        assert_eq!(run(&mut fall_back, &mut euicc, lost), Next::Done);
        assert_eq!(euicc.executed, ["SetFallBackAttribute"]);
        assert!(fall_back.profile(aid(0x11)).unwrap().fall_back && !fall_back.profile(aid(0x10)).unwrap().fall_back);
    }
    let mut audit = account(change(StatusChange::Audit), None);
    let mut euicc = Euicc::of(&audit);
    *euicc.state(aid(0x11)).unwrap() = ProfileState::SELECTABLE;
    euicc.es5(Es5Command::CreateIsdP { isd_p: aid(0x30), memory: None });
    audit.profiles.push(record(0x99, ProfileState::DISABLED));
    assert_eq!(run(&mut audit, &mut euicc, None), Next::Done);
    let states: Vec<_> = audit.profiles.iter().map(|profile| (profile.isd_p, profile.state)).collect();
    let expected = [(0x10, ProfileState::ENABLED), (0x11, ProfileState::SELECTABLE), (0x30, ProfileState::CREATED)];
    assert_eq!(states, expected.map(|(tar, state)| (aid(tar), state)));
}

#[test]
fn an_error_status_word_ends_the_order_with_its_codes() {
    for (sw, code) in [(0x6985, "8.3.1/1.2"), (0x69E1, "8.2.2/3.8"), (0x6A84, "8.1/4.8"), (0x6581, "8.4/4.2")] {
        let mut account = account(order(Operation::Enable), Some(aid(0x11)));
        account.next(LIMITS);
        let reason = account.apply(&[(Command::Enable, status(StatusWord(sw)))]).unwrap_err();
        assert!(reason.to_string().starts_with(code), "{reason}");
        assert_eq!(account.enabled().unwrap().isd_p, aid(0x10));
    }
}

#[test]
fn an_isd_p_that_the_registry_does_not_know_makes_it_choose_another() {
    let mut account = download(Operation::Download, 100);
    let mut euicc = Euicc::of(&account);
    euicc.es5(Es5Command::CreateIsdP { isd_p: aid(0x12), memory: None });
    assert_eq!(run(&mut account, &mut euicc, None), Next::Done);
    assert_eq!(account.profile(aid(0x13)).unwrap().state, ProfileState::SELECTABLE);
}

#[test]
fn an_audit_that_shows_the_created_isd_p_is_the_milestone_that_its_answer_would_have_been() {
    let mut account = download(Operation::Install, 100);
    let mut euicc = Euicc::of(&account);
    let mut milestones = Vec::new();
    while let Next::Send(commands) = account.next(LIMITS) {
        for command in commands {
            let answer = euicc.run(&account, command);
            let answer = if command == Command::Create { Answer::Unproved } else { answer };
            milestones.extend(account.apply(&[(command, answer)]).unwrap());
        }
    }
    assert_eq!(milestones, [Milestone::ContainerCreated]);
}

#[test]
fn without_any_proof_it_gives_up() {
    let mut account = account(order(Operation::Delete), Some(aid(0x11)));
    let mut sent = 0;
    let end = loop {
        match account.next(LIMITS) {
            Next::Send(commands) => {
                sent += 1;
                account.apply(&[(commands[0], Answer::Unproved)]).unwrap();
            }
            end => break end,
        }
    };
    assert!(matches!(end, Next::Failed(reason) if reason.reason == "6.1"));
    assert_eq!(sent, 6, "the command once, then audits");
}

#[test]
fn packets_stay_within_their_segments() {
    let mut account = download(Operation::Download, 30_000);
    account.profiles.push(record(0x12, ProfileState::CREATED));
    account.work.isd_p = Some(aid(0x12));
    let limits = Limits::of_segments(8, 4);
    let Next::Send(commands) = account.next(limits) else { panic!("blocks") };
    assert_eq!(commands.len(), 4);
    for command in &commands {
        let script = command.script(&account).unwrap();
        assert!(crate::codec::ota::command::packet_length(Some(16), 8, script.len()) <= limits.packet);
    }
    assert_eq!(commands[0], Command::Load { first: 0, count: 4 });
    assert!(matches!(account.next(Limits::of_segments(2, 4)), Next::Failed(_)));
}

#[test]
fn profiles_are_resolved_or_refused_before_anything_is_sent() {
    let iccid: Iccid = ICCID.parse().unwrap();
    let mut profiles = account(order(Operation::Delete), None).profiles;
    let by = Selector::Iccid(iccid.clone());
    let code =
        |result: Result<Option<Aid>, Reason>| result.map_err(|reason| format!("{}/{}", reason.subject, reason.reason));
    let delete = order(Operation::Delete);
    assert_eq!(code(resolve(&delete, Some(&by), &profiles)), Err("8.2.1/3.9".into()));
    assert_eq!(code(resolve(&delete, Some(&Selector::IsdP(aid(0x77))), &profiles)), Err("8.3.1/3.9".into()));
    assert_eq!(code(resolve(&delete, None, &profiles)), Err("8.3.1/2.1".into()));
    assert_eq!(resolve(&delete, Some(&Selector::IsdP(aid(0x11))), &profiles), Ok(Some(aid(0x11))));
    let download = download(Operation::Install, 100).order;
    assert_eq!(resolve(&download, None, &profiles), Ok(None));
    profiles[1].iccid = Some(iccid);
    assert_eq!(code(resolve(&download, None, &profiles)), Err("8.2.1/3.3".into()));
    profiles[1].state = ProfileState::CREATED;
    assert_eq!(resolve(&download, None, &profiles), Ok(Some(aid(0x11))));
}

#[test]
fn commands_survive_their_codes() {
    for code in 0..10 {
        let command = Command::from_code(code, 3, 4).unwrap();
        let (found, first, second) = command.code();
        assert_eq!((found, Command::from_code(found, first, second)), (code, Some(command)));
    }
    assert_eq!(Command::from_code(10, 0, 0), None);
}

#[test]
fn only_a_proved_response_says_anything() {
    let keys = |octet| {
        let key = Secret::new(vec![octet; 16]);
        KeySet::of_family(KeyFamily::Aes, 1, &key, &key, CcLength::Eight).unwrap()
    };
    let spi = Spi::new(0x16, 0x19);
    let mut sender = Sender::new(keys(1), 8);
    let counter = |value| Counter::new(value).unwrap();
    sender.reserve(CounterBlock::new(counter(1), counter(9)).unwrap());
    let mut answered = |octet, status| {
        let counter = sender.send(spi, Tar::ISD_R, vec![1]).unwrap().counter;
        let script = ExpandedResponse { form: ScriptForm::Definite, executed: Some(0), objects: Vec::new() };
        let response = ResponsePacket { tar: Tar::ISD_R, counter, status, data: script.encode().unwrap() };
        PacketResponse::Response(response.secure(spi, &keys(octet)).unwrap())
    };
    let list = [
        answered(1, ResponseStatus::POR_OK),
        answered(2, ResponseStatus::POR_OK),
        answered(1, ResponseStatus::CNTR_LOW),
        answered(1, ResponseStatus::TAR_UNKNOWN),
        PacketResponse::StatusWord(StatusWord::OK),
        PacketResponse::StatusWord(StatusWord(0x6F00)),
    ];
    let found = answers(&list, 7, sender.responses());
    assert!(matches!(found[0], Answer::Executed(_)));
    let refused = Answer::Refused(ResponseStatus::TAR_UNKNOWN);
    assert_eq!(found[1..5], [Answer::Unproved, Answer::Unproved, refused, Answer::Unproved]);
    assert_eq!(found[5..], [Answer::NotTaken(StatusWord(0x6F00)), Answer::NotDelivered]);
}
