-- Versions of rooms' documents, and files that their storage refers to.

CREATE TABLE version (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    kind TEXT NOT NULL,
    authors TEXT NOT NULL,
    PRIMARY KEY (project_id, key, id)
) WITHOUT ROWID;
CREATE INDEX version_by_age ON version (project_id, key, created_at_ms, id);

CREATE TABLE version_chunk (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    version_id TEXT NOT NULL,
    document TEXT NOT NULL,
    chunk BIGINT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (project_id, key, version_id, document, chunk),
    FOREIGN KEY (project_id, key, version_id) REFERENCES version (project_id, key, id)
        ON DELETE CASCADE
);

-- A file is complete: its content lies under `content`, which is a key of its own, so that it can
-- be dropped into `garbage` in one step. `parts` is JSON, [[number, bytes], ...] in order.
CREATE TABLE storage_file (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    content TEXT NOT NULL,
    name TEXT NOT NULL,
    size BIGINT NOT NULL,
    mime_type TEXT NOT NULL,
    parts TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    referenced BOOLEAN NOT NULL,
    PRIMARY KEY (project_id, key, id)
) WITHOUT ROWID;
CREATE INDEX storage_file_unreferenced ON storage_file (project_id, created_at_ms)
    WHERE NOT referenced;

-- An upload that was begun and neither completed nor aborted. Its id is its content's key.
CREATE TABLE storage_upload (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    content TEXT NOT NULL,
    file_id TEXT NOT NULL,
    name TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (project_id, key, content)
) WITHOUT ROWID;
CREATE INDEX storage_upload_by_age ON storage_upload (project_id, created_at_ms);

CREATE TABLE content_part (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    part BIGINT NOT NULL,
    etag TEXT NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (project_id, key, part)
) WITHOUT ROWID;

CREATE TABLE content_chunk (
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    part BIGINT NOT NULL,
    chunk BIGINT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (project_id, key, part, chunk)
);
