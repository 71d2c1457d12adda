//! Who is told, of what, and how the call shows that it is from here.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::HeaderMap;

use super::url::WebhookUrl;
use crate::domain::ids::{ProjectId, WebhookEndpointId};
use crate::error::Error;

/// An address that is told events. What waits for it waits under `id`, which must stay the same
/// from start to start, and be another one for another address.
#[derive(Clone)]
pub struct Endpoint {
    pub id: WebhookEndpointId,
    pub url: WebhookUrl,
    pub signer: Arc<dyn Signer>,
    pub events: EventFilter,
    /// Whose events it is told of.
    pub project: ProjectId,
}

/// The dialect of an endpoint. A signature tells when it was made, so each attempt has its own.
pub trait Signer: Send + Sync {
    /// All headers of the call but those that HTTP itself needs.
    fn headers(&self, message: &Outgoing<'_>) -> Result<HeaderMap, Error>;
}

/// One attempt, as far as a signature may cover it.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    pub id: &'a str,
    pub body: &'a [u8],
    pub now_ms: i64,
}

/// Which events an endpoint is told of, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EventFilter {
    #[default]
    All,
    Only(BTreeSet<String>),
    AllBut(BTreeSet<String>),
}

impl EventFilter {
    pub fn lets_through(&self, event: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(event),
            Self::AllBut(names) => !names.contains(event),
        }
    }
}
