-- Comments: threads of what people say about what is in a room.

-- A thread that was deleted stays as a row without metadata and comments, for those who ask what
-- changed. `comments_count` has the deleted comments as well, and numbers the next one; `bytes` is
-- what the comments hold.
CREATE TABLE thread (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    resolved BOOLEAN NOT NULL,
    metadata TEXT NOT NULL,
    comments_count BIGINT NOT NULL,
    comments_living BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    deleted_at_ms BIGINT,
    PRIMARY KEY (project_id, key, id)
);
-- Lists walk the index that fits whom they are for: who sees one visibility passes no thread of the
-- other one.
CREATE INDEX thread_by_age ON thread (project_id, key, created_at_ms, id)
    WHERE deleted_at_ms IS NULL;
CREATE INDEX thread_by_visibility ON thread (project_id, key, visibility, created_at_ms, id)
    WHERE deleted_at_ms IS NULL;
CREATE INDEX thread_by_resolved ON thread (project_id, key, resolved, created_at_ms, id)
    WHERE deleted_at_ms IS NULL;
CREATE INDEX thread_by_visibility_and_resolved
    ON thread (project_id, key, visibility, resolved, created_at_ms, id)
    WHERE deleted_at_ms IS NULL;
CREATE INDEX thread_by_change ON thread (project_id, key, updated_at_ms, id, visibility);

-- What threads are found by. `kind` is 's', 'n' or 'b'; `value` is the value as text, of which a
-- beginning is kept that is longer than any value that may be asked for.
CREATE TABLE thread_metadata (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    value TEXT NOT NULL,
    number DOUBLE PRECISION,
    created_at_ms BIGINT NOT NULL,
    thread_id TEXT NOT NULL,
    PRIMARY KEY (project_id, key, name, kind, value, created_at_ms, thread_id)
) WITHOUT ROWID;
CREATE INDEX thread_metadata_by_thread ON thread_metadata (project_id, key, thread_id, name);

-- `seq` numbers a thread's comments as they came.
CREATE TABLE comment (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    visibility TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    edited_at_ms BIGINT,
    deleted_at_ms BIGINT,
    body TEXT,
    metadata TEXT NOT NULL,
    attachments TEXT NOT NULL,
    reactions_count BIGINT NOT NULL,
    PRIMARY KEY (project_id, key, id)
);
CREATE INDEX comment_by_thread ON comment (project_id, key, thread_id, created_at_ms, seq);
-- For lists of all messages of a room, one visibility after the other.
CREATE INDEX comment_by_age ON comment (project_id, key, visibility, created_at_ms, id)
    WHERE deleted_at_ms IS NULL;

CREATE TABLE comment_reaction (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    comment_id TEXT NOT NULL,
    emoji TEXT NOT NULL,
    user_id TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (project_id, key, thread_id, comment_id, emoji, user_id)
) WITHOUT ROWID;
