//! Both ends on a virtual clock, over a wire and with disks that can be cut at any step.

mod document;
mod faults;
mod peers;
mod rig;

use super::*;
use crate::codec::gp::http::{Limits, ServiceHeaders};
use crate::types::{ManagementMode, Now, Operation, TransactionId, UnixSeconds};
use std::time::Duration;

const EID: &str = "89049032123451234512345678901235";
const OTHER_EID: &str = "89001012012341234012345678901224";
const TX: TransactionId = TransactionId(*b"\x00\x11\x22\x33\x44\x55\x66\x77");

fn limits() -> Limits {
    Limits { start_line: 512, header_count: 32, header_octets: 4096, body: 2048 }
}

fn start() -> Now {
    Now { mono: Duration::from_secs(1000), utc: UnixSeconds(1_800_000_000) }
}

fn service_request() -> ServiceRequest {
    ServiceRequest {
        path: "/admin".into(),
        headers: ServiceHeaders {
            operation: Some(Operation::Enable),
            mode: ManagementMode::Push,
            transaction: TX,
            sm_dp: None,
            por: None,
            received: Some(UnixSeconds(1_799_999_000)),
            access_time: None,
            results: Vec::new(),
        },
        notification: None,
    }
}
