-- The keys of data subjects, in a file of their own.

-- Which key-encryption key is in force: the subjects' keys are wrapped with it.
CREATE TABLE kek (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  kek_id TEXT NOT NULL
) STRICT;

CREATE TABLE subject_key (
  dek_id TEXT PRIMARY KEY,
  subject_ref TEXT NOT NULL, -- customer:…, or case:… of a case without a customer
  kek_id TEXT NOT NULL,
  wrapped BLOB, -- the key, wrapped; nothing once it is destroyed
  destroyed_at INTEGER, -- microseconds since 1970
  CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX subject_key_active ON subject_key (subject_ref) WHERE destroyed_at IS NULL;
CREATE INDEX subject_key_subject ON subject_key (subject_ref);

PRAGMA user_version = 1;
