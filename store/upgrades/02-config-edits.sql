-- v1 -> v2: changes of OpenClaw's configuration, and what of the journal was taken back
-- Contents hold secrets: only their SHA-256 stands here; the content before an edit is in the backup beside the file.
CREATE TABLE fraktalia_config_edit (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	what    TEXT NOT NULL,
	made_by TEXT NOT NULL,
	made_at INTEGER NOT NULL,
	verdict TEXT NOT NULL DEFAULT 'begun',
	undoes  INTEGER,
	undone  INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE fraktalia_config_file (
	edit_id     INTEGER NOT NULL REFERENCES fraktalia_config_edit (id),
	path        TEXT NOT NULL,
	before_hash TEXT NOT NULL,
	after_hash  TEXT NOT NULL,
	backup      TEXT NOT NULL,
	PRIMARY KEY (edit_id, path)
);

ALTER TABLE fraktalia_journal ADD COLUMN undone INTEGER NOT NULL DEFAULT 0;
