-- v8 -> v9: whether the room that asked has heard what became of a proposal, so that a kill between decision and answer loses no answer
ALTER TABLE fraktalia_proposal ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE fraktalia_proposal SET told = 1 WHERE state <> 'open';
