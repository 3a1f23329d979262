use super::*;
use crate::codec::sms::{Deliver, St, StatusReport};

/// Header and TPDU of the only PDU in an output.
fn only_pdu(output: &str) -> (String, Vec<u8>) {
    let lines: Vec<_> = output.split("\r\n").filter(|line| !line.is_empty()).collect();
    let [header, pdu_line, ..] = lines.as_slice() else { panic!("{output:?}") };
    let octets = hex::decode(pdu_line).unwrap();
    let (centre, tpdu) = pdu::split(&octets).unwrap();
    assert_eq!(centre, Some(number("4917600000")));
    let length = header.rsplit([',', ' ']).next().unwrap();
    assert_eq!(length, tpdu.len().to_string());
    ((*header).to_string(), tpdu.to_vec())
}

fn rig() -> Rig {
    let mut rig = Rig::new();
    for place in 0..2 {
        rig.at(place, "ATE0+CMEE=1");
    }
    rig
}

fn binary() -> Submit {
    let ud = UserData::with_header(vec![0x06, 0x05, 0x04, 0x40, 0x24, 0x00, 0x00, 0x01, 0x02]);
    Submit { srr: true, ud, ..submit(NUMBERS[1], &[]) }
}

#[test]
fn a_binary_message_is_stored_indicated_read_deleted_and_reported() {
    let mut rig = rig();
    rig.at(0, "AT+CNMI=2,1,0,1,0");
    rig.at(1, "AT+CNMI=2,1,0,2,0");
    assert_eq!(rig.send(0, &binary()), "\r\n+CMGS: 0\r\n\r\nOK\r\n");
    rig.pass(1);
    assert_eq!(rig.output(1), "\r\n+CMTI: \"ME\",1\r\n");
    let (header, tpdu) = only_pdu(&rig.at(1, "AT+CMGR=1"));
    let deliver = Deliver::decode(&tpdu).unwrap();
    assert!(header.starts_with("+CMGR: 0,,"), "{header}");
    assert_eq!((deliver.oa, deliver.ud), (number(NUMBERS[0]), binary().ud));
    assert!(rig.at(1, "AT+CMGL=4").contains("+CMGL: 1,1,,"));
    assert_eq!(rig.at(1, "AT+CMGL"), "\r\nOK\r\n");
    assert_eq!(rig.at(1, "AT+CMGD=1"), "\r\nOK\r\n");
    assert_eq!(rig.at(1, "AT+CMGR=1"), "\r\n+CMS ERROR: 321\r\n");
    rig.pass(1);
    let (header, tpdu) = only_pdu(&rig.output(0));
    let report = StatusReport::decode(&tpdu).unwrap();
    assert!(header.starts_with("+CDS: "), "{header}");
    assert_eq!((report.mr, report.st, report.ra), (0, St::RECEIVED, number(NUMBERS[1])));
}

#[test]
fn every_message_gets_the_next_reference() {
    let mut rig = rig();
    for mr in ["0", "1", "2"] {
        assert_eq!(rig.send(0, &submit("4912345", b"x")), format!("\r\n+CMGS: {mr}\r\n\r\nOK\r\n"));
    }
}

#[test]
fn faulty_sending_has_the_codes_of_the_standard() {
    let mut rig = rig();
    assert_eq!(rig.at(0, "AT+CMGS=500"), "\r\n+CMS ERROR: 304\r\n");
    for (typed, code) in [
        ("00\x1a", 304),
        ("0z\x1a", 304),
        // Right length, but no SMS-SUBMIT.
        ("00000000000000000000\x1a", 96),
    ] {
        assert_eq!(rig.at(0, "AT+CMGS=9"), "\r\n> ");
        assert_eq!(rig.typed(0, typed), format!("\r\n+CMS ERROR: {code}\r\n"), "{typed}");
    }
    assert_eq!(rig.at(0, "AT+CMGS=9"), "\r\n> ");
    assert_eq!(rig.typed(0, "00\x1b"), "\r\nOK\r\n");
    rig.at(0, "AT+CSCA=\"\"");
    assert_eq!(rig.send(0, &submit("4912345", b"x")), "\r\n+CMS ERROR: 330\r\n");
    rig.at(0, "AT+CSCA=\"+4917600000\"");
    rig.at(0, "AT+COPS=2");
    assert_eq!(rig.send(0, &submit("4912345", b"x")), "\r\n+CMS ERROR: 331\r\n");
    assert_eq!(rig.at(0, "AT+CMGF=1"), "\r\n+CMS ERROR: 303\r\n");
}

#[test]
fn a_slow_network_answers_late_and_the_line_waits() {
    let mut rig = Rig::with([plain(0), plain(1)], "generic-27007", Duration::from_secs(60));
    rig.at(0, "ATE0");
    assert_eq!(rig.send(0, &submit(NUMBERS[1], b"x")), "");
    assert_eq!(rig.at(0, "AT+CMEE?"), "");
    rig.pass(59);
    assert_eq!(rig.output(0), "");
    rig.pass(1);
    assert_eq!(rig.output(0), "\r\n+CMGS: 0\r\n\r\nOK\r\n\r\n+CMEE: 0\r\n\r\nOK\r\n");
}

