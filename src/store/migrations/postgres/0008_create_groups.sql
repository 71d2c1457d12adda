-- Groups of users. `members` is JSON, [[user, added_at_ms], ...] in order. `mention` is unset if it was
-- never said whether its members can be mentioned together.

CREATE TABLE user_group (
    project_id TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    organization_id TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    mention BOOLEAN,
    members TEXT NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX user_group_by_age ON user_group (project_id, created_at_ms, id);

-- Which groups a user is in.
CREATE TABLE user_group_member (
    project_id TEXT COLLATE "C" NOT NULL,
    group_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (project_id, group_id, user_id),
    FOREIGN KEY (project_id, group_id) REFERENCES user_group (project_id, id) ON DELETE CASCADE
);
CREATE INDEX user_group_member_by_user ON user_group_member
    (project_id, user_id, created_at_ms, group_id);
