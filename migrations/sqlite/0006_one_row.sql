-- Each event in one row, with its payload.
CREATE TABLE event_one_row (
  pos INTEGER PRIMARY KEY,
  case_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  key TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  type TEXT NOT NULL,
  envelope BLOB NOT NULL,
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),
  recorded_at INTEGER NOT NULL, -- microseconds since 1970
  dek_id TEXT, -- the key that the payload is encrypted with
  payload BLOB, -- null while only an archive has it
  UNIQUE (case_id, seq)
) STRICT;
INSERT INTO event_one_row
SELECT pos, case_id, seq, key, ordinal, type, envelope, leaf_hash, recorded_at, dek_id, body
FROM event LEFT JOIN payload USING (pos) ORDER BY pos;
DROP TRIGGER archived_restored;
DROP TABLE event;
DROP TABLE payload;
-- Triggers of other tables speak of `event`: they are to mean the new one, and not to be looked at meanwhile.
PRAGMA legacy_alter_table = ON;
ALTER TABLE event_one_row RENAME TO event;
PRAGMA legacy_alter_table = OFF;
CREATE UNIQUE INDEX event_first ON event (case_id, key) WHERE ordinal = 0;

CREATE TRIGGER event_undeletable BEFORE DELETE ON event
BEGIN SELECT RAISE (ABORT, 'an event is never deleted'); END;
-- A payload leaves, and comes back, only within the transaction that writes the event that says so, whose position is
-- therefore beyond the head's.
CREATE TRIGGER event_unchangeable BEFORE UPDATE ON event
WHEN (new.pos, new.case_id, new.seq, new.key, new.ordinal, new.type, new.envelope, new.leaf_hash, new.recorded_at)
    IS NOT
    (old.pos, old.case_id, old.seq, old.key, old.ordinal, old.type, old.envelope, old.leaf_hash, old.recorded_at)
  OR (new.payload IS NULL) = (old.payload IS NULL)
  OR (new.payload IS NULL AND new.dek_id IS NOT NULL)
  OR NOT EXISTS (
    SELECT 1 FROM archived, log_head
    WHERE archived.case_id = old.case_id AND restored IS NULL
      AND CASE WHEN new.payload IS NULL THEN removed > size ELSE EXISTS (
        SELECT 1 FROM event AS done
        WHERE done.pos > size AND done.case_id = '@log' AND done.type = 'CaseRestored'
          AND done.key = 'restore ' || archived.archive_id || ' ' || archived.case_id
      ) END
  )
BEGIN SELECT RAISE (ABORT, 'an event is never changed: its payload leaves while its case is archived, and comes back with it'); END;

CREATE TRIGGER archived_restored BEFORE UPDATE ON archived
WHEN old.restored IS NOT NULL
  OR (new.archive_id, new.case_id, new.opened, new.seq, new.leaf_hash, new.removed)
    IS NOT (old.archive_id, old.case_id, old.opened, old.seq, old.leaf_hash, old.removed)
  OR NOT EXISTS (
    SELECT 1 FROM event AS done, log_head
    WHERE done.pos = new.restored AND done.pos > log_head.size AND done.case_id = '@log'
      AND done.key = 'restore ' || old.archive_id || ' ' || old.case_id AND done.type = 'CaseRestored'
  )
  OR EXISTS (SELECT 1 FROM event WHERE event.case_id = old.case_id AND event.payload IS NULL)
BEGIN SELECT RAISE (ABORT, 'archive: a case is restored whole, by the event that says so, or not at all'); END;
