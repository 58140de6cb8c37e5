-- Where the files lie of versions that were brought from a registry elsewhere, and the run that made each there.
CREATE TABLE crosstie_brought (
    path   TEXT NOT NULL PRIMARY KEY,
    run_id TEXT
);
