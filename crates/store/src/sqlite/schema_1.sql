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
    stream BLOB,
    stream_sequence INTEGER,
    resumable INTEGER NOT NULL
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
    dictionary INTEGER NOT NULL,
    skip BLOB NOT NULL
);
CREATE INDEX block_by_time ON block (host, level, last_time, first_time);
CREATE INDEX block_by_sequence ON block (host, level, last_sequence);
CREATE TABLE block_bytes (
    id INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
);
-- Strings of a host's blocks. A dictionary grows by segments and is followed by another one when it is big.
CREATE TABLE dictionary (
    host INTEGER NOT NULL,
    number INTEGER NOT NULL,
    segment INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (host, number, segment)
) WITHOUT ROWID;
