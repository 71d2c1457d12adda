//! What back ends ask of a room: the calls of the services, with rights already checked.

pub mod live;
mod mutation;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::actor::{Call, Command, Exclusive, Reply, Shown, unavailable};
use super::message::{CommentEvent, RawJson, ServerMessage};
use super::people::People;
use super::registry::Rooms;
use super::session::RoomAddress;
use super::shared_storage::file_ids;
use super::shared_yjs::Guid;
use super::state::{Needs, State, full_nodes};
use super::storage::lson;
use super::storage::patch::PatchOp;
use super::yjs::Encoding;
use super::yjs::view::{Kind, Options};
use crate::domain::feed::{FeedChange, FeedEvent};
use crate::domain::ids::UserId;
use crate::domain::permissions::Resource;
use crate::error::{Code, Error};
use crate::room::effects::{Effects, To};
use crate::store::{SchemaId, Version, VersionKind};

/// Somebody who is in a room, by one connection.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveUser {
    /// Absent for somebody anonymous.
    pub id: Option<UserId>,
    pub info: Map<String, Value>,
    pub connection_id: i64,
}

/// A presence that is shown without a connection, until it expires.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpPresence {
    pub user_id: UserId,
    pub data: Map<String, Value>,
    pub user_info: Map<String, Value>,
    pub ttl_seconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFormat {
    /// Every live structure says what it is.
    Lson,
    /// As an application would write it down.
    Json,
}

/// How a Yjs document is to be shown.
#[derive(Debug, Clone, Default)]
pub struct YdocView {
    /// Texts with their formatting.
    pub formatting: bool,
    /// Only this shared type.
    pub key: Option<String>,
    /// What that type is; without it, what it looks like.
    pub kind: Option<Kind>,
}

