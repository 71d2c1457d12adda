-- What comments are found by. `seq` grows with every comment, and `text` is what the comment says.

CREATE TABLE comment_search (
    seq INTEGER PRIMARY KEY,
    project_id TEXT NOT NULL,
    key TEXT NOT NULL,
    comment_id TEXT NOT NULL,
    thread_id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE UNIQUE INDEX comment_search_by_comment
    ON comment_search (project_id, key, thread_id, comment_id);

-- Which comments have which terms. The program makes the terms, in small letters and with nothing
-- between them but spaces, so the simplest tokenizer is the right one. Only the numbers of comments
-- are kept: nothing is counted or weighed here.
CREATE VIRTUAL TABLE comment_search_words USING fts5(
    words,
    content = '',
    contentless_delete = 1,
    detail = none,
    tokenize = 'ascii'
);
CREATE TRIGGER comment_search_forgets AFTER DELETE ON comment_search
BEGIN
    DELETE FROM comment_search_words WHERE rowid = old.seq;
END;
