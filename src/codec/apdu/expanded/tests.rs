use super::*;
use crate::codec::Trace;
use crate::codec::apdu::{ResponseApdu, StatusWord};
use proptest::prelude::*;

#[test]
fn zero_octets_inside_a_response_do_not_end_the_indefinite_form() {
    let bytes = [0xAF, 0x80, 0x23, 0x05, 0, 0, 0, 0x90, 0, 0, 0];
    let response = ExpandedResponse::decode(&bytes).unwrap();
    assert_eq!(response.responses().map(ResponseApdu::encode).collect::<Vec<_>>(), [vec![0, 0, 0, 0x90, 0]]);
    assert_eq!(response.encode().unwrap(), bytes);
}

#[test]
fn a_card_keeps_what_came_before_the_fault_and_names_the_fault() {
    for (bytes, apdus, fault) in [
        (&[0xAA, 0x06, 0x22, 0x04, 0, 0x70, 0x80, 1][..], 1, None),
        (&[0xAA, 0x08, 0x22, 0x04, 0, 0x70, 0x80, 1, 0x22, 0x05], 1, Some(BadFormat::WrongLength)),
        (&[0xAA, 0x07, 0x22, 0x04, 0, 0x70, 0x80, 1, 0x22], 1, Some(BadFormat::LengthNotFound)),
        (&[0xAA, 0x10, 0x22, 0x04, 0, 0x70, 0x80, 1], 0, Some(BadFormat::WrongLength)),
        (&[0xAE, 0x80, 0x22, 0x80, 0, 0], 0, Some(BadFormat::WrongLength)),
    ] {
        let (script, found) = ExpandedCommand::decode_for_execution(bytes).unwrap();
        assert_eq!((script.apdus().count(), found), (apdus, fault), "{bytes:02x?}");
        assert_eq!(ExpandedCommand::decode(bytes).is_err(), fault.is_some());
    }
    assert!(ExpandedCommand::decode_for_execution(&[0x00, 0xA4]).is_err());
}

#[test]
fn nested_indefinite_objects_are_walked_to_a_limited_depth() {
    let nested = |depth: usize| {
        let mut bytes = vec![0xAE, 0x80];
        bytes.extend([0xA1, 0x80].repeat(depth));
        bytes.extend([0x04, 0x02, 0x00, 0x00]);
        bytes.extend([0x00, 0x00].repeat(depth + 1));
        ExpandedCommand::decode(&bytes)
    };
    let objects = nested(1).unwrap().objects;
    assert_eq!(objects, [CommandObject::Other { tag: 0xA1, value: vec![0x04, 0x02, 0x00, 0x00] }]);
    assert!(nested(MAX_DEPTH).is_ok());
    assert!(matches!(nested(MAX_DEPTH + 1).unwrap_err().fault, Fault::Limit { .. }));
    assert!(nested(100_000).is_err());
}

#[test]
fn the_trace_names_objects_and_the_command_inside() {
    let trace = Trace::new();
    let bytes = [0xAA, 0x09, 0x83, 0x01, 0x11, 0x22, 0x04, 0x00, 0x70, 0x80, 0x01];
    ExpandedCommand::read(&mut Reader::traced("expanded script", &bytes, &trace)).unwrap();
    let spans = trace.into_spans();
    let of = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!(of("script chaining").meaning, "first script, kept on reset");
    assert_eq!((of("INS").meaning.as_str(), of("INS").offset), ("MANAGE CHANNEL", 8));
}

fn form() -> impl Strategy<Value = ScriptForm> {
    prop_oneof![Just(ScriptForm::Definite), Just(ScriptForm::Indefinite)]
}

fn command_object() -> impl Strategy<Value = CommandObject> {
    let octets = || proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        octets().prop_map(CommandObject::CommandApdu),
        octets().prop_map(CommandObject::ImmediateAction),
        octets().prop_map(CommandObject::ErrorAction),
        any::<u8>().prop_map(|code| CommandObject::Chaining(ScriptChaining::from_code(code))),
        octets().prop_map(|value| CommandObject::Other { tag: 0x86, value }),
    ]
}

fn response_object() -> impl Strategy<Value = ResponseObject> {
    let octets = || proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        (octets(), any::<u16>())
            .prop_map(|(data, sw)| { ResponseObject::ResponseApdu(ResponseApdu { data, sw: StatusWord(sw) }) }),
        octets().prop_map(ResponseObject::ImmediateAction),
        octets().prop_map(ResponseObject::Chaining),
        any::<u8>().prop_map(|code| ResponseObject::BadFormat(BadFormat::from_code(code))),
        octets().prop_map(|value| ResponseObject::Other { tag: 0x86, value }),
    ]
}

proptest! {
    #[test]
    fn every_script_survives_the_round_trip(
        form in form(),
        commands in proptest::collection::vec(command_object(), 0..5),
        executed: Option<u16>,
        responses in proptest::collection::vec(response_object(), 0..5),
    ) {
        let script = ExpandedCommand { form, objects: commands };
        prop_assert_eq!(ExpandedCommand::decode(&script.encode().unwrap()).unwrap(), script);
        let response = ExpandedResponse { form, executed, objects: responses };
        prop_assert_eq!(ExpandedResponse::decode(&response.encode().unwrap()).unwrap(), response);
    }

    #[test]
    fn any_octets_end_in_a_value_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 2..200)) {
        for head in [[0xAA, 0x81], [0xAE, 0x80], [0xAB, 0x10], [0xAF, 0x80]] {
            bytes[..2].copy_from_slice(&head);
            let _ = ExpandedCommand::decode_for_execution(&bytes);
            let _ = ExpandedResponse::decode(&bytes);
        }
    }
}
