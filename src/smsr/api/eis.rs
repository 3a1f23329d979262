//! `/v1/eis`: the registry. Keys go in and never come out.

use super::{Api, Client, invalid, json, not_found, store_problem};
use crate::{
    codec::{
        gp::{Aid, isd_r::ProfileState},
        ota::{CcLength, Counter, KeyFamily},
    },
    io::{
        http_server::Problem,
        store::smsr::{Eis, Identities, Registry, TriggerKind},
    },
    session::{
        operation::ProfileRecord,
        scp80::{KeyOwner, StoredKeySet},
    },
    types::{Eid, Iccid, Imsi, Msisdn, Secret, Tar, hex::Octets},
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const REMEDY: &str = "{eid, identities:{imsi,msisdn,impu,impi}, trigger:\"host|sim\", keysets:[{owner, tar, \
                                 version, algorithm, cc_length, counter, kic, kid}], profiles:[{iccid, isdp_aid, state, fallback}]}";

/// An EIS as it is written: in requests and in production lists.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EisRequest {
    eid: Eid,
    #[serde(default)]
    identities: Identities,
    trigger: Option<TriggerKind>,
    #[serde(default)]
    keysets: Vec<KeySetRequest>,
    #[serde(default)]
    profiles: Vec<ProfileRequest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySetRequest {
    owner: KeyOwner,
    tar: Option<Tar>,
    version: u8,
    #[serde(default)]
    algorithm: Algorithm,
    #[serde(default = "eight")]
    cc_length: u8,
    #[serde(default)]
    counter: u64,
    kic: Octets,
    kid: Octets,
}

const fn eight() -> u8 {
    8
}

#[derive(Default, Deserialize)]
enum Algorithm {
    #[default]
    #[serde(rename = "aes")]
    Aes,
    #[serde(rename = "3des")]
    TripleDes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileRequest {
    iccid: Option<Iccid>,
    isdp_aid: Aid,
    state: ProfileWord,
    #[serde(default)]
    fallback: bool,
    imsi: Option<Imsi>,
    msisdn: Option<Msisdn>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ProfileWord {
    Created,
    Selectable,
    Personalised,
    Disabled,
    Enabled,
}

impl EisRequest {
    /// Refuses keys that cannot be prepared and keys that everybody knows.
    pub(super) fn eis(self) -> Result<Eis, Problem> {
        let mut key_sets = Vec::with_capacity(self.keysets.len());
        for (index, request) in self.keysets.into_iter().enumerate() {
            let wrong = |detail: String| invalid(format!("keysets[{index}]"), detail, REMEDY);
            let key_set = request.key_set().map_err(|error| wrong(error.to_string()))?;
            // The check of key files, whatever way keys come in.
            let text =
                StoredKeySet::write_all(std::slice::from_ref(&key_set)).map_err(|error| wrong(error.to_string()))?;
            let text = String::from_utf8_lossy(text.expose()).into_owned();
            StoredKeySet::read_all(&text).map_err(|error| wrong(error.to_string()))?;
            key_sets.push(key_set);
        }
        let mut profiles = Vec::with_capacity(self.profiles.len());
        for (index, request) in self.profiles.into_iter().enumerate() {
            if !request.isdp_aid.is_isd_p() {
                let detail = "is no ISD-P of SGP.02";
                return Err(invalid(format!("profiles[{index}].isdp_aid"), detail, "A0000005591010FFFFFFFF89 TAR 00"));
            }
            profiles.push(request.record());
        }
        let enabled = profiles.iter().filter(|profile| profile.state == ProfileState::ENABLED).count();
        if enabled > 1 {
            return Err(invalid("profiles", "more than one profile is enabled", "at most one"));
        }
        let trigger = self.trigger.unwrap_or(TriggerKind::Host);
        Ok(Eis { eid: self.eid, identities: self.identities, trigger, key_sets, profiles })
    }
}

impl KeySetRequest {
    fn key_set(self) -> Result<StoredKeySet, crate::types::Invalid> {
        Ok(StoredKeySet {
            owner: self.owner,
            tar: self.tar.unwrap_or(match self.owner {
                KeyOwner::Agent => Tar::AGENT,
                KeyOwner::IsdR => Tar::ISD_R,
            }),
            version: self.version,
            family: match self.algorithm {
                Algorithm::Aes => KeyFamily::Aes,
                Algorithm::TripleDes => KeyFamily::TripleDes,
            },
            cc_length: match self.cc_length {
                4 => CcLength::Four,
                8 => CcLength::Eight,
                found => {
                    return Err(crate::types::Invalid::new("cc_length", format!("expected 4 or 8, found {found}")));
                }
            },
            counter: Counter::new(self.counter)?,
            new: false,
            kic: Secret::new(self.kic.0),
            kid: Secret::new(self.kid.0),
        })
    }
}

impl ProfileRequest {
    fn record(self) -> ProfileRecord {
        ProfileRecord {
            isd_p: self.isdp_aid,
            iccid: self.iccid,
            state: match self.state {
                ProfileWord::Created => ProfileState::CREATED,
                ProfileWord::Selectable => ProfileState::SELECTABLE,
                ProfileWord::Personalised => ProfileState::PERSONALISED,
                ProfileWord::Disabled => ProfileState::DISABLED,
                ProfileWord::Enabled => ProfileState::ENABLED,
            },
            fall_back: self.fallback,
            imsi: self.imsi,
            msisdn: self.msisdn,
        }
    }
}

fn eis_json(eis: &Eis) -> Value {
    let key_set = |key_set: &StoredKeySet| {
        json!({
            "owner": key_set.owner,
            "tar": key_set.tar,
            "version": key_set.version,
            "algorithm": if key_set.family == KeyFamily::Aes { "aes" } else { "3des" },
            "cc_length": key_set.cc_length.octets(),
            "counter": key_set.counter.value(),
        })
    };
    let profile = |profile: &ProfileRecord| {
        json!({
            "iccid": profile.iccid,
            "isdp_aid": profile.isd_p,
            "state": profile.state.meaning(),
            "fallback": profile.fall_back,
            "imsi": profile.imsi,
            "msisdn": profile.msisdn,
        })
    };
    json!({
        "eid": eis.eid,
        "identities": eis.identities,
        "trigger": eis.trigger,
        "keysets": eis.key_sets.iter().map(key_set).collect::<Vec<_>>(),
        "profiles": eis.profiles.iter().map(profile).collect::<Vec<_>>(),
    })
}

pub(super) fn eid(text: &str) -> Result<Eid, Problem> {
    text.parse().map_err(|error: crate::types::Invalid| invalid("eid", error.to_string(), "the 32 digits of an EID"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    after: Option<Eid>,
    limit: Option<usize>,
}

pub(super) async fn list(
    State(api): State<Api>,
    _client: Client,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, Problem> {
    let limit = query.limit.unwrap_or(100).clamp(1, 1000);
    let list = api.core.store.list_eis(query.after, limit).await.map_err(store_problem)?;
    let next = if list.len() == limit { list.last().map(|eis| eis.eid) } else { None };
    Ok(Json(json!({ "eis": list.iter().map(eis_json).collect::<Vec<_>>(), "next": next })))
}

pub(super) async fn one(
    State(api): State<Api>,
    _client: Client,
    Path(text): Path<String>,
) -> Result<Json<Value>, Problem> {
    let eis = api.core.store.eis(eid(&text)?).await.map_err(store_problem)?;
    eis.as_ref().map(|eis| Json(eis_json(eis))).ok_or_else(|| not_found("there is no eUICC with this EID"))
}

pub(super) async fn put(
    State(api): State<Api>,
    client: Client,
    Path(text): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let eis = json::read::<EisRequest>(&body, REMEDY)?.eis()?;
    if eis.eid != eid(&text)? {
        return Err(invalid("eid", "is not that of the path", "the same EID in both places"));
    }
    api.core.store.put_eis(Box::new(eis), client.actor()).await.map_err(store_problem)?;
    api.core.outbound.notify_one();
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn delete(
    State(api): State<Api>,
    client: Client,
    Path(text): Path<String>,
) -> Result<StatusCode, Problem> {
    let deleted = api.core.store.delete_eis(eid(&text)?, client.actor()).await.map_err(store_problem)?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(not_found("there is no eUICC with this EID")) }
}
