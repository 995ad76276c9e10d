-- Each event in one row, with its payload. Columns of a fixed width come first, the widest at the front, so that none is
-- aligned with empty bytes.
CREATE TABLE event_one_row (
  pos bigint CONSTRAINT event_one_row_pkey PRIMARY KEY,
  recorded_at bigint NOT NULL, -- microseconds since 1970
  seq integer NOT NULL,
  ordinal integer NOT NULL,
  case_id text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  dek_id text COLLATE "C", -- the key that the payload is encrypted with
  leaf_hash bytea NOT NULL,
  envelope bytea NOT NULL,
  payload bytea, -- null while only an archive has it
  CONSTRAINT event_check CHECK (leaf_hash = sha256('\x00'::bytea || envelope))
);
INSERT INTO event_one_row
SELECT pos, recorded_at, seq, ordinal, case_id, key, type, dek_id, leaf_hash, envelope, body
FROM event LEFT JOIN payload USING (pos) ORDER BY pos;
DROP TABLE event;
DROP TABLE payload;
DROP FUNCTION check_archiving, check_payload_leaves;
ALTER TABLE event_one_row RENAME TO event;
ALTER INDEX event_one_row_pkey RENAME TO event_pkey;
ALTER TABLE event ADD CONSTRAINT event_case_id_seq_key UNIQUE (case_id, seq);
CREATE UNIQUE INDEX event_first ON event (case_id, key) WHERE ordinal = 0;

CREATE TRIGGER unchangeable BEFORE
  UPDATE OF pos, recorded_at, seq, ordinal, case_id, key, type, leaf_hash, envelope OR DELETE OR TRUNCATE ON event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE event ENABLE ALWAYS TRIGGER unchangeable;

-- A payload leaves, and comes back, only within the transaction that writes the event that says so, whose position is
-- therefore beyond the head's.
CREATE FUNCTION check_payload_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (new.payload IS NULL) = (old.payload IS NULL)
    OR (new.payload IS NULL AND new.dek_id IS NOT NULL)
    OR NOT EXISTS (
      SELECT FROM archived, log_head
      WHERE archived.case_id = old.case_id AND restored IS NULL
        AND CASE WHEN new.payload IS NULL THEN removed > size ELSE EXISTS (
          SELECT FROM event AS done
          WHERE done.pos > size AND done.case_id = '@log' AND done.type = 'CaseRestored'
            AND done.key = 'restore ' || archived.archive_id || ' ' || archived.case_id
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
      SELECT FROM event AS done, log_head
      WHERE done.pos = new.restored AND done.pos > log_head.size AND done.case_id = '@log'
        AND done.key = 'restore ' || old.archive_id || ' ' || old.case_id AND done.type = 'CaseRestored'
    )
    OR EXISTS (SELECT FROM event WHERE event.case_id = old.case_id AND event.payload IS NULL)
  THEN
    RAISE EXCEPTION 'archive: a case is restored whole, by the event that says so, or not at all'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN new;
END
$$;

-- The only ways in which the application changes events: with the rights of the tables' owner, and under the triggers
-- above.
CREATE OR REPLACE FUNCTION archive_cases(the_archive text, cases jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = casetrail, pg_temp AS $$
BEGIN
  INSERT INTO archived
  SELECT the_archive, one ->> 0, (one ->> 1)::bigint, (one ->> 2)::bigint, decode(one ->> 3, 'hex'),
    (SELECT pos FROM event WHERE case_id = '@log' AND key = 'archive ' || the_archive AND ordinal = 0), NULL
  FROM jsonb_array_elements(cases) AS one;
  UPDATE event SET dek_id = NULL, payload = NULL FROM archived
  WHERE event.case_id = archived.case_id AND archived.archive_id = the_archive AND archived.restored IS NULL;
  DELETE FROM case_index USING archived
  WHERE case_index.case_id = archived.case_id AND archived.archive_id = the_archive AND archived.restored IS NULL;
END
$$;
CREATE FUNCTION restore_payload(the_pos bigint, the_dek_id text, the_payload bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = casetrail, pg_temp AS $$
  UPDATE event SET dek_id = the_dek_id, payload = the_payload WHERE pos = the_pos
$$;
REVOKE ALL ON FUNCTION restore_payload(bigint, text, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION restore_payload(bigint, text, bytea) TO casetrail_app;
GRANT SELECT, INSERT ON event TO casetrail_app;

-- A case is updated again and again: with room on its page, what an update leaves behind is used by the next one.
ALTER TABLE case_index SET (fillfactor = 70);
