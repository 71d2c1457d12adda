//! Pages of an inbox, newest first, and of settings.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::InboxFilter;
use crate::domain::content_id::NotificationId;
use crate::error::Error;

pub const INBOX_LIMIT_MAX: usize = 50;
/// Characters of the longest cursor that is looked at; ours are shorter.
const CURSOR_CHARS_MAX: usize = 1_024;

/// Which notifications of a user are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxQuery {
    pub after: Option<InboxCursor>,
    pub limit: usize,
    pub filter: InboxFilter,
}

/// Where a notification stands in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxCursor {
    pub notified_at_ms: i64,
    pub id: NotificationId,
}

/// Where a room stands in the list of a user's settings: the key of what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsCursor(pub String);

impl InboxQuery {
    /// `field` names the cursor in the error.
    pub fn read(
        (field, cursor): (&str, &str),
        limit: Option<i32>,
        query: &str,
    ) -> Result<Self, Error> {
        let after = read_cursor(field, cursor, |text| {
            let (ms, id) = text.split_once('.')?;
            let id = NotificationId::parse(field, id).ok()?;
            Some(InboxCursor { notified_at_ms: ms.parse().ok()?, id })
        })?;
        let filter = InboxFilter::from_query(query)?;
        Ok(Self { after, limit: read_limit(limit)?, filter })
    }
}

impl InboxCursor {
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}.{}", self.notified_at_ms, self.id))
    }
}

impl SettingsCursor {
    pub fn read(field: &str, cursor: &str) -> Result<Option<Self>, Error> {
        let is_key = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        read_cursor(field, cursor, |text| is_key(text).then(|| Self(text.to_owned())))
    }

    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(&self.0)
    }
}

/// A place in one user's list, which whoever has the cursor may read anyway: it need not be sealed.
fn read_cursor<C>(
    field: &str,
    raw: &str,
    place: impl FnOnce(&str) -> Option<C>,
) -> Result<Option<C>, Error> {
    if raw.is_empty() {
        return Ok(None);
    }
    let read = || {
        let short = Some(raw).filter(|raw| raw.len() <= CURSOR_CHARS_MAX)?;
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(short).ok()?).ok()?;
        place(&text)
    };
    read().map(Some).ok_or_else(|| Error::invalid(field, "is not a cursor of this list"))
}

pub fn read_limit(limit: Option<i32>) -> Result<usize, Error> {
    let Some(limit) = limit else { return Ok(INBOX_LIMIT_MAX) };
    match usize::try_from(limit) {
        Ok(limit @ 1..=INBOX_LIMIT_MAX) => Ok(limit),
        _ => Err(Error::invalid("limit", format!("must be 1 to {INBOX_LIMIT_MAX}, got {limit}"))),
    }
}
