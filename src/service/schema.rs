//! SchemaService.

use crate::domain::ctx::{Ctx, ProjectGrant, room_not_found};
use crate::domain::ids::RoomId;
use crate::domain::schema::Schema as Parsed;
use crate::domain::text::check_chars;
use crate::error::{Code, Error};
use crate::proto::handlers::roomd_v1_schema_service::SchemaService;
use crate::proto::room::timestamp;
use crate::proto::roomd::v1;
use crate::room::session::RoomAddress;
use crate::service::contents::{Contents, Opened};
use crate::store::{Schema, SchemaDeleted, SchemaId, SchemaUpdated};

const NAME_CHARS_MAX: usize = 128;

pub struct SchemaHandlers {
    contents: Contents,
}

impl SchemaHandlers {
    pub fn new(contents: Contents) -> Self {
        Self { contents }
    }

    async fn room(&self, grant: &ProjectGrant, room_id: &str) -> Result<Opened, Error> {
        let id = RoomId::parse("roomId", room_id)?;
        let room = self.contents.store.find_room(grant.project(), &id).await?;
        let room = grant.open(room.ok_or_else(room_not_found)?);
        Ok(Opened { project: grant.project().clone(), room })
    }

    async fn address(&self, ctx: &Ctx, room_id: &str) -> Result<RoomAddress, Error> {
        let grant = ctx.require_admin()?;
        Ok(self.room(&grant, room_id).await?.address())
    }
}

impl SchemaService for SchemaHandlers {
    async fn create_schema(
        &self,
        ctx: &Ctx,
        request: v1::CreateSchemaRequest,
    ) -> Result<v1::CreateSchemaResponse, Error> {
        let grant = ctx.require_admin()?;
        check_name(&request.name)?;
        Parsed::parse(&request.body)?;
        let store = &self.contents.store;
        let made = store.insert_schema(&grant, &request.name, &request.body, ctx.now_ms()).await?;
        let made = made.ok_or_else(|| refused("A schema with this name already exists."))?;
        Ok(v1::CreateSchemaResponse { schema: Some(made.into()) })
    }

    async fn get_schema(
        &self,
        ctx: &Ctx,
        request: v1::GetSchemaRequest,
    ) -> Result<v1::GetSchemaResponse, Error> {
        let grant = ctx.require_admin()?;
        let id = read_id(&request.schema_id)?;
        let found = self.contents.store.find_schema(&grant, &id).await?;
        let found = found.ok_or_else(schema_not_found)?;
        Ok(v1::GetSchemaResponse { schema: Some(found.into()) })
    }

    async fn update_schema(
        &self,
        ctx: &Ctx,
        request: v1::UpdateSchemaRequest,
    ) -> Result<v1::UpdateSchemaResponse, Error> {
        let grant = ctx.require_admin()?;
        let id = read_id(&request.schema_id)?;
        Parsed::parse(&request.body)?;
        let store = &self.contents.store;
        match store.update_schema(&grant, &id, &request.body, ctx.now_ms()).await? {
            SchemaUpdated::Done(made) => Ok(v1::UpdateSchemaResponse { schema: Some(made.into()) }),
            SchemaUpdated::Attached => Err(in_use()),
            SchemaUpdated::NotFound => Err(schema_not_found()),
        }
    }

    async fn delete_schema(
        &self,
        ctx: &Ctx,
        request: v1::DeleteSchemaRequest,
    ) -> Result<v1::DeleteSchemaResponse, Error> {
        let grant = ctx.require_admin()?;
        let id = read_id(&request.schema_id)?;
        match self.contents.store.delete_schema(&grant, &id).await? {
            SchemaDeleted::Done => Ok(v1::DeleteSchemaResponse {}),
            SchemaDeleted::Attached => Err(in_use()),
            SchemaDeleted::NotFound => Err(schema_not_found()),
        }
    }

    async fn get_room_schema(
        &self,
        ctx: &Ctx,
        request: v1::GetRoomSchemaRequest,
    ) -> Result<v1::GetRoomSchemaResponse, Error> {
        let grant = ctx.require_admin()?;
        let Opened { project, room } = self.room(&grant, &request.room_id).await?;
        let id = self.contents.store.find_room_schema(&project, &room).await?;
        let id = id.ok_or_else(schema_not_found)?;
        let found = self.contents.store.find_schema(&grant, &id).await?;
        let found = found.ok_or_else(schema_not_found)?;
        Ok(v1::GetRoomSchemaResponse { schema: Some(found.into()) })
    }

    async fn attach_schema(
        &self,
        ctx: &Ctx,
        request: v1::AttachSchemaRequest,
    ) -> Result<v1::AttachSchemaResponse, Error> {
        ctx.require_admin()?;
        let id = parse_id("schema", &request.schema)?;
        let address = self.address(ctx, &request.room_id).await?;
        self.contents.rooms.attach_schema(&address, id).await?;
        Ok(v1::AttachSchemaResponse { schema: request.schema })
    }

    async fn detach_schema(
        &self,
        ctx: &Ctx,
        request: v1::DetachSchemaRequest,
    ) -> Result<v1::DetachSchemaResponse, Error> {
        let address = self.address(ctx, &request.room_id).await?;
        self.contents.rooms.detach_schema(&address).await?;
        Ok(v1::DetachSchemaResponse {})
    }
}

impl From<Schema> for v1::Schema {
    fn from(schema: Schema) -> Self {
        Self {
            id: schema.id.to_string(),
            name: schema.id.name.to_string(),
            version: i32::try_from(schema.id.version).unwrap_or(i32::MAX),
            created_at: Some(timestamp(schema.created_at_ms)),
            updated_at: Some(timestamp(schema.updated_at_ms)),
            body: schema.body,
        }
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if name.is_empty() || name.contains('@') {
        return Err(Error::invalid("name", "must not be empty, and must not contain '@'"));
    }
    check_chars("name", "it", name, NAME_CHARS_MAX)
}

/// In a path: what is no id names nothing.
fn read_id(raw: &str) -> Result<SchemaId, Error> {
    parse_id("schemaId", raw).map_err(|_| schema_not_found())
}

fn parse_id(field: &str, raw: &str) -> Result<SchemaId, Error> {
    let parts = raw.rsplit_once('@');
    let id = parts.and_then(|(name, version)| {
        let version = version.parse().ok().filter(|version| *version >= 1)?;
        (check_name(name).is_ok()).then(|| SchemaId { name: name.into(), version })
    });
    id.ok_or_else(|| Error::invalid(field, "must be the id of a schema, such as 'my-schema@1'"))
}

fn schema_not_found() -> Error {
    Error::not_found("SCHEMA_NOT_FOUND", "Schema not found.")
}

fn in_use() -> Error {
    Error::new(Code::PermissionDenied, "SCHEMA_IN_USE", "A room uses this version of the schema.")
        .suggest("Please detach it from all rooms first.")
}

fn refused(problem: &'static str) -> Error {
    Error::new(Code::FailedPrecondition, "UNPROCESSABLE_ENTITY", problem)
}
