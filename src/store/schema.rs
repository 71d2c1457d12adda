//! Schemas: what the storage of a room must look like. A version of a schema never changes.

use std::sync::Arc;

use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use super::room_data::{RoomKey, fenced};
use crate::domain::ctx::ProjectGrant;
use crate::domain::ids::ProjectId;
use crate::error::Error;

macro_rules! schema_columns {
    () => {
        "name, version, body, created_at_ms, updated_at_ms"
    };
}

const SELECT_SCHEMA: &str = concat!(
    "SELECT ",
    schema_columns!(),
    " FROM schema WHERE project_id = $1 AND name = $2 AND version = $3"
);
const SELECT_SCHEMA_FOR_UPDATE: &str = concat!(
    "SELECT ",
    schema_columns!(),
    " FROM schema WHERE project_id = $1 AND name = $2 AND version = $3 FOR UPDATE"
);
/// A name that is taken, in whatever version, stays as it is.
const INSERT_FIRST: &str = concat!(
    "INSERT INTO schema (project_id, ",
    schema_columns!(),
    ") SELECT $1, $2, 1, $3, $4, $4 \
     WHERE NOT EXISTS (SELECT 1 FROM schema o WHERE o.project_id = $1 AND o.name = $2) \
     ON CONFLICT (project_id, name, version) DO NOTHING"
);
const INSERT_NEXT: &str = concat!(
    "INSERT INTO schema (project_id, ",
    schema_columns!(),
    ") SELECT project_id, name, MAX(version) + 1, $3, $4, $5 FROM schema \
     WHERE project_id = $1 AND name = $2 GROUP BY project_id, name RETURNING ",
    schema_columns!()
);
const DELETE_SCHEMA: &str =
    "DELETE FROM schema WHERE project_id = $1 AND name = $2 AND version = $3";
const SELECT_ATTACHED: &str = "SELECT schema_version FROM room_data \
    WHERE project_id = $1 AND schema_name = $2 AND schema_version = $3 LIMIT 1";
const ATTACH: &str = "UPDATE room_data SET schema_name = $4, schema_version = $5 \
    WHERE project_id = $1 AND key = $2 AND epoch = $3";

/// A schema that a room's storage must conform to, written `name@version`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SchemaId {
    pub name: Arc<str>,
    /// Counts from 1.
    pub version: i64,
}

