-- The log in SQLite.

-- The one row that an append reads and moves: how many events there are. `log` names this log in every envelope;
-- `frontier` is the place of the Merkle tree's right edge.
CREATE TABLE log_head (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  log TEXT NOT NULL,
  size INTEGER NOT NULL,
  frontier BLOB NOT NULL
) STRICT;
INSERT INTO log_head VALUES (1, lower(hex(randomblob(16))), 0, x'');

CREATE TABLE event (
  pos INTEGER PRIMARY KEY,
  case_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  key TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  event_id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL,
  envelope BLOB NOT NULL,
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),
  recorded_at INTEGER NOT NULL, -- microseconds since 1970
  UNIQUE (case_id, seq),
  UNIQUE (case_id, key, ordinal)
) STRICT;

CREATE TABLE payload (
  pos INTEGER PRIMARY KEY, -- of the event
  dek_id TEXT, -- the key that it is encrypted with
  body BLOB NOT NULL
) STRICT;

-- The projection. Its rowid is the position of the case's first event, so that every index below ends with it and gives
-- cases the newest first. Real times are milliseconds since 1970; opened_at is case time in seconds.
CREATE TABLE case_index (
  opened INTEGER PRIMARY KEY,
  case_id TEXT NOT NULL UNIQUE,
  kind INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  channel INTEGER NOT NULL,
  category TEXT NOT NULL,
  owner TEXT NOT NULL,
  team TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  closed INTEGER NOT NULL,
  live INTEGER NOT NULL, -- open, and moved by real time
  running INTEGER NOT NULL, -- clocks that run
  overdue INTEGER NOT NULL, -- clocks that are breached and not kept
  drill_id TEXT NOT NULL, -- empty for a real case
  seq INTEGER NOT NULL,
  leaf_hash BLOB NOT NULL, -- of the last event
  -- What the case needs from Temporal …
  next_wake INTEGER,
  effects INTEGER NOT NULL,
  effects_seq INTEGER NOT NULL, -- the event that demanded the newest
  effects_since INTEGER, -- since when some have been pending without a break
  -- … and what Temporal knows of it.
  armed_seq INTEGER,
  armed_wake INTEGER,
  served_at INTEGER,
  unarmed INTEGER GENERATED ALWAYS AS (
    (live AND armed_seq IS NULL)
    OR (next_wake IS NOT NULL AND (armed_wake IS NULL OR next_wake < armed_wake))
    OR (effects AND effects_seq > coalesce(armed_seq, 0))
  ) VIRTUAL,
  body BLOB NOT NULL -- the case
) STRICT;

CREATE INDEX case_open ON case_index (opened, running, overdue, drill_id) WHERE closed = 0;
CREATE INDEX case_drill ON case_index (drill_id) WHERE drill_id <> '';
CREATE INDEX case_overdue ON case_index (opened) WHERE overdue > 0;
CREATE INDEX case_owner ON case_index (owner);
CREATE INDEX case_team ON case_index (team);
CREATE INDEX case_customer ON case_index (customer_id);
CREATE INDEX case_order ON case_index (order_id);
CREATE INDEX case_opened_at ON case_index (opened_at);
-- What the sweep looks at; closed cases are in none of these.
CREATE INDEX case_unarmed ON case_index (opened) WHERE unarmed = 1;
CREATE INDEX case_wake ON case_index (next_wake) WHERE next_wake IS NOT NULL;
CREATE INDEX case_effects ON case_index (effects_since) WHERE effects_since IS NOT NULL;

CREATE TABLE policy (
  number INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,
  policy_id TEXT NOT NULL,
  body BLOB NOT NULL
) STRICT;

-- Small operational facts, such as which Temporal it was.
CREATE TABLE fact (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TRIGGER event_unchangeable BEFORE UPDATE ON event
BEGIN SELECT RAISE (ABORT, 'an event is never changed'); END;
CREATE TRIGGER event_undeletable BEFORE DELETE ON event
BEGIN SELECT RAISE (ABORT, 'an event is never deleted'); END;
CREATE TRIGGER payload_unchangeable BEFORE UPDATE ON payload
BEGIN SELECT RAISE (ABORT, 'a payload is never changed'); END;
CREATE TRIGGER payload_undeletable BEFORE DELETE ON payload
BEGIN SELECT RAISE (ABORT, 'a payload is never deleted'); END;
CREATE TRIGGER policy_unchangeable BEFORE UPDATE ON policy
BEGIN SELECT RAISE (ABORT, 'a policy is never changed'); END;
CREATE TRIGGER policy_undeletable BEFORE DELETE ON policy
BEGIN SELECT RAISE (ABORT, 'a policy is never deleted'); END;

PRAGMA application_id = 1128354899; -- 'CATS'
