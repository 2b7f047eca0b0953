-- A ledger of version 1, which had no descriptions. Never to be changed: such files exist.
PRAGMA journal_mode = WAL;
BEGIN IMMEDIATE;
    CREATE TABLE agents (
        agent TEXT PRIMARY KEY, name TEXT NOT NULL, in_group TEXT NOT NULL,
        first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,
        response_us INTEGER, bytes_per_s INTEGER, done INTEGER NOT NULL, failed INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE deliveries (
        request TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, round INTEGER NOT NULL, delivery TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE targets (
        request TEXT NOT NULL REFERENCES deliveries ON DELETE CASCADE,
        agent TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, reason TEXT,
        PRIMARY KEY (request, agent)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE failures (
        number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL,
        request TEXT NOT NULL, agent TEXT NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL
    ) STRICT;
PRAGMA application_id = 1349280616;
PRAGMA user_version = 1;
COMMIT;
INSERT INTO agents VALUES ('0101010101010101010101010101010101010101010101010101010101010101', 'machine 1', 'office', 1, 2, 900, NULL, 3, 1);
INSERT INTO deliveries VALUES ('07070707070707070707070707070707', 11, 1, '{"id":"07070707070707070707070707070707","group":"office","content":"0101010101010101010101010101010101010101010101010101010101010101","manifest":"02020202020202020202020202020202","size_bytes":5,"title":"talk.mp4","sources":["https://site.example/talk.mp4"],"active_until_ms":18446744073709551615,"away_ms_max":30000}');
INSERT INTO targets VALUES ('07070707070707070707070707070707', '0101010101010101010101010101010101010101010101010101010101010101', 'machine', 'failed', 'why');
INSERT INTO failures (at_ms, request, agent, name, reason) VALUES (5, '07070707070707070707070707070707', '0101010101010101010101010101010101010101010101010101010101010101', 'machine', 'no space left on the disk');
