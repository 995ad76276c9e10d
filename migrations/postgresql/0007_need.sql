-- What a case needs from Temporal, and what Temporal knows of it: a row for each case that is live, or has a wake or an
-- effect before it. It changes at every step, so it is short, and apart from the projection. Times are milliseconds
-- since 1970.
CREATE TABLE need (
  opened bigint PRIMARY KEY, -- as in case_index
  next_wake bigint,
  effects_since bigint, -- since when some have been pending without a break; null when none is
  armed_wake bigint, -- when Temporal will wake it
  served_at bigint, -- when Temporal was told last; null when it knows nothing of the case
  -- From when on the case may be late: at once where Temporal does not know what it needs.
  late_from bigint GENERATED ALWAYS AS (
    CASE WHEN served_at IS NULL
      OR (next_wake IS NOT NULL AND (armed_wake IS NULL OR next_wake < armed_wake))
      OR effects_seq > armed_seq
    THEN 0 ELSE least(next_wake, effects_since) END
  ) STORED,
  effects_seq integer, -- the event that demanded the newest effect
  armed_seq integer NOT NULL -- the event as of which Temporal was told; before that, the one that this row came with
) WITH (fillfactor = 75);
INSERT INTO need (opened, next_wake, effects_since, armed_wake, served_at, effects_seq, armed_seq)
SELECT opened, next_wake, effects_since, armed_wake, CASE WHEN armed_seq IS NOT NULL THEN coalesce(served_at, 0) END,
  nullif(effects_seq, 0), coalesce(armed_seq, 0)
FROM case_index WHERE live = 1 OR effects = 1 OR next_wake IS NOT NULL;
CREATE INDEX need_late ON need (late_from) WHERE late_from IS NOT NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON need TO casetrail_app;

ALTER TABLE case_index DROP COLUMN unarmed, DROP COLUMN next_wake, DROP COLUMN effects, DROP COLUMN effects_seq,
  DROP COLUMN effects_since, DROP COLUMN armed_seq, DROP COLUMN armed_wake, DROP COLUMN served_at;

-- An update that changes no column of an index leaves the indexes alone.
DROP INDEX case_open, case_owner, case_team, case_customer, case_order;
CREATE INDEX case_open ON case_index (opened) WHERE closed = 0;
CREATE INDEX case_owner ON case_index (owner, opened) WHERE owner <> '';
CREATE INDEX case_team ON case_index (team, opened) WHERE team <> '';
CREATE INDEX case_customer ON case_index (customer_id, opened) WHERE customer_id <> '';
CREATE INDEX case_order ON case_index (order_id, opened) WHERE order_id <> '';

CREATE OR REPLACE FUNCTION check_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM own_event('propose ' || new.archive_id) AS proposed, own_event('approve ' || new.archive_id) AS approved,
      own_event('archive ' || new.archive_id) AS done, log_head
    WHERE proposed.said ->> 'type' = 'ArchiveProposed' AND approved.said ->> 'type' = 'ArchiveApproved'
      AND approved.said ->> 'actor' <> proposed.said ->> 'actor'
      AND done.pos = new.removed AND done.pos > log_head.size AND done.said ->> 'type' = 'CasesArchived'
  ) THEN
    RAISE EXCEPTION 'archive: it takes one who proposes, another who approves, and the event that says what is done'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF new.restored IS NOT NULL
    OR NOT EXISTS (
      SELECT FROM case_index
      WHERE case_id = new.case_id AND opened = new.opened AND seq = new.seq AND leaf_hash = new.leaf_hash AND closed = 1
    )
    OR EXISTS (SELECT FROM need WHERE opened = new.opened)
  THEN
    RAISE EXCEPTION 'archive: the case is not closed, or not as it was when it was archived'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN new;
END
$$;
