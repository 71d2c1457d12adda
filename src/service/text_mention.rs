//! CreateTextMention: who is told of a mention in a text.

use crate::domain::comment::Mention;
use crate::domain::ctx::{Actor, Ctx, room_not_found};
use crate::domain::ids::UserId;
use crate::domain::notification::parse_subject;
use crate::domain::permissions::{Level, Resource};
use crate::error::Error;
use crate::proto::roomd::v1;
use crate::service::contents::Audience;
use crate::service::inbox::InboxHandlers;
use crate::store::TextMention;

/// Users that a request may name as members of a group.
const MEMBERS_MAX: usize = 1_000;

impl InboxHandlers {
    pub(super) async fn mention_in_text(
        &self,
        ctx: &Ctx,
        request: v1::CreateTextMentionRequest,
    ) -> Result<(), Error> {
        let id = parse_subject("mentionId", &request.mention_id)?;
        let mention = read_mention(&request)?;
        let right = (Level::Write, Resource::Storage);
        let audience = Audience::Everybody;
        let opened = self.contents.open_for(ctx, &request.room_id, right, audience).await?;
        let created_by = match &ctx.caller()?.actor {
            Actor::User(user) => user.id.clone(),
            Actor::Secret | Actor::Public | Actor::Live(_) => {
                UserId::parse("createdBy", &request.created_by)?
            }
        };
        let store = &self.contents.store;
        let key = store.ensure_data_key(&opened.project, &opened.room).await?;
        let key = key.ok_or_else(room_not_found)?;
        let mention = TextMention { room: opened.room, id, created_by, mention };
        store.insert_text_mention(&key, mention, ctx.now_ms()).await
    }
}

fn read_mention(request: &v1::CreateTextMentionRequest) -> Result<Mention, Error> {
    match (request.user_id.as_str(), request.group_id.as_str()) {
        ("", "") => Err(Error::missing("userId")),
        (user, "") => UserId::parse("userId", user).map(Mention::User),
        ("", group) => {
            let user_ids = &request.user_ids;
            if user_ids.len() > MEMBERS_MAX {
                let problem = format!("must have at most {MEMBERS_MAX}, got {}", user_ids.len());
                return Err(Error::invalid("userIds", problem));
            }
            let user_ids = user_ids.iter().map(|id| UserId::parse("userIds", id));
            // A group's id has the shape of a user's.
            let id = UserId::parse("groupId", group)?.to_string();
            Ok(Mention::Group { id, user_ids: user_ids.collect::<Result<_, _>>()? })
        }
        _ => Err(Error::invalid("groupId", "must not be there beside userId")),
    }
}
