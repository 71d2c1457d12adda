-- Feeds of rooms. A feed's messages lie under `content`, which is a key of its own, so that they can
-- be dropped into `garbage` in one step. `next_seq` numbers them in the order in which they came.

CREATE TABLE feed (
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    metadata TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    next_seq BIGINT NOT NULL,
    PRIMARY KEY (project_id, key, id)
);
CREATE INDEX feed_by_age ON feed (project_id, key, created_at_ms, id);

-- What feeds are found by, one row for each text.
CREATE TABLE feed_metadata (
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, key, name, value, created_at_ms, id)
);
CREATE INDEX feed_metadata_by_feed ON feed_metadata (project_id, key, id);

CREATE TABLE feed_message (
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (project_id, key, id)
);
CREATE INDEX feed_message_by_age ON feed_message (project_id, key, created_at_ms, seq);
