"""Idempotency keys of the demo shop: what was done under a key is done once, and its answer given again."""

import json
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from embedded.database import Database
from embedded.serving import Refusal

Json = dict[str, Any]

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, call TEXT NOT NULL, calls INTEGER NOT NULL, fingerprint TEXT, answer TEXT);
"""


class Keys:
    """Which keys were used, what for, and what was answered."""

    def __init__(self, database: Database) -> None:
        """Keep them in the database that the effects are in, so that both are stored together."""
        self._db = database

    def once(self, key: str, call: str, content: Json, act: Callable[[], Json]) -> Json:
        """Act on a key's first call, repeat its answer on later ones; a refusal does not use up the key."""
        if not key:
            raise Refusal(400, "IDEMPOTENCY_KEY_MISSING", "this call needs an Idempotency-Key header")
        self._count(key, call)
        fingerprint = sha256(json.dumps([call, content], sort_keys=True).encode()).hexdigest()
        with self._db.transaction():
            used = self._db.row("SELECT * FROM keys WHERE key = ? AND answer IS NOT NULL", (key,))
            if used is not None:
                return _repeat(used, fingerprint)
            answer = act()
            self._db.run(
                "UPDATE keys SET call = ?, fingerprint = ?, answer = ? WHERE key = ?",
                (call, fingerprint, json.dumps(answer), key),
            )
        return answer

    def calls(self) -> list[Json]:
        """Return, per key, how often it came and whether something was done under it."""
        rows = self._db.rows("SELECT key, call, calls, answer IS NOT NULL AS done FROM keys ORDER BY rowid")
        return [{**dict(row), "done": bool(row["done"])} for row in rows]

    def _count(self, key: str, call: str) -> None:
        self._db.run(
            "INSERT INTO keys (key, call, calls) VALUES (?, ?, 1) ON CONFLICT (key) DO UPDATE SET calls = calls + 1",
            (key, call),
        )


def _repeat(used: sqlite3.Row, fingerprint: str) -> Json:
    if used["fingerprint"] != fingerprint:
        raise Refusal(409, "IDEMPOTENCY_KEY_REUSED", f"this key was used for another {used['call']}")
    answer: Json = json.loads(used["answer"])
    return answer
