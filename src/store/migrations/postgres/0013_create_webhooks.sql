-- Webhooks that wait to be taken by an endpoint: a queue is what keeps its order, and goes when it is
-- empty. Its events are those from `first_seq` on, before `next_seq`. Nobody may take a queue before
-- `next_attempt_at_ms`: that is the end of a pause, or of the claim of whoever delivers it now.

CREATE TABLE webhook_queue (
    project_id TEXT COLLATE "C" NOT NULL,
    endpoint TEXT COLLATE "C" NOT NULL,
    queue TEXT COLLATE "C" NOT NULL,
    first_seq BIGINT NOT NULL,
    next_seq BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at_ms BIGINT NOT NULL,
    claim BIGINT NOT NULL,
    PRIMARY KEY (project_id, endpoint, queue)
);
-- Of all projects: endpoints are served by the deployment.
CREATE INDEX webhook_queue_by_due ON webhook_queue (endpoint, next_attempt_at_ms);

CREATE TABLE webhook_event (
    project_id TEXT COLLATE "C" NOT NULL,
    endpoint TEXT COLLATE "C" NOT NULL,
    queue TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (project_id, endpoint, queue, seq)
);
