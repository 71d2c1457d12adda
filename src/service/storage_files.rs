//! StorageService: the files that a document refers to.

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use prost_types::Value;
use prost_types::value::Kind;

use crate::domain::ctx::Ctx;
use crate::domain::file_url::{FILE_URL_LIFETIME_SECONDS, FileUrl};
use crate::domain::ids::{ProjectId, RoomId, check_text};
use crate::domain::media_type;
use crate::domain::permissions::Level;
use crate::error::{Code, Error};
use crate::proto::room::timestamp;
use crate::proto::roomd::v1;
use crate::service::contents::{Audience, Opened, body};
use crate::service::storage::StorageHandlers;
use crate::store::{
    Completed, DataKey, FileDraft, FileId, Part, PartReceipt, StorageFile, UPLOAD_PARTS_MAX,
    UploadId,
};

const NAME_CHARS_MAX: usize = 255;
/// Ids in one call for addresses.
const FILE_IDS_MAX: usize = 100;
/// A whole file, however it came: it is downloaded in one piece.
pub const FILE_BYTES_MAX: u32 = 256 << 20;

impl StorageHandlers {
    /// Where the room keeps what it holds; nowhere, if it never held anything.
    async fn find_data(
        &self,
        ctx: &Ctx,
        room_id: &str,
        level: Level,
        audience: Audience,
    ) -> Result<(Opened, Option<DataKey>), Error> {
        let opened = self.contents.open(ctx, room_id, level, audience).await?;
        let data = self.contents.store.find_room_data(&opened.project, &opened.room).await?;
        Ok((opened, data.map(|data| data.key)))
    }

