//! What uploads and downloads have in common, whatever the files are for.

use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::domain::ctx::{Ctx, ProjectGrant, room_not_found};
use crate::domain::file_url::{FILE_URL_LIFETIME_SECONDS, FileKind, FileUrl, FileUrlKey};
use crate::domain::ids::{ProjectId, RoomId, check_text};
use crate::domain::media_type;
use crate::domain::permissions::{Level, Resource};
use crate::error::{Code, Error};
use crate::proto::download::{Download, Pieces};
use crate::proto::google::api::HttpBody;
use crate::proto::room::timestamp;
use crate::service::contents::{Audience, Contents, Opened};
use crate::store::{
    Completed, DataKey, FileDraft, Part, PartReceipt, Parts, Store, StoredFile, UPLOAD_PARTS_MAX,
    UploadId,
};

const NAME_CHARS_MAX: usize = 255;
/// Ids in one call for addresses.
const IDS_MAX: usize = 100;
/// A whole file, however it came: RPC has one message for it.
const FILE_BYTES_MAX: u32 = 256 << 20;

/// The way to the files of rooms.
#[derive(Clone)]
pub struct Files {
    pub contents: Contents,
    urls: FileUrlKey,
}

/// An address as it comes back.
pub struct SignedAddress<'a> {
    pub kind: FileKind,
    pub room_id: &'a str,
    pub file: &'a str,
    pub project: &'a str,
    pub expires: u32,
    pub signature: &'a str,
}

impl Files {
    pub fn new(contents: Contents, urls: FileUrlKey) -> Self {
        Self { contents, urls }
    }

    /// Where the room keeps what it holds; nowhere, if it never held anything.
    pub async fn find_data(
        &self,
        ctx: &Ctx,
        room_id: &str,
        need: (Level, Resource),
        audience: Audience,
    ) -> Result<(Opened, Option<DataKey>), Error> {
        let opened = self.contents.open_for(ctx, room_id, need, audience).await?;
        let key = self.contents.store.find_data_key(&opened.project, &opened.room).await?;
        Ok((opened, key))
    }

    /// For who may write `resource`; makes a place if there is none.
    pub async fn data_to_write(
        &self,
        ctx: &Ctx,
        room_id: &str,
        resource: Resource,
        audience: Audience,
    ) -> Result<DataKey, Error> {
        let need = (Level::Write, resource);
        let opened = self.contents.open_for(ctx, room_id, need, audience).await?;
        let key = self.contents.store.ensure_data_key(&opened.project, &opened.room).await?;
        key.ok_or_else(room_not_found)
    }

    /// An address that works until `expires`.
    pub fn url(
        &self,
        ctx: &Ctx,
        opened: &Opened,
        (kind, file): (FileKind, &str),
        expires: u32,
    ) -> String {
        let (project, room) = (&opened.project, &opened.room.id);
        let path = self.urls.sign(FileUrl { kind, project, room, file, expires });
        format!("{}{path}", ctx.origin.as_deref().unwrap_or_default())
    }

    /// Where the room of an address keeps what it holds. The signature is the credential: whoever
    /// has it was let see the file.
    pub async fn data_of_address(
        &self,
        ctx: &Ctx,
        address: SignedAddress<'_>,
    ) -> Result<Option<DataKey>, Error> {
        let SignedAddress { kind, room_id, file, project, expires, signature } = address;
        let room_id = RoomId::parse("roomId", room_id)?;
        let project = ProjectId::parse("project", project)?;
        let url = FileUrl { kind, project: &project, room: &room_id, file, expires };
        self.urls.verify(url, signature, ctx.now_ms())?;
        let grant = ProjectGrant::system(project);
        let store = &self.contents.store;
        let Some(room) = store.find_room(grant.project(), &room_id).await? else {
            return Ok(None);
        };
        let room = grant.open(room);
        store.find_data_key(grant.project(), &room).await
    }

