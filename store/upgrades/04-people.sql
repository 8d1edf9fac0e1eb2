-- v3 -> v4: who is on their way in, and messages that vanish together
-- Somebody who is being given access. The row is written before the homeserver is asked, so that a program that was
-- killed in the middle knows which accounts are of its own making; no password is ever in it. It goes when everybody
-- of the same party (the command that added them) is in their rooms.
CREATE TABLE fraktalia_guest (
	user_id     TEXT PRIMARY KEY,
	party       TEXT NOT NULL,
	added_by    TEXT NOT NULL,
	begun_at    INTEGER NOT NULL,
	rooms       TEXT NOT NULL DEFAULT '',
	token       TEXT NOT NULL DEFAULT '',
	token_until INTEGER NOT NULL DEFAULT 0,
	shown_at    INTEGER NOT NULL DEFAULT 0,
	seen_at     INTEGER NOT NULL DEFAULT 0,
	joined_at   INTEGER NOT NULL DEFAULT 0,
	told        TEXT NOT NULL DEFAULT '',
	notice      TEXT NOT NULL DEFAULT ''
);
CREATE INDEX fraktalia_guest_party ON fraktalia_guest (party);

-- Messages about the same thing go together: a joining card and its picture.
ALTER TABLE fraktalia_redaction ADD COLUMN subject TEXT NOT NULL DEFAULT '';
