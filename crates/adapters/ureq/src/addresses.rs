//! Kinds of IP addresses, by IANA's registries of special-purpose addresses (RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns whether the address is on the public Internet.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Returns whether the address is in a private network or on this machine. Link-local addresses are neither:
/// no provider has one, and clouds serve credentials at 169.254.169.254.
pub(crate) fn is_private(address: IpAddr) -> bool {
    let is_shared = |address: Ipv4Addr| matches!(address.octets(), [100, 64..=127, ..]);
    address.is_loopback()
        || match address {
            IpAddr::V4(address) => address.is_private() || is_shared(address),
            IpAddr::V6(address) => address.is_unique_local(),
        }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // NAT64 (RFC 6052): the packet goes to the IPv4 address in the last 32 bits.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments such as Teredo, documentation, 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_inner_networks_are_not_public() {
        let is = |kind: fn(IpAddr) -> bool, list: &str, expected: bool| {
            for text in list.split_whitespace() {
                assert_eq!(kind(text.parse().unwrap()), expected, "{text}");
            }
        };
        let private = "10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255 127.0.0.1 \
                       127.255.0.1 ::1 fc00::1 fdff::1";
        let special = "0.0.0.0 0.1.2.3 169.254.169.254 192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 \
                       203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::7f00:1 ::ffff:127.0.0.1 \
                       ::ffff:10.0.0.1 ::ffff:8.8.8.8 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 \
                       64:ff9b:1::8.8.8.8 100::1 fe80::1 febf::1 fec0::1 ff02::1 2001::1 2001:1ff::1 2001:db8::1 2002:7f00:1::1 \
                       3fff::1 3fff:fff::1 4000::1 5f00::1";
        let public = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 \
                      192.167.0.1 198.17.0.1 198.20.0.1 223.255.255.255 2001:4860:4860::8888 2001:200::1 2606:4700::1111 \
                      2a00:1450::1 3fff:1000::1 64:ff9b::8.8.8.8";
        is(is_public, private, false);
        is(is_public, special, false);
        is(is_public, public, true);
        is(is_private, private, true);
        is(is_private, special, false);
        is(is_private, public, false);
    }
}
