//! Pages of the web that people link to, fetched on their behalf.
//!
//! Invariant: whoever asks learns nothing of networks that are not public. Names are looked up by
//! [`network::Networks`], which lets through only addresses that may be asked, and those are what is
//! connected to; every redirect goes the same way.

mod html;
mod network;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use moka::sync::Cache;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::sync::Semaphore;

pub use html::PageMetadata;
pub use network::Networks;

use crate::error::{Code, Error};
use network::{Public, Resolver};

pub const URL_BYTES_MAX: usize = 2_048;
/// All of it: looking up, connecting, redirects, reading.
const FETCH_TIMEOUT_MS: u64 = 5_000;
const REDIRECTS_MAX: usize = 3;
/// What a page says about itself stands in its beginning.
const PAGE_BYTES_MAX: usize = 512 << 10;
/// Pages that are fetched at once, for all who ask.
const FETCHES_MAX: usize = 32;
const CACHE_PAGES_MAX: u64 = 10_000;
const CACHE_SECONDS: u64 = 600;
const PORTS: [u16; 2] = [80, 443];

/// The way to pages; clones share it.
#[derive(Clone)]
pub struct Pages {
    /// For the usual ports: public addresses. Absent where the system has no certificates to trust.
    public: Option<Client>,
    /// For other ports: only networks that the operator named.
    named: Option<Client>,
    networks: Networks,
    cache: Cache<String, Arc<PageMetadata>>,
    turns: Arc<Semaphore>,
}

impl Pages {
    /// Besides the public ones, pages may lie in these networks, on any port.
    pub fn new(networks: Networks) -> Self {
        let client = |public| {
            Client::builder()
                .dns_resolver(Arc::new(Resolver::new(networks.clone(), public)))
                .redirect(Policy::none())
                .no_proxy()
                .referer(false)
                .pool_max_idle_per_host(0)
                .user_agent(concat!("roomd/", env!("CARGO_PKG_VERSION")))
                .build()
                .inspect_err(|error| tracing::warn!(%error, "no page can be fetched"))
                .ok()
        };
        Self {
            public: client(Public::Allowed),
            named: client(Public::Refused),
            cache: Cache::builder()
                .max_capacity(CACHE_PAGES_MAX)
                .time_to_live(Duration::from_secs(CACHE_SECONDS))
                .build(),
            turns: Arc::new(Semaphore::new(FETCHES_MAX)),
            networks,
        }
    }

    /// What the page says about itself: nothing, if it cannot be fetched, for whatever reason.
    pub async fn metadata(&self, raw: &str) -> Result<Arc<PageMetadata>, Error> {
        let url = parse(raw)?;
        if let Some(known) = self.cache.get(url.as_str()) {
            return Ok(known);
        }
        let Ok(_turn) = self.turns.try_acquire() else { return Err(too_many()) };
        let timeout = Duration::from_millis(FETCH_TIMEOUT_MS);
        let fetched = tokio::time::timeout(timeout, self.fetch(url.clone())).await;
        let page = Arc::new(fetched.ok().flatten().unwrap_or_default());
        self.cache.insert(url.into(), Arc::clone(&page));
        Ok(page)
    }

    async fn fetch(&self, mut url: Url) -> Option<PageMetadata> {
        for _ in 0..=REDIRECTS_MAX {
            let accepts = "text/html,application/xhtml+xml";
            let request = self.client_for(&url)?.get(url.clone()).header(ACCEPT, accepts);
            let response = request.send().await.ok()?;
            if response.status().is_redirection() {
                let location = response.headers().get(LOCATION)?.to_str().ok()?;
                url = url.join(location).ok()?;
                continue;
            }
            if !response.status().is_success() || !is_page(&response) {
                return None;
            }
            let text = read(response).await?;
            return Some(html::read(&url, &text));
        }
        None
    }

    /// The client that may ask this address, if any may. Addresses that are numbers are never looked
    /// up, so they are checked here.
    fn client_for(&self, url: &Url) -> Option<&Client> {
        let is_web = matches!(url.scheme(), "http" | "https");
        let host = url.host_str().filter(|_| is_web)?;
        let port = url.port_or_known_default()?;
        let (client, public) = match PORTS.contains(&port) {
            true => (&self.public, Public::Allowed),
            false => (&self.named, Public::Refused),
        };
        let literal: Result<IpAddr, _> = host.trim_start_matches('[').trim_end_matches(']').parse();
        let is_fine = literal.map_or(true, |address| self.networks.lets_through(address, public));
        client.as_ref().filter(|_| is_fine)
    }
}

fn parse(raw: &str) -> Result<Url, Error> {
    let wrong = || Error::invalid("url", "must be an http or https address");
    if raw.len() > URL_BYTES_MAX {
        return Err(Error::invalid("url", format!("must have at most {URL_BYTES_MAX} bytes")));
    }
    let mut url = Url::parse(raw).map_err(|_| wrong())?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
        return Err(wrong());
    }
    url.set_fragment(None);
    Ok(url)
}

fn is_page(response: &Response) -> bool {
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    ["text/html", "application/xhtml+xml"].iter().any(|page| media_type.eq_ignore_ascii_case(page))
}

/// The beginning of a page.
async fn read(mut response: Response) -> Option<Bytes> {
    let mut text = BytesMut::new();
    while let Some(more) = response.chunk().await.ok()? {
        text.extend_from_slice(&more);
        if text.len() >= PAGE_BYTES_MAX {
            text.truncate(PAGE_BYTES_MAX);
            break;
        }
    }
    Some(text.freeze())
}

fn too_many() -> Error {
    let public = "Too many pages are being fetched, please retry.";
    Error::new(Code::ResourceExhausted, "TOO_MANY_PAGES", public)
}

#[cfg(test)]
mod tests;
