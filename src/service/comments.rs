//! CommentsService. Each subject has a file of its own.

mod access;
mod changes;
mod edits;
mod lists;
mod reactions;
mod replies;
mod search;
mod threads;
mod user_threads;

use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::proto::handlers::roomd_v1_comments_service::CommentsService;
use crate::proto::roomd::v1;
use crate::service::contents::Contents;

pub struct CommentsHandlers {
    contents: Contents,
}

impl CommentsHandlers {
    pub fn new(contents: Contents) -> Self {
        Self { contents }
    }
}

impl CommentsService for CommentsHandlers {
    async fn create_thread(
        &self,
        ctx: &Ctx,
        request: v1::CreateThreadRequest,
    ) -> Result<v1::CreateThreadResponse, Error> {
        let thread = Some(self.make_thread(ctx, request).await?);
        Ok(v1::CreateThreadResponse { thread })
    }

    async fn get_thread(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadRequest,
    ) -> Result<v1::GetThreadResponse, Error> {
        let thread = Some(self.read_thread(ctx, request).await?);
        Ok(v1::GetThreadResponse { thread })
    }

    async fn get_thread_with_notification(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadWithNotificationRequest,
    ) -> Result<v1::GetThreadWithNotificationResponse, Error> {
        self.read_thread_with_notification(ctx, request).await
    }

    async fn get_threads(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadsRequest,
    ) -> Result<v1::GetThreadsResponse, Error> {
        self.list_plainly(ctx, request).await
    }

    async fn list_threads(
        &self,
        ctx: &Ctx,
        request: v1::ListThreadsRequest,
    ) -> Result<v1::ListThreadsResponse, Error> {
        self.list(ctx, request).await
    }

    async fn get_threads_delta(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadsDeltaRequest,
    ) -> Result<v1::GetThreadsDeltaResponse, Error> {
        self.list_changes(ctx, request).await
    }

    async fn list_user_threads(
        &self,
        ctx: &Ctx,
        request: v1::ListUserThreadsRequest,
    ) -> Result<v1::ListUserThreadsResponse, Error> {
        self.list_of_user(ctx, request).await
    }

    async fn get_user_threads_delta(
        &self,
        ctx: &Ctx,
        request: v1::GetUserThreadsDeltaRequest,
    ) -> Result<v1::GetUserThreadsDeltaResponse, Error> {
        self.list_changes_of_user(ctx, request).await
    }

    async fn delete_thread(
        &self,
        ctx: &Ctx,
        request: v1::DeleteThreadRequest,
    ) -> Result<v1::DeleteThreadResponse, Error> {
        self.remove_thread(ctx, request).await?;
        Ok(v1::DeleteThreadResponse {})
    }

    async fn edit_thread_metadata(
        &self,
        ctx: &Ctx,
        request: v1::EditThreadMetadataRequest,
    ) -> Result<v1::EditThreadMetadataResponse, Error> {
        let metadata = Some(self.change_thread_metadata(ctx, request).await?);
        Ok(v1::EditThreadMetadataResponse { metadata })
    }

    async fn mark_thread_as_resolved(
        &self,
        ctx: &Ctx,
        request: v1::MarkThreadAsResolvedRequest,
    ) -> Result<v1::MarkThreadAsResolvedResponse, Error> {
        let v1::MarkThreadAsResolvedRequest { room_id, thread_id, user_id } = request;
        let thread = self.resolve_thread(ctx, (&room_id, &thread_id), &user_id, true).await?;
        Ok(v1::MarkThreadAsResolvedResponse { thread: Some(thread) })
    }

    async fn mark_thread_as_unresolved(
        &self,
        ctx: &Ctx,
        request: v1::MarkThreadAsUnresolvedRequest,
    ) -> Result<v1::MarkThreadAsUnresolvedResponse, Error> {
        let v1::MarkThreadAsUnresolvedRequest { room_id, thread_id, user_id } = request;
        let thread = self.resolve_thread(ctx, (&room_id, &thread_id), &user_id, false).await?;
        Ok(v1::MarkThreadAsUnresolvedResponse { thread: Some(thread) })
    }

    async fn get_thread_participants(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadParticipantsRequest,
    ) -> Result<v1::GetThreadParticipantsResponse, Error> {
        let participant_ids = self.list_participants(ctx, request).await?;
        Ok(v1::GetThreadParticipantsResponse { participant_ids })
    }

    async fn create_comment(
        &self,
        ctx: &Ctx,
        request: v1::CreateCommentRequest,
    ) -> Result<v1::CreateCommentResponse, Error> {
        let comment = Some(self.make_comment(ctx, request).await?);
        Ok(v1::CreateCommentResponse { comment })
    }

    async fn get_comment(
        &self,
        ctx: &Ctx,
        request: v1::GetCommentRequest,
    ) -> Result<v1::GetCommentResponse, Error> {
        let comment = Some(self.read_comment(ctx, request).await?);
        Ok(v1::GetCommentResponse { comment })
    }

    async fn edit_comment(
        &self,
        ctx: &Ctx,
        request: v1::EditCommentRequest,
    ) -> Result<v1::EditCommentResponse, Error> {
        let comment = Some(self.change_comment(ctx, request).await?);
        Ok(v1::EditCommentResponse { comment })
    }

    async fn delete_comment(
        &self,
        ctx: &Ctx,
        request: v1::DeleteCommentRequest,
    ) -> Result<v1::DeleteCommentResponse, Error> {
        self.remove_comment(ctx, request).await?;
        Ok(v1::DeleteCommentResponse {})
    }

    async fn edit_comment_metadata(
        &self,
        ctx: &Ctx,
        request: v1::EditCommentMetadataRequest,
    ) -> Result<v1::EditCommentMetadataResponse, Error> {
        let metadata = Some(self.change_comment_metadata(ctx, request).await?);
        Ok(v1::EditCommentMetadataResponse { metadata })
    }

    async fn add_comment_reaction(
        &self,
        ctx: &Ctx,
        request: v1::AddCommentReactionRequest,
    ) -> Result<v1::AddCommentReactionResponse, Error> {
        let reaction = Some(self.react(ctx, request).await?);
        Ok(v1::AddCommentReactionResponse { reaction })
    }

    async fn remove_comment_reaction(
        &self,
        ctx: &Ctx,
        request: v1::RemoveCommentReactionRequest,
    ) -> Result<v1::RemoveCommentReactionResponse, Error> {
        self.take_reaction_back(ctx, request).await?;
        Ok(v1::RemoveCommentReactionResponse {})
    }

    async fn search_comments(
        &self,
        ctx: &Ctx,
        request: v1::SearchCommentsRequest,
    ) -> Result<v1::SearchCommentsResponse, Error> {
        self.search(ctx, request).await
    }
}
