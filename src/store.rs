//! SQL, on SQLite or PostgreSQL, from one text. It knows values and rules of `domain`, no protocol.
//!
//! Invariants: an answered write is durable; a read never sees less than an answered write; every
//! statement names its project, but for what belongs to the deployment as a whole.
//!
//! One file per noun. To add a noun: a migration in both folders (a test compares them), a file
//! here, cases in `tests/it/store_*.rs`, which run on both databases.

mod api_key;
mod attachment;
mod attachment_take;
mod comment;
mod comment_change;
mod comment_group;
mod comment_message;
mod comment_reaction;
mod comment_row;
mod comment_search;
mod comment_search_find;
mod comment_write;
mod content;
mod db;
mod deployment_secret;
mod document;
mod document_append;
mod document_snapshot;
mod fault;
mod feed;
mod feed_message;
mod garbage;
mod garbage_object;
mod group;
mod inbox;
mod inbox_changes;
mod inbox_trigger;
mod inbox_write;
mod live_room;
mod livekit_key;
mod notification_setting;
mod notify;
mod open;
mod options;
mod project;
mod quiet_polls;
mod room;
mod room_cache;
mod room_data;
mod room_index;
mod room_insert;
mod room_list;
mod room_patch;
mod room_query;
mod room_row;
mod room_subscription;
mod schema;
mod select_at;
mod signing_key;
mod stamps;
mod storage_file;
mod stored_file;
mod text_editor;
mod thread;
mod thread_change;
mod thread_changes;
mod thread_delete;
mod thread_list;
mod thread_metadata;
mod thread_row;
mod thread_subscription;
mod transact;
mod turns;
mod upload;
mod upload_part;
mod user_access;
mod user_threads;
mod values;
mod version;
mod webhook;
mod webhook_claim;
mod webhook_sweep;
mod webhook_trim;
mod writer;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::task::TaskTracker;

pub use api_key::{ApiKey, ApiKeyKind};
pub use attachment::{Attached, StoredAttachment};
pub use comment_message::MessagePage;
pub use comment_search_find::{FoundComment, SearchScope, SearchedComment};
pub use comment_write::{CommentScope, ThreadView};
pub use content::CONTENT_CHUNK_BYTES;
pub use document::{DocumentId, DocumentUpdate, SUBDOCUMENT_GUID_BYTES_MAX, StoredDocument};
pub use feed_message::FeedMessageOutcome;
pub use group::GroupChange;
pub use inbox::{InboxEntry, UnreadCount};
pub use inbox_changes::Changes;
pub use inbox_trigger::{CustomNotice, NoticePlace, TextMention};
pub use live_room::{LiveWrite, StoredLiveRoom, Told};
pub use livekit_key::LiveKey;
pub use options::{DatabaseOptions, GROUP_COMMIT_MAX, ROOM_CACHE_BYTES_MAX, Target};
pub use project::Project;
pub use quiet_polls::{Poll, PollTicket};
pub use room::{Inserted, Moved, Renamed};
pub use room_data::{DataKey, RoomData, RoomKey};
pub use room_subscription::RoomSubscriptionEntry;
pub use schema::{Schema, SchemaDeleted, SchemaId, SchemaUpdated};
pub use signing_key::{SigningAlgorithm, SigningKey};
pub use stamps::Stamp;
pub use storage_file::{FileId, InStorage, StorageFile};
pub use stored_file::{FileDraft, StoredFile};
pub use thread_subscription::SubscriptionChange;
pub use upload::{Completed, PartReceipt, Parts, UPLOAD_PARTS_MAX, UPLOADS_OPEN_MAX, UploadId};
pub use upload_part::Part;
pub use user_threads::FollowedThread;
pub use version::{Version, VersionCursor, VersionId, VersionKind};
pub use webhook::{DroppedWebhooks, WebhookBatch};
pub use webhook_claim::{StoredWebhook, WebhookClaim, WebhookProgress};

use crate::error::Error;
use crate::objects::Objects;
use db::{Db, on_db};
use quiet_polls::QuietPolls;
use room_cache::RoomCache;
use stamps::Stamps;
use turns::{Lane, Turns};
use user_access::LastTokens;
use writer::Writer;

