//! Response status code of a PoR (TS 102 225 5.2) and what the sender can do about each.

/// The octet as received; unknown values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResponseStatus(pub u8);

/// What a status means for a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetryClass {
    Done,
    /// Key, configuration or combination is wrong: the same again fails again.
    Permanent,
    /// The two counters disagree: resynchronise, then send with a new one.
    Resynchronise,
    /// The card is short of something now.
    Temporary,
    /// A further PoR follows.
    AwaitFurther,
    /// A status this code does not know.
    Unknown,
}

impl ResponseStatus {
    pub const POR_OK: Self = Self(0x00);
    pub const RC_CC_DS_FAILED: Self = Self(0x01);
    pub const CNTR_LOW: Self = Self(0x02);
    pub const CNTR_HIGH: Self = Self(0x03);
    pub const CNTR_BLOCKED: Self = Self(0x04);
    pub const CIPHERING_ERROR: Self = Self(0x05);
    pub const UNDEFINED_SECURITY_ERROR: Self = Self(0x06);
    pub const INSUFFICIENT_MEMORY: Self = Self(0x07);
    pub const MORE_TIME_NEEDED: Self = Self(0x08);
    pub const TAR_UNKNOWN: Self = Self(0x09);
    pub const INSUFFICIENT_SECURITY_LEVEL: Self = Self(0x0A);
    pub const ACTUAL_RESPONSE_SMS_SUBMIT: Self = Self(0x0B);
    pub const ACTUAL_RESPONSE_USSD: Self = Self(0x0C);

    const TABLE: [(Self, &'static str, RetryClass); 13] = [
        (Self::POR_OK, "PoR OK", RetryClass::Done),
        (Self::RC_CC_DS_FAILED, "RC/CC/DS failed", RetryClass::Permanent),
        (Self::CNTR_LOW, "CNTR low", RetryClass::Resynchronise),
        (Self::CNTR_HIGH, "CNTR high", RetryClass::Resynchronise),
        (Self::CNTR_BLOCKED, "CNTR blocked", RetryClass::Permanent),
        (Self::CIPHERING_ERROR, "ciphering error", RetryClass::Permanent),
        (Self::UNDEFINED_SECURITY_ERROR, "unidentified security error", RetryClass::Permanent),
        (Self::INSUFFICIENT_MEMORY, "insufficient memory", RetryClass::Temporary),
        (Self::MORE_TIME_NEEDED, "more time needed", RetryClass::AwaitFurther),
        (Self::TAR_UNKNOWN, "TAR unknown", RetryClass::Permanent),
        (Self::INSUFFICIENT_SECURITY_LEVEL, "insufficient security level", RetryClass::Permanent),
        (Self::ACTUAL_RESPONSE_SMS_SUBMIT, "actual response by SMS-SUBMIT", RetryClass::AwaitFurther),
        (Self::ACTUAL_RESPONSE_USSD, "actual response by USSD", RetryClass::AwaitFurther),
    ];

    pub fn meaning(self) -> &'static str {
        self.row().map_or("reserved", |(_, meaning, _)| *meaning)
    }

    pub fn retry_class(self) -> RetryClass {
        self.row().map_or(RetryClass::Unknown, |(_, _, class)| *class)
    }

    fn row(self) -> Option<&'static (Self, &'static str, RetryClass)> {
        Self::TABLE.iter().find(|(status, ..)| *status == self)
    }
}