    /// Opens a file whose address works until `expires`.
    pub fn download<Id, Kind>(
        &self,
        ctx: &Ctx,
        file: StoredFile<Id, Kind>,
        expires: u32,
    ) -> Result<Download, Error>
    where
        Id: Send + Sync + 'static,
        Kind: Send + Sync + 'static,
    {
        let size_bytes = size(&file)?;
        check_size(size_bytes)?;
        let fresh_s = (i64::from(expires) - ctx.now_ms() / 1000).max(0);
        Ok(Download {
            name: file.name.clone(),
            media_type: media_type::harmless(&file.mime_type).to_owned(),
            size_bytes: size_bytes.into(),
            tag: hex(&digest::digest(&digest::SHA256, file.content_key().as_bytes())),
            fresh_s: u32::try_from(fresh_s).unwrap_or(u32::MAX),
            pieces: Box::new(StoredPieces { store: self.contents.store.clone(), file }),
        })
    }

    pub async fn begin_upload(
        &self,
        ctx: &Ctx,
        data: &DataKey,
        draft: FileDraft<impl AsRef<str>>,
        file_size: Option<u32>,
    ) -> Result<String, Error> {
        let upload = self.contents.store.begin_upload(data, draft, ctx.now_ms()).await?;
        Ok(UploadTicket { upload, file_size }.write())
    }

    /// The tag of the part.
    pub async fn put_part(
        &self,
        data: &DataKey,
        id: &(impl AsRef<str> + Sync),
        (ticket, part): (UploadTicket, Part),
    ) -> Result<String, Error> {
        let (store, etag) = (&self.contents.store, part.etag.clone());
        let bytes_max = i64::from(FILE_BYTES_MAX);
        match store.put_upload_part(data, id, &ticket.upload, part, bytes_max).await? {
            true => Ok(etag),
            false => Err(upload_not_found()),
        }
    }

    pub async fn abort_upload(
        &self,
        data: &DataKey,
        id: &(impl AsRef<str> + Sync),
        ticket: &UploadTicket,
    ) -> Result<(), Error> {
        match self.contents.store.abort_upload(data, id, &ticket.upload).await? {
            true => Ok(()),
            false => Err(upload_not_found()),
        }
    }
}

struct StoredPieces<Id, Kind> {
    store: Store,
    file: StoredFile<Id, Kind>,
}

impl<Id, Kind> Pieces for StoredPieces<Id, Kind>
where
    Id: Send + Sync + 'static,
    Kind: Send + Sync + 'static,
{
    fn read(&self, from: u64) -> BoxFuture<'_, Result<Bytes, Error>> {
        Box::pin(self.store.read_file(&self.file, from))
    }
}

/// What callers see as an upload's id: it also says which size they announced.
pub struct UploadTicket {
    pub upload: UploadId,
    file_size: Option<u32>,
}

impl UploadTicket {
    fn write(&self) -> String {
        match self.file_size {
            Some(size) => format!("{}.{size}", self.upload.as_str()),
            None => self.upload.as_str().to_owned(),
        }
    }

    pub fn read(raw: &str) -> Result<Self, Error> {
        let (id, size) = match raw.split_once('.') {
            Some((id, size)) => (id, Some(size.parse().map_err(|_| upload_not_found())?)),
            None => (raw, None),
        };
        let upload = UploadId::parse("uploadId", id).map_err(|_| upload_not_found())?;
        Ok(Self { upload, file_size: size })
    }

    /// What the file is made of, from the numbers and tags that the caller names.
    pub fn parts(&self, named: Vec<(i32, String)>) -> Result<Parts, Error> {
        if named.is_empty() {
            return Err(Error::missing("parts"));
        }
        let receipt = |(number, etag)| {
            let number = read_number("parts.partNumber", number)?;
            Ok(PartReceipt { number, etag })
        };
        let mut receipts = named.into_iter().map(receipt).collect::<Result<Vec<_>, Error>>()?;
        // Browsers upload several at once, and name them as they come.
        receipts.sort_by_key(|part| part.number);
        Ok(Parts { receipts, bytes: self.file_size.map(i64::from) })
    }
}

