//! A file as a handler answers with it: opened, but not read. REST sends it piece by piece, all or
//! part of it; the other protocols have one message for it, so they read it whole.

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;

use crate::error::{Code, Error};
use crate::proto::google::api::HttpBody;

/// The bytes of a file that never changes.
pub trait Pieces: Send + Sync + 'static {
    /// Some bytes, beginning with the one at `from`: as many as are cheap to hold. None if the file
    /// ends before that.
    fn read(&self, from: u64) -> BoxFuture<'_, Result<Bytes, Error>>;
}

/// What is known of a file before it is read.
pub struct Download {
    /// As its uploader called it: any text.
    pub name: String,
    /// One that is safe to tell a browser.
    pub media_type: String,
    pub size_bytes: u64,
    /// What tells its bytes from all others: letters and digits.
    pub tag: String,
    /// Seconds for which whoever has it may keep it.
    pub fresh_s: u32,
    pub pieces: Box<dyn Pieces>,
}

impl Download {
    /// All of it, in memory.
    pub async fn whole(self) -> Result<HttpBody, Error> {
        let mut whole = BytesMut::with_capacity(usize::try_from(self.size_bytes).unwrap_or(0));
        while (whole.len() as u64) < self.size_bytes {
            let more = self.pieces.read(whole.len() as u64).await?;
            if more.is_empty() {
                return Err(ends_early());
            }
            whole.extend_from_slice(&more);
        }
        Ok(HttpBody { content_type: self.media_type, data: whole.freeze() })
    }
}

/// Fewer bytes are stored than the file has.
pub fn ends_early() -> Error {
    Error::new(Code::DataLoss, "DATA_LOSS", "stored data cannot be read back")
        .because("a file ends before its last byte")
}
