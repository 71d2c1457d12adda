//! AttachmentService: files that comments come with.

use prost_types::Value;
use prost_types::value::Kind;

use crate::domain::comment::AttachmentRight;
use crate::domain::content_id::AttachmentId;
use crate::domain::ctx::{Actor, Ctx};
use crate::domain::file_url::FileKind;
use crate::domain::ids::UserId;
use crate::domain::permissions::{Level, Resource};
use crate::error::{Code, Error};
use crate::proto::download::Download;
use crate::proto::handlers::roomd_v1_attachment_service::AttachmentService;
use crate::proto::roomd::v1;
use crate::service::contents::Audience;
use crate::service::files::{
    Files, SignedAddress, UploadTicket, check_ids, check_size, completed, expires, read_draft,
    read_part, read_whole, size,
};
use crate::store::{DataKey, StoredAttachment};

const READ: (Level, Resource) = (Level::Read, Resource::Comments);
const TYPE: &str = "attachment";

pub struct AttachmentHandlers {
    files: Files,
}

impl AttachmentHandlers {
    pub fn new(files: Files) -> Self {
        Self { files }
    }

    async fn data_to_write(&self, ctx: &Ctx, room_id: &str) -> Result<DataKey, Error> {
        self.files.data_to_write(ctx, room_id, Resource::Comments, Audience::Everybody).await
    }

    async fn find(
        &self,
        data: Option<&DataKey>,
        id: &AttachmentId,
        right: &AttachmentRight,
    ) -> Result<Option<StoredAttachment>, Error> {
        match data {
            Some(data) => self.files.contents.store.find_attachment(data, id, right).await,
            None => Ok(None),
        }
    }
}

impl AttachmentService for AttachmentHandlers {
    async fn get_attachment(
        &self,
        ctx: &Ctx,
        request: v1::GetAttachmentRequest,
    ) -> Result<v1::GetAttachmentResponse, Error> {
        let id = AttachmentId::parse("attachmentId", &request.attachment_id)?;
        let found = self.files.find_data(ctx, &request.room_id, READ, Audience::Everybody);
        let (opened, data) = found.await?;
        let right = AttachmentRight::of(ctx, &opened.room)?;
        let file = self.find(data.as_ref(), &id, &right).await?.ok_or_else(not_found)?;
        let (expires, expires_at) = expires(ctx);
        let attachment = v1::CommentAttachmentWithUrl {
            r#type: TYPE.to_owned(),
            url: self.files.url(ctx, &opened, (FileKind::Attachment, id.as_str()), expires),
            expires_at,
            id: id.to_string(),
            size: size(&file)?,
            name: file.name,
            mime_type: file.mime_type,
        };
        Ok(v1::GetAttachmentResponse { attachment: Some(attachment) })
    }

    async fn get_attachment_urls(
        &self,
        ctx: &Ctx,
        request: v1::GetAttachmentUrlsRequest,
    ) -> Result<v1::GetAttachmentUrlsResponse, Error> {
        check_ids("attachmentIds", request.attachment_ids.len())?;
        let found = self.files.find_data(ctx, &request.room_id, READ, Audience::Browsers);
        let (opened, data) = found.await?;
        let right = AttachmentRight::of(ctx, &opened.room)?;
        let (expires, _) = expires(ctx);
        let mut urls = Vec::with_capacity(request.attachment_ids.len());
        for id in &request.attachment_ids {
            let file = match AttachmentId::parse("attachmentIds", id) {
                Ok(id) => self.find(data.as_ref(), &id, &right).await?,
                Err(_) => None,
            };
            let kind = file.map_or(Kind::NullValue(0), |file| {
                let file = (FileKind::Attachment, file.id.as_str());
                Kind::StringValue(self.files.url(ctx, &opened, file, expires))
            });
            urls.push(Value { kind: Some(kind) });
        }
        Ok(v1::GetAttachmentUrlsResponse { urls })
    }

    async fn download_attachment(
        &self,
        ctx: &Ctx,
        request: v1::DownloadAttachmentRequest,
    ) -> Result<Download, Error> {
        let address = SignedAddress {
            kind: FileKind::Attachment,
            room_id: &request.room_id,
            file: &request.attachment_id,
            project: &request.project,
            expires: request.expires,
            signature: &request.signature,
        };
        let data = self.files.data_of_address(ctx, address).await?;
        let id = AttachmentId::parse("attachmentId", &request.attachment_id)?;
        let right = AttachmentRight::system();
        let file = self.find(data.as_ref(), &id, &right).await?.ok_or_else(not_found)?;
        self.files.download(ctx, file, request.expires)
    }

