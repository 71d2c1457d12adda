//! Request ids: the caller's own if it is fit for a log, else one of ours.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderMap;

use super::front::REQUEST_ID;

/// Characters that a caller's request id may have.
const REQUEST_ID_CHARS_MAX: usize = 128;

pub fn of(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match given.filter(|id| fit(id)) {
        Some(id) => id.into(),
        None => fresh(),
    }
}

fn fit(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= REQUEST_ID_CHARS_MAX
        && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A counter, keyed and hashed: unique in the process, and as good as unique among processes. It
/// is an id for logs, not a secret.
fn fresh() -> Arc<str> {
    static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let hash = KEY.hash_one(NEXT.fetch_add(1, Ordering::Relaxed));
    let mut text = [0; 16];
    for (index, digit) in text.iter_mut().enumerate() {
        let nibble = (hash >> (4 * index)) & 0xf;
        *digit = b"0123456789abcdef"[usize::try_from(nibble).unwrap_or(0)];
    }
    std::str::from_utf8(&text).unwrap_or_default().into()
}
