-- v0 -> v1: journal, forwards, people, and what the bot must not forget
CREATE TABLE fraktalia_setting (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
);

-- One row a command, from the moment it is heard. Times are Unix milliseconds.
CREATE TABLE fraktalia_journal (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	event_id  TEXT NOT NULL UNIQUE,
	room_id   TEXT NOT NULL,
	sender    TEXT NOT NULL,
	line      TEXT NOT NULL,
	sent_at   INTEGER NOT NULL,
	stored_at INTEGER NOT NULL,
	begun_at  INTEGER,
	ended_at  INTEGER,
	state     TEXT NOT NULL CHECK (state IN ('new', 'running', 'done', 'failed', 'interrupted', 'dropped')),
	outcome   TEXT NOT NULL DEFAULT '',
	undo      TEXT NOT NULL DEFAULT '',
	answered  INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX fraktalia_journal_open ON fraktalia_journal (id) WHERE answered = 0;

-- Events whose room key has not arrived yet.
CREATE TABLE fraktalia_undecrypted (
	event_id   TEXT PRIMARY KEY,
	room_id    TEXT NOT NULL,
	session_id TEXT NOT NULL,
	event      TEXT NOT NULL,
	sent_at    INTEGER NOT NULL,
	stored_at  INTEGER NOT NULL,
	told       INTEGER NOT NULL DEFAULT 0
);

-- Messages of ours to be redacted: what holds a password is not left lying in a room.
CREATE TABLE fraktalia_redaction (
	event_id TEXT PRIMARY KEY,
	room_id  TEXT NOT NULL,
	due_at   INTEGER NOT NULL
);

CREATE TABLE fraktalia_forward (
	port       INTEGER PRIMARY KEY,
	target     INTEGER NOT NULL,
	agent      TEXT NOT NULL DEFAULT '',
	created_by TEXT NOT NULL,
	created_at INTEGER NOT NULL
);

CREATE TABLE fraktalia_person (
	user_id  TEXT PRIMARY KEY,
	added_by TEXT NOT NULL,
	added_at INTEGER NOT NULL
);

CREATE TABLE fraktalia_build (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	tag        TEXT NOT NULL,
	image_id   TEXT NOT NULL,
	size       INTEGER NOT NULL,
	started_at INTEGER NOT NULL,
	duration   INTEGER NOT NULL,
	started_by TEXT NOT NULL
);
