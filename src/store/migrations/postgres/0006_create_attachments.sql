-- Files that comments come with, and where the bytes of uploaded files lie.

-- `thread_id`, `comment_id` and the thread's `visibility` are set when a comment takes it; until
-- then it is a draft of its uploader. The rest is as in `storage_file`.
CREATE TABLE attachment (
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    name TEXT NOT NULL,
    size BIGINT NOT NULL,
    mime_type TEXT NOT NULL,
    parts TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    thread_id TEXT COLLATE "C",
    comment_id TEXT COLLATE "C",
    visibility TEXT COLLATE "C",
    PRIMARY KEY (project_id, key, id)
);
CREATE INDEX attachment_draft ON attachment (project_id, created_at_ms) WHERE comment_id IS NULL;
CREATE INDEX attachment_taken ON attachment (project_id, key, thread_id, comment_id)
    WHERE comment_id IS NOT NULL;

-- Names the object that a part is, where bytes lie in a folder or a bucket beside the database. No
-- name is used twice, so that what replaces a part disturbs nobody.
ALTER TABLE content_part ADD COLUMN object BIGINT;

-- Contents of which there are objects to delete: at once, and once more when no upload that was on
-- its way can add to them any more.
CREATE TABLE garbage_object (
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    swept_at_ms BIGINT NOT NULL,
    PRIMARY KEY (project_id, key)
);
