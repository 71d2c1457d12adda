-- Feeds of rooms. A feed's messages lie under `content`, which is a key of its own, so that they can
-- be dropped into `garbage` in one step. `next_seq` numbers them in the order in which they came.

CREATE TABLE feed (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    content TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    next_seq BIGINT NOT NULL,
    PRIMARY KEY (project_id, key, id)
) WITHOUT ROWID;
CREATE INDEX feed_by_age ON feed (project_id, key, created_at_ms, id);

-- What feeds are found by, one row for each text.
CREATE TABLE feed_metadata (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (project_id, key, name, value, created_at_ms, id)
) WITHOUT ROWID;
CREATE INDEX feed_metadata_by_feed ON feed_metadata (project_id, key, id);

CREATE TABLE feed_message (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (project_id, key, id)
);
CREATE INDEX feed_message_by_age ON feed_message (project_id, key, created_at_ms, seq);