#[test]
fn a_direct_message_waits_for_its_acknowledgement() {
    let mut rig = rig();
    assert_eq!(rig.lines(1, "AT+CSMS=1"), ["+CSMS: 1,1,1"]);
    rig.at(1, "AT+CNMI=2,2,0,1,0");
    assert_eq!(rig.at(1, "AT+CNMA"), "\r\n+CMS ERROR: 340\r\n");
    rig.send(0, &binary());
    rig.pass(1);
    let (header, first) = only_pdu(&rig.output(1));
    assert!(header.starts_with("+CMT: ,"), "{header}");
    assert_eq!(rig.at(1, "AT+CNMA=0"), "\r\nOK\r\n");
    assert_eq!(rig.world.network.kept(), 1, "the report");
    rig.pass(1);
    rig.all_output();
    // Not acknowledged: routing stops, the network tries again, now the message is stored.
    rig.send(0, &binary());
    rig.pass(1);
    assert_eq!(only_pdu(&rig.output(1)).1[1..10], first[1..10]);
    rig.pass(30);
    assert_eq!(rig.lines(1, "AT+CNMI?"), ["+CNMI: 2,0,0,0,0"]);
    assert_eq!(rig.world.modems[1].snapshot().stored, [0, 1, 0]);
}

#[test]
fn a_full_store_refuses_and_takes_again_after_a_deletion() {
    let mut rig = rig();
    rig.at(1, "AT+CPMS=\"SM\",\"SM\",\"SM\"");
    for _ in 0..41 {
        rig.send(0, &submit(NUMBERS[1], b"x"));
    }
    rig.pass(2);
    assert_eq!(rig.world.modems[1].snapshot().stored, [40, 0, 0]);
    assert_eq!(rig.world.network.kept(), 1);
    assert_eq!(rig.lines(1, "AT+CPMS?"), ["+CPMS: \"SM\",40,40,\"SM\",40,40,\"SM\",40,40"]);
    rig.at(1, "AT+CMGD=1,4");
    rig.pass(0);
    assert_eq!(rig.world.modems[1].snapshot().stored, [1, 0, 0]);
}

#[test]
fn class_and_pid_decide_who_gets_a_message() {
    let mut rig = rig();
    rig.at(1, "AT+CNMI=2,2,0,2,0");
    let send = |rig: &mut Rig, pid, dcs| {
        rig.send(0, &Submit { pid, dcs, ..submit(NUMBERS[1], b"x") });
        rig.pass(1);
        rig.output(1)
    };
    assert!(send(&mut rig, Pid::PLAIN, Dcs::OCTETS_ME).starts_with("\r\n+CMT: ,"));
    assert_eq!(send(&mut rig, Pid::PLAIN, Dcs::OCTETS_SIM), "\r\n+CMTI: \"SM\",1\r\n");
    assert_eq!(send(&mut rig, Pid::TYPE_0, Dcs::OCTETS), "");
    assert_eq!(send(&mut rig, Pid::SIM_DATA_DOWNLOAD, Dcs::OCTETS_SIM), "");
    rig.at(1, "AT+CNMI=2,1,0,2,0");
    assert_eq!(send(&mut rig, Pid::PLAIN, Dcs(0x15)), "\r\n+CMTI: \"ME\",1\r\n");
    assert_eq!(send(&mut rig, Pid::PLAIN, Dcs(0xF4)), "");
}

#[test]
fn indications_wait_for_a_mode_that_forwards_them() {
    let mut rig = rig();
    rig.at(1, "AT+CNMI=0,1,0,0,0");
    rig.send(0, &submit(NUMBERS[1], b"x"));
    rig.pass(1);
    assert_eq!(rig.output(1), "");
    assert_eq!(rig.at(1, "AT+CNMI=2"), "\r\nOK\r\n\r\n+CMTI: \"ME\",1\r\n");
    assert_eq!(rig.at(1, "AT+CNMI=4"), "\r\n+CMS ERROR: 303\r\n");
}

#[test]
fn reports_are_stored_apart() {
    let mut rig = rig();
    rig.at(0, "AT+CNMI=2,1,0,2,0");
    rig.send(0, &binary());
    rig.pass(2);
    assert_eq!(rig.output(0), "\r\n+CDSI: \"SR\",1\r\n");
    rig.at(0, "AT+CPMS=\"SR\"");
    let (_, tpdu) = only_pdu(&rig.at(0, "AT+CMGR=1"));
    assert_eq!(StatusReport::decode(&tpdu).unwrap().st, St::RECEIVED);
    assert_eq!(rig.at(0, "AT+CPMS=\"SR\",\"SR\""), "\r\n+CMS ERROR: 302\r\n");
}

#[test]
fn an_injected_message_arrives_as_from_the_network() {
    let mut rig = rig();
    rig.at(1, "AT+CNMI=2,1,0,0,0");
    let scts = crate::codec::sms::Scts::from_unix(rig.now.utc, 0).unwrap();
    let deliver = Deliver::new(number("12345"), Pid::PLAIN, Dcs::OCTETS, scts, UserData::plain(vec![1]));
    rig.world.inject(rig.now, 1, deliver.encode().unwrap());
    assert_eq!(rig.output(1), "\r\n+CMTI: \"ME\",1\r\n");
}
