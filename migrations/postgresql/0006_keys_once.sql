-- A row of `event` says what its event is found by, and leaves to the envelope what nothing is found by: the type; the
-- key, but for the first event under it. What is not there is empty and not null, so that a row needs no list of its nulls.
CREATE TABLE event_keys_once (
  pos bigint CONSTRAINT event_keys_once_pkey PRIMARY KEY,
  recorded_at bigint NOT NULL, -- microseconds since 1970
  seq integer NOT NULL,
  ordinal integer NOT NULL,
  case_id text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL, -- of the first event under it only
  dek_id text COLLATE "C" NOT NULL DEFAULT '', -- the key that the payload is encrypted with
  leaf_hash bytea NOT NULL,
  envelope bytea NOT NULL,
  payload bytea, -- null while only an archive has it
  CONSTRAINT event_check CHECK (leaf_hash = sha256('\x00'::bytea || envelope)),
  CONSTRAINT event_key_check CHECK ((key = '') = (ordinal > 0))
);
INSERT INTO event_keys_once (pos, recorded_at, seq, ordinal, case_id, key, dek_id, leaf_hash, envelope, payload)
SELECT pos, recorded_at, seq, ordinal, case_id, CASE ordinal WHEN 0 THEN key ELSE '' END, coalesce(dek_id, ''),
  leaf_hash, envelope, payload
FROM event ORDER BY pos;
DROP TABLE event;
ALTER TABLE event_keys_once RENAME TO event;
ALTER INDEX event_keys_once_pkey RENAME TO event_pkey;
ALTER TABLE event ADD CONSTRAINT event_case_id_seq_key UNIQUE (case_id, seq);
-- Keys are long, and here only to be compared: eight bytes of their hash take a third of the room. Two keys of one case
-- that have the same hash by chance are not to be expected; the second one would be refused.
CREATE UNIQUE INDEX event_first ON event (case_id, hashtextextended(key, 0)) WHERE ordinal = 0;

CREATE TRIGGER unchangeable BEFORE
  UPDATE OF pos, recorded_at, seq, ordinal, case_id, key, leaf_hash, envelope OR DELETE OR TRUNCATE ON event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE event ENABLE ALWAYS TRIGGER unchangeable;

-- What the log itself did first under a key: where it stands, and what its envelope says.
CREATE FUNCTION own_event(the_key text) RETURNS TABLE (pos bigint, said json)
LANGUAGE sql STABLE SET search_path = casetrail, pg_temp AS $$
  SELECT pos, convert_from(envelope, 'UTF8')::json FROM event
  WHERE case_id = '@log' AND hashtextextended(key, 0) = hashtextextended(the_key, 0) AND key = the_key AND ordinal = 0
$$;

-- A payload leaves, and comes back, only within the transaction that writes the event that says so, whose position is
-- therefore beyond the head's.
CREATE OR REPLACE FUNCTION check_payload_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (new.payload IS NULL) = (old.payload IS NULL)
    OR (new.payload IS NULL AND new.dek_id <> '')
    OR NOT EXISTS (
      SELECT FROM archived, log_head
      WHERE archived.case_id = old.case_id AND restored IS NULL
        AND CASE WHEN new.payload IS NULL THEN removed > size ELSE EXISTS (
          SELECT FROM own_event('restore ' || archived.archive_id || ' ' || archived.case_id) AS done
          WHERE done.pos > size AND done.said ->> 'type' = 'CaseRestored'
        ) END
    )
  THEN
    RAISE EXCEPTION 'a payload is never changed or deleted: it leaves while its case is archived, and comes back with it'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN new;
END
$$;
CREATE TRIGGER payload_moves BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION check_payload_moves();
ALTER TABLE event ENABLE ALWAYS TRIGGER payload_moves;

CREATE OR REPLACE FUNCTION check_restored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF old.restored IS NOT NULL
    OR (new.archive_id, new.case_id, new.opened, new.seq, new.leaf_hash, new.removed)
      IS DISTINCT FROM (old.archive_id, old.case_id, old.opened, old.seq, old.leaf_hash, old.removed)
    OR NOT EXISTS (
      SELECT FROM own_event('restore ' || old.archive_id || ' ' || old.case_id) AS done, log_head
      WHERE done.pos = new.restored AND done.pos > log_head.size AND done.said ->> 'type' = 'CaseRestored'
    )
    OR EXISTS (SELECT FROM event WHERE event.case_id = old.case_id AND event.payload IS NULL)
  THEN
    RAISE EXCEPTION 'archive: a case is restored whole, by the event that says so, or not at all'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN new;
END
$$;

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
  IF new.restored IS NOT NULL OR NOT EXISTS (
    SELECT FROM case_index
    WHERE case_id = new.case_id AND opened = new.opened AND seq = new.seq AND leaf_hash = new.leaf_hash
      AND closed = 1 AND effects = 0 AND next_wake IS NULL
  ) THEN
    RAISE EXCEPTION 'archive: the case is not closed, or not as it was when it was archived'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN new;
END
$$;

CREATE OR REPLACE FUNCTION archive_cases(the_archive text, cases jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = casetrail, pg_temp AS $$
BEGIN
  INSERT INTO archived
  SELECT the_archive, one ->> 0, (one ->> 1)::bigint, (one ->> 2)::bigint, decode(one ->> 3, 'hex'),
    (SELECT pos FROM own_event('archive ' || the_archive)), NULL
  FROM jsonb_array_elements(cases) AS one;
  UPDATE event SET dek_id = '', payload = NULL FROM archived
  WHERE event.case_id = archived.case_id AND archived.archive_id = the_archive AND archived.restored IS NULL;
  DELETE FROM case_index USING archived
  WHERE case_index.case_id = archived.case_id AND archived.archive_id = the_archive AND archived.restored IS NULL;
END
$$;
GRANT SELECT, INSERT ON event TO casetrail_app;
