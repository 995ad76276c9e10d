-- The log in PostgreSQL, in the schema that the search path begins with. Whoever runs this owns the tables; the
-- application comes with the rights of casetrail_app, which are granted at the end and are all it has.

-- The one row that an append locks and moves: how many events there are, and the right edge of the Merkle tree over
-- them. `log` names this log in every envelope.
CREATE TABLE log_head (
  id smallint PRIMARY KEY CHECK (id = 1),
  log text COLLATE "C" NOT NULL,
  size bigint NOT NULL,
  frontier bytea NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head VALUES (1, replace(gen_random_uuid()::text, '-', ''), 0, '');

CREATE TABLE event (
  pos bigint PRIMARY KEY,
  case_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  key text COLLATE "C" NOT NULL,
  ordinal bigint NOT NULL,
  event_id text COLLATE "C" NOT NULL UNIQUE,
  type text COLLATE "C" NOT NULL,
  envelope bytea NOT NULL,
  leaf_hash bytea NOT NULL CHECK (leaf_hash = sha256('\x00'::bytea || envelope)),
  recorded_at bigint NOT NULL, -- microseconds since 1970
  UNIQUE (case_id, seq),
  UNIQUE (case_id, key, ordinal)
);

CREATE TABLE payload (
  pos bigint PRIMARY KEY, -- of the event
  dek_id text COLLATE "C", -- the key that it is encrypted with
  body bytea NOT NULL
);

-- Roots of complete subtrees of 256, 65,536, … events: what proofs need from inside the tree.
CREATE TABLE subtree (
  level smallint NOT NULL CHECK (level > 0),
  number bigint NOT NULL,
  root bytea NOT NULL CHECK (length(root) = 32),
  PRIMARY KEY (level, number)
);

-- What the log has signed and published, and what witnesses have signed of it.
CREATE TABLE checkpoint (
  size bigint PRIMARY KEY,
  root bytea NOT NULL CHECK (length(root) = 32),
  note text COLLATE "C" NOT NULL,
  published_at bigint NOT NULL -- microseconds since 1970
);

CREATE TABLE cosignature (
  size bigint NOT NULL, -- of the checkpoint
  witness text COLLATE "C" NOT NULL,
  line text COLLATE "C" NOT NULL,
  PRIMARY KEY (size, witness)
);

-- The projection. `opened` is the position of the case's first event. Real times are milliseconds since 1970; opened_at
-- is case time in seconds. Flags are 0 or 1, so that both databases are asked the same questions.
CREATE TABLE case_index (
  opened bigint PRIMARY KEY,
  case_id text COLLATE "C" NOT NULL UNIQUE,
  kind integer NOT NULL,
  stage integer NOT NULL,
  priority integer NOT NULL,
  channel integer NOT NULL,
  category text COLLATE "C" NOT NULL,
  owner text COLLATE "C" NOT NULL,
  team text COLLATE "C" NOT NULL,
  customer_id text COLLATE "C" NOT NULL,
  order_id text COLLATE "C" NOT NULL,
  opened_at bigint NOT NULL,
  closed smallint NOT NULL,
  live smallint NOT NULL, -- open, and moved by real time
  running integer NOT NULL, -- clocks that run
  overdue integer NOT NULL, -- clocks that are breached and not kept
  drill_id text COLLATE "C" NOT NULL, -- empty for a real case
  seq bigint NOT NULL,
  leaf_hash bytea NOT NULL, -- of the last event
  -- What the case needs from Temporal …
  next_wake bigint,
  effects smallint NOT NULL,
  effects_seq bigint NOT NULL, -- the event that demanded the newest
  effects_since bigint, -- since when some have been pending without a break
  -- … and what Temporal knows of it.
  armed_seq bigint,
  armed_wake bigint,
  served_at bigint,
  unarmed smallint GENERATED ALWAYS AS (
    CASE WHEN (live = 1 AND armed_seq IS NULL)
      OR (next_wake IS NOT NULL AND (armed_wake IS NULL OR next_wake < armed_wake))
      OR (effects = 1 AND effects_seq > coalesce(armed_seq, 0))
    THEN 1 ELSE 0 END
  ) STORED,
  body bytea NOT NULL -- the case
);

CREATE INDEX case_open ON case_index (opened) INCLUDE (running, overdue, drill_id) WHERE closed = 0;
CREATE INDEX case_drill ON case_index (drill_id, opened) WHERE drill_id <> '';
CREATE INDEX case_overdue ON case_index (opened) WHERE overdue > 0;
CREATE INDEX case_owner ON case_index (owner, opened);
CREATE INDEX case_team ON case_index (team, opened);
CREATE INDEX case_customer ON case_index (customer_id, opened);
CREATE INDEX case_order ON case_index (order_id, opened);
CREATE INDEX case_opened_at ON case_index (opened_at, opened);
-- What the sweep looks at; closed cases are in none of these.
CREATE INDEX case_unarmed ON case_index (opened) WHERE unarmed = 1;
CREATE INDEX case_wake ON case_index (next_wake) WHERE next_wake IS NOT NULL;
CREATE INDEX case_effects ON case_index (effects_since) WHERE effects_since IS NOT NULL;

CREATE TABLE policy (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  digest text COLLATE "C" NOT NULL UNIQUE,
  policy_id text COLLATE "C" NOT NULL,
  body bytea NOT NULL
);

-- Small operational facts, such as which Temporal it was.
CREATE TABLE fact (
  name text COLLATE "C" PRIMARY KEY,
  value text NOT NULL
);

-- What is never changed. The triggers are ENABLE ALWAYS, so that a session that plays a replica fires them too.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what is in % is never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$;

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['event', 'payload', 'subtree', 'checkpoint', 'cosignature', 'policy'] LOOP
    EXECUTE format('CREATE TRIGGER unchangeable BEFORE UPDATE OR DELETE OR TRUNCATE ON %I'
      ' FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER unchangeable', name);
  END LOOP;
END
$$;

-- A process of an older version, which knows of no tree, must not append.
CREATE FUNCTION refuse_treeless() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the tree grows with the log' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER grows BEFORE UPDATE ON log_head FOR EACH ROW
  WHEN (new.size <> old.size AND new.frontier = old.frontier) EXECUTE FUNCTION refuse_treeless();

GRANT SELECT ON ALL TABLES IN SCHEMA casetrail TO casetrail_app;
GRANT INSERT ON event, payload, subtree, checkpoint, cosignature, case_index, policy, fact TO casetrail_app;
GRANT UPDATE (size, frontier) ON log_head TO casetrail_app;
GRANT UPDATE ON case_index, fact TO casetrail_app;
