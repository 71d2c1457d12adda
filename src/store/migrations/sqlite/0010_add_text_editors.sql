-- Which editor a room's Yjs document is written with, and the shared type that holds the text. Both
-- are unset until they were reported.

ALTER TABLE room_data ADD COLUMN text_editor TEXT;
ALTER TABLE room_data ADD COLUMN text_editor_root TEXT;
