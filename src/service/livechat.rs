//! LivechatService: a room's comments as one flat list of messages.

use crate::domain::ctx::Ctx;
use crate::domain::file_url::FileKind;
use crate::domain::livechat::{MessageParams, MessageQuery, MessageStart};
use crate::domain::permissions::{Level, Resource};
use crate::error::Error;
use crate::proto::handlers::roomd_v1_livechat_service::LivechatService;
use crate::proto::livechat::message;
use crate::proto::roomd::v1;
use crate::service::contents::Audience;
use crate::service::files::{Files, expires};
use crate::store::MessagePage;

pub struct LivechatHandlers {
    files: Files,
}

impl LivechatHandlers {
    pub fn new(files: Files) -> Self {
        Self { files }
    }
}

impl LivechatService for LivechatHandlers {
    async fn list_messages(
        &self,
        ctx: &Ctx,
        request: v1::ListMessagesRequest,
    ) -> Result<v1::ListMessagesResponse, Error> {
        let query = MessageQuery::read(MessageParams {
            offset: request.offset,
            count: request.count,
            sort: &request.sort,
            search_term: &request.search_term,
            cursor: &request.cursor,
        })?;
        let need = (Level::Read, Resource::Comments);
        let contents = &self.files.contents;
        let opened = contents.open_for(ctx, &request.rid, need, Audience::Everybody).await?;
        let page = match contents.threads(ctx, &opened).await? {
            Some(view) => contents.store.list_messages(&view, &query).await?,
            None => MessagePage::EMPTY,
        };
        let (expires, _) = expires(ctx);
        let address = |id: &str| self.files.url(ctx, &opened, (FileKind::Attachment, id), expires);
        let show = |comment| message(comment, |file| address(file.id.as_str()));
        let offset = match query.start {
            MessageStart::Offset(offset) => i32::try_from(offset).map_err(Error::internal)?,
            MessageStart::After(_) => 0,
        };
        Ok(v1::ListMessagesResponse {
            messages: page.comments.iter().map(show).collect(),
            offset,
            count: i32::try_from(query.limit).map_err(Error::internal)?,
            total: i32::try_from(page.total).unwrap_or(i32::MAX),
            success: true,
            next_cursor: page.next.map(|next| next.to_text()),
        })
    }
}
