//! Where WebRTC listens.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Clients are told each of them.
pub const RTC_ADDRESSES_MAX: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RtcListen {
    /// UDP on the address and the port number of `listen`; without WebRTC if that is taken.
    #[default]
    Auto,
    Off,
    At(SocketAddr),
}

impl FromStr for RtcListen {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        match raw {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            _ => raw.parse().map(Self::At).map_err(|_| {
                "must be `auto`, `off`, or an IP address and a port such as 192.0.2.1:7882"
                    .to_owned()
            }),
        }
    }
}

impl fmt::Display for RtcListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

pub fn parse_addresses(raw: &str) -> Result<Vec<IpAddr>, String> {
    let parts = raw.split(',').map(str::trim).filter(|part| !part.is_empty());
    let addresses = parts.map(|part| {
        part.parse().map_err(|_| format!("must be IP addresses with commas between, got `{part}`"))
    });
    let addresses: Vec<IpAddr> = addresses.collect::<Result<_, String>>()?;
    match addresses.len() {
        0..=RTC_ADDRESSES_MAX => Ok(addresses),
        many => Err(format!("must be at most {RTC_ADDRESSES_MAX} addresses, got {many}")),
    }
}

pub fn shown_addresses(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(",")
}