    /// As `find_data`, and makes a place if there is none.
    async fn data_to_write(&self, ctx: &Ctx, room_id: &str) -> Result<DataKey, Error> {
        let opened = self.contents.open(ctx, room_id, Level::Write, Audience::Browsers).await?;
        let data = self.contents.store.ensure_room_data(&opened.project, &opened.room).await?;
        Ok(data.ok_or_else(crate::domain::ctx::room_not_found)?.key)
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

    fn url(&self, ctx: &Ctx, opened: &Opened, file: &FileId, expires: u32) -> String {
        let (project, room) = (&opened.project, &opened.room.id);
        let path = self.urls.sign(FileUrl { project, room, file: file.as_str(), expires });
        format!("{}{path}", ctx.origin.as_deref().unwrap_or_default())
    }

    pub(super) async fn get_file(
        &self,
        ctx: &Ctx,
        request: v1::GetStorageFileRequest,
    ) -> Result<v1::GetStorageFileResponse, Error> {
        let id = FileId::parse("fileId", &request.file_id)?;
        let found = self.find_data(ctx, &request.room_id, Level::Read, Audience::Everybody);
        let (opened, data) = found.await?;
        let file = self.find(data.as_ref(), &id).await?.ok_or_else(file_not_found)?;
        let expires = expires(ctx);
        let file = v1::StorageFileWithUrl {
            url: self.url(ctx, &opened, &id, expires),
            expires_at: Some(timestamp(i64::from(expires) * 1000)),
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
        let len = request.file_ids.len();
        if len > FILE_IDS_MAX {
            let problem = format!("must be at most {FILE_IDS_MAX} ids, got {len}");
            return Err(Error::invalid("fileIds", problem));
        }
        let found = self.find_data(ctx, &request.room_id, Level::Read, Audience::Browsers);
        let (opened, data) = found.await?;
        let expires = expires(ctx);
        let mut urls = Vec::with_capacity(len);
        for id in &request.file_ids {
            let file = match FileId::parse("fileIds", id) {
                Ok(id) => self.find(data.as_ref(), &id).await?,
                Err(_) => None,
            };
            let kind = match file {
                None => Kind::NullValue(0),
                Some(file) if !file.referenced => Kind::BoolValue(false),
                Some(file) => Kind::StringValue(self.url(ctx, &opened, &file.id, expires)),
            };
            urls.push(Value { kind: Some(kind) });
        }
        let expires_at = Some(timestamp(i64::from(expires) * 1000));
        Ok(v1::GetStorageFileUrlsResponse { urls, expires_at })
    }

    pub(super) async fn download_file(
        &self,
        ctx: &Ctx,
        request: v1::DownloadStorageFileRequest,
    ) -> Result<v1::DownloadStorageFileResponse, Error> {
        let room_id = RoomId::parse("roomId", &request.room_id)?;
        let project = ProjectId::parse("project", &request.project)?;
        let (file, expires) = (request.file_id.as_str(), request.expires);
        let url = FileUrl { project: &project, room: &room_id, file, expires };
        self.urls.verify(url, &request.signature, ctx.now_ms())?;
        let id = FileId::parse("fileId", file)?;
        // The signature is the credential: whoever has it was let see the file.
        let grant = crate::domain::ctx::ProjectGrant::system(project);
        let store = &self.contents.store;
        let room = store.find_room(grant.project(), &room_id).await?;
        let room = grant.open(room.ok_or_else(file_not_found)?);
        let data = store.find_room_data(grant.project(), &room).await?.map(|data| data.key);
        let file = self.find(data.as_ref(), &id).await?.ok_or_else(file_not_found)?;
        if size(&file)? > FILE_BYTES_MAX {
            return Err(file_too_large());
        }
        let content = self.read_all(&file).await?;
        let media_type = media_type::harmless(&file.mime_type);
        Ok(v1::DownloadStorageFileResponse { content: body(media_type, content) })
    }

    async fn read_all(&self, file: &StorageFile) -> Result<Bytes, Error> {
        let mut whole = BytesMut::with_capacity(usize::try_from(file.size_bytes).unwrap_or(0));
        loop {
            let more = self.contents.store.read_file(file, whole.len() as u64).await?;
            if more.is_empty() {
                return Ok(whole.freeze());
            }
            whole.extend_from_slice(&more);
        }
    }

    pub(super) async fn upload_file(
        &self,
        ctx: &Ctx,
        request: v1::UploadStorageFileRequest,
    ) -> Result<v1::UploadStorageFileResponse, Error> {
        let draft = read_draft(&request.file_id, request.name)?;
        let bytes = request.content.unwrap_or_default().data;
        let got = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        check_size(request.file_size, got)?;
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
        let draft = read_draft(&request.file_id, request.name)?;
        check_size(None, request.file_size.unwrap_or(0))?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let upload = self.contents.store.begin_upload(&data, draft, ctx.now_ms()).await?;
        let upload_id = UploadTicket { upload, file_size: request.file_size }.write();
        Ok(v1::CreateStorageFileUploadResponse { file_id: request.file_id, upload_id })
    }

    pub(super) async fn upload_part(
        &self,
        ctx: &Ctx,
        request: v1::UploadStorageFilePartRequest,
    ) -> Result<v1::UploadStorageFilePartResponse, Error> {
        let id = FileId::parse("fileId", &request.file_id)?;
        let ticket = UploadTicket::read(&request.upload_id)?;
        let number = read_number("partNumber", request.part_number)?;
        let bytes = request.content.unwrap_or_default().data;
        if bytes.is_empty() {
            return Err(Error::missing("content"));
        }
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let etag = etag(&bytes);
        let part = Part { number, etag: etag.clone(), bytes };
        let store = &self.contents.store;
        let bytes_max = i64::from(FILE_BYTES_MAX);
        if !store.put_upload_part(&data, &id, &ticket.upload, part, bytes_max).await? {
            return Err(upload_not_found());
        }
        Ok(v1::UploadStorageFilePartResponse { part_number: request.part_number, etag })
    }

    pub(super) async fn complete_upload(
        &self,
        ctx: &Ctx,
        request: v1::CompleteStorageFileUploadRequest,
    ) -> Result<v1::CompleteStorageFileUploadResponse, Error> {
        let id = FileId::parse("fileId", &request.file_id)?;
        let UploadTicket { upload, file_size } = UploadTicket::read(&request.upload_id)?;
        let parts = read_parts(request.parts)?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        let (store, expected) = (&self.contents.store, file_size.map(i64::from));
        let done = store.complete_upload(&data, &id, &upload, parts, expected, ctx.now_ms());
        match done.await? {
            Completed::Done(file) => {
                Ok(v1::CompleteStorageFileUploadResponse { file: Some(reply(file)?) })
            }
            Completed::NotFound => Err(upload_not_found()),
            Completed::WrongParts => Err(Error::invalid(
                "parts",
                "must be all parts that were uploaded, in order, each with its etag",
            )),
            Completed::WrongSize { got_bytes } => Err(wrong_size(got_bytes)),
        }
    }

    pub(super) async fn abort_upload(
        &self,
        ctx: &Ctx,
        request: v1::AbortStorageFileUploadRequest,
    ) -> Result<v1::AbortStorageFileUploadResponse, Error> {
        let id = FileId::parse("fileId", &request.file_id)?;
        let ticket = UploadTicket::read(&request.upload_id)?;
        let data = self.data_to_write(ctx, &request.room_id).await?;
        match self.contents.store.abort_upload(&data, &id, &ticket.upload).await? {
            true => Ok(v1::AbortStorageFileUploadResponse {}),
            false => Err(upload_not_found()),
        }
    }
}

/// What callers see as an upload's id: it also says which size they announced.
struct UploadTicket {
    upload: UploadId,
    file_size: Option<u32>,
}

impl UploadTicket {
    fn write(&self) -> String {
        match self.file_size {
            Some(size) => format!("{}.{size}", self.upload.as_str()),
            None => self.upload.as_str().to_owned(),
        }
    }

    fn read(raw: &str) -> Result<Self, Error> {
        let (id, size) = match raw.split_once('.') {
            Some((id, size)) => (id, Some(size.parse().map_err(|_| upload_not_found())?)),
            None => (raw, None),
        };
        let upload = UploadId::parse("uploadId", id).map_err(|_| upload_not_found())?;
        Ok(Self { upload, file_size: size })
    }
}

fn read_draft(id: &str, name: String) -> Result<FileDraft, Error> {
    let id = FileId::parse("fileId", id)?;
    let chars = name.chars().count();
    if name.is_empty() || chars > NAME_CHARS_MAX {
        let problem = format!("must be 1 to {NAME_CHARS_MAX} characters, got {chars}");
        return Err(Error::invalid("name", problem));
    }
    check_text("name", &name)?;
    let mime_type = media_type::of_name(&name).to_owned();
    Ok(FileDraft { id, name, mime_type })
}

fn check_size(announced: Option<u32>, got: u32) -> Result<(), Error> {
    if got > FILE_BYTES_MAX {
        return Err(file_too_large());
    }
    match announced {
        Some(announced) if announced != got => Err(wrong_size(i64::from(got))),
        _ => Ok(()),
    }
}

fn read_parts(parts: Vec<v1::StorageFilePart>) -> Result<Vec<PartReceipt>, Error> {
    if parts.is_empty() {
        return Err(Error::missing("parts"));
    }
    let part = |part: v1::StorageFilePart| {
        let number = read_number("parts.partNumber", part.part_number)?;
        Ok(PartReceipt { number, etag: part.etag })
    };
    let mut parts = parts.into_iter().map(part).collect::<Result<Vec<_>, Error>>()?;
    // Browsers upload several at once, and name them as they come.
    parts.sort_by_key(|part| part.number);
    Ok(parts)
}

fn read_number(field: &str, number: i32) -> Result<i64, Error> {
    let number = i64::from(number);
    if !(1..=UPLOAD_PARTS_MAX).contains(&number) {
        let problem = format!("must be 1 to {UPLOAD_PARTS_MAX}, got {number}");
        return Err(Error::invalid(field, problem));
    }
    Ok(number)
}

fn etag(bytes: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn reply(file: StorageFile) -> Result<v1::StorageFile, Error> {
    Ok(v1::StorageFile {
        id: file.id.as_str().to_owned(),
        size: size(&file)?,
        name: file.name,
        mime_type: file.mime_type,
    })
}

fn size(file: &StorageFile) -> Result<u32, Error> {
    u32::try_from(file.size_bytes).map_err(Error::internal)
}

/// When an address that is made now expires.
fn expires(ctx: &Ctx) -> u32 {
    let now = u32::try_from(ctx.now_ms() / 1000).unwrap_or(u32::MAX);
    now.saturating_add(FILE_URL_LIFETIME_SECONDS)
}

fn file_too_large() -> Error {
    Error::too_large(format!("A file must be at most {FILE_BYTES_MAX} bytes."))
}

fn file_not_found() -> Error {
    Error::not_found("FILE_NOT_FOUND", "File not found.")
}

fn upload_not_found() -> Error {
    Error::not_found("UPLOAD_NOT_FOUND", "Upload not found.")
}

fn taken() -> Error {
    Error::new(Code::AlreadyExists, "FILE_ALREADY_EXISTS", "Another file has this id.")
}

fn wrong_size(got_bytes: i64) -> Error {
    let text = format!("The file has another size than announced: {got_bytes} bytes.");
    Error::new(Code::Aborted, "FILE_SIZE_MISMATCH", text)
}
