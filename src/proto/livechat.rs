//! Comments as messages of Rocket.Chat.

use serde_json::Value;

use super::room::timestamp;
use super::roomd::v1;
use super::value;
use crate::domain::comment::{Attachment, Comment, Mention};
use crate::domain::livechat::{links, markdown};

/// `address` is where one of its files is.
pub fn message(comment: &Comment, address: impl Fn(&Attachment) -> String) -> v1::LivechatMessage {
    let content = comment.body.as_ref().map(|body| body.content()).unwrap_or_default();
    let blocks = markdown(&content).into_iter().filter_map(|block| match block {
        Value::Object(block) => Some(value::from_object(block)),
        _ => None,
    });
    let files: Vec<_> = comment.attachments.iter().map(file).collect();
    let shown = comment.attachments.iter().map(|found| attachment(found, address(found)));
    let urls = links(&content).into_iter().map(|url| v1::LivechatUrl { url });
    let mentions = comment.body.as_ref().map(|body| body.mentions()).unwrap_or_default();
    v1::LivechatMessage {
        id: comment.id.to_string(),
        rid: comment.room_id.to_string(),
        tmid: comment.thread_id.to_string(),
        ts: Some(timestamp(comment.created_at_ms)),
        msg: comment.body.as_ref().map(|body| body.text()).unwrap_or_default(),
        md: blocks.collect(),
        u: Some(user(comment.user_id.as_str())),
        file: files.first().cloned(),
        files,
        attachments: shown.collect(),
        mentions: mentions.iter().map(|mention| user(mentioned(mention))).collect(),
        urls: urls.collect(),
        channels: Vec::new(),
        updated_at: Some(timestamp(comment.edited_at_ms.unwrap_or(comment.created_at_ms))),
    }
}

fn user(id: &str) -> v1::LivechatUser {
    v1::LivechatUser { id: id.to_owned(), username: id.to_owned(), name: id.to_owned() }
}

fn mentioned(mention: &Mention) -> &str {
    match mention {
        Mention::User(id) => id.as_str(),
        Mention::Group { id, .. } => id,
    }
}

fn file(found: &Attachment) -> v1::LivechatFile {
    v1::LivechatFile {
        id: found.id.to_string(),
        name: found.name.clone(),
        r#type: found.mime_type.clone(),
        size: size(found),
        format: found.mime_type.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

fn attachment(found: &Attachment, address: String) -> v1::LivechatAttachment {
    let is_image = found.mime_type.starts_with("image/");
    let of_image = |text: &str| if is_image { text.to_owned() } else { String::new() };
    v1::LivechatAttachment {
        title: found.name.clone(),
        image_url: of_image(&address),
        title_link: address,
        title_link_download: true,
        image_type: of_image(&found.mime_type),
        image_size: if is_image { size(found) } else { 0 },
        r#type: "file".to_owned(),
        description: String::new(),
    }
}

fn size(found: &Attachment) -> u32 {
    u32::try_from(found.size_bytes).unwrap_or(u32::MAX)
}
