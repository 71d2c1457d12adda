-- API keys of LiveKit's form. Whoever checks or makes a signature needs the secret itself, so it is
-- stored as it is. A token names its key and not its project, so ids are unique in the deployment.

CREATE TABLE livekit_key (
    project_id TEXT COLLATE "C" NOT NULL REFERENCES project (id),
    id TEXT COLLATE "C" NOT NULL,
    secret TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    revoked_at_ms BIGINT,
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX livekit_key_by_id ON livekit_key (id);
CREATE INDEX livekit_key_by_age ON livekit_key (project_id, created_at_ms, id);
