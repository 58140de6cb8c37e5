-- Messages of webhooks that are still to be delivered. Ids are UUIDs of version 7, which grow with time.
CREATE TABLE crosstie_webhook_delivery (
    id              TEXT NOT NULL PRIMARY KEY,
    webhook_id      TEXT NOT NULL,
    subject         TEXT NOT NULL,
    event           TEXT NOT NULL,
    body            TEXT NOT NULL,
    attempts        INTEGER NOT NULL,
    created_at      BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL
);

CREATE INDEX crosstie_ix_webhook_delivery_webhook ON crosstie_webhook_delivery (webhook_id, id);
