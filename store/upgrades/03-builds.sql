-- v2 -> v3: builds that run, failed or were stopped too, and what each of their layers cost
-- Times are Unix milliseconds, durations milliseconds, sizes bytes.
ALTER TABLE fraktalia_build ADD COLUMN outcome TEXT NOT NULL DEFAULT 'done';
ALTER TABLE fraktalia_build ADD COLUMN why     TEXT NOT NULL DEFAULT '';
ALTER TABLE fraktalia_build ADD COLUMN builder TEXT NOT NULL DEFAULT '';
ALTER TABLE fraktalia_build ADD COLUMN base_id TEXT NOT NULL DEFAULT '';
ALTER TABLE fraktalia_build ADD COLUMN profile TEXT NOT NULL DEFAULT '';
ALTER TABLE fraktalia_build ADD COLUMN engine  TEXT NOT NULL DEFAULT '';

CREATE TABLE fraktalia_build_layer (
	build_id INTEGER NOT NULL REFERENCES fraktalia_build (id) ON DELETE CASCADE,
	position INTEGER NOT NULL,
	name     TEXT NOT NULL,
	step     TEXT NOT NULL,
	cached   INTEGER NOT NULL,
	duration INTEGER NOT NULL,
	size     INTEGER NOT NULL,
	PRIMARY KEY (build_id, position)
);
