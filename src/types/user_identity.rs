//! The identity by which a target of a push is named: exactly one of IMSI, MSISDN, IMPU, IMPI.

use super::{Impi, Impu, Imsi, Invalid, Msisdn};
use std::fmt;

/// In JSON and TOML an object with exactly one of the keys `imsi`, `msisdn`, `impu`, `impi`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub enum UserIdentity {
    Imsi(Imsi),
    Msisdn(Msisdn),
    Impu(Impu),
    Impi(Impi),
}

impl UserIdentity {
    /// The key that names the kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Imsi(_) => "imsi",
            Self::Msisdn(_) => "msisdn",
            Self::Impu(_) => "impu",
            Self::Impi(_) => "impi",
        }
    }

    /// From the kind and the value, as in `imsi:262011234567890` or a table's columns.
    pub fn parse(kind: &str, value: &str) -> Result<Self, Invalid> {
        match kind {
            "imsi" => value.parse().map(Self::Imsi),
            "msisdn" => value.parse().map(Self::Msisdn),
            "impu" => value.parse().map(Self::Impu),
            "impi" => value.parse().map(Self::Impi),
            _ => Err(Invalid::new("identity", EXPECTED)),
        }
    }

    /// The value in clear, without its kind.
    pub fn clear(&self) -> &str {
        match self {
            Self::Imsi(imsi) => imsi.clear(),
            Self::Msisdn(msisdn) => msisdn.clear(),
            Self::Impu(impu) => impu.clear(),
            Self::Impi(impi) => impi.clear(),
        }
    }

    /// The number to which a message for this identity can go without asking a directory.
    pub fn number(&self) -> Option<Msisdn> {
        match self {
            Self::Msisdn(msisdn) => Some(msisdn.clone()),
            Self::Impu(impu) => impu.msisdn(),
            Self::Imsi(_) | Self::Impi(_) => None,
        }
    }
}

const EXPECTED: &str = "expected exactly one of imsi, msisdn, impu, impi";

/// Kind and masked value: `msisdn 491…78`.
impl fmt::Display for UserIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value: &dyn fmt::Display = match self {
            Self::Imsi(imsi) => imsi,
            Self::Msisdn(msisdn) => msisdn,
            Self::Impu(impu) => impu,
            Self::Impi(impi) => impi,
        };
        write!(f, "{} {value}", self.kind())
    }
}

impl fmt::Debug for UserIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserIdentity({self})")
    }
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imsi: Option<Imsi>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    msisdn: Option<Msisdn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    impu: Option<Impu>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    impi: Option<Impi>,
}

impl TryFrom<Keys> for UserIdentity {
    type Error = Invalid;
    fn try_from(keys: Keys) -> Result<Self, Invalid> {
        match (keys.imsi, keys.msisdn, keys.impu, keys.impi) {
            (Some(imsi), None, None, None) => Ok(Self::Imsi(imsi)),
            (None, Some(msisdn), None, None) => Ok(Self::Msisdn(msisdn)),
            (None, None, Some(impu), None) => Ok(Self::Impu(impu)),
            (None, None, None, Some(impi)) => Ok(Self::Impi(impi)),
            (None, None, None, None) => Err(Invalid::new("identity", format!("{EXPECTED}, found none"))),
            _ => Err(Invalid::new("identity", format!("{EXPECTED}, found several"))),
        }
    }
}

impl From<UserIdentity> for Keys {
    fn from(identity: UserIdentity) -> Self {
        let none = Self::default();
        match identity {
            UserIdentity::Imsi(imsi) => Self { imsi: Some(imsi), ..none },
            UserIdentity::Msisdn(msisdn) => Self { msisdn: Some(msisdn), ..none },
            UserIdentity::Impu(impu) => Self { impu: Some(impu), ..none },
            UserIdentity::Impi(impi) => Self { impi: Some(impi), ..none },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_json_and_toml() {
        for (kind, value) in [
            ("imsi", "262011234567890"),
            ("msisdn", "4915112345678"),
            ("impu", "tel:+4915112345678"),
            ("impi", "a@b.c"),
        ] {
            let identity = UserIdentity::parse(kind, value).unwrap();
            let json = serde_json::to_string(&identity).unwrap();
            assert_eq!(json, format!(r#"{{"{kind}":"{value}"}}"#));
            assert_eq!(serde_json::from_str::<UserIdentity>(&json).unwrap(), identity);
            assert_eq!(toml::from_str::<UserIdentity>(&format!("{kind} = \"{value}\"")).unwrap(), identity);
            assert_eq!((identity.kind(), identity.clear()), (kind, value));
        }
        assert!(UserIdentity::parse("eid", "1").is_err());
    }

    #[test]
    fn none_several_or_unknown_keys_are_refused_with_what_was_expected() {
        let refused = |json: &str| serde_json::from_str::<UserIdentity>(json).unwrap_err().to_string();
        assert!(refused("{}").contains("exactly one of imsi, msisdn, impu, impi, found none"));
        let both = refused(r#"{"imsi":"262011234567890","msisdn":"4915112345678"}"#);
        assert!(both.contains("found several") && !both.contains("1234567"), "{both}");
        assert!(refused(r#"{"eid":"1"}"#).contains("unknown field `eid`, expected one of"));
        assert!(refused(r#"{"imsi":"12x"}"#).contains("IMSI: expected digits only"));
    }

    #[test]
    fn numbers_are_known_without_a_directory_and_values_print_masked() {
        let tel = UserIdentity::parse("impu", "tel:+4915112345678").unwrap();
        assert_eq!(tel.number().unwrap().clear(), "4915112345678");
        assert_eq!(UserIdentity::parse("imsi", "262011234567890").unwrap().number(), None);
        assert!(!format!("{tel} {tel:?}").contains("1123456"));
    }
}
