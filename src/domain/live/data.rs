//! Data that is sent to participants.

use std::sync::Arc;

use bytes::Bytes;

pub const NONCE_BYTES: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataKind {
    /// In order, again if it is lost, and kept for those who are still joining.
    #[default]
    Reliable,
    /// Once, to whoever can be sent to at that moment.
    Lossy,
}

/// Data of the application, from a back end or from a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveData {
    pub kind: DataKind,
    pub payload: Bytes,
    /// What it is about. Empty is not absent.
    pub topic: Option<Arc<str>>,
    /// Identity and sid of who sent it; absent for a back end.
    pub sender: Option<(Arc<str>, Arc<str>)>,
    pub nonce: Bytes,
    pub origin: DataOrigin,
}

impl LiveData {
    /// About what it holds in memory.
    pub fn cost_bytes(&self) -> usize {
        let topic = self.topic.as_ref().map_or(0, |topic| topic.len());
        let id = self.origin.id.as_ref().map_or(0, String::len);
        self.payload.len() + topic + id + self.nonce.len()
    }
}

/// What a client says of its data besides, which means something to clients only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataOrigin {
    pub id: Option<String>,
    pub start_time: Option<u64>,
    pub end_time: Option<u64>,
}
