-- v7 -> v8: the memory that a build took at most, so that the next one knows before it begins; 0 is not known
ALTER TABLE fraktalia_build ADD COLUMN memory INTEGER NOT NULL DEFAULT 0;
