-- What a case needs from Temporal, and what Temporal knows of it: a row for each case that is live, or has a wake or an
-- effect before it. It changes at every step, so it is short, and apart from the projection. Times are milliseconds
-- since 1970.
CREATE TABLE need (
  opened INTEGER PRIMARY KEY, -- as in case_index
  next_wake INTEGER,
  effects_since INTEGER, -- since when some have been pending without a break; null when none is
  armed_wake INTEGER, -- when Temporal will wake it
  served_at INTEGER, -- when Temporal was told last; null when it knows nothing of the case
  -- From when on the case may be late: at once where Temporal does not know what it needs.
  late_from INTEGER GENERATED ALWAYS AS (
    CASE WHEN served_at IS NULL
      OR (next_wake IS NOT NULL AND (armed_wake IS NULL OR next_wake < armed_wake))
      OR effects_seq > armed_seq
    THEN 0 ELSE coalesce(min(next_wake, effects_since), next_wake, effects_since) END
  ) VIRTUAL,
  effects_seq INTEGER, -- the event that demanded the newest effect
  armed_seq INTEGER NOT NULL -- the event as of which Temporal was told; before that, the one that this row came with
) STRICT;
INSERT INTO need (opened, next_wake, effects_since, armed_wake, served_at, effects_seq, armed_seq)
SELECT opened, next_wake, effects_since, armed_wake, iif(armed_seq IS NOT NULL, coalesce(served_at, 0), NULL),
  nullif(effects_seq, 0), coalesce(armed_seq, 0)
FROM case_index WHERE live = 1 OR effects = 1 OR next_wake IS NOT NULL;
CREATE INDEX need_late ON need (late_from) WHERE late_from IS NOT NULL;

DROP TRIGGER archived_as_it_was;
DROP INDEX case_unarmed;
DROP INDEX case_wake;
DROP INDEX case_effects;
ALTER TABLE case_index DROP COLUMN unarmed;
ALTER TABLE case_index DROP COLUMN next_wake;
ALTER TABLE case_index DROP COLUMN effects;
ALTER TABLE case_index DROP COLUMN effects_seq;
ALTER TABLE case_index DROP COLUMN effects_since;
ALTER TABLE case_index DROP COLUMN armed_seq;
ALTER TABLE case_index DROP COLUMN armed_wake;
ALTER TABLE case_index DROP COLUMN served_at;

DROP INDEX case_open;
DROP INDEX case_owner;
DROP INDEX case_team;
DROP INDEX case_customer;
DROP INDEX case_order;
CREATE INDEX case_open ON case_index (opened) WHERE closed = 0;
CREATE INDEX case_owner ON case_index (owner) WHERE owner <> '';
CREATE INDEX case_team ON case_index (team) WHERE team <> '';
CREATE INDEX case_customer ON case_index (customer_id) WHERE customer_id <> '';
CREATE INDEX case_order ON case_index (order_id) WHERE order_id <> '';

CREATE TRIGGER archived_as_it_was BEFORE INSERT ON archived
WHEN new.restored IS NOT NULL
  OR NOT EXISTS (
    SELECT 1 FROM case_index
    WHERE case_id = new.case_id AND opened = new.opened AND seq = new.seq AND leaf_hash = new.leaf_hash AND closed = 1
  )
  OR EXISTS (SELECT 1 FROM need WHERE need.opened = new.opened)
BEGIN SELECT RAISE (ABORT, 'archive: the case is not closed, or not as it was when it was archived'); END;
