//! Merge patches: read, change and write a room in one transaction, so that two at once lose
//! nothing.

use std::sync::Arc;

use super::Store;
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::room::{Inserted, by_room, lock_room};
use super::room_index::{insert_access_rows, insert_metadata_rows};
use super::room_insert::{insert_rooms, new_room};
use super::room_row::RoomJson;
use crate::domain::ctx::ProjectGrant;
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::room::{Room, RoomDraft, RoomPatch};
use crate::error::Error;

const UPDATE_ROOM: &str = "UPDATE room SET default_accesses = $3, users_accesses = $4, \
    groups_accesses = $5, metadata = $6 WHERE project_id = $1 AND id = $2";
const DELETE_METADATA: &str = "DELETE FROM room_metadata WHERE project_id = $1 AND room_id = $2";
const DELETE_ACCESSES: &str = "DELETE FROM room_access WHERE project_id = $1 AND room_id = $2";

impl Store {
    /// `None` if there is no such room. The limits are checked on what the patch makes of it.
    pub async fn update_room(
        &self,
        grant: &ProjectGrant,
        id: &RoomId,
        patch: RoomPatch,
    ) -> Result<Option<Arc<Room>>, Error> {
        let touched = self.touched(grant.project(), id);
        let args = (grant.project().clone(), id.clone(), patch);
        self.transact("update_room", touched, args, |tx, (project, id, patch)| {
            Box::pin(async move {
                match lock_room(tx, project, id).await? {
                    Some(room) => Ok(Some(patch_room(tx, project, room, patch).await?)),
                    None => Ok(None),
                }
            })
        })
        .await
    }

    /// Patches the room, or creates it from the draft with the patch applied.
    pub async fn upsert_room(
        &self,
        grant: &ProjectGrant,
        draft_if_absent: RoomDraft,
        patch: RoomPatch,
        now_ms: i64,
    ) -> Result<Inserted, Error> {
        let touched = self.touched(grant.project(), &draft_if_absent.id);
        let args = (grant.project().clone(), new_room(draft_if_absent, now_ms), patch);
        self.transact("upsert_room", touched, args, |tx, (project, room, patch)| {
            Box::pin(upsert(tx, project, room, patch))
        })
        .await
    }
}

async fn upsert(
    tx: &mut Tx,
    project: &ProjectId,
    draft: &Room,
    patch: &RoomPatch,
) -> Result<Inserted, Fault> {
    if let Some(room) = lock_room(tx, project, &draft.id).await? {
        let room = patch_room(tx, project, room, patch).await?;
        return Ok(Inserted { room, created: false });
    }
    let mut room = draft.clone();
    patch.apply(&mut room)?;
    let new = (project.clone(), Arc::new(room));
    match insert_rooms(tx, &[&new]).await?.pop() {
        Some(inserted) if inserted.created => Ok(inserted),
        Some(_) | None => Err(Fault::Retry("the room was created while it was upserted")),
    }
}

/// Applies a patch to a room whose row is locked, and writes what it changed.
async fn patch_room(
    tx: &mut Tx,
    project: &ProjectId,
    old: Arc<Room>,
    patch: &RoomPatch,
) -> Result<Arc<Room>, Fault> {
    let mut room = (*old).clone();
    patch.apply(&mut room)?;
    if room == *old {
        return Ok(old);
    }
    let json = RoomJson::of(&room)?;
    on_tx!(tx.write(), |c| sqlx::query(UPDATE_ROOM)
        .bind(project.as_str())
        .bind(room.id.as_str())
        .bind(json.default_accesses)
        .bind(json.users_accesses)
        .bind(json.groups_accesses)
        .bind(json.metadata)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("room"))?;
    if room.metadata != old.metadata {
        by_room(tx, "room_metadata", DELETE_METADATA, project, &room.id).await?;
        insert_metadata_rows(tx, &[(project, &room)]).await?;
    }
    if room.users_accesses != old.users_accesses || room.groups_accesses != old.groups_accesses {
        by_room(tx, "room_access", DELETE_ACCESSES, project, &room.id).await?;
        insert_access_rows(tx, &[(project, &room)]).await?;
    }
    Ok(Arc::new(room))
}
