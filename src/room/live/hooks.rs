//! How back ends are told of what happens in rooms that are alive.

use std::sync::Arc;

use bytes::Bytes;

use super::message::LiveNews;
use crate::domain::ids::WebhookQueueName;
use crate::domain::live::{SidKind, new_sid};
use crate::domain::webhook::WebhookEvent;
use crate::error::{Error, chain};
use crate::room::session::RoomAddress;
use crate::store::{DroppedWebhooks, WebhookBatch};
use crate::webhooks::Webhooks;

/// Writes the body of an event with this id, at this time in milliseconds.
pub type WriteEvent = fn(&LiveNews, &str, i64) -> Bytes;

#[derive(Clone)]
pub struct LiveHooks {
    pub webhooks: Webhooks,
    pub write: WriteEvent,
}

impl LiveHooks {
    /// What is to be stored with the change that the news is of; nothing, if nobody wants it. News
    /// that cannot be written must not keep people from coming and going.
    pub fn batch(
        &self,
        address: &RoomAddress,
        news: &LiveNews,
        now_ms: i64,
    ) -> Option<Arc<WebhookBatch>> {
        if !self.webhooks.wants(news.event.name()) {
            return None;
        }
        match self.try_batch(address, news, now_ms) {
            Ok(batch) => batch.map(Arc::new),
            Err(error) => {
                let (room, event) = (&address.room, news.event.name());
                tracing::warn!(%room, event, error = %chain(&error), "an event is told to nobody");
                None
            }
        }
    }

    fn try_batch(
        &self,
        address: &RoomAddress,
        news: &LiveNews,
        now_ms: i64,
    ) -> Result<Option<WebhookBatch>, Error> {
        let id = new_sid(SidKind::WebhookEvent)?;
        let event = WebhookEvent::new(&id, news.event.name(), (self.write)(news, &id, now_ms))?;
        let queue = WebhookQueueName::trusted(address.room.as_str());
        self.webhooks.batch(&address.project, &queue, event)
    }

    pub fn committed(&self, told: &[(Arc<WebhookBatch>, Vec<DroppedWebhooks>)]) {
        for (batch, dropped) in told {
            self.webhooks.committed(batch, dropped);
        }
    }
}
