-- An id is that of one comment in its thread, so that one index serves to find a comment and to list
-- a thread, whose comments are sorted then. Numbers are given by comment_search here.

ALTER TABLE comment DROP CONSTRAINT comment_pkey;
DROP INDEX comment_by_thread;
CREATE UNIQUE INDEX comment_by_thread ON comment (project_id, key, thread_id, id);
