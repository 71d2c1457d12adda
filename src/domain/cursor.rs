//! Where the next page of a list begins.
//!
//! A cursor is opaque text for callers. Inside it says where the page before ended, with a tag
//! that only this deployment can make and that covers the project and the filters as well. So a
//! cursor cannot be made up, changed, or used on another list, and a page after deleted or new
//! entries still goes on where the last one ended.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ids::{GroupId, ProjectId, RoomId};
use crate::error::Error;

const VERSION: u8 = 1;
/// Half of an HMAC-SHA-256: nobody can try 2^128 of them.
const TAG_BYTES: usize = 16;
/// Characters of the longest cursor that is looked at; ours are shorter.
const CURSOR_CHARS_MAX: usize = 1024;

/// The deployment's secret for cursors.
#[derive(Clone)]
pub struct CursorKey(hmac::Key);

impl CursorKey {
    pub fn new(secret: [u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &secret))
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey")
    }
}

/// Which list a cursor belongs to. The names go into the tag: never change one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorKind {
    Rooms,
    Groups,
    UserGroups,
}

impl CursorKind {
    const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Rooms => b"rooms",
            Self::Groups => b"groups",
            Self::UserGroups => b"user groups",
        }
    }
}

/// What a cursor is bound to besides its own content.
#[derive(Debug, Clone, Copy)]
pub struct CursorScope<'a> {
    pub kind: CursorKind,
    pub project: &'a ProjectId,
    /// Of the filters, such as [`super::query::RoomFilter::fingerprint`].
    pub filter: [u8; 8],
}

impl CursorScope<'_> {
    fn tag(&self, key: &CursorKey, body: &[u8]) -> [u8; TAG_BYTES] {
        let mut context = hmac::Context::with_key(&key.0);
        let project = self.project.as_str().as_bytes();
        for part in [self.kind.as_bytes(), project, &self.filter, body] {
            // With its length before it, a part cannot be taken for the end of another.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; TAG_BYTES];
        for (to, from) in tag.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        tag
    }
}

/// Makes the text that callers see.
pub fn seal(key: &CursorKey, scope: CursorScope<'_>, payload: &[u8]) -> String {
    let mut body = Vec::with_capacity(1 + payload.len() + TAG_BYTES);
    body.push(VERSION);
    body.extend_from_slice(payload);
    let tag = scope.tag(key, &body);
    body.extend_from_slice(&tag);
    URL_SAFE_NO_PAD.encode(body)
}

/// Reads it back, if it is one of ours for this list.
pub fn open(key: &CursorKey, scope: CursorScope<'_>, text: &str) -> Result<Vec<u8>, Error> {
    if text.len() > CURSOR_CHARS_MAX {
        return Err(not_a_cursor());
    }
    let mut body = URL_SAFE_NO_PAD.decode(text).map_err(|e| not_a_cursor().because(e))?;
    let Some(split) = body.len().checked_sub(TAG_BYTES) else { return Err(not_a_cursor()) };
    let tag = body.split_off(split);
    constant_time::verify_slices_are_equal(&scope.tag(key, &body), &tag)
        .map_err(|e| not_a_cursor().because(e))?;
    match body.split_first() {
        Some((&VERSION, payload)) => Ok(payload.to_vec()),
        Some(_) | None => Err(not_a_cursor()),
    }
}

fn not_a_cursor() -> Error {
    Error::invalid(
        "startingAfter",
        "is not a cursor of this list; pass 'nextCursor' of the page before, with the same filters",
    )
}

/// The last room of a page; rooms are listed newest first, and by id among those of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCursor {
    pub created_at_ms: i64,
    pub room_id: RoomId,
}

impl RoomCursor {
    pub fn seal(&self, key: &CursorKey, project: &ProjectId, filter: [u8; 8]) -> String {
        let scope = CursorScope { kind: CursorKind::Rooms, project, filter };
        seal_place(key, scope, (self.created_at_ms, self.room_id.as_str()))
    }

    pub fn open(
        key: &CursorKey,
        project: &ProjectId,
        filter: [u8; 8],
        text: &str,
    ) -> Result<Self, Error> {
        let scope = CursorScope { kind: CursorKind::Rooms, project, filter };
        let (created_at_ms, room_id) = open_place(key, scope, text)?;
        Ok(Self { created_at_ms, room_id: RoomId::trusted(room_id) })
    }
}

/// The last group of a page; the order is that of rooms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupCursor {
    pub created_at_ms: i64,
    pub id: GroupId,
}

impl GroupCursor {
    pub fn seal(&self, key: &CursorKey, scope: CursorScope<'_>) -> String {
        seal_place(key, scope, (self.created_at_ms, self.id.as_str()))
    }

    pub fn open(key: &CursorKey, scope: CursorScope<'_>, text: &str) -> Result<Self, Error> {
        let (created_at_ms, id) = open_place(key, scope, text)?;
        Ok(Self { created_at_ms, id: GroupId::trusted(id) })
    }
}

