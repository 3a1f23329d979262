use super::*;
use crate::codec::apdu::{ExpandedCommand, ScriptForm};
use crate::codec::cat::Envelope;
use crate::codec::gp::{Aid, Es5Command, ecasd};
use crate::codec::ota::{CcLength, Counter, KeyFamily, KeySet, Spi};
use crate::codec::sms::{Deliver, Ie, Reference, Scts, Segmentation};
use crate::session::scp80::{CounterBlock, Sender};
use crate::types::Tar;

/// The host of modem 1 listens; its card is the eUICC.
fn rig() -> Rig {
    let mut rig = Rig::with([plain(0), euicc()], "generic-27007", Duration::ZERO);
    rig.at(0, "ATE0+CMEE=1");
    rig.at(1, "ATE0+CMEE=1;+CREG=1;+CNMI=2,1,0,0,0");
    rig
}

/// User data of the one message that enables the other profile.
fn enabling(counter: u64) -> Vec<u8> {
    let (kic, kid) = (keys().kic, keys().kid);
    let keys = KeySet::of_family(KeyFamily::Aes, 1, &kic, &kid, CcLength::Eight).unwrap();
    let mut sender = Sender::new(keys, 8);
    let first = Counter::new(counter).unwrap();
    sender.reserve(CounterBlock::new(first, first.advanced(10).unwrap()).unwrap());
    let command = Es5Command::EnableProfile { isd_p: Aid::isd_p(0x11).unwrap() }.encode().unwrap();
    let script = ExpandedCommand::of_apdus(ScriptForm::Definite, vec![command]).encode().unwrap();
    let packet = sender.send(Spi::new(0x16, 0x19), Tar::ISD_R, script).unwrap().packet;
    let cut = Segmentation::new(Vec::new(), vec![Ie::command_packet()], Reference::Short(7));
    let [segment] = cut.segments(&packet).unwrap().try_into().unwrap();
    segment
}

fn csim(rig: &mut Rig, apdu: &[u8]) -> String {
    let text = hex::encode(apdu).to_ascii_uppercase();
    let [answer] = rig.lines(1, &format!("AT+CSIM={},\"{text}\"", text.len())).try_into().unwrap();
    let (length, quoted) = answer.strip_prefix("+CSIM: ").unwrap().split_once(',').unwrap();
    let text = quoted.trim_matches('"');
    assert_eq!(length, text.len().to_string());
    text.to_string()
}

fn assert_moved(rig: &mut Rig) {
    let snapshot = rig.world.modems[1].snapshot();
    assert!(snapshot.registered);
    assert_eq!(snapshot.msisdn.as_deref(), Some(PROFILE_NUMBER));
    assert_eq!(rig.lines(1, "AT+CIMI"), ["001010000000099"]);
    assert!(rig.lines(1, "AT+CCID")[0].starts_with("+CCID: 8999001010000000099"));
    rig.send(0, &submit(PROFILE_NUMBER, b"new"));
    rig.send(0, &submit(NUMBERS[1], b"old"));
    rig.pass(1);
    assert_eq!(rig.output(1), "\r\n+CMTI: \"ME\",1\r\n");
    assert_eq!(rig.world.network.kept(), 1, "the message to the old number waits");
}

const RESTART: &str = "\r\n+CPIN: NOT READY\r\n\r\n+CPIN: READY\r\n\r\n+CREG: 2\r\n";

#[test]
fn a_packet_from_the_network_moves_the_terminal_and_the_host_sees_only_the_restart() {
    let mut rig = rig();
    let ud = UserData::with_header(enabling(1));
    let message =
        Submit { pid: Pid::SIM_DATA_DOWNLOAD, dcs: Dcs::OCTETS_SIM, ud, srr: true, ..submit(NUMBERS[1], &[]) };
    rig.at(0, "AT+CNMI=2,1,0,1,0");
    rig.send(0, &message);
    rig.pass(1);
    assert_eq!(rig.output(1), RESTART);
    rig.pass(1);
    let [report, urc] = rig.all_output();
    assert!(report.contains("+CDS: "), "{report}");
    assert_eq!(urc, "\r\n+CREG: 1\r\n");
    assert_moved(&mut rig);
    let kept = rig.kept.lock().unwrap();
    assert_eq!(kept.first().unwrap().key_sets[0].counter, 1, "the counter is kept before the script runs");
    assert_eq!(kept.first().unwrap().enabled().unwrap().isd_p, Aid::isd_p(0x10).unwrap());
    assert_eq!(kept.last().unwrap().enabled().unwrap().isd_p, Aid::isd_p(0x11).unwrap());
}

