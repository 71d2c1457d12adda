-- Comments get a number of their own, by which their words are found. So the index of words needs no
-- table beside it: that had each comment's text a second time, and an index of its own.

-- Words of comments that are gone: their numbers are given again.
DELETE FROM comment_search WHERE NOT EXISTS (
    SELECT 1 FROM comment c WHERE c.project_id = comment_search.project_id
    AND c.key = comment_search.key AND c.thread_id = comment_search.thread_id
    AND c.id = comment_search.comment_id
);

-- `seq` numbers a thread's comments as they came, and `number` those of all threads.
CREATE TABLE numbered_comment (
    number INTEGER PRIMARY KEY,
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
    reactions_count BIGINT NOT NULL
);
-- Those that have words keep their numbers; the others come after them.
INSERT INTO numbered_comment
    SELECT s.seq, c.project_id, c.key, c.id, c.thread_id, c.seq, c.visibility, c.user_id,
        c.created_at_ms, c.edited_at_ms, c.deleted_at_ms, c.body, c.metadata, c.attachments,
        c.reactions_count
    FROM comment_search s CROSS JOIN comment c ON c.project_id = s.project_id AND c.key = s.key
        AND c.id = s.comment_id AND c.thread_id = s.thread_id
    ORDER BY s.seq;
INSERT INTO numbered_comment
    SELECT NULL, c.project_id, c.key, c.id, c.thread_id, c.seq, c.visibility, c.user_id,
        c.created_at_ms, c.edited_at_ms, c.deleted_at_ms, c.body, c.metadata, c.attachments,
        c.reactions_count
    FROM comment c WHERE NOT EXISTS (
        SELECT 1 FROM comment_search s WHERE s.project_id = c.project_id AND s.key = c.key
        AND s.thread_id = c.thread_id AND s.comment_id = c.id
    );
DROP TABLE comment_search;
DROP TABLE comment;
ALTER TABLE numbered_comment RENAME TO comment;

-- An id is that of one comment in its thread. Whoever lists a thread sorts its comments.
CREATE UNIQUE INDEX comment_by_thread ON comment (project_id, key, thread_id, id);
-- For lists of all messages of a room, one visibility after the other.
CREATE INDEX comment_by_age ON comment (project_id, key, visibility, created_at_ms, id)
    WHERE deleted_at_ms IS NULL;
-- The number of the last comment is given again when its row is gone: by then its words are.
CREATE TRIGGER comment_forgets_words AFTER DELETE ON comment
BEGIN
    DELETE FROM comment_search_words WHERE rowid = old.number;
END;
