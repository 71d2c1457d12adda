//! Reactions: at most one of each user and emoji on a comment.

use super::Store;
use super::comment_change::living_comment;
use super::comment_row::CommentRow;
use super::comment_write::CommentScope;
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::thread_row::{ThreadRow, lock_thread, save_thread};
use crate::domain::comment::{
    Changed, CommentPlace, Emoji, REACTIONS_ON_COMMENT_MAX, Reaction, ReactionDraft,
    reaction_exists, reaction_not_found, too_many_reactions,
};
use crate::domain::ids::UserId;
use crate::error::Error;

const SELECT_REACTION: &str = "SELECT created_at_ms FROM comment_reaction WHERE project_id = $1 \
    AND key = $2 AND thread_id = $3 AND comment_id = $4 AND emoji = $5 AND user_id = $6";
const INSERT_REACTION: &str = "INSERT INTO comment_reaction \
    (project_id, key, thread_id, comment_id, emoji, user_id, created_at_ms) \
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const DELETE_REACTION: &str = "DELETE FROM comment_reaction WHERE project_id = $1 AND key = $2 \
    AND thread_id = $3 AND comment_id = $4 AND emoji = $5 AND user_id = $6";
const COUNT_REACTION: &str = "UPDATE comment SET reactions_count = reactions_count + $5 \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND id = $4";

impl Store {
    pub async fn add_reaction(
        &self,
        scope: &CommentScope,
        place: &CommentPlace,
        draft: &ReactionDraft,
        now_ms: i64,
    ) -> Result<Changed<Reaction>, Error> {
        let args =
            (scope.clone(), place.clone(), draft.clone(), self.stamp_in(&scope.view.key, now_ms));
        self.transact("add_reaction", Touched::nothing(), args, |tx, args| {
            let (scope, place, draft, stamp) = args;
            Box::pin(add(tx, scope, place, (draft, stamp.ms())))
        })
        .await
    }

    pub async fn remove_reaction(
        &self,
        scope: &CommentScope,
        place: &CommentPlace,
        reaction: (&Emoji, &UserId),
        now_ms: i64,
    ) -> Result<Changed<()>, Error> {
        let reaction = (reaction.0.clone(), reaction.1.clone());
        let args = (scope.clone(), place.clone(), reaction, self.stamp_in(&scope.view.key, now_ms));
        self.transact("remove_reaction", Touched::nothing(), args, |tx, args| {
            let (scope, place, (emoji, user), stamp) = args;
            Box::pin(remove(tx, scope, place, (emoji, user, stamp.ms())))
        })
        .await
    }
}

async fn add(
    tx: &mut Tx,
    scope: &CommentScope,
    place: &CommentPlace,
    (draft, stamp_ms): (&ReactionDraft, i64),
) -> Result<Changed<Reaction>, Fault> {
    let key = &scope.view.key;
    let thread = lock_thread(tx, scope, &place.thread).await?;
    let comment = living_comment(tx, scope, &thread, &place.comment).await?;
    let found: Option<(i64,)> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_REACTION)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread.id.as_str())
        .bind(comment.id.as_str())
        .bind(draft.emoji.as_str())
        .bind(draft.user_id.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("comment_reaction"))?;
    if found.is_some() {
        return Err(reaction_exists().into());
    }
    if comment.reactions_count >= REACTIONS_ON_COMMENT_MAX {
        return Err(too_many_reactions().into());
    }
    let created_at_ms = draft.created_at_ms.unwrap_or(stamp_ms);
    on_tx!(tx.write(), |c| sqlx::query(INSERT_REACTION)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread.id.as_str())
        .bind(comment.id.as_str())
        .bind(draft.emoji.as_str())
        .bind(draft.user_id.as_str())
        .bind(created_at_ms)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("comment_reaction"))?;
    let visibility = thread.visibility()?;
    count(tx, scope, (thread, &comment), (1, stamp_ms)).await?;
    let (emoji, user_id) = (draft.emoji.clone(), draft.user_id.clone());
    Ok(Changed { value: Reaction { emoji, user_id, created_at_ms }, visibility })
}

async fn remove(
    tx: &mut Tx,
    scope: &CommentScope,
    place: &CommentPlace,
    (emoji, user, stamp_ms): (&Emoji, &UserId, i64),
) -> Result<Changed<()>, Fault> {
    let key = &scope.view.key;
    let thread = lock_thread(tx, scope, &place.thread).await?;
    let comment = living_comment(tx, scope, &thread, &place.comment).await?;
    let deleted = on_tx!(tx.write(), |c| sqlx::query(DELETE_REACTION)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread.id.as_str())
        .bind(comment.id.as_str())
        .bind(emoji.as_str())
        .bind(user.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("comment_reaction"))?;
    if deleted == 0 {
        return Err(reaction_not_found().into());
    }
    let visibility = thread.visibility()?;
    count(tx, scope, (thread, &comment), (-1, stamp_ms)).await?;
    Ok(Changed { value: (), visibility })
}

/// The comment has so many more reactions, and its thread changed.
async fn count(
    tx: &mut Tx,
    scope: &CommentScope,
    (mut thread, comment): (ThreadRow, &CommentRow),
    (more, stamp_ms): (i64, i64),
) -> Result<(), Fault> {
    let key = &scope.view.key;
    on_tx!(tx.write(), |c| sqlx::query(COUNT_REACTION)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread.id.as_str())
        .bind(comment.id.as_str())
        .bind(more)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("comment"))?;
    thread.touch(stamp_ms);
    save_thread(tx, key, &thread).await
}
