-- v4 -> v5: forwards with a lease, addresses of their own and the PROXY protocol, for TCP and UDP side by side
CREATE TABLE fraktalia_forward_new (
	port           INTEGER NOT NULL,
	udp            INTEGER NOT NULL DEFAULT 0,
	target         INTEGER NOT NULL,
	agent          TEXT NOT NULL DEFAULT '',
	-- On which addresses, as the flag is written; '' is what the configuration says.
	reach          TEXT NOT NULL DEFAULT '',
	proxy_protocol INTEGER NOT NULL DEFAULT 0,
	-- How long a lease lasts, in milliseconds, and when it ends; 0 is for ever.
	lease          INTEGER NOT NULL DEFAULT 0,
	until          INTEGER NOT NULL DEFAULT 0,
	-- The message that told of the end to come; '' before it.
	note           TEXT NOT NULL DEFAULT '',
	-- The lease is over and the port closed, but people may not have been told.
	ended          INTEGER NOT NULL DEFAULT 0,
	created_by     TEXT NOT NULL,
	created_at     INTEGER NOT NULL,
	PRIMARY KEY (port, udp)
);
INSERT INTO fraktalia_forward_new (port, target, agent, created_by, created_at)
	SELECT port, target, agent, created_by, created_at FROM fraktalia_forward;
DROP TABLE fraktalia_forward;
ALTER TABLE fraktalia_forward_new RENAME TO fraktalia_forward;
