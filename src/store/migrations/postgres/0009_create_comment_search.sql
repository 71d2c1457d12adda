-- What comments are found by. `seq` grows with every comment, `text` is what the comment says, and
-- `words` are its terms, which the program makes.

CREATE SEQUENCE comment_search_seq;

CREATE TABLE comment_search (
    seq BIGINT NOT NULL,
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    comment_id TEXT COLLATE "C" NOT NULL,
    thread_id TEXT COLLATE "C" NOT NULL,
    visibility TEXT COLLATE "C" NOT NULL,
    text TEXT NOT NULL,
    words TSVECTOR NOT NULL
);
CREATE UNIQUE INDEX comment_search_by_comment
    ON comment_search (project_id, key, thread_id, comment_id);
CREATE INDEX comment_search_by_age ON comment_search (project_id, key, seq);
CREATE INDEX comment_search_by_project ON comment_search (project_id, seq);
-- What was added last is kept in a list beside the index, which every search goes through: a short
-- one. It is in kilobytes.
CREATE INDEX comment_search_words ON comment_search USING gin (words)
    WITH (gin_pending_list_limit = 256);
