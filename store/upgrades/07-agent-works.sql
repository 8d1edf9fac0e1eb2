-- v6 -> v7: what is made for agents, or taken away, in several steps: written down before each, so that a program that was killed knows what to take back
CREATE TABLE fraktalia_agent_work (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	kind     TEXT NOT NULL CHECK (kind IN ('add', 'remove', 'hear')),
	agent    TEXT NOT NULL,
	begun_by TEXT NOT NULL,
	begun_at INTEGER NOT NULL,
	state    TEXT NOT NULL CHECK (state IN ('begun', 'done', 'undone')),
	-- JSON: what was made, or is just being made.
	made     TEXT NOT NULL
);
