//! What users want to be told of, and how.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CustomKind, TEXT_MENTION_KIND, THREAD_KIND};
use crate::error::Error;

/// Kinds of the application's own that a channel has settings for.
const CUSTOM_KINDS_MAX: usize = 100;

/// Which threads of a room a user wants to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ThreadNotices {
    All,
    /// Those that the user wrote in, is mentioned in or subscribed to.
    #[default]
    RepliesAndMentions,
    None,
}

impl ThreadNotices {
    pub fn parse(raw: &str) -> Result<Self, Error> {
        match raw {
            "all" => Ok(Self::All),
            "replies_and_mentions" => Ok(Self::RepliesAndMentions),
            "none" => Ok(Self::None),
            _ => {
                let problem = "must be 'all', 'replies_and_mentions' or 'none'";
                Err(Error::invalid("threads", problem))
            }
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::RepliesAndMentions => "replies_and_mentions",
            Self::None => "none",
        }
    }
}

/// Which mentions in a room's texts a user wants to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextMentionNotices {
    #[default]
    Mine,
    None,
}

impl TextMentionNotices {
    pub fn parse(raw: &str) -> Result<Self, Error> {
        match raw {
            "mine" => Ok(Self::Mine),
            "none" => Ok(Self::None),
            _ => Err(Error::invalid("textMentions", "must be 'mine' or 'none'")),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mine => "mine",
            Self::None => "none",
        }
    }
}

/// What a user said for a room; what they did not say is as usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoomSubscription {
    pub threads: Option<ThreadNotices>,
    pub text_mentions: Option<TextMentionNotices>,
}

impl RoomSubscription {
    /// Takes what a request says; an empty text says nothing.
    pub fn parse(threads: &str, text_mentions: &str) -> Result<Self, Error> {
        let given = |raw: &str| (!raw.is_empty()).then(|| raw.to_owned());
        let threads = given(threads).map(|raw| ThreadNotices::parse(&raw)).transpose()?;
        let text_mentions =
            given(text_mentions).map(|raw| TextMentionNotices::parse(&raw)).transpose()?;
        Ok(Self { threads, text_mentions })
    }
}

/// A way to reach a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Channel {
    Email,
    Slack,
    Teams,
    WebPush,
}

impl Channel {
    pub const ALL: [Self; 4] = [Self::Email, Self::Slack, Self::Teams, Self::WebPush];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::WebPush => "webPush",
        }
    }

    /// What everybody has who never said anything.
    const fn wants(self) -> bool {
        matches!(self, Self::Email)
    }
}

/// What changes: of each channel, kinds with their new values, or nothing to forget them.
pub type SettingsPatch = BTreeMap<Channel, BTreeMap<String, Option<bool>>>;

/// What a user said of channels and kinds; what they did not say is as usual.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NotificationSettings(BTreeMap<Channel, BTreeMap<String, bool>>);

impl NotificationSettings {
    /// Puts a patch over the settings, if what comes out is within the limits.
    pub fn merge(&mut self, patch: &SettingsPatch) -> Result<(), Error> {
        for (channel, kinds) in patch {
            let said = self.0.entry(*channel).or_default();
            for (kind, wanted) in kinds {
                check_kind(*channel, kind)?;
                match wanted {
                    Some(wanted) => drop(said.insert(kind.clone(), *wanted)),
                    None => drop(said.remove(kind)),
                }
            }
            let custom = said.keys().filter(|kind| kind.starts_with('$')).count();
            if custom > CUSTOM_KINDS_MAX {
                let problem =
                    format!("must have at most {CUSTOM_KINDS_MAX} kinds that begin with '$'");
                return Err(Error::invalid(channel.as_str(), problem));
            }
        }
        self.0.retain(|_, said| !said.is_empty());
        Ok(())
    }

    /// Of one channel: each kind that has a setting, and whether it is wanted.
    pub fn of(&self, channel: Channel) -> BTreeMap<String, bool> {
        let usual = [THREAD_KIND, TEXT_MENTION_KIND].map(|kind| (kind.to_owned(), channel.wants()));
        let mut kinds = BTreeMap::from(usual);
        kinds.extend(self.0.get(&channel).cloned().unwrap_or_default());
        kinds
    }
}

fn check_kind(channel: Channel, kind: &str) -> Result<(), Error> {
    let known = [THREAD_KIND, TEXT_MENTION_KIND].contains(&kind);
    if known || CustomKind::parse(channel.as_str(), kind).is_ok() {
        return Ok(());
    }
    let problem = "a kind must be 'thread', 'textMention', or '$' and letters or '_'";
    Err(Error::invalid(channel.as_str(), problem))
}
