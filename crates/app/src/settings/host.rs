//! Host names and loopback addresses.

use super::setting::InvalidValue;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use std::net::{IpAddr, Ipv6Addr};

/// Parses an IP address, an IPv6 address in brackets, or a host name. Returns it without brackets.
pub(super) fn read(text: &str) -> Result<String, InvalidValue> {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(v6) if v6.parse::<Ipv6Addr>().is_ok() => Ok(v6.to_owned()),
        Some(_) => Err(InvalidValue("is not an IPv6 address in brackets")),
        None if text.parse::<IpAddr>().is_ok() || is_host_name(text) => Ok(text.to_owned()),
        None => Err(InvalidValue("is neither an IP address nor a host name")),
    }
}

/// Returns whether the text is a host name in ASCII (RFC 1123 §2.1; underscores are allowed for container
/// networks). A last label of digits only is rejected: it would be an invalid IPv4 address.
pub(super) fn is_host_name(text: &str) -> bool {
    const DENIED: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");
    let is_number = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    let ascii = Uts46::new().to_ascii(text.as_bytes(), DENIED, Hyphens::CheckFirstLast, DnsLength::Verify);
    text.is_ascii() && !is_number && ascii.is_ok()
}

/// Returns whether a host reaches only this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