/// The id was read already.
pub fn read_draft<Id>(id: Id, name: String) -> Result<FileDraft<Id>, Error> {
    let chars = name.chars().count();
    if name.is_empty() || chars > NAME_CHARS_MAX {
        let problem = format!("must be 1 to {NAME_CHARS_MAX} characters, got {chars}");
        return Err(Error::invalid("name", problem));
    }
    check_text("name", &name)?;
    let mime_type = media_type::of_name(&name).to_owned();
    Ok(FileDraft { id, name, mime_type })
}

/// A whole file, and its size.
pub fn read_whole(
    content: Option<HttpBody>,
    announced: Option<u32>,
) -> Result<(Bytes, u32), Error> {
    let bytes = content.unwrap_or_default().data;
    let got = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    check_size(got)?;
    match announced {
        Some(announced) if announced != got => Err(wrong_size(i64::from(got))),
        _ => Ok((bytes, got)),
    }
}

pub fn check_size(announced: u32) -> Result<(), Error> {
    if announced > FILE_BYTES_MAX { Err(file_too_large()) } else { Ok(()) }
}

pub fn read_part(
    upload_id: &str,
    number: i32,
    content: Option<HttpBody>,
) -> Result<(UploadTicket, Part), Error> {
    let ticket = UploadTicket::read(upload_id)?;
    let number = read_number("partNumber", number)?;
    let bytes = content.unwrap_or_default().data;
    if bytes.is_empty() {
        return Err(Error::missing("content"));
    }
    let etag = hex(&digest::digest(&digest::SHA256, &bytes));
    Ok((ticket, Part { number, etag, bytes }))
}

/// The first half of a hash: more than enough to tell things apart.
fn hex(hash: &digest::Digest) -> String {
    hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn read_number(field: &str, number: i32) -> Result<i64, Error> {
    let number = i64::from(number);
    if !(1..=UPLOAD_PARTS_MAX).contains(&number) {
        let problem = format!("must be 1 to {UPLOAD_PARTS_MAX}, got {number}");
        return Err(Error::invalid(field, problem));
    }
    Ok(number)
}

/// The file, or what was wrong with its parts.
pub fn completed<File>(outcome: Completed<File>) -> Result<File, Error> {
    match outcome {
        Completed::Done(file) => Ok(file),
        Completed::NotFound => Err(upload_not_found()),
        Completed::WrongParts => Err(Error::invalid(
            "parts",
            "must be all parts that were uploaded, in order, each with its etag",
        )),
        Completed::WrongSize { got_bytes } => Err(wrong_size(got_bytes)),
    }
}

pub fn check_ids(field: &str, len: usize) -> Result<(), Error> {
    if len > IDS_MAX {
        let problem = format!("must be at most {IDS_MAX} ids, got {len}");
        return Err(Error::invalid(field, problem));
    }
    Ok(())
}

pub fn size<Id, Kind>(file: &StoredFile<Id, Kind>) -> Result<u32, Error> {
    u32::try_from(file.size_bytes).map_err(Error::internal)
}

/// When an address that is made now expires: in seconds since 1970, and for the reply.
pub fn expires(ctx: &Ctx) -> (u32, Option<prost_types::Timestamp>) {
    let now = u32::try_from(ctx.now_ms() / 1000).unwrap_or(u32::MAX);
    let expires = now.saturating_add(FILE_URL_LIFETIME_SECONDS);
    (expires, Some(timestamp(i64::from(expires) * 1000)))
}

fn file_too_large() -> Error {
    Error::too_large(format!("A file must be at most {FILE_BYTES_MAX} bytes."))
}

fn upload_not_found() -> Error {
    Error::not_found("UPLOAD_NOT_FOUND", "Upload not found.")
}

fn wrong_size(got_bytes: i64) -> Error {
    let text = format!("The file has another size than announced: {got_bytes} bytes.");
    Error::new(Code::Aborted, "FILE_SIZE_MISMATCH", text)
}
