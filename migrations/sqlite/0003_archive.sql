-- The cases whose payloads were taken out of this database, each with the archive that has them. Their events stay.
CREATE TABLE archived (
  archive_id TEXT NOT NULL,
  case_id TEXT NOT NULL,
  opened INTEGER NOT NULL, -- position of the case's first event
  seq INTEGER NOT NULL, -- of its last one
  leaf_hash BLOB NOT NULL, -- of its last one
  removed INTEGER NOT NULL, -- position of the event that says so (CasesArchived)
  restored INTEGER, -- position of the event that says so (CaseRestored); null while only the archive has it
  PRIMARY KEY (archive_id, case_id)
) STRICT;
CREATE UNIQUE INDEX archived_now ON archived (case_id) WHERE restored IS NULL;

-- What follows holds within one transaction only: the one that writes the event that says what is done, whose position is
-- therefore beyond the head's until the head moves, as the last thing of all.
CREATE TRIGGER archived_by_two BEFORE INSERT ON archived
WHEN NOT EXISTS (
  SELECT 1 FROM event AS proposed, event AS approved, event AS done, log_head
  WHERE proposed.case_id = '@log' AND proposed.key = 'propose ' || new.archive_id AND proposed.ordinal = 0
    AND proposed.type = 'ArchiveProposed'
    AND approved.case_id = '@log' AND approved.key = 'approve ' || new.archive_id AND approved.ordinal = 0
    AND approved.type = 'ArchiveApproved'
    AND json_extract(CAST(approved.envelope AS TEXT), '$.actor') <> json_extract(CAST(proposed.envelope AS TEXT), '$.actor')
    AND done.pos = new.removed AND done.pos > log_head.size
    AND done.case_id = '@log' AND done.key = 'archive ' || new.archive_id AND done.type = 'CasesArchived'
)
BEGIN SELECT RAISE (ABORT, 'archive: it takes one who proposes, another who approves, and the event that says what is done'); END;
CREATE TRIGGER archived_as_it_was BEFORE INSERT ON archived
WHEN new.restored IS NOT NULL OR NOT EXISTS (
  SELECT 1 FROM case_index
  WHERE case_id = new.case_id AND opened = new.opened AND seq = new.seq AND leaf_hash = new.leaf_hash
    AND closed = 1 AND effects = 0 AND next_wake IS NULL
)
BEGIN SELECT RAISE (ABORT, 'archive: the case is not closed, or not as it was when it was archived'); END;
CREATE TRIGGER archived_restored BEFORE UPDATE ON archived
WHEN old.restored IS NOT NULL
  OR (new.archive_id, new.case_id, new.opened, new.seq, new.leaf_hash, new.removed)
    IS NOT (old.archive_id, old.case_id, old.opened, old.seq, old.leaf_hash, old.removed)
  OR NOT EXISTS (
    SELECT 1 FROM event AS done, log_head
    WHERE done.pos = new.restored AND done.pos > log_head.size AND done.case_id = '@log'
      AND done.key = 'restore ' || old.archive_id || ' ' || old.case_id AND done.type = 'CaseRestored'
  )
  OR EXISTS (
    SELECT 1 FROM event LEFT JOIN payload ON payload.pos = event.pos
    WHERE event.case_id = old.case_id AND payload.pos IS NULL
  )
BEGIN SELECT RAISE (ABORT, 'archive: a case is restored whole, by the event that says so, or not at all'); END;
CREATE TRIGGER archived_undeletable BEFORE DELETE ON archived
BEGIN SELECT RAISE (ABORT, 'what was archived is never forgotten'); END;

DROP TRIGGER payload_undeletable;
CREATE TRIGGER payload_undeletable BEFORE DELETE ON payload
WHEN NOT EXISTS (
  SELECT 1 FROM event JOIN archived ON archived.case_id = event.case_id, log_head
  WHERE event.pos = old.pos AND archived.restored IS NULL AND archived.removed > log_head.size
)
BEGIN SELECT RAISE (ABORT, 'a payload is never deleted, except while its case is archived'); END;
