//! Running an expanded command script (TS 102 226 5.2): commands in their order, up to the first that fails.

use crate::codec::apdu::{
    BadFormat, CommandObject, ExpandedCommand, ExpandedResponse, ResponseApdu, ResponseObject, ScriptForm, StatusWord,
};

/// Script chaining response: chaining is not supported (TS 102 226 5.4.1.3).
const CHAINING_NOT_SUPPORTED: u8 = 0x02;
/// Response data were left out for want of room.
const DATA_LEFT_OUT: StatusWord = StatusWord(0x62F1);

/// Executes what can be read of a script, and tells why the rest cannot.
pub(super) fn run(data: &[u8], mut execute: impl FnMut(&[u8]) -> ResponseApdu) -> ExpandedResponse {
    let Ok((script, mut fault)) = ExpandedCommand::decode_for_execution(data) else {
        return response(ScriptForm::Definite, 0, vec![ResponseObject::BadFormat(BadFormat::UnknownTag)]);
    };
    let (mut objects, mut executed) = (Vec::new(), 0_u16);
    for object in &script.objects {
        match object {
            CommandObject::CommandApdu(apdu) => {
                let answer = execute(apdu);
                let stops = !continues(answer.sw);
                executed = executed.saturating_add(1);
                objects.push(ResponseObject::ResponseApdu(answer));
                if stops {
                    fault = None;
                    break;
                }
            }
            CommandObject::Chaining(_) => {
                objects.push(ResponseObject::Chaining(vec![CHAINING_NOT_SUPPORTED]));
                fault = None;
                break;
            }
            CommandObject::ImmediateAction(_) | CommandObject::ErrorAction(_) | CommandObject::Other { .. } => {
                fault = Some(BadFormat::UnknownTag);
                break;
            }
        }
    }
    objects.extend(fault.map(ResponseObject::BadFormat));
    response(script.form, executed, objects)
}

fn response(form: ScriptForm, executed: u16, objects: Vec<ResponseObject>) -> ExpandedResponse {
    // The indefinite form goes without the count, as real cards do.
    let executed = (form == ScriptForm::Definite).then_some(executed);
    ExpandedResponse { form, executed, objects }
}

/// Success and warnings.
const fn continues(sw: StatusWord) -> bool {
    sw.is_ok() || matches!(sw.sw1(), 0x61..=0x63)
}

/// Leaves out the longest response data, and says so in its status word; `false` when there are none to leave out.
pub(super) fn shorten(response: &mut ExpandedResponse) -> bool {
    let answers = response.objects.iter_mut().filter_map(|object| match object {
        ResponseObject::ResponseApdu(answer) => Some(answer),
        _ => None,
    });
    match answers.max_by_key(|answer| answer.data.len()).filter(|answer| !answer.data.is_empty()) {
        Some(longest) => {
            *longest = DATA_LEFT_OUT.into();
            true
        }
        None => false,
    }
}
