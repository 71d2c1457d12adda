//! Reactions to comments.

use std::sync::Arc;

use crate::domain::comment::{CommentPlace, Emoji, ReactionDraft};
use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::proto::roomd::v1;
use crate::proto::thread::read_time;
use crate::room::message::{CommentEvent, CommentEventKind as Kind};
use crate::service::comments::CommentsHandlers;
use crate::service::comments::access::comment_event;
use crate::service::comments::edits::place;

impl CommentsHandlers {
    pub(super) async fn react(
        &self,
        ctx: &Ctx,
        request: v1::AddCommentReactionRequest,
    ) -> Result<v1::CommentUserReaction, Error> {
        let user = ("userId", request.user_id.as_str());
        let changing = self.change(ctx, &request.room_id, user).await?;
        let user_id = changing.author("userId")?;
        let place = place(&request.thread_id, &request.comment_id)?;
        let given = request.created_at.map(|at| read_time("createdAt", at)).transpose()?;
        let created_at_ms = given.filter(|_| changing.scope.owner.is_none());
        let emoji = Emoji::parse("emoji", &request.emoji)?;
        let draft = ReactionDraft { emoji, user_id, created_at_ms };
        let store = &self.contents.store;
        let added = store.add_reaction(&changing.scope, &place, &draft, ctx.now_ms()).await?;
        let event = event(Kind::ReactionAdded, &place, &draft.emoji);
        self.tell(&changing, added.visibility, event).await;
        Ok(v1::CommentUserReaction::from(&added.value))
    }

    pub(super) async fn take_reaction_back(
        &self,
        ctx: &Ctx,
        request: v1::RemoveCommentReactionRequest,
    ) -> Result<(), Error> {
        let user = ("userId", request.user_id.as_str());
        let changing = self.change(ctx, &request.room_id, user).await?;
        let user_id = changing.author("userId")?;
        let place = place(&request.thread_id, &request.comment_id)?;
        let emoji = Emoji::parse("emoji", &request.emoji)?;
        let store = &self.contents.store;
        let reaction = (&emoji, &user_id);
        let removed =
            store.remove_reaction(&changing.scope, &place, reaction, ctx.now_ms()).await?;
        let event = event(Kind::ReactionRemoved, &place, &emoji);
        self.tell(&changing, removed.visibility, event).await;
        Ok(())
    }
}

fn event(kind: Kind, place: &CommentPlace, emoji: &Emoji) -> CommentEvent {
    let event = comment_event(kind, &place.thread, &place.comment);
    CommentEvent { emoji: Some(Arc::from(emoji.as_str())), ..event }
}
