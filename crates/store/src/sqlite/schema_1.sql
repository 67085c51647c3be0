-- The catalog.
CREATE TABLE host (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first_seen INTEGER NOT NULL
);
CREATE TABLE api_key (
    id INTEGER PRIMARY KEY,
    prefix TEXT NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    purpose INTEGER NOT NULL,
    host_pattern TEXT,
    expires INTEGER,
    created INTEGER NOT NULL,
    label TEXT,
    revoked INTEGER,
    last_used INTEGER
);
CREATE TABLE sign_in_link (
    hash BLOB PRIMARY KEY,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE session (
    hash BLOB PRIMARY KEY,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- The history. A row of the journal is one durable batch of frames.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bytes BLOB NOT NULL
);
-- How far each host is sealed, and what has to outlive its journal.
CREATE TABLE host_mark (
    host INTEGER PRIMARY KEY,
    sealed INTEGER NOT NULL,
    sealed_late INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    stream BLOB,
    stream_sequence INTEGER,
    resumable INTEGER NOT NULL
);
-- The state that a host's open frames go on from, as a packed keyframe.
CREATE TABLE host_base (
    host INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);
-- What queries choose blocks by is apart from their bytes, so that choosing reads little.
CREATE TABLE block (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    host INTEGER NOT NULL,
    level INTEGER NOT NULL,
    late INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    segments INTEGER NOT NULL
);
CREATE INDEX block_by_time ON block (host, level, last_time, first_time);
CREATE INDEX block_by_sequence ON block (host, level, last_sequence);
CREATE INDEX block_by_age ON block (level, last_time);
CREATE TABLE block_head (
    id INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);
CREATE TABLE block_body (
    id INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);
-- Strings of a host's blocks, by epoch.
CREATE TABLE dictionary (
    host INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (host, epoch, segment)
) WITHOUT ROWID;
