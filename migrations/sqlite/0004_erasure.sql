-- Keys of personal data that are destroyed: nothing is written under them any more. With each stands the event that says
-- so (CustomerErased), so that an erasure which a crash interrupts is finished by whoever comes next.
CREATE TABLE erased_key (
  dek_id TEXT PRIMARY KEY,
  request_id TEXT NOT NULL, -- under which the event is written
  digest TEXT NOT NULL, -- of the request
  event BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER erased_key_unchangeable BEFORE UPDATE ON erased_key
BEGIN SELECT RAISE (ABORT, 'what was erased stays erased'); END;
CREATE TRIGGER erased_key_undeletable BEFORE DELETE ON erased_key
BEGIN SELECT RAISE (ABORT, 'what was erased stays erased'); END;
