//! StorageService: the document. Its files are in `storage_files.rs`.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};

use crate::domain::ctx::Ctx;
use crate::domain::permissions::Level;
use crate::error::Error;
use crate::proto::download::Download;
use crate::proto::handlers::roomd_v1_storage_service::StorageService;
use crate::proto::roomd::v1;
use crate::proto::value;
use crate::room::requests::StorageFormat;
use crate::room::storage::patch::PatchOp;
use crate::service::contents::{Audience, Contents, JSON, JSON_LINES, body};
use crate::service::files::Files;

/// The `type` of a client's message that holds operations.
const UPDATE_STORAGE: i64 = 201;

pub struct StorageHandlers {
    pub(super) contents: Contents,
    pub(super) files: Files,
}

impl StorageHandlers {
    pub fn new(files: Files) -> Self {
        Self { contents: files.contents.clone(), files }
    }
}

impl StorageService for StorageHandlers {
    async fn get_storage_document(
        &self,
        ctx: &Ctx,
        request: v1::GetStorageDocumentRequest,
    ) -> Result<v1::GetStorageDocumentResponse, Error> {
        let format = read_format(&request.format)?;
        let room = self.contents.open(ctx, &request.room_id, Level::Read, Audience::Everybody);
        let document = self.contents.rooms.read_storage(&room.await?.address(), format).await?;
        Ok(v1::GetStorageDocumentResponse { document: body(JSON, document) })
    }

    async fn initialize_storage_document(
        &self,
        ctx: &Ctx,
        request: v1::InitializeStorageDocumentRequest,
    ) -> Result<v1::InitializeStorageDocumentResponse, Error> {
        let document = request.document.ok_or_else(|| Error::missing("document"))?;
        let document = Value::Object(value::to_object(document));
        let room = self.contents.open(ctx, &request.room_id, Level::Write, Audience::Everybody);
        let address = room.await?.address();
        let document = self.contents.rooms.initialize_storage(&address, document).await?;
        Ok(v1::InitializeStorageDocumentResponse { document: body(JSON, document) })
    }

    async fn delete_storage_document(
        &self,
        ctx: &Ctx,
        request: v1::DeleteStorageDocumentRequest,
    ) -> Result<v1::DeleteStorageDocumentResponse, Error> {
        let room = self.contents.open(ctx, &request.room_id, Level::Write, Audience::Everybody);
        self.contents.rooms.delete_storage(&room.await?.address()).await?;
        Ok(v1::DeleteStorageDocumentResponse {})
    }

    async fn patch_storage_document(
        &self,
        ctx: &Ctx,
        request: v1::PatchStorageDocumentRequest,
    ) -> Result<v1::PatchStorageDocumentResponse, Error> {
        let patch = read_patch(request.operations)?;
        let room = self.contents.open(ctx, &request.room_id, Level::Write, Audience::Everybody);
        self.contents.rooms.patch_storage(&room.await?.address(), patch).await?;
        Ok(v1::PatchStorageDocumentResponse {})
    }

    async fn list_storage_nodes(
        &self,
        ctx: &Ctx,
        request: v1::ListStorageNodesRequest,
    ) -> Result<v1::ListStorageNodesResponse, Error> {
        let room = self.contents.open(ctx, &request.room_id, Level::Read, Audience::Browsers);
        let nodes = self.contents.rooms.storage_nodes(&room.await?.address()).await?;
        Ok(v1::ListStorageNodesResponse { nodes: body(JSON, nodes) })
    }

    async fn begin_storage_mutation(
        &self,
        ctx: &Ctx,
        request: v1::BeginStorageMutationRequest,
    ) -> Result<v1::BeginStorageMutationResponse, Error> {
        let room = self.contents.open(ctx, &request.room_id, Level::Write, Audience::Everybody);
        let (actor, nodes) = self.contents.rooms.begin_mutation(&room.await?.address()).await?;
        let nodes = body(JSON_LINES, with_actor(actor, &nodes));
        Ok(v1::BeginStorageMutationResponse { nodes })
    }

