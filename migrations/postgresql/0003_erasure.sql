-- Keys of personal data that are destroyed: nothing is written under them any more. With each stands the event that says
-- so (CustomerErased), so that an erasure which a crash interrupts is finished by whoever comes next.
CREATE TABLE erased_key (
  dek_id text COLLATE "C" PRIMARY KEY,
  request_id text COLLATE "C" NOT NULL, -- under which the event is written
  digest text COLLATE "C" NOT NULL, -- of the request
  event bytea NOT NULL
);
CREATE TRIGGER unchangeable BEFORE UPDATE OR DELETE OR TRUNCATE ON erased_key
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE erased_key ENABLE ALWAYS TRIGGER unchangeable;
GRANT SELECT, INSERT ON erased_key TO casetrail_app;

-- The keys of data subjects. The log may keep them in this schema of another database just as well.
CREATE SCHEMA casetrail_keys;

-- Which key-encryption key is in force: the subjects' keys are wrapped with it.
CREATE TABLE casetrail_keys.kek (
  id smallint PRIMARY KEY CHECK (id = 1),
  kek_id text COLLATE "C" NOT NULL
);

CREATE TABLE casetrail_keys.subject_key (
  dek_id text COLLATE "C" PRIMARY KEY,
  subject_ref text COLLATE "C" NOT NULL, -- customer:…, or case:… of a case without a customer
  kek_id text COLLATE "C" NOT NULL,
  wrapped bytea, -- the key, wrapped; nothing once it is destroyed
  destroyed_at bigint, -- microseconds since 1970
  CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

CREATE UNIQUE INDEX subject_key_active ON casetrail_keys.subject_key (subject_ref) WHERE destroyed_at IS NULL;
CREATE INDEX subject_key_subject ON casetrail_keys.subject_key (subject_ref);

GRANT USAGE ON SCHEMA casetrail_keys TO casetrail_app;
GRANT SELECT, INSERT, UPDATE ON casetrail_keys.kek, casetrail_keys.subject_key TO casetrail_app;
