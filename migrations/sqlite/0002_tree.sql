-- The Merkle tree over the log, and what is published of it. The head's frontier is its right edge.

-- Roots of complete subtrees of 256, 65,536, … events: what proofs need from inside the tree.
CREATE TABLE subtree (
  level INTEGER NOT NULL CHECK (level > 0),
  number INTEGER NOT NULL,
  root BLOB NOT NULL CHECK (length(root) = 32),
  PRIMARY KEY (level, number)
) STRICT, WITHOUT ROWID;

-- What the log has signed and published, and what witnesses have signed of it.
CREATE TABLE checkpoint (
  size INTEGER PRIMARY KEY,
  root BLOB NOT NULL CHECK (length(root) = 32),
  note TEXT NOT NULL,
  published_at INTEGER NOT NULL -- microseconds since 1970
) STRICT;

CREATE TABLE cosignature (
  size INTEGER NOT NULL, -- of the checkpoint
  witness TEXT NOT NULL,
  line TEXT NOT NULL,
  PRIMARY KEY (size, witness)
) STRICT;

CREATE TRIGGER subtree_unchangeable BEFORE UPDATE ON subtree
BEGIN SELECT RAISE (ABORT, 'the tree is never changed'); END;
CREATE TRIGGER subtree_undeletable BEFORE DELETE ON subtree
BEGIN SELECT RAISE (ABORT, 'the tree is never cut'); END;
CREATE TRIGGER checkpoint_unchangeable BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE (ABORT, 'a checkpoint is never changed'); END;
CREATE TRIGGER checkpoint_undeletable BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE (ABORT, 'a checkpoint is never deleted'); END;
CREATE TRIGGER cosignature_unchangeable BEFORE UPDATE ON cosignature
BEGIN SELECT RAISE (ABORT, 'a co-signature is never changed'); END;
CREATE TRIGGER cosignature_undeletable BEFORE DELETE ON cosignature
BEGIN SELECT RAISE (ABORT, 'a co-signature is never deleted'); END;
-- A process of an older version, which knows of no tree, must not append.
CREATE TRIGGER log_head_grows BEFORE UPDATE ON log_head
WHEN new.size <> old.size AND new.frontier = old.frontier
BEGIN SELECT RAISE (ABORT, 'the tree grows with the log'); END;
