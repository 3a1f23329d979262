//! Our extension headers, with which the first POST of a session is the service request of US20160286380A1 and a
//! response can be its failure message.

use super::headers::Headers;
use crate::codec::EncodeError;
use crate::types::{Invalid, ManagementMode, Operation, TransactionId, TransactionResult, UnixSeconds, hex};

const OPERATION: &str = "X-Euicc-Operation";
const MANAGEMENT_MODE: &str = "X-Euicc-Management-Mode";
const TRANSACTION: &str = "X-Euicc-Transaction";
const SM_DP: &str = "X-Euicc-SM-DP";
const POR: &str = "X-Euicc-Por";
const RECEIVED: &str = "X-Euicc-Received";
const ACCESS_TIME: &str = "X-Euicc-Access-Time";
const RESULT: &str = "X-Euicc-Result";
const STATUS: &str = "X-Euicc-Status";
const RETRY_AFTER: &str = "Retry-After";
/// Operation word for: whatever the SM-SR has pending.
const ANY: &str = "any";

/// The service request.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServiceHeaders {
    /// `None`: whatever the SM-SR has pending (`any`).
    pub operation: Option<Operation>,
    pub mode: ManagementMode,
    pub transaction: TransactionId,
    /// Pull mode: the SM-DP that the download is wanted from.
    pub sm_dp: Option<String>,
    /// Response packet of the eUICC to the packet that came with the trigger.
    pub por: Option<hex::Octets>,
    /// When the trigger came in; left out without a usable clock.
    pub received: Option<UnixSeconds>,
    /// The access time point that was drawn; left out without a usable clock.
    pub access_time: Option<UnixSeconds>,
    /// Results that this SM-SR has not been told yet.
    pub results: Vec<(TransactionId, TransactionResult)>,
}

impl ServiceHeaders {
    /// `None` when the request is no service request: none of the headers that every service request has is there.
    pub fn read(headers: &Headers) -> Result<Option<Self>, Invalid> {
        let missing = |name| move || Invalid::new(name, "is missing");
        let (operation, transaction) = (headers.single(OPERATION)?, headers.parsed(TRANSACTION)?);
        if operation.is_none() && transaction.is_none() {
            return Ok(None);
        }
        let operation = match operation.ok_or_else(missing(OPERATION))? {
            ANY => None,
            word => Some(word.parse()?),
        };
        let por = |text: &str| hex::decode(text).map(hex::Octets).map_err(|error| Invalid::new(POR, error.problem));
        Ok(Some(Self {
            operation,
            mode: headers.parsed(MANAGEMENT_MODE)?.ok_or_else(missing(MANAGEMENT_MODE))?,
            transaction: transaction.ok_or_else(missing(TRANSACTION))?,
            sm_dp: headers.single(SM_DP)?.map(str::to_owned),
            por: headers.single(POR)?.map(por).transpose()?,
            received: headers.parsed(RECEIVED)?,
            access_time: headers.parsed(ACCESS_TIME)?,
            results: headers.all(RESULT).map(parse_result).collect::<Result<_, _>>()?,
        }))
    }

    pub fn put(&self, headers: &mut Headers) -> Result<(), EncodeError> {
        headers.push(OPERATION, self.operation.map_or(ANY, Operation::word))?;
        headers.push(MANAGEMENT_MODE, &self.mode.to_string())?;
        headers.push(TRANSACTION, &self.transaction.to_string())?;
        if let Some(sm_dp) = &self.sm_dp {
            headers.push(SM_DP, sm_dp)?;
        }
        if let Some(por) = &self.por {
            headers.push(POR, &hex::encode(&por.0))?;
        }
        if let Some(time) = self.received {
            headers.push(RECEIVED, &time.to_string())?;
        }
        if let Some(time) = self.access_time {
            headers.push(ACCESS_TIME, &time.to_string())?;
        }
        for (transaction, result) in &self.results {
            headers.push(RESULT, &format!("{transaction};{result}"))?;
        }
        Ok(())
    }
}

fn parse_result(text: &str) -> Result<(TransactionId, TransactionResult), Invalid> {
    let (transaction, word) =
        text.split_once(';').ok_or_else(|| Invalid::new(RESULT, "expected <transaction>;<word>"))?;
    Ok((transaction.trim().parse()?, word.trim().parse()?))
}

/// `X-Euicc-Status` of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceStatus {
    /// With 503 and `Retry-After`: the failure message "busy".
    Busy,
    /// With 204: the transaction is unknown or over.
    NothingPending,
}

impl ServiceStatus {
    const fn word(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::NothingPending => "nothing-pending",
        }
    }

    /// Unknown words are as good as none.
    pub fn read(headers: &Headers) -> Result<Option<Self>, Invalid> {
        let word = headers.single(STATUS)?;
        Ok([Self::Busy, Self::NothingPending].into_iter().find(|status| Some(status.word()) == word))
    }

    pub fn put(self, headers: &mut Headers) -> Result<(), EncodeError> {
        headers.push(STATUS, self.word())
    }
}

/// `Retry-After` in seconds; the date form is refused, terminals may have no clock.
pub fn retry_after(headers: &Headers) -> Result<Option<u32>, Invalid> {
    headers.parsed(RETRY_AFTER)
}

pub fn put_retry_after(headers: &mut Headers, seconds: u32) -> Result<(), EncodeError> {
    headers.push(RETRY_AFTER, &seconds.to_string())
}