/// A place in a list of what has a time and an id.
fn seal_place(key: &CursorKey, scope: CursorScope<'_>, (ms, id): (i64, &str)) -> String {
    let mut payload = ms.to_be_bytes().to_vec();
    payload.extend_from_slice(id.as_bytes());
    seal(key, scope, &payload)
}

fn open_place(key: &CursorKey, scope: CursorScope<'_>, text: &str) -> Result<(i64, String), Error> {
    let payload = open(key, scope, text)?;
    let (ms, id) = payload.split_first_chunk().ok_or_else(not_a_cursor)?;
    let id = std::str::from_utf8(id).map_err(|e| not_a_cursor().because(e))?;
    Ok((i64::from_be_bytes(*ms), id.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FILTER: [u8; 8] = [7; 8];

    fn key() -> CursorKey {
        CursorKey::new([42; 32])
    }

    fn project() -> ProjectId {
        ProjectId::trusted("p")
    }

    fn open_room(text: &str) -> Result<RoomCursor, Error> {
        RoomCursor::open(&key(), &project(), FILTER, text)
    }

    fn any_cursor() -> impl Strategy<Value = RoomCursor> {
        (any::<i64>(), ".{1,128}").prop_map(|(created_at_ms, room_id)| RoomCursor {
            created_at_ms,
            room_id: RoomId::trusted(room_id),
        })
    }

    #[test]
    fn a_cursor_of_an_earlier_release_is_still_read() {
        let cursor = RoomCursor { created_at_ms: 1, room_id: RoomId::trusted("room") };
        let sealed = cursor.seal(&key(), &project(), FILTER);
        assert_eq!(sealed, "AQAAAAAAAAABcm9vbXJxdTffud9GaBBRV1O_WLM");
        assert_eq!(open_room(&sealed).unwrap(), cursor);
    }

    #[test]
    fn a_cursor_belongs_to_its_key_project_and_filter() {
        let cursor = RoomCursor { created_at_ms: 1, room_id: RoomId::trusted("room") };
        let sealed = cursor.seal(&key(), &project(), FILTER);
        let other_project = ProjectId::trusted("q");
        assert!(RoomCursor::open(&CursorKey::new([0; 32]), &project(), FILTER, &sealed).is_err());
        assert!(RoomCursor::open(&key(), &other_project, FILTER, &sealed).is_err());
        let refusal = RoomCursor::open(&key(), &project(), [8; 8], &sealed).unwrap_err();
        assert_eq!(refusal.fields()[0].field, "startingAfter");
        assert_eq!(format!("{:?}", key()), "CursorKey");
    }

    #[test]
    fn another_version_or_a_short_payload_is_refused_even_with_a_right_tag() {
        let scope = CursorScope { kind: CursorKind::Rooms, project: &project(), filter: FILTER };
        for payload in [&b""[..], b"1234567", b"12345678\xff"] {
            assert!(open_room(&seal(&key(), scope, payload)).is_err());
        }
        let mut body = vec![VERSION + 1];
        body.extend_from_slice(b"12345678room");
        body.extend_from_slice(&scope.tag(&key(), &body));
        assert!(open_room(&URL_SAFE_NO_PAD.encode(&body)).is_err());
        let empty_body = scope.tag(&key(), b"");
        assert!(open_room(&URL_SAFE_NO_PAD.encode(empty_body)).is_err());
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_opened(cursor in any_cursor()) {
            let sealed = cursor.seal(&key(), &project(), FILTER);
            prop_assert!(sealed.len() <= CURSOR_CHARS_MAX);
            prop_assert_eq!(open_room(&sealed).unwrap(), cursor);
        }

        #[test]
        fn a_cursor_with_any_byte_changed_is_refused(
            cursor in any_cursor(), at in any::<proptest::sample::Index>(), flip in 1..=255_u8,
        ) {
            let sealed = cursor.seal(&key(), &project(), FILTER);
            let mut body = URL_SAFE_NO_PAD.decode(&sealed).unwrap();
            let index = at.index(body.len());
            body[index] ^= flip;
            prop_assert!(open_room(&URL_SAFE_NO_PAD.encode(&body)).is_err());
        }

        #[test]
        fn a_cursor_with_any_character_changed_is_refused(
            cursor in any_cursor(), at in any::<proptest::sample::Index>(), other in any::<char>(),
        ) {
            let sealed = cursor.seal(&key(), &project(), FILTER);
            let mut chars: Vec<char> = sealed.chars().collect();
            let index = at.index(chars.len());
            prop_assume!(chars[index] != other);
            chars[index] = other;
            prop_assert!(open_room(&chars.into_iter().collect::<String>()).is_err());
            prop_assert!(open_room(&sealed[..at.index(sealed.len())]).is_err());
            let longer = format!("{sealed}{other}");
            prop_assert!(open_room(&longer).is_err());
        }

        #[test]
        fn any_text_is_refused_without_panic(text in ".{0,64}|[A-Za-z0-9_-]{0,80}") {
            let refusal = open_room(&text).unwrap_err();
            prop_assert_eq!(&refusal.fields()[0].field, "startingAfter");
        }
    }
}
