-- What users are told of, in their inboxes, and what they want to be told of.

-- `key` is that of the room that it is about, or empty; `organization_id` is empty if there is a
-- room, which has its own. What `subject_id` names depends on `kind`: a thread, a mention in a text,
-- or what the application calls it. `visibility` is that of the thread.
CREATE TABLE inbox_notification (
    project_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    subject_id TEXT COLLATE "C" NOT NULL,
    organization_id TEXT COLLATE "C" NOT NULL,
    visibility TEXT COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    notified_at_ms BIGINT NOT NULL,
    read_at_ms BIGINT,
    unread BOOLEAN NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX inbox_notification_by_subject
    ON inbox_notification (project_id, key, kind, subject_id, user_id, organization_id);
CREATE INDEX inbox_notification_by_age
    ON inbox_notification (project_id, user_id, notified_at_ms, id);
CREATE INDEX inbox_notification_by_change
    ON inbox_notification (project_id, user_id, updated_at_ms, id);
CREATE INDEX inbox_notification_unread
    ON inbox_notification (project_id, user_id, notified_at_ms, id) WHERE unread;

-- Notifications that are gone, for those who ask what changed.
CREATE TABLE inbox_deletion (
    project_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    deleted_at_ms BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, user_id, deleted_at_ms, id)
);
CREATE INDEX inbox_deletion_by_room
    ON inbox_deletion (project_id, key, user_id, deleted_at_ms, id);

-- A row with `deleted_at_ms` is somebody who does not want to hear of the thread any more.
CREATE TABLE thread_subscription (
    project_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    thread_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    deleted_at_ms BIGINT,
    PRIMARY KEY (project_id, key, thread_id, user_id)
);
CREATE INDEX thread_subscription_by_change
    ON thread_subscription (project_id, user_id, updated_at_ms, key, thread_id);
CREATE INDEX thread_subscription_by_user
    ON thread_subscription (project_id, user_id, key, thread_id) WHERE deleted_at_ms IS NULL;

-- What is empty was never said, and is as usual.
CREATE TABLE room_subscription_setting (
    project_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    threads TEXT COLLATE "C" NOT NULL,
    text_mentions TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, user_id, key)
);
CREATE INDEX room_subscription_setting_by_room
    ON room_subscription_setting (project_id, key, threads, user_id);

CREATE TABLE notification_setting (
    project_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    settings TEXT NOT NULL,
    PRIMARY KEY (project_id, user_id)
);

-- What the tokens of users gave them, for those who are to be told of something and do not call.
CREATE TABLE user_access (
    project_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    organization_id TEXT COLLATE "C" NOT NULL,
    access TEXT NOT NULL,
    PRIMARY KEY (project_id, user_id, organization_id)
);
