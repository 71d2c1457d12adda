-- What rooms hold. Every table below names a room's data by `key`, which is random and never changes,
-- so renaming a room writes nothing here, and deleting one only moves its key into
-- `garbage`; a job deletes the rest in bounded batches. The two files differ as the first
-- migration's do.

CREATE TABLE schema (
    project_id TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (project_id, name, version)
);

-- Made when a room is first loaded. Whoever opens it raises `epoch`, and every write names the
-- epoch that it was opened with, so an owner that was replaced can write nothing more.
CREATE TABLE room_data (
    project_id TEXT COLLATE "C" NOT NULL,
    room_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    next_actor BIGINT NOT NULL,
    schema_name TEXT COLLATE "C",
    schema_version BIGINT,
    PRIMARY KEY (project_id, room_id),
    FOREIGN KEY (project_id, room_id) REFERENCES room (project_id, id)
        ON DELETE CASCADE ON UPDATE CASCADE,
    FOREIGN KEY (project_id, schema_name, schema_version)
        REFERENCES schema (project_id, name, version)
);
CREATE UNIQUE INDEX room_data_by_key ON room_data (project_id, key);
CREATE INDEX room_data_by_schema ON room_data (project_id, schema_name, schema_version)
    WHERE schema_name IS NOT NULL;

-- Keys whose rows are to be deleted.
CREATE TABLE garbage (
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, key)
);

-- The log of each document. Without foreign keys: an append checks its room's epoch instead.
CREATE TABLE document_update (
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    document TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (project_id, key, document, seq)
);

-- What the log up to `upto_seq` amounts to, cut into chunks.
CREATE TABLE document_snapshot (
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    document TEXT COLLATE "C" NOT NULL,
    chunk BIGINT NOT NULL,
    upto_seq BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (project_id, key, document, chunk)
);
