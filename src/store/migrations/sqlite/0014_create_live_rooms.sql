-- Rooms that are alive: a row from when a room comes to life until that life ends. `ends_at_ms` is
-- absent while somebody is in the room.
CREATE TABLE live_room (
    project_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    sid TEXT NOT NULL,
    empty_timeout_s BIGINT NOT NULL,
    departure_timeout_s BIGINT NOT NULL,
    max_participants BIGINT NOT NULL,
    metadata TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    ends_at_ms BIGINT,
    PRIMARY KEY (project_id, room_id),
    FOREIGN KEY (project_id, room_id) REFERENCES room (project_id, id)
        ON DELETE CASCADE ON UPDATE CASCADE
) WITHOUT ROWID;

-- Whose tokens do not open a room any more, if they became valid before this time.
CREATE TABLE live_revocation (
    project_id TEXT NOT NULL,
    room_id TEXT NOT NULL,
    identity TEXT NOT NULL,
    before_s BIGINT NOT NULL,
    PRIMARY KEY (project_id, room_id, identity),
    FOREIGN KEY (project_id, room_id) REFERENCES room (project_id, id)
        ON DELETE CASCADE ON UPDATE CASCADE
) WITHOUT ROWID;
