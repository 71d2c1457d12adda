//! Which addresses may be asked for pages.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Whether addresses of the public internet may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Public {
    Allowed,
    Refused,
}

/// Networks that an operator named, although they are not public.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<(IpAddr, u32)>);

impl Networks {
    pub fn lets_through(&self, address: IpAddr, public: Public) -> bool {
        let is_named = self.0.iter().any(|(network, bits)| holds(*network, *bits, address));
        is_named || (public == Public::Allowed && is_public(address))
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let networks = self.0.iter().map(|(address, bits)| format!("{address}/{bits}"));
        f.write_str(&networks.collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Networks {
    type Err = String;

    /// `10.0.0.0/8, fd00::/8`, or nothing.
    fn from_str(raw: &str) -> Result<Self, String> {
        let expected = "must be networks such as 10.0.0.0/8, separated by commas";
        let network = |text: &str| {
            let (address, bits) = text.split_once('/')?;
            let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u32>().ok()?);
            let longest = if address.is_ipv4() { 32 } else { 128 };
            (bits <= longest).then_some((address, bits))
        };
        let texts = raw.split(',').map(str::trim).filter(|text| !text.is_empty());
        let networks = texts.map(|text| network(text).ok_or_else(|| expected.to_owned()));
        networks.collect::<Result<_, _>>().map(Self)
    }
}

fn holds(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let same = |one: u128, other: u128, width: u32| {
        bits == 0 || (one >> (width - bits)) == (other >> (width - bits))
    };
    match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            same(u128::from(u32::from(one)), u128::from(u32::from(other)), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => same(u128::from(one), u128::from(other), 128),
        _ => false,
    }
}

/// By the registries of special addresses; what is not known to be public is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224.., _, _)
    );
    !is_special
}

/// Global unicast without the parts that hold other addresses or are for documents. Addresses of
/// version 4 in the dress of version 6 are none of them.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let is_global = a & 0xe000 == 0x2000;
    let is_special =
        matches!((a, b), (0x2001, 0..=0x1ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff));
    is_global && !is_special
}

/// Looks names up, and tells only of addresses that may be asked.
pub struct Resolver {
    networks: Networks,
    public: Public,
}

impl Resolver {
    pub fn new(networks: Networks, public: Public) -> Self {
        Self { networks, public }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (networks, public) = (self.networks.clone(), self.public);
        Box::pin(async move {
            // The port is that of the address, which the client puts in.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let fine = |address: &SocketAddr| networks.lets_through(address.ip(), public);
            let addresses: Vec<SocketAddr> = found.filter(fine).collect();
            if addresses.is_empty() {
                return Err("no address that may be asked".into());
            }
            let addresses: Addrs = Box::new(addresses.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let public =
            ["1.1.1.1", "8.8.8.8", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00::1"];
        let special = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        let none = Networks::default();
        for (addresses, expected) in [(&public[..], true), (&special[..], false)] {
            for address in addresses {
                let address = address.parse().unwrap();
                assert_eq!(none.lets_through(address, Public::Allowed), expected, "{address}");
                assert!(!none.lets_through(address, Public::Refused), "{address}");
            }
        }
    }

    #[test]
    fn networks_are_read_and_hold_what_is_in_them() {
        let networks: Networks = "10.0.0.0/8, fd00::/8,127.0.0.1/32".parse().unwrap();
        let cases = [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("fd12::1", true),
            ("fc00::1", false),
            ("::ffff:10.0.0.1", false),
        ];
        for (address, expected) in cases {
            let address = address.parse().unwrap();
            assert_eq!(networks.lets_through(address, Public::Refused), expected, "{address}");
        }
        assert_eq!("".parse::<Networks>().unwrap(), Networks::default());
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", "10.0.0.0/-1"] {
            assert!(wrong.parse::<Networks>().is_err(), "{wrong}");
        }
    }
}
