//! Addresses that webhooks are sent to, as an operator writes them.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;

use crate::domain::ids::WebhookEndpointId;

pub const WEBHOOK_URLS_MAX: usize = 8;
const URL_BYTES_MAX: usize = 2_048;

/// An address over http or https. Its text lacks the query, which may hold a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// With its query, for the request only.
    pub fn expose(&self) -> &Url {
        &self.0
    }

    /// The same for the same address, whatever its place in a list: what waits for it is not sent
    /// to another one.
    pub fn endpoint_id(&self) -> WebhookEndpointId {
        let hash = digest::digest(&digest::SHA256, self.0.as_str().as_bytes());
        let name: String = URL_SAFE_NO_PAD.encode(hash).chars().take(22).collect();
        WebhookEndpointId::trusted(format!("url_{name}"))
    }
}

impl FromStr for WebhookUrl {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        if raw.len() > URL_BYTES_MAX {
            return Err(format!("must be addresses of at most {URL_BYTES_MAX} bytes each"));
        }
        let url = Url::parse(raw).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        // What came is not repeated: it may hold a secret.
        let expected = "must be http or https addresses such as https://example.com/webhook, \
                        separated by commas";
        let mut url = url.filter(Url::has_host).ok_or(expected)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not hold a user or a password: webhooks are signed".to_owned());
        }
        url.set_fragment(None);
        Ok(Self(url))
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({self})")
    }
}

/// Addresses, each of which is told everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookUrls(Vec<WebhookUrl>);

impl WebhookUrls {
    pub fn iter(&self) -> impl Iterator<Item = &WebhookUrl> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for WebhookUrls {
    type Err = String;

    /// Addresses between commas, or nothing.
    fn from_str(raw: &str) -> Result<Self, String> {
        let texts = raw.split(',').map(str::trim).filter(|text| !text.is_empty());
        let urls: Vec<WebhookUrl> = texts.map(str::parse).collect::<Result<_, _>>()?;
        if urls.len() > WEBHOOK_URLS_MAX {
            let count = urls.len();
            return Err(format!("must be at most {WEBHOOK_URLS_MAX} addresses, got {count}"));
        }
        for (place, url) in urls.iter().enumerate() {
            if urls[..place].contains(url) {
                return Err(format!("must not name an address twice: {url}"));
            }
        }
        Ok(Self(urls))
    }
}

impl fmt::Display for WebhookUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls = self.0.iter().map(ToString::to_string);
        f.write_str(&urls.collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_shown_without_secrets() {
        let urls: WebhookUrls = "https://a.example/x?token=s3cret#y, http://b:1/,".parse().unwrap();
        assert_eq!(urls.to_string(), "https://a.example/x,http://b:1/");
        assert!(!format!("{urls:?}").contains("s3cret"));
        let first = urls.iter().next().unwrap();
        assert_eq!(first.expose().as_str(), "https://a.example/x?token=s3cret");
        assert!("".parse::<WebhookUrls>().unwrap().is_empty());
        let nine: Vec<String> = (0..9).map(|n| format!("http://a/{n}")).collect();
        let cases = [
            ("ftp://a/s3cret", "must be http or https"),
            ("s3cret", "must be http or https"),
            ("https://?s3cret", "must be http or https"),
            ("https://ann:s3cret@a/", "must not hold a user"),
            ("http://a/,http://a", "must not name an address twice: http://a/"),
            (&nine.join(","), "at most 8 addresses, got 9"),
            (&format!("http://a/{}", "x".repeat(2_048)), "at most 2048 bytes"),
        ];
        for (raw, expected) in cases {
            let error = raw.parse::<WebhookUrls>().unwrap_err();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn an_address_has_an_id_of_its_own_that_stays() {
        let id = |raw: &str| raw.parse::<WebhookUrl>().unwrap().endpoint_id();
        assert_eq!(id("http://a/x?y"), id("http://a:80/x?y#z"));
        assert_ne!(id("http://a/x?y"), id("http://a/x?z"));
        assert_eq!(id("http://a/").as_str(), "url_KCo116DaauSO7hFq1hk_qG");
    }
}
