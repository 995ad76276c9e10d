-- The cases whose payloads were taken out of this database, each with the archive that has them. Their events stay.
CREATE TABLE archived (
  archive_id text COLLATE "C" NOT NULL,
  case_id text COLLATE "C" NOT NULL,
  opened bigint NOT NULL, -- position of the case's first event
  seq bigint NOT NULL, -- of its last one
  leaf_hash bytea NOT NULL, -- of its last one
  removed bigint NOT NULL, -- position of the event that says so (CasesArchived)
  restored bigint, -- position of the event that says so (CaseRestored); null while only the archive has it
  PRIMARY KEY (archive_id, case_id)
);
CREATE UNIQUE INDEX archived_now ON archived (case_id) WHERE restored IS NULL;

-- What follows holds within one transaction only: the one that writes the event that says what is done, whose position is
-- therefore beyond the head's until the head moves, as the last thing of all.
CREATE FUNCTION check_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM event AS proposed, event AS approved, event AS done, log_head
    WHERE proposed.case_id = '@log' AND proposed.key = 'propose ' || new.archive_id AND proposed.ordinal = 0
      AND proposed.type = 'ArchiveProposed'
      AND approved.case_id = '@log' AND approved.key = 'approve ' || new.archive_id AND approved.ordinal = 0
      AND approved.type = 'ArchiveApproved'
      AND convert_from(approved.envelope, 'UTF8')::json ->> 'actor' <> convert_from(proposed.envelope, 'UTF8')::json ->> 'actor'
      AND done.pos = new.removed AND done.pos > log_head.size
      AND done.case_id = '@log' AND done.key = 'archive ' || new.archive_id AND done.type = 'CasesArchived'
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
CREATE FUNCTION check_restored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF old.restored IS NOT NULL
    OR (new.archive_id, new.case_id, new.opened, new.seq, new.leaf_hash, new.removed)
      IS DISTINCT FROM (old.archive_id, old.case_id, old.opened, old.seq, old.leaf_hash, old.removed)
    OR NOT EXISTS (
      SELECT FROM event AS done, log_head
      WHERE done.pos = new.restored AND done.pos > log_head.size AND done.case_id = '@log'
        AND done.key = 'restore ' || old.archive_id || ' ' || old.case_id AND done.type = 'CaseRestored'
    )
    OR EXISTS (
      SELECT FROM event LEFT JOIN payload ON payload.pos = event.pos
      WHERE event.case_id = old.case_id AND payload.pos IS NULL
    )
  THEN
    RAISE EXCEPTION 'archive: a case is restored whole, by the event that says so, or not at all'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN new;
END
$$;
CREATE FUNCTION check_archiving() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM archived, log_head WHERE restored IS NULL AND removed > size) THEN
    RAISE EXCEPTION 'what is in payload is never changed or deleted, except while its case is archived'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION check_payload_leaves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM event JOIN archived ON archived.case_id = event.case_id, log_head
    WHERE event.pos = old.pos AND archived.restored IS NULL AND archived.removed > log_head.size
  ) THEN
    RAISE EXCEPTION 'what is in payload is never changed or deleted, except while its case is archived'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN old;
END
$$;

CREATE TRIGGER by_two_as_it_was BEFORE INSERT ON archived FOR EACH ROW EXECUTE FUNCTION check_archived();
CREATE TRIGGER restored_whole BEFORE UPDATE ON archived FOR EACH ROW EXECUTE FUNCTION check_restored();
CREATE TRIGGER unchangeable BEFORE DELETE OR TRUNCATE ON archived FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE archived ENABLE ALWAYS TRIGGER by_two_as_it_was;
ALTER TABLE archived ENABLE ALWAYS TRIGGER restored_whole;
ALTER TABLE archived ENABLE ALWAYS TRIGGER unchangeable;

DROP TRIGGER unchangeable ON payload;
CREATE TRIGGER unchangeable BEFORE UPDATE OR TRUNCATE ON payload FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER archiving BEFORE DELETE ON payload FOR EACH STATEMENT EXECUTE FUNCTION check_archiving();
CREATE TRIGGER leaves BEFORE DELETE ON payload FOR EACH ROW EXECUTE FUNCTION check_payload_leaves();
ALTER TABLE payload ENABLE ALWAYS TRIGGER unchangeable;
ALTER TABLE payload ENABLE ALWAYS TRIGGER archiving;
ALTER TABLE payload ENABLE ALWAYS TRIGGER leaves;

-- The only way in which the application deletes anything: what an archive has, with the rights of the tables' owner and
-- under the triggers above. `cases` is a list of [case id, opened, seq, leaf hash in hex].
CREATE FUNCTION archive_cases(the_archive text, cases jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = casetrail, pg_temp AS $$
BEGIN
  INSERT INTO archived
  SELECT the_archive, one ->> 0, (one ->> 1)::bigint, (one ->> 2)::bigint, decode(one ->> 3, 'hex'),
    (SELECT pos FROM event WHERE case_id = '@log' AND key = 'archive ' || the_archive AND ordinal = 0), NULL
  FROM jsonb_array_elements(cases) AS one;
  DELETE FROM payload USING event, archived
  WHERE payload.pos = event.pos AND event.case_id = archived.case_id AND archived.archive_id = the_archive
    AND archived.restored IS NULL;
  DELETE FROM case_index USING archived
  WHERE case_index.case_id = archived.case_id AND archived.archive_id = the_archive AND archived.restored IS NULL;
END
$$;
REVOKE ALL ON FUNCTION archive_cases(text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION archive_cases(text, jsonb) TO casetrail_app;
GRANT SELECT, UPDATE (restored) ON archived TO casetrail_app;
