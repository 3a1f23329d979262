//! What a client writes to have an operation carried out.

use super::{invalid, json};
use crate::codec::gp::{Aid, profile_data};
use crate::{
    config::Smsr,
    io::{
        clock,
        http_server::Problem,
        store::smsr::{Access, Fingerprint, NewBatch, NewTarget},
    },
    session::operation::{Selector, StatusChange, profile_iccid},
    types::{
        AccessControl, Eid, Iccid, Imsi, Msisdn, Operation, TransactionId, UnixSeconds, UserIdentity, hex::Octets,
    },
};
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, de::Error};
use std::hash::{DefaultHasher, Hash, Hasher};

const REMEDY: &str = "an object with operation and targets; see the documentation of POST /v1/batches";
const LONGEST_VALIDITY: u64 = 63 * 86_400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    operation: Operation,
    targets: Vec<Target>,
    iccid: Option<Iccid>,
    isdp_aid: Option<Aid>,
    #[serde(default, deserialize_with = "status")]
    status: Option<StatusChange>,
    profile_data: Option<Octets>,
    #[serde(default)]
    access_control: Control,
    /// 0 to 3, 3 first.
    priority: Option<u8>,
    /// Seconds.
    validity: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Target {
    eid: Option<Eid>,
    identity: Option<UserIdentity>,
    /// Instead of the batch's.
    profile_data: Option<Octets>,
    /// Who the terminal is with the downloaded profile, where the client knows it.
    #[serde(default)]
    subscription: Subscription,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscription {
    imsi: Option<Imsi>,
    msisdn: Option<Msisdn>,
}

fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StatusChange>, D::Error> {
    let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    let wrong = || D::Error::custom("expected enabled, disabled, fall-back or audit");
    StatusChange::from_word(&word).map(Some).ok_or_else(wrong)
}

/// `"auto"`, `"none"`, `{"backoff": seconds}`, `{"window": seconds | {"start", "end"}}` or `{"at": time}`.
#[derive(Default, Deserialize)]
#[serde(untagged, expecting = "expected \"auto\", \"none\", {\"backoff\": s}, {\"window\": ..} or {\"at\": time}")]
enum Control {
    Word(Word),
    Given(Given),
    #[default]
    Absent,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Auto,
    None,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Given {
    Backoff(u32),
    Window(Window),
    At(Time),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected seconds, or an object with start and end")]
enum Window {
    Length(u32),
    Between { start: Time, end: Time },
}

#[derive(Clone, Copy)]
struct Time(UnixSeconds);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

impl Control {
    fn access(self, now: UnixSeconds) -> Result<Access, Problem> {
        let field = "access_control";
        Ok(Access::Fixed(match self {
            Self::Absent | Self::Word(Word::Auto) => return Ok(Access::Auto),
            Self::Word(Word::None) | Self::Given(Given::Backoff(0)) => None,
            Self::Given(Given::Backoff(seconds)) => Some(AccessControl::Backoff(seconds)),
            Self::Given(Given::Window(Window::Length(seconds))) => Some(AccessControl::WindowFromReceipt(seconds)),
            Self::Given(Given::Window(Window::Between { start: Time(start), end: Time(end) })) => {
                if end <= start || end <= now {
                    return Err(invalid(field, "the window has no time left in it", "an end after its start and now"));
                }
                Some(AccessControl::Window { start, end })
            }
            Self::Given(Given::At(Time(at))) => Some(AccessControl::At(at)),
        }))
    }
}

/// Reads and checks a request; every fault but those of single targets refuses it as a whole.
pub(super) fn read(
    body: &[u8],
    client: &str,
    idempotency_key: Option<String>,
    config: &Smsr,
) -> Result<(NewBatch, Vec<NewTarget>), Problem> {
    let request: Request = json::read(body, REMEDY)?;
    let now = clock::now().utc;
    check(&request, config)?;
    let selector = match (request.iccid, request.isdp_aid) {
        (Some(_), Some(_)) => return Err(invalid("isdp_aid", "iccid names the profile already", "one of the two")),
        (Some(iccid), None) => Some(Selector::Iccid(iccid)),
        (None, Some(isd_p)) => Some(Selector::IsdP(isd_p)),
        (None, None) => None,
    };
    let profile_data = request.profile_data.map(|Octets(data)| data);
    let iccid = profile_data.as_deref().map(|data| iccid(data, "profile_data", config)).transpose()?;
    let batch = NewBatch {
        client: client.to_string(),
        idempotency_key,
        fingerprint: fingerprint(body),
        operation: request.operation,
        status: request.status,
        selector,
        profile_data,
        access: request.access_control.access(now)?,
        priority: request.priority.unwrap_or(1),
        created_at: now,
        validity_end: now.saturating_add(request.validity.unwrap_or(config.validity.as_secs())),
    };
    let mut targets = Vec::with_capacity(request.targets.len());
    for (position, target) in request.targets.into_iter().enumerate() {
        targets.push(new_target(position, target, iccid.as_ref(), &batch, config)?);
    }
    Ok((batch, targets))
}

fn check(request: &Request, config: &Smsr) -> Result<(), Problem> {
    if request.operation == Operation::SmSrChange {
        return Err(sm_sr_change());
    }
    let count = request.targets.len() as u64;
    if count == 0 || count > config.limits.batch_targets {
        let detail = format!("{count} targets");
        return Err(invalid("targets", detail, format!("1 to {} targets", config.limits.batch_targets)));
    }
    if request.priority.is_some_and(|priority| priority > 3) {
        return Err(invalid("priority", "is above 3", "0 to 3; 3 is first"));
    }
    if request.validity.is_some_and(|validity| validity == 0 || validity > LONGEST_VALIDITY) {
        return Err(invalid("validity", "is out of range", format!("1 to {LONGEST_VALIDITY} seconds")));
    }
    let downloads = matches!(request.operation, Operation::Download | Operation::Install);
    let has_data = request.profile_data.is_some() || request.targets.iter().any(|target| target.profile_data.is_some());
    if has_data && !downloads {
        return Err(invalid("profile_data", "belongs to download and install", "leave it out"));
    }
    let all_have = request.profile_data.is_some() || request.targets.iter().all(|target| target.profile_data.is_some());
    if request.operation == Operation::Download && !all_have {
        return Err(invalid("profile_data", "is missing", "the profile's octets, for the batch or for every target"));
    }
    match (request.operation, request.status) {
        (Operation::StatusChange, None) => {
            Err(invalid("status", "is missing", "enabled, disabled, fall-back or audit"))
        }
        (Operation::StatusChange, _) | (_, None) => Ok(()),
        (_, Some(_)) => Err(invalid("status", "belongs to status-change", "leave it out")),
    }
}

fn new_target(
    position: usize,
    target: Target,
    batch_iccid: Option<&Iccid>,
    batch: &NewBatch,
    config: &Smsr,
) -> Result<NewTarget, Problem> {
    let field = |name: &str| format!("targets[{position}].{name}");
    if target.eid.is_none() && target.identity.is_none() {
        return Err(invalid(field("eid"), "neither eid nor identity is given", "one of them, or both"));
    }
    let own = target.profile_data.map(|Octets(data)| data);
    let iccid = match own.as_deref() {
        Some(data) => Some(iccid(data, &field("profile_data"), config)?),
        None => batch_iccid.cloned(),
    };
    let named = matches!(&batch.selector, Some(Selector::Iccid(selected)) if iccid.as_ref().is_some_and(|iccid| iccid != selected));
    if named {
        return Err(invalid("iccid", "is not that of the profile data", "leave it out"));
    }
    Ok(NewTarget {
        position,
        eid: target.eid,
        identity: target.identity,
        profile_data: own,
        iccid,
        imsi: target.subscription.imsi,
        msisdn: target.subscription.msisdn,
        transaction: TransactionId(clock::random_bytes()),
    })
}

fn iccid(data: &[u8], field: &str, config: &Smsr) -> Result<Iccid, Problem> {
    let limit = usize::try_from(config.limits.profile_size).unwrap_or(usize::MAX).min(profile_data::MAX_OCTETS);
    if data.len() > limit {
        let detail = format!("has {} octets", data.len());
        return Err(invalid(field, detail, format!("at most {limit} octets")));
    }
    profile_iccid(data).map_err(|error| invalid(field, error.to_string(), "data that begin with 5A and the ICCID"))
}

/// Tells a repeated request from another one under the same key; not a defence against anybody.
fn fingerprint(body: &[u8]) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    [body.len() as u64, hasher.finish()].iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// What a change of the SM-SR is answered.
pub(super) fn sm_sr_change() -> Problem {
    let detail = "8.7/1.2: the change of the SM-SR is not supported by this version";
    Problem::new(StatusCode::NOT_IMPLEMENTED, "not-supported", detail).field("operation")
}
