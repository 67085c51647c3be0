-- The index of names: the hosts it has, the last sealed snapshot of each that came in its time, and how many names it has.
CREATE TABLE name_host (
    host INTEGER PRIMARY KEY,
    until INTEGER,
    names INTEGER NOT NULL
);
-- When each host's sealed history has each name. By host, so that a sealing writes in few places; asking all hosts for a name
-- is a look-up for each. No `last` stands for `until` of the host, with all snapshots since `since` (or, absent, `first`).
CREATE TABLE name_seen (
    host INTEGER NOT NULL,
    name BLOB NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER,
    since INTEGER,
    PRIMARY KEY (host, name)
) WITHOUT ROWID;