    async fn upload_attachment(
        &self,
        ctx: &Ctx,
        request: v1::UploadAttachmentRequest,
    ) -> Result<v1::UploadAttachmentResponse, Error> {
        let id = AttachmentId::parse("attachmentId", &request.attachment_id)?;
        let draft = read_draft(id, request.name)?;
        let (bytes, got) = read_whole(request.content, request.file_size)?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let uploader = uploader(ctx, &request.user_id)?;
        let (name, store) = (draft.name.clone(), &self.files.contents.store);
        let file =
            store.insert_attachment(&data, draft, uploader.clone(), bytes, ctx.now_ms()).await?;
        if file.kind.user_id != uploader || file.name != name || size(&file)? != got {
            return Err(taken());
        }
        Ok(v1::UploadAttachmentResponse { attachment: Some(reply(file)?) })
    }

    async fn create_attachment_upload(
        &self,
        ctx: &Ctx,
        request: v1::CreateAttachmentUploadRequest,
    ) -> Result<v1::CreateAttachmentUploadResponse, Error> {
        let id = AttachmentId::parse("attachmentId", &request.attachment_id)?;
        let draft = read_draft(id, request.name)?;
        check_size(request.file_size.unwrap_or(0))?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let upload_id = self.files.begin_upload(ctx, &data, draft, request.file_size).await?;
        let attachment_id = request.attachment_id;
        Ok(v1::CreateAttachmentUploadResponse { attachment_id, upload_id })
    }

    async fn upload_attachment_part(
        &self,
        ctx: &Ctx,
        request: v1::UploadAttachmentPartRequest,
    ) -> Result<v1::UploadAttachmentPartResponse, Error> {
        let id = AttachmentId::parse("attachmentId", &request.attachment_id)?;
        let part = read_part(&request.upload_id, request.part_number, request.content)?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let etag = self.files.put_part(&data, &id, part).await?;
        Ok(v1::UploadAttachmentPartResponse { part_number: request.part_number, etag })
    }

    async fn complete_attachment_upload(
        &self,
        ctx: &Ctx,
        request: v1::CompleteAttachmentUploadRequest,
    ) -> Result<v1::CompleteAttachmentUploadResponse, Error> {
        let id = AttachmentId::parse("attachmentId", &request.attachment_id)?;
        let ticket = UploadTicket::read(&request.upload_id)?;
        let named = request.parts.into_iter().map(|part| (part.part_number, part.etag));
        let parts = ticket.parts(named.collect())?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let uploader = uploader(ctx, &request.user_id)?;
        let (store, target) = (&self.files.contents.store, (&data, &id, &ticket.upload));
        let done = store.complete_attachment(target, parts, uploader.clone(), ctx.now_ms());
        let file = completed(done.await?)?;
        if file.kind.user_id != uploader {
            return Err(taken());
        }
        Ok(v1::CompleteAttachmentUploadResponse { attachment: Some(reply(file)?) })
    }

    async fn abort_attachment_upload(
        &self,
        ctx: &Ctx,
        request: v1::AbortAttachmentUploadRequest,
    ) -> Result<v1::AbortAttachmentUploadResponse, Error> {
        let id = AttachmentId::parse("attachmentId", &request.attachment_id)?;
        let ticket = UploadTicket::read(&request.upload_id)?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        self.files.abort_upload(&data, &id, &ticket).await?;
        Ok(v1::AbortAttachmentUploadResponse {})
    }
}

/// Whose the attachment becomes: a user can only upload their own.
fn uploader(ctx: &Ctx, user_id: &str) -> Result<UserId, Error> {
    match &ctx.server_caller()?.actor {
        Actor::User(user) if user_id.is_empty() || user_id == user.id.as_str() => {
            Ok(user.id.clone())
        }
        Actor::User(_) => Err(Error::invalid("userId", "must be the user's own id, or left out")),
        Actor::Secret | Actor::Public | Actor::Live(_) if user_id.is_empty() => {
            Err(Error::missing("userId"))
        }
        Actor::Secret | Actor::Public | Actor::Live(_) => UserId::parse("userId", user_id),
    }
}

fn reply(file: StoredAttachment) -> Result<v1::CommentAttachment, Error> {
    Ok(v1::CommentAttachment {
        r#type: TYPE.to_owned(),
        id: file.id.to_string(),
        size: size(&file)?,
        name: file.name,
        mime_type: file.mime_type,
    })
}

fn not_found() -> Error {
    Error::not_found("RESOURCE_NOT_FOUND", "Attachment not found.")
}

fn taken() -> Error {
    Error::new(Code::AlreadyExists, "RESOURCE_ALREADY_EXISTS", "Another attachment has this id.")
}
