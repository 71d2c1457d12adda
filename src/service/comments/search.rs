//! Searching comments, in a room or in all rooms that the caller may read.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::comment::search::{
    CommentFilter, CommentHit, HITS_MAX, RANKED_MAX, SCANNED_MAX, SearchCursor, SearchText,
    Snippet, attachments_term, mentions_term, score,
};
use crate::domain::ctx::{Ctx, ThreadRight};
use crate::domain::ids::{ProjectId, RoomId};
use crate::domain::permissions::{Level, Resource};
use crate::error::{Code, Error};
use crate::proto::roomd::v1;
use crate::service::comments::CommentsHandlers;
use crate::service::contents::Audience;
use crate::store::{SearchScope, SearchedComment, ThreadView};

const LIMIT_DEFAULT: usize = 20;

/// What was asked for, read.
struct Asked {
    text: SearchText,
    filter: CommentFilter,
    cursor: SearchCursor,
    limit: usize,
}

/// Matches in their order, and where those begin that are older.
struct Ranked {
    comments: Vec<SearchedComment>,
    before: i64,
    more: bool,
}

impl CommentsHandlers {
    pub(super) async fn search(
        &self,
        ctx: &Ctx,
        request: v1::SearchCommentsRequest,
    ) -> Result<v1::SearchCommentsResponse, Error> {
        let asked = Asked::read(&request)?;
        let found = match request.room_id.as_str() {
            "" => self.search_project(ctx, &asked).await?,
            room_id => {
                let (_, view) = self.read(ctx, room_id, Audience::Browsers).await?;
                let is_elsewhere =
                    asked.filter.room_id.as_ref().is_some_and(|id| id.as_str() != room_id);
                match view.filter(|_| !is_elsewhere) {
                    Some(view) => Some(self.search_room(ctx, &view, &asked).await?),
                    None => None,
                }
            }
        };
        let Some((next, hits)) = found else { return Ok(v1::SearchCommentsResponse::default()) };
        let is_in_room = !request.room_id.is_empty();
        let hit = |hit: CommentHit| v1::CommentHit {
            room_id: if is_in_room { String::new() } else { hit.room_id.to_string() },
            thread_id: hit.thread_id.to_string(),
            comment_id: hit.comment_id.to_string(),
            content: hit.snippet.text,
            html: hit.snippet.html,
        };
        let data = hits.into_iter().map(hit).collect();
        Ok(v1::SearchCommentsResponse { next_cursor: next.map(SearchCursor::to_text), data })
    }

    async fn search_room(
        &self,
        ctx: &Ctx,
        view: &ThreadView,
        asked: &Asked,
    ) -> Result<(Option<SearchCursor>, Vec<CommentHit>), Error> {
        let mut rights = BTreeMap::from([(view.room_id.clone(), view.right)]);
        let ranked = self.rank(ctx, SearchScope::Room(view), asked, &mut rights).await?;
        Ok(asked.page(ranked))
    }

    /// `None` if the caller may not read the only room that is asked for.
    async fn search_project(
        &self,
        ctx: &Ctx,
        asked: &Asked,
    ) -> Result<Option<(Option<SearchCursor>, Vec<CommentHit>)>, Error> {
        let project = ctx.server_caller()?.project.clone();
        if let Some(room_id) = &asked.filter.room_id {
            return match self.read(ctx, room_id.as_str(), Audience::Everybody).await {
                Ok((_, Some(view))) => self.search_room(ctx, &view, asked).await.map(Some),
                Ok((_, None)) => Ok(None),
                Err(error) if matches!(error.code(), Code::NotFound | Code::PermissionDenied) => {
                    Ok(None)
                }
                Err(error) => Err(error),
            };
        }
        let mut rights = BTreeMap::new();
        let ranked = self.rank(ctx, SearchScope::Project(&project), asked, &mut rights).await?;
        Ok(Some(asked.page(ranked)))
    }

    /// The newest matches that the caller may read, the best first.
    async fn rank(
        &self,
        ctx: &Ctx,
        scope: SearchScope<'_>,
        asked: &Asked,
        rights: &mut BTreeMap<RoomId, ThreadRight>,
    ) -> Result<Ranked, Error> {
        let (mut before, mut scanned, mut matches) = (asked.cursor.before, 0, Vec::new());
        let mut more = !asked.text.words.is_empty();
        while more && scanned < SCANNED_MAX && matches.len() < RANKED_MAX {
            let store = &self.contents.store;
            let limit = RANKED_MAX - matches.len();
            let (found, has_more) =
                store.find_comments(scope, asked.terms(), before, limit).await?;
            more = has_more;
            for found in found {
                scanned += 1;
                before = found.seq();
                let Some(room_id) = found.room_id() else { continue };
                let right = match rights.get(&room_id) {
                    Some(right) => *right,
                    None => {
                        let right = self.right_in(ctx, &room_id).await?;
                        rights.insert(room_id, right);
                        right
                    }
                };
                let Some(comment) = found.open(right)? else { continue };
                if asked.filter.matches_thread(comment.resolved, &comment.metadata)
                    && let Some(score) = score(&comment.text, &asked.text.words)
                {
                    matches.push((score, comment));
                }
            }
        }
        // It is stable: of those that match as well, the newest stays first.
        matches.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let comments = matches.into_iter().map(|(_, comment)| comment).collect();
        Ok(Ranked { comments, before, more })
    }

    /// What the caller may read in a room, which is nothing if they may not read the room.
    async fn right_in(&self, ctx: &Ctx, room_id: &RoomId) -> Result<ThreadRight, Error> {
        let project: &ProjectId = &ctx.caller()?.project;
        let room = self.contents.store.find_room(project, room_id).await?;
        match ctx.open(room, Level::Read, Resource::Comments) {
            Ok(room) => ctx.threads(&room, Level::Read),
            Err(_) => Ok(ThreadRight::NOTHING),
        }
    }
}

impl Asked {
    fn read(request: &v1::SearchCommentsRequest) -> Result<Self, Error> {
        Ok(Self {
            text: SearchText::parse(&request.text)?,
            filter: CommentFilter::from_query(&request.query)?,
            cursor: SearchCursor::parse(&request.cursor)?,
            limit: read_limit(request.limit)?,
        })
    }

    fn terms(&self) -> BTreeSet<String> {
        let mut terms = self.text.terms();
        terms.extend(self.filter.attachments.map(attachments_term));
        terms.extend(self.filter.mentions.map(mentions_term));
        terms
    }

    fn page(&self, ranked: Ranked) -> (Option<SearchCursor>, Vec<CommentHit>) {
        let SearchCursor { before, skipped } = self.cursor;
        let end = skipped.saturating_add(self.limit);
        let next = if end < ranked.comments.len() {
            Some(SearchCursor { before, skipped: end })
        } else {
            ranked.more.then_some(SearchCursor { before: ranked.before, skipped: 0 })
        };
        let shown = ranked.comments.into_iter().skip(skipped).take(self.limit);
        let hit = |comment: SearchedComment| CommentHit {
            snippet: Snippet::of(&comment.text, &self.text.words),
            room_id: comment.room_id,
            thread_id: comment.thread_id,
            comment_id: comment.comment_id,
        };
        (next, shown.map(hit).collect())
    }
}

fn read_limit(limit: Option<i32>) -> Result<usize, Error> {
    let Some(limit) = limit else { return Ok(LIMIT_DEFAULT) };
    match usize::try_from(limit) {
        Ok(limit @ 1..=HITS_MAX) => Ok(limit),
        _ => Err(Error::invalid("limit", format!("must be 1 to {HITS_MAX}, got {limit}"))),
    }
}
