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
}
