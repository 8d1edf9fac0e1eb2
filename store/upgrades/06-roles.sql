-- v5 -> v6: roles, proposals, standing permissions, and the chained record of what was done
-- Owners are named in the configuration only and never stand here.
CREATE TABLE fraktalia_role (
	user_id  TEXT PRIMARY KEY,
	role     TEXT NOT NULL CHECK (role IN ('agent', 'friend')),
	agent    TEXT NOT NULL DEFAULT '',
	given_by TEXT NOT NULL,
	given_at INTEGER NOT NULL
);

-- AUTOINCREMENT: a number that people have read is never given twice.
CREATE TABLE fraktalia_proposal (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	command_id INTEGER NOT NULL UNIQUE REFERENCES fraktalia_journal (id),
	sender     TEXT NOT NULL,
	room_id    TEXT NOT NULL,
	asked_in   TEXT NOT NULL,
	line       TEXT NOT NULL,
	grave      INTEGER NOT NULL,
	message_id TEXT NOT NULL DEFAULT '',
	made_at    INTEGER NOT NULL,
	until      INTEGER NOT NULL,
	state      TEXT NOT NULL CHECK (state IN ('open', 'approved', 'denied', 'expired')),
	decided_by TEXT NOT NULL DEFAULT '',
	reason     TEXT NOT NULL DEFAULT ''
);
CREATE INDEX fraktalia_proposal_message ON fraktalia_proposal (message_id);

CREATE TABLE fraktalia_permission (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	user_id    TEXT NOT NULL,
	capability TEXT NOT NULL,
	scope      TEXT NOT NULL DEFAULT '',
	until      INTEGER NOT NULL DEFAULT 0,
	uses_left  INTEGER NOT NULL DEFAULT -1,
	given_by   TEXT NOT NULL,
	given_at   INTEGER NOT NULL
);

-- What was asked, decided and done. Each row carries the hash of the one before.
CREATE TABLE fraktalia_audit (
	seq         INTEGER PRIMARY KEY AUTOINCREMENT,
	at          INTEGER NOT NULL,
	act         TEXT NOT NULL,
	command_id  INTEGER NOT NULL,
	sender      TEXT NOT NULL,
	approved_by TEXT NOT NULL,
	room_id     TEXT NOT NULL,
	line        TEXT NOT NULL,
	outcome     TEXT NOT NULL,
	undo        TEXT NOT NULL,
	before      TEXT NOT NULL,
	hash        TEXT NOT NULL
);
CREATE TRIGGER fraktalia_audit_kept BEFORE DELETE ON fraktalia_audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER fraktalia_audit_fixed BEFORE UPDATE ON fraktalia_audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

-- The proposal for whose approval a row stands; the event that it answers is the one that asked.
ALTER TABLE fraktalia_journal ADD COLUMN proposal INTEGER NOT NULL DEFAULT 0;
ALTER TABLE fraktalia_journal ADD COLUMN answers TEXT NOT NULL DEFAULT '';
ALTER TABLE fraktalia_journal ADD COLUMN approved_by TEXT NOT NULL DEFAULT '';
