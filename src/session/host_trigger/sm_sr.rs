//! Which SM-SR a trigger means: always an entry of the terminal's own list, never an address from outside.

/// An SM-SR that this terminal may connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmSrEntry {
    /// FQDN or OID, as in tag 84.
    pub id: String,
    pub host: String,
    pub port: u16,
    /// Path of the service request, and prefix of any path that a trigger may name.
    pub path: String,
}

/// The entry that was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub id: String,
    /// Of the service request: that of tag 85, else of the entry.
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// No entry is meant.
    Unknown,
    /// 85 does not agree with the entry that 84 names.
    Disagree,
}

/// `current` is the id of the entry meant when the trigger names none.
pub(super) fn select(
    list: &[SmSrEntry],
    current: &str,
    id: Option<&str>,
    address: Option<&str>,
) -> Result<Choice, Mismatch> {
    let by_id = |id: &str| list.iter().find(|entry| entry.id.eq_ignore_ascii_case(id)).ok_or(Mismatch::Unknown);
    let (entry, path) = match (id, address) {
        (None, None) => (by_id(current)?, None),
        (Some(id), None) => (by_id(id)?, None),
        (Some(id), Some(address)) => {
            let entry = by_id(id)?;
            (entry, Some(entry.agreeing_path(address).ok_or(Mismatch::Disagree)?))
        }
        (None, Some(address)) => {
            let agreeing = |entry| Some((entry, Some(SmSrEntry::agreeing_path(entry, address)?)));
            list.iter().find_map(agreeing).ok_or(Mismatch::Unknown)?
        }
    };
    Ok(Choice { id: entry.id.clone(), path: path.unwrap_or_else(|| entry.path.clone()) })
}

impl SmSrEntry {
    /// The path of an address that agrees with this entry in scheme, host, port and path prefix.
    fn agreeing_path(&self, address: &str) -> Option<String> {
        let (scheme, rest) = address.split_once("://")?;
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at_checked(slash)?,
            None => (rest, "/"),
        };
        let (host, port) = split_authority(authority)?;
        let agrees = scheme.eq_ignore_ascii_case("https")
            && host.eq_ignore_ascii_case(&self.host)
            && port == self.port
            && is_plain_path(path)
            && is_prefix(&self.path, path);
        agrees.then(|| path.to_owned())
    }
}

fn split_authority(authority: &str) -> Option<(&str, u16)> {
    const HTTPS: u16 = 443;
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        return match port.strip_prefix(':') {
            Some(port) => Some((host, decimal(port)?)),
            None => port.is_empty().then_some((host, HTTPS)),
        };
    }
    match authority.split_once(':') {
        Some((host, port)) => Some((host, decimal(port)?)),
        None => Some((authority, HTTPS)),
    }
}

fn decimal(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// No query, no escapes, no segments that lead elsewhere: what is compared is what will be asked for.
fn is_plain_path(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'%' | b'\\'))
        && !path.split('/').any(|segment| matches!(segment, "." | ".."))
        && !path.contains("//")
}

/// Whole segments.
fn is_prefix(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Vec<SmSrEntry> {
        let entry = |id: &str, host: &str, port, path: &str| SmSrEntry {
            id: id.into(),
            host: host.into(),
            port,
            path: path.into(),
        };
        vec![entry("a.example", "a.example", 8443, "/admin"), entry("1.2.3", "2001:db8::1", 443, "/")]
    }

    fn path(id: Option<&str>, address: Option<&str>) -> Result<(String, String), Mismatch> {
        select(&list(), "1.2.3", id, address).map(|choice| (choice.id, choice.path))
    }

    #[test]
    fn an_identifier_an_address_both_or_neither_select_an_entry() {
        let a = |path: &str| Ok(("a.example".to_owned(), path.to_owned()));
        assert_eq!(path(None, None), Ok(("1.2.3".into(), "/".into())));
        assert_eq!(path(Some("A.example"), None), a("/admin"));
        assert_eq!(path(None, Some("https://a.example:8443/admin")), a("/admin"));
        assert_eq!(path(Some("a.example"), Some("HTTPS://A.EXAMPLE:8443/admin/x")), a("/admin/x"));
        assert_eq!(path(None, Some("https://[2001:db8::1]")), Ok(("1.2.3".into(), "/".into())));
        assert_eq!(path(Some("1.2.3"), Some("https://[2001:db8::1]:443/x")), Ok(("1.2.3".into(), "/x".into())));
    }

    #[test]
    fn what_is_not_in_the_list_is_unknown() {
        for (id, address) in [
            (Some("b.example"), None),
            (Some("b.example"), Some("https://a.example:8443/admin")),
            (None, Some("https://b.example:8443/admin")),
            (None, Some("https://a.example/admin")),
        ] {
            assert_eq!(path(id, address), Err(Mismatch::Unknown), "{id:?} {address:?}");
        }
    }

    #[test]
    fn scheme_host_port_and_path_must_agree_with_the_identifier() {
        for address in [
            "http://a.example:8443/admin",
            "https://b.example:8443/admin",
            "https://a.example/admin",
            "https://a.example:8444/admin",
            "https://a.example:+8443/admin",
            "https://a.example:8443/administrator",
            "https://a.example:8443",
            "https://a.example:8443/admin/../x",
            "https://a.example:8443/admin//x",
            "https://a.example:8443/admin%2f..",
            "https://a.example:8443/admin?x",
            "https://user@a.example:8443/admin",
            "https://a.example:8443@b.example/admin",
            "a.example:8443/admin",
            "https://[::1/admin",
        ] {
            assert_eq!(path(Some("a.example"), Some(address)), Err(Mismatch::Disagree), "{address}");
        }
    }
}
