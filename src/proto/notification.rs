//! Notifications and settings between messages and domain values.

use std::collections::BTreeMap;

use prost_types::value::Kind;
use prost_types::{Struct, Value};

use super::room::{strings, timestamp};
use super::roomd::v1;
use super::value::from_object;
use crate::domain::comment::Mention;
use crate::domain::content_id::{NotificationId, ThreadId};
use crate::domain::ids::OrganizationId;
use crate::domain::notification::{
    About, Activity, Channel, InboxDeletion, MARKED_MAX, Notification, NotificationSettings,
    RoomSubscription, SettingsPatch, THREAD_KIND, ThreadSubscription,
};
use crate::domain::text::excerpt;
use crate::error::Error;

/// A notification; `organization` is that of its room, or its own.
pub fn notification(found: Notification, organization: &OrganizationId) -> v1::InboxNotification {
    let mut message = v1::InboxNotification {
        id: found.id.to_string(),
        kind: found.about.kind().to_owned(),
        room_id: found.room().map(ToString::to_string),
        notified_at: Some(timestamp(found.notified_at_ms)),
        read_at: found.read_at_ms.map(timestamp),
        organization_id: organization.to_string(),
        ..v1::InboxNotification::default()
    };
    match found.about {
        About::Thread { id, .. } => message.thread_id = Some(id.to_string()),
        About::TextMention { id, created_by, mention } => {
            message.mention_id = id;
            message.created_by = created_by.to_string();
            message.mention = Some(v1::Mention::from(mention));
        }
        About::Custom { subject_id, activities, .. } => {
            message.subject_id = subject_id;
            let activity = |one: Activity| v1::InboxNotificationActivity {
                id: one.id,
                created_at: Some(timestamp(one.created_at_ms)),
                data: Some(from_object(one.data)),
            };
            message.activities = activities.into_iter().map(activity).collect();
        }
    }
    message
}

impl From<Mention> for v1::Mention {
    fn from(mention: Mention) -> Self {
        let (kind, id, user_ids) = match mention {
            Mention::User(user) => ("user", user.to_string(), Vec::new()),
            Mention::Group { id, user_ids } => ("group", id, user_ids),
        };
        let user_ids = user_ids.iter().map(ToString::to_string).collect();
        Self { kind: kind.to_owned(), id, user_ids }
    }
}

impl From<&ThreadSubscription> for v1::Subscription {
    fn from(found: &ThreadSubscription) -> Self {
        Self {
            kind: THREAD_KIND.to_owned(),
            subject_id: found.thread.to_string(),
            created_at: Some(timestamp(found.created_at_ms)),
            user_id: String::new(),
        }
    }
}

pub fn deleted_subscription(thread: &ThreadId, deleted_at_ms: i64) -> v1::DeletedSubscription {
    v1::DeletedSubscription {
        r#type: "deletedSubscription".to_owned(),
        kind: THREAD_KIND.to_owned(),
        subject_id: thread.to_string(),
        deleted_at: Some(timestamp(deleted_at_ms)),
    }
}

pub fn deleted_notification(gone: InboxDeletion) -> v1::DeletedInboxNotification {
    v1::DeletedInboxNotification {
        r#type: "deletedInboxNotification".to_owned(),
        id: gone.id.to_string(),
        room_id: gone.room.map(|room| room.to_string()),
        deleted_at: Some(timestamp(gone.deleted_at_ms)),
    }
}

/// The ids that a call names, or nothing for all of them.
pub fn marked_ids(given: Option<Value>) -> Result<Option<Vec<NotificationId>>, Error> {
    const FIELD: &str = "inboxNotificationIds";
    match given.and_then(|value| value.kind) {
        Some(Kind::StringValue(all)) if all == "all" => Ok(None),
        Some(Kind::ListValue(list)) => parse_ids(&strings(FIELD, list)?).map(Some),
        _ => Err(Error::invalid(FIELD, "must be a list of ids, or 'all'")),
    }
}

pub fn parse_ids(ids: &[String]) -> Result<Vec<NotificationId>, Error> {
    const FIELD: &str = "inboxNotificationIds";
    if ids.len() > MARKED_MAX {
        let problem = format!("must have at most {MARKED_MAX} ids, got {}", ids.len());
        return Err(Error::invalid(FIELD, problem));
    }
    ids.iter().map(|id| NotificationId::parse(FIELD, id)).collect()
}

impl From<&NotificationSettings> for v1::NotificationSettings {
    fn from(settings: &NotificationSettings) -> Self {
        let of = |channel| {
            let value = |wanted| Value { kind: Some(Kind::BoolValue(wanted)) };
            let kinds = settings.of(channel).into_iter();
            let fields = kinds.map(|(kind, wanted)| (kind, value(wanted))).collect();
            Some(Struct { fields })
        };
        Self {
            email: of(Channel::Email),
            slack: of(Channel::Slack),
            teams: of(Channel::Teams),
            web_push: of(Channel::WebPush),
        }
    }
}

pub fn settings_patch(
    request: v1::UpdateNotificationSettingsRequest,
) -> Result<SettingsPatch, Error> {
    let given = [
        (Channel::Email, request.email),
        (Channel::Slack, request.slack),
        (Channel::Teams, request.teams),
        (Channel::WebPush, request.web_push),
    ];
    let mut patch = SettingsPatch::new();
    for (channel, kinds) in given {
        let Some(kinds) = kinds else { continue };
        let kind = |(kind, value): (String, Value)| match value.kind {
            Some(Kind::BoolValue(wanted)) => Ok((kind, Some(wanted))),
            Some(Kind::NullValue(_)) | None => Ok((kind, None)),
            _ => {
                let field = format!("{}.{}", channel.as_str(), excerpt(&kind));
                Err(Error::invalid(field, "must be true, false or null"))
            }
        };
        let kinds = kinds.fields.into_iter().map(kind);
        patch.insert(channel, kinds.collect::<Result<BTreeMap<_, _>, Error>>()?);
    }
    Ok(patch)
}

impl From<RoomSubscription> for v1::RoomSubscriptionSettings {
    fn from(said: RoomSubscription) -> Self {
        Self {
            threads: said.threads.unwrap_or_default().as_str().to_owned(),
            text_mentions: said.text_mentions.unwrap_or_default().as_str().to_owned(),
        }
    }
}
