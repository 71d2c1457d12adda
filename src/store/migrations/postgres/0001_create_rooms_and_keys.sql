-- One schema in two dialects; the two files differ in WITHOUT ROWID, BYTEA and COLLATE only, and a
-- test compares the results column by column. COLLATE "C" is the order of bytes, which is what
-- SQLite, Rust and the ranges for prefixes use.
--
-- Every key and every index begins with project_id, but for what belongs to the deployment as a
-- whole: signing keys, deployment secrets, and the look-up of an API key by its hash, which is how
-- a call learns what its project is.

CREATE TABLE project (
    id TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE api_key (
    project_id TEXT COLLATE "C" NOT NULL REFERENCES project (id),
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    hash BYTEA NOT NULL,
    hint TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    revoked_at_ms BIGINT,
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX api_key_by_hash ON api_key (hash);
CREATE INDEX api_key_by_age ON api_key (project_id, created_at_ms, id);

-- Deployment-wide: one key signs for all projects, the token's `pid` binds it to one.
CREATE TABLE signing_key (
    kid TEXT COLLATE "C" NOT NULL,
    algorithm TEXT COLLATE "C" NOT NULL,
    pkcs8 BYTEA NOT NULL,
    created_at_ms BIGINT NOT NULL,
    retired_at_ms BIGINT,
    PRIMARY KEY (kid)
);

-- Deployment-wide: random bytes that all nodes share, such as the key that seals cursors.
CREATE TABLE deployment_secret (
    name TEXT COLLATE "C" NOT NULL,
    secret BYTEA NOT NULL,
    PRIMARY KEY (name)
);

-- No foreign key to project: it would make every new room lock its project's row, and a project
-- is deleted in bounded batches anyway.
CREATE TABLE room (
    project_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    organization_id TEXT COLLATE "C" NOT NULL,
    last_connection_at_ms BIGINT,
    engine BIGINT NOT NULL,
    default_accesses TEXT NOT NULL,
    users_accesses TEXT NOT NULL,
    groups_accesses TEXT NOT NULL,
    metadata TEXT NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX room_by_age ON room (project_id, created_at_ms, id);
CREATE INDEX room_by_organization ON room (project_id, organization_id, created_at_ms, id);
-- Looks like the primary key, but holds no wide columns: a range of ids is counted and sorted by
-- age without touching the rooms.
CREATE INDEX room_by_id ON room (project_id, id, created_at_ms);

-- One row per string of a room's metadata, written with the room in one transaction.
CREATE TABLE room_metadata (
    project_id TEXT COLLATE "C" NOT NULL,
    room_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    number DOUBLE PRECISION,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (project_id, room_id, key, value),
    FOREIGN KEY (project_id, room_id) REFERENCES room (project_id, id)
        ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX room_metadata_by_value
    ON room_metadata (project_id, key, value, created_at_ms, room_id);
CREATE INDEX room_metadata_by_number
    ON room_metadata (project_id, key, number, created_at_ms, room_id) WHERE number IS NOT NULL;

-- One row per user and group that a room names with at least one scope.
CREATE TABLE room_access (
    project_id TEXT COLLATE "C" NOT NULL,
    room_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    subject_id TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (project_id, room_id, kind, subject_id),
    FOREIGN KEY (project_id, room_id) REFERENCES room (project_id, id)
        ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE INDEX room_access_by_subject
    ON room_access (project_id, kind, subject_id, created_at_ms, room_id);
