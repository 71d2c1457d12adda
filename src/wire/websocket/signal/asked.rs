//! What a client says of itself in the address that it connects to.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

use crate::domain::live::check_attributes;
use crate::proto::livekit::client_info::Capability;

/// What a client may say that it can do.
const CAPABILITIES_MAX: usize = 16;
/// With and without padding, as clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// On top of those of its token.
    pub attributes: BTreeMap<String, String>,
    pub client_protocol: i32,
    pub capabilities: Vec<i32>,
    /// It was in the room a moment ago, and wants to go on where it was.
    pub resumes: bool,
}

impl Asked {
    /// Reads a query string. What cannot be read was not said.
    pub fn parse(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let Ok(value) = percent_decode_str(value).decode_utf8() else { continue };
            match name {
                "attributes" => asked.attributes = attributes(&value).unwrap_or_default(),
                "client_protocol" => asked.client_protocol = value.parse().unwrap_or(0),
                "capabilities" => {
                    let known = value.split(',').filter_map(Capability::from_str_name);
                    asked.capabilities = known.take(CAPABILITIES_MAX).map(i32::from).collect();
                }
                "reconnect" => asked.resumes = matches!(&*value, "1" | "true"),
                _ => {}
            }
        }
        asked
    }
}

fn attributes(value: &str) -> Option<BTreeMap<String, String>> {
    let json = BASE64.decode(value).ok()?;
    let attributes: BTreeMap<String, String> = serde_json::from_slice(&json).ok()?;
    check_attributes(&attributes).ok()?;
    Some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_says_what_it_is_in_the_query() {
        let query = "access_token=x&client_protocol=1&attributes=eyJhIjoiMSJ9&reconnect=1&sdk=js\
                     &capabilities=CAP_PACKET_TRAILER,CAP_X,CAP_COMPRESSION_DEFLATE_RAW";
        let asked = Asked::parse(query);
        assert_eq!(asked.client_protocol, 1);
        assert_eq!(asked.capabilities, [1, 2]);
        assert_eq!(asked.attributes, BTreeMap::from([("a".to_owned(), "1".to_owned())]));
        assert!(asked.resumes);
        for nonsense in ["attributes=%FF", "attributes=e30", "attributes=WzFd", "reconnect=0", "="]
        {
            assert_eq!(Asked::parse(nonsense), Asked::default(), "{nonsense}");
        }
    }
}
