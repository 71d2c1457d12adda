//! YjsService.

use crate::domain::ctx::{Ctx, room_not_found};
use crate::domain::permissions::{Level, Resource};
use crate::domain::text_editor::{TextEditor, text_editor_not_found};
use crate::error::Error;
use crate::proto::handlers::roomd_v1_yjs_service::YjsService;
use crate::proto::roomd::v1;
use crate::room::requests::YdocView;
use crate::room::yjs::GUID_BYTES_MAX;
use crate::room::yjs::view::Kind;
use crate::service::contents::{Audience, BYTES, Contents, JSON, body, given};

pub struct YjsHandlers {
    contents: Contents,
}

impl YjsHandlers {
    pub fn new(contents: Contents) -> Self {
        Self { contents }
    }
}

impl YjsService for YjsHandlers {
    async fn get_yjs_document(
        &self,
        ctx: &Ctx,
        request: v1::GetYjsDocumentRequest,
    ) -> Result<v1::GetYjsDocumentResponse, Error> {
        let view = YdocView {
            formatting: request.formatting,
            kind: read_kind(&request.r#type)?,
            key: given(request.key),
        };
        let room = self.contents.open(ctx, &request.room_id, Level::Read, Audience::Everybody);
        let document = self.contents.rooms.read_ydoc(&room.await?.address(), view).await?;
        Ok(v1::GetYjsDocumentResponse { document: body(JSON, document) })
    }

    async fn send_yjs_binary_update(
        &self,
        ctx: &Ctx,
        request: v1::SendYjsBinaryUpdateRequest,
    ) -> Result<v1::SendYjsBinaryUpdateResponse, Error> {
        let guid = read_guid(request.guid)?;
        let update = request.update.unwrap_or_default().data;
        if update.is_empty() {
            return Err(Error::missing("update"));
        }
        let room = self.contents.open(ctx, &request.room_id, Level::Write, Audience::Everybody);
        self.contents.rooms.apply_ydoc(&room.await?.address(), guid, update).await?;
        Ok(v1::SendYjsBinaryUpdateResponse { status: 200 })
    }

    async fn get_yjs_document_binary(
        &self,
        ctx: &Ctx,
        request: v1::GetYjsDocumentBinaryRequest,
    ) -> Result<v1::GetYjsDocumentBinaryResponse, Error> {
        let guid = read_guid(request.guid)?;
        let room = self.contents.open(ctx, &request.room_id, Level::Read, Audience::Everybody);
        let update = self.contents.rooms.ydoc_binary(&room.await?.address(), guid).await?;
        Ok(v1::GetYjsDocumentBinaryResponse { update: body(BYTES, update) })
    }

    async fn report_text_editor(
        &self,
        ctx: &Ctx,
        request: v1::ReportTextEditorRequest,
    ) -> Result<v1::ReportTextEditorResponse, Error> {
        let editor = TextEditor::parse(&request.r#type, request.root_key)?;
        let store = &self.contents.store;
        let opened =
            self.contents.open(ctx, &request.room_id, Level::Read, Audience::Browsers).await?;
        // Readers open editors too, and the SDK reports for them as it does for writers: to refuse
        // would show an error in every reader's browser, to keep it would let them mislead others.
        if ctx.allows(&opened.room, Level::Write, Resource::Storage)? {
            let key = store.ensure_data_key(&opened.project, &opened.room).await?;
            store.set_text_editor(&key.ok_or_else(room_not_found)?, &editor).await?;
        }
        Ok(v1::ReportTextEditorResponse {})
    }

    async fn get_text_editor(
        &self,
        ctx: &Ctx,
        request: v1::GetTextEditorRequest,
    ) -> Result<v1::GetTextEditorResponse, Error> {
        let store = &self.contents.store;
        let opened =
            self.contents.open(ctx, &request.room_id, Level::Read, Audience::Everybody).await?;
        let key = store.find_data_key(&opened.project, &opened.room).await?;
        let key = key.ok_or_else(text_editor_not_found)?;
        let editor = store.find_text_editor(&key).await?.ok_or_else(text_editor_not_found)?;
        Ok(v1::GetTextEditorResponse { editor: Some(v1::TextEditor::from(editor)) })
    }
}

impl From<TextEditor> for v1::TextEditor {
    fn from(editor: TextEditor) -> Self {
        Self { r#type: editor.kind.as_str().to_owned(), root_key: editor.root_key }
    }
}

fn read_kind(raw: &str) -> Result<Option<Kind>, Error> {
    if raw.is_empty() {
        return Ok(None);
    }
    let kind = Kind::parse(raw);
    let problem = || {
        let problem = "must be yarray, ymap, ytext, yxmlfragment or yxmltext";
        Error::invalid("type", problem)
    };
    kind.map(Some).ok_or_else(problem)
}

fn read_guid(raw: String) -> Result<Option<String>, Error> {
    if raw.len() > GUID_BYTES_MAX {
        let problem = format!("must be at most {GUID_BYTES_MAX} bytes, got {}", raw.len());
        return Err(Error::invalid("guid", problem));
    }
    Ok(given(raw))
}
