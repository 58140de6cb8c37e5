-- What the artifact store held of each file when it was written through this server. No digest: the content went around
-- it, by presigned upload. Paths compare by bytes, so that all below a folder are one range of the key.
CREATE TABLE crosstie_artifact (
    path        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    size        BIGINT NOT NULL,
    digest      TEXT,
    recorded_at BIGINT NOT NULL
);