#[test]
fn a_packet_from_the_host_does_the_same_after_its_answer() {
    let mut rig = rig();
    let scts = Scts::from_unix(rig.now.utc, 0).unwrap();
    let ud = UserData::with_header(enabling(5));
    let deliver = Deliver::new(number("491"), Pid::SIM_DATA_DOWNLOAD, Dcs::OCTETS_SIM, scts, ud);
    let envelope = Envelope::SmsPpDownload { smsc: None, tpdu: deliver.encode().unwrap() }.encode().unwrap();
    let answer = csim(&mut rig, &envelope);
    assert!(answer.starts_with("027100") && answer.ends_with("9000"), "{answer}");
    rig.pass(0);
    assert_eq!(rig.output(1), RESTART);
    rig.pass(1);
    assert_eq!(rig.output(1), "\r\n+CREG: 1\r\n");
    assert_moved(&mut rig);
}

#[test]
fn the_eid_is_read_on_the_basic_channel_and_on_one_of_the_host() {
    let mut rig = rig();
    let eid = euicc().eid.clear();
    assert!(csim(&mut rig, &ecasd::select()).ends_with("9000"));
    assert_eq!(csim(&mut rig, &hex::decode("80CA005A00").unwrap()), format!("5A10{eid}9000"));
    let aid = "A0000005591010FFFFFFFF8900000200";
    assert_eq!(rig.lines(1, &format!("AT+CCHO=\"{aid}\"")), ["+CCHO: 1"]);
    assert_eq!(rig.lines(1, "AT+CGLA=1,10,\"80CA005A00\""), [format!("+CGLA: 40,\"5A10{eid}9000\"")]);
    assert_eq!(rig.lines(1, "AT+CCHC=1"), ["+CCHC"]);
    assert_eq!(rig.at(1, "AT+CGLA=1,10,\"80CA005A00\""), "\r\n+CME ERROR: 22\r\n");
    assert_eq!(rig.at(1, "AT+CCHO=\"A000000559FFFF\""), "\r\n+CME ERROR: 13\r\n");
    for _ in 0..5 {
        assert_eq!(rig.lines(1, &format!("AT+CCHO=\"{aid}\"")).len(), 1);
        let session = rig.world.modems[1].sim.last_session;
        rig.lines(1, &format!("AT+CCHC={session}"));
    }
}

#[test]
fn wrong_lengths_are_refused_and_files_read() {
    let mut rig = rig();
    for line in ["AT+CSIM=8,\"0020000100\"", "AT+CSIM=10,\"002000010Z\"", "AT+CSIM=10"] {
        assert_eq!(rig.at(1, line), "\r\n+CME ERROR: 50\r\n", "{line}");
    }
    let [answer] = rig.lines(1, "AT+CRSM=176,12258,0,0,10").try_into().unwrap();
    assert!(answer.starts_with("+CRSM: 144,0,\"989"), "{answer}");
    assert_eq!(rig.lines(1, "AT+CRSM=176,12345,0,0,10"), ["+CRSM: 106,130"]);
}

#[test]
fn a_locked_card_wants_its_pin() {
    let mut state = euicc();
    state.pins.pin1.enabled = true;
    let mut rig = Rig::with([plain(0), state], "generic-27007", Duration::ZERO);
    rig.at(1, "ATE0+CMEE=1");
    assert_eq!(rig.lines(1, "AT+CPIN?"), ["+CPIN: SIM PIN"]);
    assert_eq!(rig.at(1, "AT+CIMI"), "\r\n+CME ERROR: 11\r\n");
    assert_eq!(rig.at(1, "AT+CPIN=\"0000\""), "\r\n+CME ERROR: 16\r\n");
    assert_eq!(rig.at(1, "AT+CPIN=\"1234\""), "\r\nOK\r\n");
    assert_eq!(rig.lines(1, "AT+CPIN?"), ["+CPIN: READY"]);
    assert_eq!(rig.lines(1, "AT+CIMI"), ["001010000000001"]);
}