impl std::fmt::Display for SchemaId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub id: SchemaId,
    /// In the schema language.
    pub body: String,
    /// When the first version of this name was made.
    pub created_at_ms: i64,
    /// When this version was made.
    pub updated_at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaUpdated {
    NotFound,
    /// A room uses the version that should be replaced.
    Attached,
    Done(Schema),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaDeleted {
    NotFound,
    /// A room uses it.
    Attached,
    Done,
}

#[derive(FromRow)]
struct SchemaRow {
    name: String,
    version: i64,
    body: String,
    created_at_ms: i64,
    updated_at_ms: i64,
}

impl From<SchemaRow> for Schema {
    fn from(row: SchemaRow) -> Self {
        Self {
            id: SchemaId { name: row.name.into(), version: row.version },
            body: row.body,
            created_at_ms: row.created_at_ms,
            updated_at_ms: row.updated_at_ms,
        }
    }
}

/// The two columns of a room.
pub(super) fn schema_id(
    name: Option<String>,
    version: Option<i64>,
) -> Result<Option<SchemaId>, Error> {
    match (name, version) {
        (None, None) => Ok(None),
        (Some(name), Some(version)) => Ok(Some(SchemaId { name: name.into(), version })),
        (_, _) => Err(corrupt("room_data", "schema_version", "half of a schema's id")),
    }
}

impl Store {
    /// The first version, unless there is a schema of this name.
    pub async fn insert_schema(
        &self,
        grant: &ProjectGrant,
        name: &str,
        body: &str,
        now_ms: i64,
    ) -> Result<Option<Schema>, Error> {
        let id = SchemaId { name: name.into(), version: 1 };
        let schema =
            Schema { id, body: body.to_owned(), created_at_ms: now_ms, updated_at_ms: now_ms };
        let args = (grant.project().clone(), schema.clone());
        let inserted = self
            .transact("insert_schema", Touched::nothing(), args, |tx, (project, schema)| {
                Box::pin(async move {
                    on_tx!(tx.write(), |c| sqlx::query(INSERT_FIRST)
                        .bind(project.as_str())
                        .bind(&*schema.id.name)
                        .bind(schema.body.as_str())
                        .bind(schema.created_at_ms)
                        .execute(c)
                        .await
                        .map(|done| done.rows_affected()))
                    .map_err(on("schema"))
                })
            })
            .await?;
        Ok((inserted > 0).then_some(schema))
    }

    pub async fn find_schema(
        &self,
        grant: &ProjectGrant,
        id: &SchemaId,
    ) -> Result<Option<Schema>, Error> {
        let row: Option<SchemaRow> = self
            .read("schema", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_SCHEMA)
                    .bind(grant.project().as_str())
                    .bind(&*id.name)
                    .bind(id.version)
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        Ok(row.map(Schema::from))
    }

    /// Makes the next version of a schema; the one that is named stays as it is.
    pub async fn update_schema(
        &self,
        grant: &ProjectGrant,
        id: &SchemaId,
        body: &str,
        now_ms: i64,
    ) -> Result<SchemaUpdated, Error> {
        let args = (grant.project().clone(), id.clone(), body.to_owned(), now_ms);
        self.transact("update_schema", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (project, id, body, now_ms) = args;
                let Some(old) = lock_schema(tx, project, id).await? else {
                    return Ok(SchemaUpdated::NotFound);
                };
                if is_attached(tx, project, id).await? {
                    return Ok(SchemaUpdated::Attached);
                }
                insert_next(tx, project, &old, body, *now_ms).await.map(SchemaUpdated::Done)
            })
        })
        .await
    }

    pub async fn delete_schema(
        &self,
        grant: &ProjectGrant,
        id: &SchemaId,
    ) -> Result<SchemaDeleted, Error> {
        let args = (grant.project().clone(), id.clone());
        self.transact("delete_schema", Touched::nothing(), args, |tx, (project, id)| {
            Box::pin(async move {
                if lock_schema(tx, project, id).await?.is_none() {
                    return Ok(SchemaDeleted::NotFound);
                }
                if is_attached(tx, project, id).await? {
                    return Ok(SchemaDeleted::Attached);
                }
                on_tx!(tx.write(), |c| sqlx::query(DELETE_SCHEMA)
                    .bind(project.as_str())
                    .bind(&*id.name)
                    .bind(id.version)
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("schema"))?;
                Ok(SchemaDeleted::Done)
            })
        })
        .await
    }

    /// For the room's owner, who knows that the storage conforms. False if there is no such schema.
    pub async fn attach_schema(&self, key: &RoomKey, id: &SchemaId) -> Result<bool, Error> {
        let args = (key.clone(), id.clone());
        self.transact("attach_schema", Touched::nothing(), args, |tx, (key, id)| {
            Box::pin(async move {
                if lock_schema(tx, &key.data.project, id).await?.is_none() {
                    return Ok(false);
                }
                set_schema(tx, key, Some(id)).await?;
                Ok(true)
            })
        })
        .await
    }

    /// From now on the room's storage may look like anything.
    pub async fn detach_schema(&self, key: &RoomKey) -> Result<(), Error> {
        self.transact("detach_schema", Touched::nothing(), key.clone(), |tx, key| {
            Box::pin(set_schema(tx, key, None))
        })
        .await
    }
}

/// On PostgreSQL the lock keeps rooms from being attached meanwhile, by way of their foreign key.
async fn lock_schema(
    tx: &mut Tx,
    project: &ProjectId,
    id: &SchemaId,
) -> Result<Option<Schema>, Fault> {
    let text = tx.locking(SELECT_SCHEMA, SELECT_SCHEMA_FOR_UPDATE);
    let row: Option<SchemaRow> = on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(project.as_str())
        .bind(&*id.name)
        .bind(id.version)
        .fetch_optional(c)
        .await)
    .map_err(on("schema"))?;
    Ok(row.map(Schema::from))
}

async fn is_attached(tx: &mut Tx, project: &ProjectId, id: &SchemaId) -> Result<bool, Fault> {
    let row: Option<(i64,)> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_ATTACHED)
        .bind(project.as_str())
        .bind(&*id.name)
        .bind(id.version)
        .fetch_optional(c)
        .await)
    .map_err(on("room_data"))?;
    Ok(row.is_some())
}

async fn insert_next(
    tx: &mut Tx,
    project: &ProjectId,
    old: &Schema,
    body: &str,
    now_ms: i64,
) -> Result<Schema, Fault> {
    let row: Result<SchemaRow, Fault> = on_tx!(tx.write(), |c| sqlx::query_as(INSERT_NEXT)
        .bind(project.as_str())
        .bind(&*old.id.name)
        .bind(body)
        .bind(old.created_at_ms)
        .bind(now_ms)
        .fetch_one(c)
        .await)
    .map_err(on("schema"));
    match row {
        Ok(row) => Ok(row.into()),
        Err(fault) if fault.is_unique_violation() => Err(Fault::Retry("two made one version")),
        Err(fault) => Err(fault),
    }
}

async fn set_schema(tx: &mut Tx, key: &RoomKey, id: Option<&SchemaId>) -> Result<(), Fault> {
    let done = on_tx!(tx.write(), |c| sqlx::query(ATTACH)
        .bind(key.data.project.as_str())
        .bind(&*key.data.key)
        .bind(key.epoch)
        .bind(id.map(|id| &*id.name))
        .bind(id.map(|id| id.version))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("room_data"))?;
    if done == 0 { Err(Fault::Rule(fenced())) } else { Ok(()) }
}
