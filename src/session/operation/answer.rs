//! What a terminal brought back for each packet, after its proof.

use crate::codec::apdu::{ExpandedResponse, ResponseApdu, StatusWord};
use crate::codec::gp::scp80_body::PacketResponse;
use crate::codec::ota::{Proof, ResponseStatus, RetryClass};
use crate::session::scp80::{Reading, ResponseBook};

/// By what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Proved: the script ran, as far as it has responses.
    Executed(ExpandedResponse),
    /// Proved: the packet was refused.
    Refused(ResponseStatus),
    /// The eUICC's interface said no before any security.
    NotTaken(StatusWord),
    /// Perhaps executed, perhaps not: nothing is proved.
    Unproved,
    /// The terminal stopped before it.
    NotDelivered,
}

/// The answers to `count` packets in their order. `book` awaits their responses.
pub fn answers(responses: &[PacketResponse], count: usize, book: &mut ResponseBook) -> Vec<Answer> {
    let stopped = responses.last().is_some_and(PacketResponse::stops);
    (0..count)
        .map(|index| match responses.get(index) {
            Some(response) => answer(response, book),
            None if stopped => Answer::NotDelivered,
            None => Answer::Unproved,
        })
        .collect()
}

fn answer(response: &PacketResponse, book: &mut ResponseBook) -> Answer {
    let packet = match response {
        PacketResponse::Response(packet) => packet,
        // 9300: the toolkit was busy, which passes.
        PacketResponse::StatusWord(sw) if sw.is_ok() || *sw == StatusWord::BUSY => return Answer::Unproved,
        PacketResponse::StatusWord(sw) => return Answer::NotTaken(*sw),
        PacketResponse::Interrupted => return Answer::Unproved,
    };
    match book.read(packet) {
        Ok(Reading::Response(received)) if received.proof == Proof::Authentic => {
            let status = received.packet.status;
            match status.retry_class() {
                RetryClass::Done => {
                    ExpandedResponse::decode(&received.packet.data).map_or(Answer::Unproved, Answer::Executed)
                }
                // CNTR low may answer the second copy of a packet whose first copy was executed.
                RetryClass::Resynchronise | RetryClass::AwaitFurther => Answer::Unproved,
                RetryClass::Permanent | RetryClass::Temporary | RetryClass::Unknown => Answer::Refused(status),
            }
        }
        _ => Answer::Unproved,
    }
}

impl Answer {
    /// The responses of an executed script.
    pub(super) fn responses(script: &ExpandedResponse) -> Vec<&ResponseApdu> {
        script.responses().collect()
    }
}
