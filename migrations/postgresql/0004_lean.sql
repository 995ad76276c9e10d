-- The events without `event_id`, which is `case_id:seq`, and with an index over keys that has each key of a case once:
-- what is asked of it is always whether, and where, something was first written under a key. Columns of a fixed width
-- come first, the widest at the front, so that none is aligned with empty bytes.
CREATE TABLE event_lean (
  pos bigint CONSTRAINT event_lean_pkey PRIMARY KEY,
  recorded_at bigint NOT NULL, -- microseconds since 1970
  seq integer NOT NULL,
  ordinal integer NOT NULL,
  case_id text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  leaf_hash bytea NOT NULL,
  envelope bytea NOT NULL,
  CONSTRAINT event_check CHECK (leaf_hash = sha256('\x00'::bytea || envelope))
);
INSERT INTO event_lean (pos, recorded_at, seq, ordinal, case_id, key, type, leaf_hash, envelope)
SELECT pos, recorded_at, seq, ordinal, case_id, key, type, leaf_hash, envelope FROM event ORDER BY pos;
DROP TABLE event;
ALTER TABLE event_lean RENAME TO event;
ALTER INDEX event_lean_pkey RENAME TO event_pkey;
ALTER TABLE event ADD CONSTRAINT event_case_id_seq_key UNIQUE (case_id, seq);
CREATE UNIQUE INDEX event_first ON event (case_id, key) WHERE ordinal = 0;

CREATE TRIGGER unchangeable BEFORE UPDATE OR DELETE OR TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE event ENABLE ALWAYS TRIGGER unchangeable;
GRANT SELECT, INSERT ON event TO casetrail_app;
