//! StorageService: the files that a document refers to.

use prost_types::Value;
use prost_types::value::Kind;

use crate::domain::ctx::Ctx;
use crate::domain::file_url::FileKind;
use crate::domain::permissions::{Level, Resource};
use crate::error::{Code, Error};
use crate::proto::download::Download;
use crate::proto::roomd::v1;
use crate::service::contents::Audience;
use crate::service::files::{
    SignedAddress, UploadTicket, check_ids, check_size, completed, expires, read_draft, read_part,
    read_whole, size,
};
use crate::service::storage::StorageHandlers;
use crate::store::{DataKey, FileId, StorageFile};

const READ: (Level, Resource) = (Level::Read, Resource::Storage);

impl StorageHandlers {
    async fn data_to_write(&self, ctx: &Ctx, room_id: &str) -> Result<DataKey, Error> {
        self.files.data_to_write(ctx, room_id, Resource::Storage, Audience::Browsers).await
    }

    async fn find(
        &self,
        data: Option<&DataKey>,
        id: &FileId,
    ) -> Result<Option<StorageFile>, Error> {
        match data {
            Some(data) => self.contents.store.find_file(data, id).await,
            None => Ok(None),
        }
    }

    pub(super) async fn get_file(
        &self,
        ctx: &Ctx,
        request: v1::GetStorageFileRequest,
    ) -> Result<v1::GetStorageFileResponse, Error> {
        let id = FileId::parse("fileId", &request.file_id)?;
        let found = self.files.find_data(ctx, &request.room_id, READ, Audience::Everybody);
        let (opened, data) = found.await?;
        let file = self.find(data.as_ref(), &id).await?.ok_or_else(file_not_found)?;
        let (expires, expires_at) = expires(ctx);
        let file = v1::StorageFileWithUrl {
            url: self.files.url(ctx, &opened, (FileKind::Storage, id.as_str()), expires),
            expires_at,
            id: file.id.as_str().to_owned(),
            size: size(&file)?,
            name: file.name,
            mime_type: file.mime_type,
        };
        Ok(v1::GetStorageFileResponse { file: Some(file) })
    }

    pub(super) async fn get_file_urls(
        &self,
        ctx: &Ctx,
        request: v1::GetStorageFileUrlsRequest,
    ) -> Result<v1::GetStorageFileUrlsResponse, Error> {
        check_ids("fileIds", request.file_ids.len())?;
        let found = self.files.find_data(ctx, &request.room_id, READ, Audience::Browsers);
        let (opened, data) = found.await?;
        let (expires, expires_at) = expires(ctx);
        let mut urls = Vec::with_capacity(request.file_ids.len());
        for id in &request.file_ids {
            let file = match FileId::parse("fileIds", id) {
                Ok(id) => self.find(data.as_ref(), &id).await?,
                Err(_) => None,
            };
            let kind = match file {
                None => Kind::NullValue(0),
                Some(file) if !file.kind.referenced => Kind::BoolValue(false),
                Some(file) => {
                    let file = (FileKind::Storage, file.id.as_str());
                    Kind::StringValue(self.files.url(ctx, &opened, file, expires))
                }
            };
            urls.push(Value { kind: Some(kind) });
        }
        Ok(v1::GetStorageFileUrlsResponse { urls, expires_at })
    }

    pub(super) async fn download_file(
        &self,
        ctx: &Ctx,
        request: v1::DownloadStorageFileRequest,
    ) -> Result<Download, Error> {
        let address = SignedAddress {
            kind: FileKind::Storage,
            room_id: &request.room_id,
            file: &request.file_id,
            project: &request.project,
            expires: request.expires,
            signature: &request.signature,
        };
        let data = self.files.data_of_address(ctx, address).await?;
        let id = FileId::parse("fileId", &request.file_id)?;
        let file = self.find(data.as_ref(), &id).await?.ok_or_else(file_not_found)?;
        self.files.download(ctx, file, request.expires)
    }

    pub(super) async fn upload_file(
        &self,
        ctx: &Ctx,
        request: v1::UploadStorageFileRequest,
    ) -> Result<v1::UploadStorageFileResponse, Error> {
        let draft = read_draft(FileId::parse("fileId", &request.file_id)?, request.name)?;
        let (bytes, got) = read_whole(request.content, request.file_size)?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let name = draft.name.clone();
        let store = &self.contents.store;
        let file = store.insert_file(&data, draft, bytes, ctx.now_ms()).await?;
        if file.name != name || size(&file)? != got {
            return Err(taken());
        }
        Ok(v1::UploadStorageFileResponse { file: Some(reply(file)?) })
    }

    pub(super) async fn create_upload(
        &self,
        ctx: &Ctx,
        request: v1::CreateStorageFileUploadRequest,
    ) -> Result<v1::CreateStorageFileUploadResponse, Error> {
        let draft = read_draft(FileId::parse("fileId", &request.file_id)?, request.name)?;
        check_size(request.file_size.unwrap_or(0))?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let upload_id = self.files.begin_upload(ctx, &data, draft, request.file_size).await?;
        Ok(v1::CreateStorageFileUploadResponse { file_id: request.file_id, upload_id })
    }

    pub(super) async fn upload_part(
        &self,
        ctx: &Ctx,
        request: v1::UploadStorageFilePartRequest,
    ) -> Result<v1::UploadStorageFilePartResponse, Error> {
        let id = FileId::parse("fileId", &request.file_id)?;
        let part = read_part(&request.upload_id, request.part_number, request.content)?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let etag = self.files.put_part(&data, &id, part).await?;
        Ok(v1::UploadStorageFilePartResponse { part_number: request.part_number, etag })
    }

    pub(super) async fn complete_upload(
        &self,
        ctx: &Ctx,
        request: v1::CompleteStorageFileUploadRequest,
    ) -> Result<v1::CompleteStorageFileUploadResponse, Error> {
        let id = FileId::parse("fileId", &request.file_id)?;
        let ticket = UploadTicket::read(&request.upload_id)?;
        let named = request.parts.into_iter().map(|part| (part.part_number, part.etag));
        let parts = ticket.parts(named.collect())?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let store = &self.contents.store;
        let done = store.complete_upload(&data, &id, &ticket.upload, parts, ctx.now_ms());
        let file = Some(reply(completed(done.await?)?)?);
        Ok(v1::CompleteStorageFileUploadResponse { file })
    }

    pub(super) async fn abort_upload(
        &self,
        ctx: &Ctx,
        request: v1::AbortStorageFileUploadRequest,
    ) -> Result<v1::AbortStorageFileUploadResponse, Error> {
        let id = FileId::parse("fileId", &request.file_id)?;
        let ticket = UploadTicket::read(&request.upload_id)?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        self.files.abort_upload(&data, &id, &ticket).await?;
        Ok(v1::AbortStorageFileUploadResponse {})
    }
}

fn reply(file: StorageFile) -> Result<v1::StorageFile, Error> {
    Ok(v1::StorageFile {
        id: file.id.as_str().to_owned(),
        size: size(&file)?,
        name: file.name,
        mime_type: file.mime_type,
    })
}

fn file_not_found() -> Error {
    Error::not_found("FILE_NOT_FOUND", "File not found.")
}

fn taken() -> Error {
    Error::new(Code::AlreadyExists, "FILE_ALREADY_EXISTS", "Another file has this id.")
}