    async fn send_storage_messages(
        &self,
        ctx: &Ctx,
        request: v1::SendStorageMessagesRequest,
    ) -> Result<v1::SendStorageMessagesResponse, Error> {
        let ops = read_messages(request.messages)?;
        let room = self.contents.open(ctx, &request.room_id, Level::Write, Audience::Everybody);
        self.contents.rooms.send_ops(&room.await?.address(), ops).await?;
        Ok(v1::SendStorageMessagesResponse {})
    }

    async fn get_storage_file(
        &self,
        ctx: &Ctx,
        request: v1::GetStorageFileRequest,
    ) -> Result<v1::GetStorageFileResponse, Error> {
        self.get_file(ctx, request).await
    }

    async fn get_storage_file_urls(
        &self,
        ctx: &Ctx,
        request: v1::GetStorageFileUrlsRequest,
    ) -> Result<v1::GetStorageFileUrlsResponse, Error> {
        self.get_file_urls(ctx, request).await
    }

    async fn download_storage_file(
        &self,
        ctx: &Ctx,
        request: v1::DownloadStorageFileRequest,
    ) -> Result<Download, Error> {
        self.download_file(ctx, request).await
    }

    async fn upload_storage_file(
        &self,
        ctx: &Ctx,
        request: v1::UploadStorageFileRequest,
    ) -> Result<v1::UploadStorageFileResponse, Error> {
        self.upload_file(ctx, request).await
    }

    async fn create_storage_file_upload(
        &self,
        ctx: &Ctx,
        request: v1::CreateStorageFileUploadRequest,
    ) -> Result<v1::CreateStorageFileUploadResponse, Error> {
        self.create_upload(ctx, request).await
    }

    async fn upload_storage_file_part(
        &self,
        ctx: &Ctx,
        request: v1::UploadStorageFilePartRequest,
    ) -> Result<v1::UploadStorageFilePartResponse, Error> {
        self.upload_part(ctx, request).await
    }

    async fn complete_storage_file_upload(
        &self,
        ctx: &Ctx,
        request: v1::CompleteStorageFileUploadRequest,
    ) -> Result<v1::CompleteStorageFileUploadResponse, Error> {
        self.complete_upload(ctx, request).await
    }

    async fn abort_storage_file_upload(
        &self,
        ctx: &Ctx,
        request: v1::AbortStorageFileUploadRequest,
    ) -> Result<v1::AbortStorageFileUploadResponse, Error> {
        self.abort_upload(ctx, request).await
    }
}

fn read_format(raw: &str) -> Result<StorageFormat, Error> {
    match raw {
        "" | "plain-lson" => Ok(StorageFormat::Lson),
        "json" => Ok(StorageFormat::Json),
        _ => Err(Error::invalid("format", "must be plain-lson or json")),
    }
}

/// As the JSON that a patch is.
fn read_patch(operations: Vec<v1::StoragePatchOperation>) -> Result<Vec<PatchOp>, Error> {
    let operations = operations.into_iter().map(|operation| {
        let mut json = json!({"op": operation.op, "path": operation.path});
        if let Some(value) = operation.value {
            json["value"] = value::to_json(value);
        }
        if let Some(from) = operation.from {
            json["from"] = from.into();
        }
        json
    });
    Ok(PatchOp::parse_all(operations.collect())?)
}

/// A line with the actor before those with the nodes.
fn with_actor(actor: i64, nodes: &[u8]) -> Bytes {
    let mut lines = BytesMut::with_capacity(32 + nodes.len());
    lines.put_slice(format!("{{\"actor\":{actor}}}\n").as_bytes());
    lines.put_slice(nodes);
    lines.freeze()
}

/// The operations of all messages, as a JSON array.
fn read_messages(messages: Vec<prost_types::Struct>) -> Result<Bytes, Error> {
    let mut ops = Vec::new();
    for (index, message) in messages.into_iter().enumerate() {
        let mut message = value::to_object(message);
        if message.get("type").and_then(Value::as_i64) != Some(UPDATE_STORAGE) {
            let problem = format!("must be {UPDATE_STORAGE}: only operations can be sent so");
            return Err(Error::invalid(format!("messages[{index}].type"), problem));
        }
        match message.remove("ops") {
            Some(Value::Array(more)) => ops.extend(more),
            _ => {
                return Err(Error::invalid(format!("messages[{index}].ops"), "must be a list"));
            }
        }
    }
    Ok(Value::Array(ops).to_string().into())
}
