-- Folders of the artifact store whose owners' rows are gone and that are to be deleted.
CREATE TABLE crosstie_gc_work (
    path     TEXT NOT NULL PRIMARY KEY,
    added_at BIGINT NOT NULL
);
