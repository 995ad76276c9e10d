-- Run by psql when the database server's volume is made: a role for Temporal that owns its two databases and has no
-- way to the log's.
\getenv password TEMPORAL_DB_PASSWORD
CREATE ROLE temporal LOGIN PASSWORD :'password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE ALL ON DATABASE temporal, temporal_visibility FROM PUBLIC;
