-- A row of `event` says what its event is found by, and leaves to the envelope what nothing is found by: the type; the
-- key, but for the first event under it.
CREATE TABLE event_keys_once (
  pos INTEGER PRIMARY KEY,
  case_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  key TEXT NOT NULL, -- of the first event under it only
  ordinal INTEGER NOT NULL,
  envelope BLOB NOT NULL,
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),
  recorded_at INTEGER NOT NULL, -- microseconds since 1970
  dek_id TEXT NOT NULL DEFAULT '', -- the key that the payload is encrypted with
  payload BLOB, -- null while only an archive has it
  UNIQUE (case_id, seq),
  CHECK ((key = '') = (ordinal > 0))
) STRICT;
INSERT INTO event_keys_once
SELECT pos, case_id, seq, CASE ordinal WHEN 0 THEN key ELSE '' END, ordinal, envelope, leaf_hash, recorded_at,
  coalesce(dek_id, ''), payload
FROM event ORDER BY pos;
DROP TRIGGER archived_by_two;
DROP TRIGGER archived_restored;
DROP TABLE event;
-- Triggers of other tables speak of `event`: they are to mean the new one, and not to be looked at meanwhile.
PRAGMA legacy_alter_table = ON;
ALTER TABLE event_keys_once RENAME TO event;
PRAGMA legacy_alter_table = OFF;
CREATE UNIQUE INDEX event_first ON event (case_id, key) WHERE ordinal = 0;

CREATE TRIGGER event_undeletable BEFORE DELETE ON event
BEGIN SELECT RAISE (ABORT, 'an event is never deleted'); END;
-- A payload leaves, and comes back, only within the transaction that writes the event that says so, whose position is
-- therefore beyond the head's.
CREATE TRIGGER event_unchangeable BEFORE UPDATE ON event
WHEN (new.pos, new.case_id, new.seq, new.key, new.ordinal, new.envelope, new.leaf_hash, new.recorded_at)
    IS NOT (old.pos, old.case_id, old.seq, old.key, old.ordinal, old.envelope, old.leaf_hash, old.recorded_at)
  OR (new.payload IS NULL) = (old.payload IS NULL)
  OR (new.payload IS NULL AND new.dek_id <> '')
  OR NOT EXISTS (
    SELECT 1 FROM archived, log_head
    WHERE archived.case_id = old.case_id AND restored IS NULL
      AND CASE WHEN new.payload IS NULL THEN removed > size ELSE EXISTS (
        SELECT 1 FROM event AS done
        WHERE done.pos > size AND done.case_id = '@log' AND CAST(done.envelope AS TEXT) ->> 'type' = 'CaseRestored'
          AND done.key = 'restore ' || archived.archive_id || ' ' || archived.case_id
      ) END
  )
BEGIN SELECT RAISE (ABORT, 'an event is never changed: its payload leaves while its case is archived, and comes back with it'); END;

CREATE TRIGGER archived_by_two BEFORE INSERT ON archived
WHEN NOT EXISTS (
  SELECT 1 FROM event AS proposed, event AS approved, event AS done, log_head
  WHERE proposed.case_id = '@log' AND proposed.key = 'propose ' || new.archive_id AND proposed.ordinal = 0
    AND CAST(proposed.envelope AS TEXT) ->> 'type' = 'ArchiveProposed'
    AND approved.case_id = '@log' AND approved.key = 'approve ' || new.archive_id AND approved.ordinal = 0
    AND CAST(approved.envelope AS TEXT) ->> 'type' = 'ArchiveApproved'
    AND CAST(approved.envelope AS TEXT) ->> 'actor' <> CAST(proposed.envelope AS TEXT) ->> 'actor'
    AND done.pos = new.removed AND done.pos > log_head.size AND done.case_id = '@log'
    AND done.key = 'archive ' || new.archive_id AND CAST(done.envelope AS TEXT) ->> 'type' = 'CasesArchived'
)
BEGIN SELECT RAISE (ABORT, 'archive: it takes one who proposes, another who approves, and the event that says what is done'); END;
CREATE TRIGGER archived_restored BEFORE UPDATE ON archived
WHEN old.restored IS NOT NULL
  OR (new.archive_id, new.case_id, new.opened, new.seq, new.leaf_hash, new.removed)
    IS NOT (old.archive_id, old.case_id, old.opened, old.seq, old.leaf_hash, old.removed)
  OR NOT EXISTS (
    SELECT 1 FROM event AS done, log_head
    WHERE done.pos = new.restored AND done.pos > log_head.size AND done.case_id = '@log'
      AND done.key = 'restore ' || old.archive_id || ' ' || old.case_id
      AND CAST(done.envelope AS TEXT) ->> 'type' = 'CaseRestored'
  )
  OR EXISTS (SELECT 1 FROM event WHERE event.case_id = old.case_id AND event.payload IS NULL)
BEGIN SELECT RAISE (ABORT, 'archive: a case is restored whole, by the event that says so, or not at all'); END;
