//! What a participant may do in a room.

use super::TrackSource;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Permission {
    pub can_subscribe: bool,
    pub can_publish: bool,
    pub can_publish_data: bool,
    /// All if empty.
    pub can_publish_sources: Vec<TrackSource>,
    /// Is not shown to the others, nor counted.
    pub hidden: bool,
    pub recorder: bool,
    pub can_update_metadata: bool,
    pub agent: bool,
    pub can_subscribe_metrics: bool,
    pub can_manage_agent_session: bool,
}

impl Permission {
    /// Whether a track from this source may be published.
    pub fn may_publish(&self, source: TrackSource) -> bool {
        let sources = &self.can_publish_sources;
        self.can_publish && (sources.is_empty() || sources.contains(&source))
    }
}