impl Rooms {
    /// One step of the room, with what it needs in memory.
    async fn call<T: Send + 'static>(
        &self,
        address: &RoomAddress,
        needs: Needs,
        step: impl FnOnce(&mut State, &mut Effects) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (call, answer) = Call::new(needs, step);
        self.inner.send(address, Command::Call(call)).await?;
        answer.await.map_err(|_| unavailable())?
    }

    /// Everybody who is in a room now. A room that is not in memory is empty.
    pub async fn active_users(&self, address: &RoomAddress) -> Result<Vec<ActiveUser>, Error> {
        if !self.inner.is_running(address) {
            return Ok(Vec::new());
        }
        self.call(address, Needs::default(), |state, _| Ok(active_users(&state.people))).await
    }

    /// Shows a user as present until the time to live ends.
    pub async fn show_presence(
        &self,
        address: &RoomAddress,
        presence: HttpPresence,
    ) -> Result<(), Error> {
        let HttpPresence { user_id, data, user_info, ttl_seconds } = presence;
        let data = raw(&data)?;
        let info = if user_info.is_empty() { None } else { Some(raw(&user_info)?) };
        let expires_at_ms =
            self.inner.clock.now_ms().saturating_add(i64::from(ttl_seconds).saturating_mul(1_000));
        let shown = Shown { user: user_id, info, data, expires_at_ms };
        self.exclusive(address, |reply| Exclusive::Show(shown, reply)).await
    }

    /// Sends an event to whoever is in the room; nobody there, nobody told.
    pub async fn broadcast(&self, address: &RoomAddress, event: &Value) -> Result<(), Error> {
        if !self.inner.is_running(address) {
            return Ok(());
        }
        let event = raw(event)?;
        let step = move |_: &mut State, effects: &mut Effects| {
            People::broadcast_from_server(event, effects);
            Ok(())
        };
        self.call(address, Needs::default(), step).await
    }

    /// Tells those who may know of it what happened to a comment thread.
    pub async fn tell_comment(
        &self,
        address: &RoomAddress,
        event: CommentEvent,
        visible_to: Resource,
    ) -> Result<(), Error> {
        if !self.inner.is_running(address) {
            return Ok(());
        }
        let step = move |_: &mut State, effects: &mut Effects| {
            let to = To::Readers { of: visible_to, except: None };
            effects.send(to, ServerMessage::Comment(event));
            Ok(())
        };
        self.call(address, Needs::default(), step).await
    }

    /// Changes the room's feeds, in the order in which everybody in it is told so. By way of the room
    /// even if nobody is there, since somebody may come at any moment.
    pub async fn change_feeds(
        &self,
        address: &RoomAddress,
        change: FeedChange,
    ) -> Result<Arc<FeedEvent>, Error> {
        let (reply, answer) = oneshot::channel();
        self.inner.send(address, Command::ChangeFeeds(change, reply)).await?;
        answer.await.map_err(|_| unavailable())?
    }

    /// Loads the room, since somebody is about to enter it.
    pub async fn prewarm(&self, address: &RoomAddress) -> Result<(), Error> {
        self.call(address, documents(), |_, _| Ok(())).await
    }

    pub async fn read_storage(
        &self,
        address: &RoomAddress,
        format: StorageFormat,
    ) -> Result<Bytes, Error> {
        self.read(address, move |state| {
            let document = storage(state)?.document();
            let mut text = Vec::new();
            match format {
                StorageFormat::Lson => lson::write_lson(document, &mut text),
                StorageFormat::Json => lson::write_json(document, &mut text),
            }
            Ok(text.into())
        })
        .await
    }

    /// A JSON array of full nodes.
    pub async fn storage_nodes(&self, address: &RoomAddress) -> Result<Bytes, Error> {
        self.read(address, |state| {
            let nodes = full_nodes(storage(state)?.document());
            Ok([b"[", nodes.as_slice(), b"]"].concat().into())
        })
        .await
    }

    /// Puts a new document into the place of the old one, which must be empty. Whoever is connected
    /// has to load it.
    pub async fn initialize_storage(
        &self,
        address: &RoomAddress,
        lson: Value,
    ) -> Result<Bytes, Error> {
        self.replace_storage(address, Some(lson)).await
    }

    pub async fn delete_storage(&self, address: &RoomAddress) -> Result<(), Error> {
        self.replace_storage(address, None).await.map(drop)
    }

    async fn replace_storage(
        &self,
        address: &RoomAddress,
        lson: Option<Value>,
    ) -> Result<Bytes, Error> {
        self.exclusive(address, |reply| Exclusive::ReplaceStorage(lson, reply)).await
    }

    /// All operations, or an error that names the first that fails, and none.
    pub async fn patch_storage(
        &self,
        address: &RoomAddress,
        patch: Vec<PatchOp>,
    ) -> Result<(), Error> {
        let files = patch.iter().filter_map(PatchOp::value).flat_map(file_ids).collect();
        let needs = Needs { storage: true, files, ..Needs::default() };
        self.call(address, needs, move |state, effects| {
            state.storage.as_mut().ok_or_else(not_loaded)?.patch(&patch, effects)
        })
        .await
    }

    pub async fn read_ydoc(&self, address: &RoomAddress, view: YdocView) -> Result<Bytes, Error> {
        self.read_yjs(address, None, move |document| {
            let YdocView { formatting, key, kind } = &view;
            let options = Options { formatting: *formatting, key: key.as_deref(), kind: *kind };
            let shown = document.view(options).map_err(Error::internal)?;
            serde_json::to_vec(&shown).map(Bytes::from).map_err(Error::internal)
        })
        .await
    }

    pub async fn ydoc_binary(
        &self,
        address: &RoomAddress,
        guid: Option<String>,
    ) -> Result<Bytes, Error> {
        let guid = guid.map(Arc::from);
        self.read_yjs(address, guid, |document| {
            document.encode_all(Encoding::V1).map(Bytes::from).map_err(Error::internal)
        })
        .await
    }

    pub async fn apply_ydoc(
        &self,
        address: &RoomAddress,
        guid: Option<String>,
        update: Bytes,
    ) -> Result<(), Error> {
        let guid: Guid = guid.map(Arc::from);
        let needs = Needs { yjs: vec![guid.clone()], ..Needs::default() };
        self.call(address, needs, move |state, effects| {
            state.yjs.update(None, update, &guid, Encoding::V1, effects)
        })
        .await
    }

    /// Keeps all documents as they are now.
    pub async fn create_version(
        &self,
        address: &RoomAddress,
        kind: VersionKind,
        author: Option<UserId>,
    ) -> Result<Version, Error> {
        self.exclusive(address, |reply| Exclusive::CreateVersion(kind, author, reply)).await
    }

    /// From now on Storage has to fit the schema, as it does already, or this fails.
    pub async fn attach_schema(&self, address: &RoomAddress, id: SchemaId) -> Result<(), Error> {
        self.exclusive(address, |reply| Exclusive::AttachSchema(id, reply)).await
    }

    pub async fn detach_schema(&self, address: &RoomAddress) -> Result<(), Error> {
        self.exclusive(address, Exclusive::DetachSchema).await
    }

    /// Work that has the room to itself.
    async fn exclusive<T>(
        &self,
        address: &RoomAddress,
        work: impl FnOnce(Reply<T>) -> Exclusive,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.inner.send(address, Command::Exclusive(work(reply))).await?;
        answer.await.map_err(|_| unavailable())?
    }

    async fn read_yjs<T: Send + 'static>(
        &self,
        address: &RoomAddress,
        guid: Guid,
        read: impl FnOnce(&super::yjs::YDocument) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let needs = Needs { yjs: vec![guid.clone()], ..Needs::default() };
        self.call(address, needs, move |state, _| {
            read(state.yjs.document(&guid).ok_or_else(not_loaded)?)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        address: &RoomAddress,
        read: impl FnOnce(&State) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let needs = Needs { storage: true, ..Needs::default() };
        self.call(address, needs, move |state, _| read(state)).await
    }
}

fn documents() -> Needs {
    Needs { storage: true, yjs: vec![None], files: Vec::new() }
}

fn storage(state: &State) -> Result<&super::shared_storage::SharedStorage, Error> {
    state.storage.as_ref().ok_or_else(not_loaded)
}

fn not_loaded() -> Error {
    Error::internal("a document is not in memory although the call needs it")
}

fn raw(value: &impl serde::Serialize) -> Result<RawJson, Error> {
    let raw = serde_json::value::to_raw_value(value).map_err(Error::internal)?;
    Ok(raw.into())
}

fn active_users(people: &People) -> Vec<ActiveUser> {
    let users = people.members().map(|(connection_id, member)| ActiveUser {
        id: member.id.clone().map(UserId::trusted),
        // It was an object when the token was made, or is absent.
        info: member
            .info
            .as_ref()
            .and_then(|info| serde_json::from_str(info.get()).ok())
            .unwrap_or_default(),
        connection_id,
    });
    users.collect()
}

/// Storage can only be initialized while it is empty.
pub(super) fn storage_is_not_empty() -> Error {
    Error::new(
        Code::AlreadyExists,
        "CANNOT_UPDATE_EXISTING_STORAGE",
        "The room's Storage is not empty. Please delete it first.",
    )
}
