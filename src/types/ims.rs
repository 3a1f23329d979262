//! IMS identities (TS 23.003 13): the private one ([`Impi`]), the public one ([`Impu`]), and how both follow from an IMSI.

use super::{Imsi, Invalid, Msisdn, mask};
use std::fmt;

/// Octets of an identity, the longest that a NAI or a directory entry may have.
const MAX_OCTETS: usize = 254;

/// IMS private user identity: a network access identifier `user@realm` without scheme. The realm is kept in lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Impi(Box<str>);

/// IMS public user identity: `sip:user@domain` or `tel:+<E.164 number>`.
///
/// Kept in the form in which it is compared: scheme and domain in lower case, a number without visual separators.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Impu(Box<str>);

impl Impi {
    pub fn clear(&self) -> &str {
        &self.0
    }
}

impl Impu {
    pub fn clear(&self) -> &str {
        &self.0
    }

    /// The number of a `tel:` identity.
    pub fn msisdn(&self) -> Option<Msisdn> {
        self.0.strip_prefix("tel:")?.parse().ok()
    }
}

impl std::str::FromStr for Impi {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_characters("IMPI", text)?;
        let (user, realm) = user_and_host("IMPI", text)?;
        // RFC 7542 2.2: dot-atom, so no colon and no scheme.
        if !user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte)) {
            return Err(Invalid::new(
                "IMPI",
                "expected user@realm without scheme, found another character in the user",
            ));
        }
        Ok(Self(format!("{user}@{}", realm.to_ascii_lowercase()).into()))
    }
}

impl std::str::FromStr for Impu {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_characters("IMPU", text)?;
        let (scheme, rest) = text.split_once(':').ok_or_else(|| Invalid::new("IMPU", "expected sip: or tel:"))?;
        match scheme.to_ascii_lowercase().as_str() {
            "sip" => sip(rest),
            "tel" => tel(rest),
            _ => Err(Invalid::new("IMPU", "expected sip: or tel:, found another scheme")),
        }
    }
}

fn sip(rest: &str) -> Result<Impu, Invalid> {
    let (user, domain) = user_and_host("IMPU", rest)?;
    // RFC 3261 25.1: unreserved, escaped and user-unreserved.
    if !user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!~*'()%&=+$,;?/".contains(&byte)) {
        return Err(Invalid::new("IMPU", "expected sip:user@domain, found another character in the user"));
    }
    Ok(Impu(format!("sip:{user}@{}", domain.to_ascii_lowercase()).into()))
}

/// RFC 3966 3: a global number; its visual separators do not count.
fn tel(rest: &str) -> Result<Impu, Invalid> {
    let number = rest.strip_prefix('+').ok_or_else(|| Invalid::new("IMPU", "expected tel:+ and the country code"))?;
    let digits: String = number.chars().filter(|character| !"-.()".contains(*character)).collect();
    // The number's own parser would take a second +.
    if digits.starts_with('+') {
        return Err(Invalid::new("IMPU", "expected one + before the number"));
    }
    let msisdn: Msisdn = digits.parse().map_err(|error: Invalid| Invalid::new("IMPU", error.problem))?;
    Ok(Impu(format!("tel:+{}", msisdn.clear()).into()))
}

fn check_characters(what: &'static str, text: &str) -> Result<(), Invalid> {
    if text.len() > MAX_OCTETS {
        return Err(Invalid::new(what, format!("at most {MAX_OCTETS} octets, found {}", text.len())));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Invalid::new(what, "expected visible ASCII characters without blanks"));
    }
    if text.contains("%00") {
        return Err(Invalid::new(what, "an escaped NUL is refused"));
    }
    Ok(())
}

/// Both parts of `user@host`, the user not empty, the host a domain name.
fn user_and_host<'a>(what: &'static str, text: &'a str) -> Result<(&'a str, &'a str), Invalid> {
    let (user, host) = text.split_once('@').ok_or_else(|| Invalid::new(what, "expected user@domain"))?;
    if user.is_empty() {
        return Err(Invalid::new(what, "the user before @ is missing"));
    }
    let label_is_valid = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if !host.split('.').all(label_is_valid) {
        return Err(Invalid::new(what, "expected a domain name after @"));
    }
    Ok((user, host))
}

