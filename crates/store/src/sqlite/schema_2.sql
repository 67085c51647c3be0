-- The last agent of each host: by it a host keeps its history under a new name, and clones are told apart.
CREATE TABLE host_agent (
    host INTEGER PRIMARY KEY,
    agent_id TEXT NOT NULL UNIQUE,
    told_name TEXT NOT NULL,
    boot_id TEXT NOT NULL
);
