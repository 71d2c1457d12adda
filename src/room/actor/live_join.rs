//! Who somebody is among a room's participants.

use serde_json::Value;

use crate::domain::ctx::Actor as Identity;
use crate::domain::live::{ParticipantKind, Permission};
use crate::domain::permissions::{Level, Matrix, Resource};
use crate::room::live::{Link, LiveJoin};
use crate::room::message::ActorId;
use crate::room::session::Join;

/// Under which identity somebody takes part, and what they may do there.
pub(super) fn live_join(join: &Join, actor: ActorId, rights: Matrix) -> LiveJoin {
    if let (Identity::Live(token), Some(client)) = (&join.caller.actor, &join.live) {
        let mut attributes = token.attributes.clone();
        attributes.extend(client.attributes.clone());
        return LiveJoin {
            identity: token.identity.as_str().into(),
            name: token.name.clone(),
            metadata: client.metadata.clone().unwrap_or_else(|| token.metadata.clone()),
            attributes,
            permission: token.grant.permission(),
            kind: token.kind,
            kind_details: token.kind_details.clone(),
            link: Link::Signal,
            client_protocol: client.client_protocol,
            capabilities: client.capabilities.clone(),
        };
    }
    let mut live = LiveJoin {
        identity: format!("anonymous-{actor}").into(),
        name: String::new(),
        metadata: String::new(),
        attributes: std::collections::BTreeMap::new(),
        permission: permission(rights),
        kind: ParticipantKind::Standard,
        kind_details: std::collections::BTreeSet::new(),
        link: join.link,
        client_protocol: 0,
        capabilities: Vec::new(),
    };
    match &join.caller.actor {
        Identity::User(user) => {
            live.identity = user.id.as_str().into();
            let info = user.info.as_ref();
            let name = info.and_then(|info| info.get("name")).and_then(Value::as_str);
            live.name = name.unwrap_or_default().to_owned();
            let metadata = info.and_then(|info| serde_json::to_string(info).ok());
            live.metadata = metadata.unwrap_or_default();
        }
        Identity::Live(token) => {
            live.identity = token.identity.as_str().into();
            live.name.clone_from(&token.name);
            live.metadata.clone_from(&token.metadata);
            live.attributes.clone_from(&token.attributes);
            live.permission = token.grant.permission();
            live.kind = token.kind;
            live.kind_details.clone_from(&token.kind_details);
        }
        Identity::Secret | Identity::Public => {}
    }
    live
}

/// What somebody with these rights in the room may do as a participant.
pub(super) fn permission(rights: Matrix) -> Permission {
    let may_write = rights.allows(Level::Write, Resource::Room);
    Permission {
        can_subscribe: true,
        can_publish: may_write,
        can_publish_data: may_write,
        ..Permission::default()
    }
}
