"""The log: append, read, replay, hash and prove."""
