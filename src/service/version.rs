//! VersionService.

use bytes::{Bytes, BytesMut};

use crate::domain::ctx::{Actor, Ctx};
use crate::domain::ids::UserId;
use crate::domain::permissions::Level;
use crate::error::Error;
use crate::proto::handlers::roomd_v1_version_service::VersionService;
use crate::proto::room::{millis, timestamp};
use crate::proto::roomd::v1;
use crate::service::contents::{Audience, BYTES, Contents, JSON_LINES, Opened, body};
use crate::store::{DataKey, DocumentId, Version, VersionCursor, VersionId, VersionKind};

const LIMIT_MAX: usize = 100;
const LIMIT_DEFAULT: usize = 20;
/// Versions in an answer without pages.
const VERSIONS_MAX: usize = 1000;

pub struct VersionHandlers {
    contents: Contents,
}

impl VersionHandlers {
    pub fn new(contents: Contents) -> Self {
        Self { contents }
    }

    /// Where a room keeps what it holds; nowhere, if it never held anything.
    async fn data(&self, opened: &Opened) -> Result<Option<DataKey>, Error> {
        self.contents.store.find_data_key(&opened.project, &opened.room).await
    }

    /// One document of a version.
    async fn read(
        &self,
        ctx: &Ctx,
        (room_id, version_id): (&str, &str),
        document: &DocumentId,
    ) -> Result<Bytes, Error> {
        let id = read_id(version_id)?;
        let opened = self.contents.open(ctx, room_id, Level::Read, Audience::Browsers).await?;
        let data = self.data(&opened).await?.ok_or_else(version_not_found)?;
        let chunks = self.contents.store.read_version(&data, &id, document).await?;
        let mut whole = BytesMut::new();
        for chunk in chunks.ok_or_else(version_not_found)? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

impl VersionService for VersionHandlers {
    async fn get_version_history(
        &self,
        ctx: &Ctx,
        request: v1::GetVersionHistoryRequest,
    ) -> Result<v1::GetVersionHistoryResponse, Error> {
        let limit = read_limit(request.limit)?;
        let after = read_cursor(&request.cursor)?;
        let opened =
            self.contents.open(ctx, &request.room_id, Level::Read, Audience::Everybody).await?;
        let Some(data) = self.data(&opened).await? else {
            return Ok(v1::GetVersionHistoryResponse::default());
        };
        // One more than is wanted tells whether there is a next page.
        let store = &self.contents.store;
        let mut found = store.list_versions(&data, after.as_ref(), limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        let next_cursor = last.map(|last| format!("{}.{}", last.created_at_ms, last.id.as_str()));
        let data = found.into_iter().map(v1::Version::from).collect();
        Ok(v1::GetVersionHistoryResponse { next_cursor, data })
    }

    async fn list_versions(
        &self,
        ctx: &Ctx,
        request: v1::ListVersionsRequest,
    ) -> Result<v1::ListVersionsResponse, Error> {
        let since_ms = request.since.as_ref().map_or(i64::MIN, millis);
        // Before it is looked, so that what is made meanwhile is in this answer or in the next.
        let requested_at = Some(timestamp(ctx.now_ms()));
        let opened =
            self.contents.open(ctx, &request.room_id, Level::Read, Audience::Browsers).await?;
        let versions = match self.data(&opened).await? {
            None => Vec::new(),
            Some(data) => {
                self.contents.store.list_versions_since(&data, since_ms, VERSIONS_MAX).await?
            }
        };
        Ok(v1::ListVersionsResponse {
            versions: versions.into_iter().map(v1::Version::from).collect(),
            meta: Some(v1::VersionsMeta { requested_at }),
        })
    }

    async fn create_version(
        &self,
        ctx: &Ctx,
        request: v1::CreateVersionRequest,
    ) -> Result<v1::CreateVersionResponse, Error> {
        let opened =
            self.contents.open(ctx, &request.room_id, Level::Write, Audience::Browsers).await?;
        let author = author(ctx)?;
        let rooms = &self.contents.rooms;
        let made = rooms.create_version(&opened.address(), VersionKind::Manual, author).await?;
        let id = made.id.as_str().to_owned();
        Ok(v1::CreateVersionResponse { data: Some(v1::CreatedVersion { id }) })
    }

    async fn get_version_yjs(
        &self,
        ctx: &Ctx,
        request: v1::GetVersionYjsRequest,
    ) -> Result<v1::GetVersionYjsResponse, Error> {
        /// An update of version 1 that says nothing.
        const EMPTY: &[u8] = &[0, 0];
        let of = (request.room_id.as_str(), request.version_id.as_str());
        let update = self.read(ctx, of, &DocumentId::yjs()).await?;
        let update = if update.is_empty() { Bytes::from_static(EMPTY) } else { update };
        Ok(v1::GetVersionYjsResponse { update: body(BYTES, update) })
    }

    async fn get_version_storage(
        &self,
        ctx: &Ctx,
        request: v1::GetVersionStorageRequest,
    ) -> Result<v1::GetVersionStorageResponse, Error> {
        let of = (request.room_id.as_str(), request.version_id.as_str());
        let nodes = self.read(ctx, of, &DocumentId::storage()).await?;
        Ok(v1::GetVersionStorageResponse { nodes: body(JSON_LINES, nodes) })
    }

    async fn delete_version(
        &self,
        ctx: &Ctx,
        request: v1::DeleteVersionRequest,
    ) -> Result<v1::DeleteVersionResponse, Error> {
        let id = read_id(&request.version_id)?;
        let opened =
            self.contents.open(ctx, &request.room_id, Level::Write, Audience::Browsers).await?;
        let data = self.data(&opened).await?.ok_or_else(version_not_found)?;
        match self.contents.store.delete_version(&data, &id).await? {
            true => Ok(v1::DeleteVersionResponse {}),
            false => Err(version_not_found()),
        }
    }
}

impl From<Version> for v1::Version {
    fn from(version: Version) -> Self {
        let author = |id: &UserId| v1::VersionAuthor { id: id.as_str().to_owned() };
        Self {
            id: version.id.as_str().to_owned(),
            r#type: "historyVersion".to_owned(),
            created_at: Some(timestamp(version.created_at_ms)),
            kind: "yjs".to_owned(),
            authors: version.authors.iter().map(author).collect(),
        }
    }
}

/// A back end and somebody anonymous have no name.
fn author(ctx: &Ctx) -> Result<Option<UserId>, Error> {
    Ok(match &ctx.caller()?.actor {
        Actor::User(user) => Some(user.id.clone()),
        Actor::Secret | Actor::Public | Actor::Live(_) => None,
    })
}

fn read_limit(limit: Option<i32>) -> Result<usize, Error> {
    let Some(limit) = limit else { return Ok(LIMIT_DEFAULT) };
    match usize::try_from(limit) {
        Ok(limit @ 1..=LIMIT_MAX) => Ok(limit),
        _ => Err(Error::invalid("limit", format!("must be 1 to {LIMIT_MAX}, got {limit}"))),
    }
}

/// A place in one room's list, which whoever has the cursor may read anyway: it need not be sealed.
fn read_cursor(raw: &str) -> Result<Option<VersionCursor>, Error> {
    if raw.is_empty() {
        return Ok(None);
    }
    let place = raw.split_once('.').and_then(|(ms, id)| {
        let (created_at_ms, id) = (ms.parse().ok()?, VersionId::parse("cursor", id).ok()?);
        Some(VersionCursor { created_at_ms, id })
    });
    place.map(Some).ok_or_else(|| Error::invalid("cursor", "is not a cursor of this list"))
}

/// In a path: what is no id names nothing.
fn read_id(raw: &str) -> Result<VersionId, Error> {
    VersionId::parse("versionId", raw).map_err(|_| version_not_found())
}

fn version_not_found() -> Error {
    Error::not_found("VERSION_NOT_FOUND", "Version not found.")
}