/// The user part masked, the domain in clear.
fn masked(text: &str) -> String {
    let (scheme, rest) = text.split_once(':').map_or(("", text), |(scheme, rest)| (scheme, rest));
    let colon = if scheme.is_empty() { "" } else { ":" };
    match rest.split_once('@') {
        Some((user, domain)) => format!("{scheme}{colon}{}@{domain}", mask::masked(user)),
        None => format!("{scheme}{colon}{}", mask::masked(rest)),
    }
}

/// The identities of a subscription without ISIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImsIdentities {
    pub impi: Impi,
    /// Only for registration, never to be shown to others.
    pub temporary_impu: Impu,
    pub home_domain: String,
}

/// TS 23.003 13.2 to 13.4B. The length of the MNC (2 or 3) does not follow from the IMSI: EF_AD or a table tells it.
pub fn derive_ims_identities(imsi: &Imsi, mnc_length: usize) -> Result<ImsIdentities, Invalid> {
    if !(2..=3).contains(&mnc_length) {
        return Err(Invalid::new("MNC length", format!("expected 2 or 3, found {mnc_length}")));
    }
    let digits = imsi.clear();
    let (Some(mcc), Some(mnc)) = (digits.get(..3), digits.get(3..3 + mnc_length)) else {
        return Err(Invalid::new("IMSI", "too short for its country and network code"));
    };
    let home_domain = format!("ims.mnc{mnc:0>3}.mcc{mcc}.3gppnetwork.org");
    let impi: Impi = format!("{digits}@{home_domain}").parse()?;
    let temporary_impu = format!("sip:{}", impi.clear()).parse()?;
    Ok(ImsIdentities { impi, temporary_impu, home_domain })
}

impl fmt::Display for Impi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl fmt::Debug for Impi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Impi({self})")
    }
}

impl fmt::Display for Impu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

impl fmt::Debug for Impu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Impu({self})")
    }
}

super::serde_as_text!(Impi, clear);
super::serde_as_text!(Impu, clear);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_and_hosts_compare_without_case_users_with_it() {
        let impu = |text: &str| text.parse::<Impu>().unwrap();
        assert_eq!(impu("SIP:Meter42@M2M.example.NET"), impu("sip:Meter42@m2m.example.net"));
        assert_ne!(impu("sip:Meter42@m2m.example.net"), impu("sip:meter42@m2m.example.net"));
        assert_eq!(impu("tel:+49-(151)-123.45678"), impu("TEL:+4915112345678"));
        assert_eq!(impu("tel:+4915112345678").msisdn().unwrap().clear(), "4915112345678");
        assert_eq!("a@Example.NET".parse::<Impi>().unwrap().clear(), "a@example.net");
    }

    #[test]
    fn refuses_what_is_no_identity() {
        for wrong in
            ["tel:++49151", "tel:+-+49151", "tel:+", "tel:+0151", "sip:a@", "sip:a@b..c", "sip:a@-b", "sip:a%00@b.c"]
        {
            assert!(wrong.parse::<Impu>().is_err(), "{wrong}");
        }
        for wrong in ["a@b@c", "sip:a@b.c", "a\u{7f}@b.c", "é@b.c", "a@b/c"] {
            assert!(wrong.parse::<Impi>().is_err(), "{wrong}");
        }
        assert!(format!("{}@b.c", "a".repeat(250)).parse::<Impi>().is_ok());
        assert!(format!("{}@b.c", "a".repeat(251)).parse::<Impi>().is_err());
    }

    #[test]
    fn only_the_domain_shows() {
        let imsi: Imsi = "262011234567890".parse().unwrap();
        let identities = derive_ims_identities(&imsi, 2).unwrap();
        assert_eq!(identities.temporary_impu.to_string(), "sip:26201…90@ims.mnc001.mcc262.3gppnetwork.org");
        assert!(!format!("{identities:?}").contains("1234567"));
        assert!(derive_ims_identities(&imsi, 4).is_err());
        assert_eq!("tel:+4915112345678".parse::<Impu>().unwrap().to_string(), "tel:+4915…78");
    }
}