/// A ping that takes longer than this means "not ready".
const PING_TIMEOUT_MS: u64 = 2_000;

/// The handle to the database; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
    lane: Lane,
}

#[derive(Debug)]
struct Inner {
    /// All reads, and PostgreSQL's writes.
    db: Db,
    /// SQLite's writes.
    writer: Option<Writer>,
    cache: Arc<RoomCache>,
    turns: Arc<Turns>,
    stamps: Stamps,
    last_tokens: LastTokens,
    quiet_polls: QuietPolls,
    /// PostgreSQL's transactions, which outlive callers that go away.
    tasks: TaskTracker,
    /// Where the bytes of new files go, if not into the database.
    objects: Option<Objects>,
    /// Longer than any statement may take: only a connection that died silently gets there.
    call_timeout: Duration,
}

/// For `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PoolStats {
    /// Open connections, idle ones included; SQLite's writer is not among them.
    pub size: u32,
    pub idle: u32,
    /// SQLite only: writes that wait for the writer.
    pub writer_queue_len: usize,
    /// SQLite only: commits so far, and the writes that they held.
    pub group_commits: u64,
    pub grouped_writes: u64,
}

impl Store {
    /// Opens the database, and brings its schema up to date under a lock, so that any number of
    /// processes may start at once.
    pub async fn open(options: DatabaseOptions) -> Result<Self, Error> {
        open::open(options).await
    }

    /// The same store for rooms, which wait longer than calls for their turn.
    pub fn for_rooms(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), lane: Lane::Rooms }
    }

    /// Whether the database answers, for readiness. Quick either way.
    pub async fn ping(&self) -> Result<(), Error> {
        const PING: &str = "SELECT name FROM deployment_secret LIMIT 1";
        let ask = async {
            let _turn = self.inner.turns.take(self.lane).await?;
            on_db!(&self.inner.db, |c| sqlx::query(PING).fetch_optional(c).await.map(drop))
                .map_err(|error| fault::on("deployment_secret")(error).into())
        };
        match tokio::time::timeout(Duration::from_millis(PING_TIMEOUT_MS), ask).await {
            Ok(answer) => answer,
            Err(_) => Err(fault::unreachable("the ping took too long")),
        }
    }

    pub fn kind(&self) -> &'static str {
        match self.inner.db {
            Db::Sqlite(_) => "sqlite",
            Db::Postgres(_) => "postgres",
        }
    }

    pub fn pool_stats(&self) -> PoolStats {
        let (size, idle) = on_db!(&self.inner.db, |pool| (pool.size(), pool.num_idle()));
        let mut stats =
            PoolStats { size, idle: u32::try_from(idle).unwrap_or(size), ..PoolStats::default() };
        if let Some(writer) = &self.inner.writer {
            stats.writer_queue_len = writer.queue_len();
            stats.group_commits = writer.counts().groups.load(Ordering::Relaxed);
            stats.grouped_writes = writer.counts().writes.load(Ordering::Relaxed);
        }
        stats
    }

    /// Waits for the writes that were begun, then closes every connection. Calls that come later
    /// are told that the database is not reachable.
    pub async fn close(&self) {
        if let Some(writer) = &self.inner.writer {
            writer.close().await;
        }
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        on_db!(&self.inner.db, |pool| pool.close().await);
    }

    /// How long whoever uses this handle waits to be let in.
    fn patience(&self) -> Duration {
        self.inner.turns.patience(self.lane)
    }

    /// Runs one reading statement, about `table`, when it is its turn, within the time that a call
    /// may take.
    async fn read<T>(
        &self,
        table: &'static str,
        statement: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, Error> {
        let _turn = self.inner.turns.take(self.lane).await?;
        match tokio::time::timeout(self.inner.call_timeout, statement).await {
            Ok(answer) => answer.map_err(|error| fault::on(table)(error).into()),
            Err(_) => Err(fault::unreachable(format!("table `{table}`: no answer in time"))),
        }
    }
}
