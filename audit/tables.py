"""The tables that a log is made of. Where one is gone, nobody goes on with what is left."""

import re
from typing import Final

from audit.log import LogDamagedError
from audit.questions import Question

TABLES: Final = (
    "log_head",
    "event",
    "case_index",
    "need",
    "archived",
    "erased_key",
    "policy",
    "fact",
    "subtree",
    "checkpoint",
    "cosignature",
    "alembic_version",
)

_A_ROW_OF: Final = "SELECT 1 FROM"

ALL: Final = Question(" UNION ALL ".join(f"{_A_ROW_OF} {table} WHERE 1 = 0" for table in TABLES), {})
"""Is answered with nothing, and by an error where a table is not there."""

_ANY: Final = re.compile(rf"\b({'|'.join(TABLES)})\b")


def gone(log: str, words: str) -> LogDamagedError:
    """What is said of a log that lacks a table.

    Args:
        log: What errors call it.
        words: In which the database says that there is no such table.
    """
    named = _ANY.search(words)
    which = f"its table {named[0]}" if named else "one of its tables"
    return LogDamagedError(f"the log {log} has lost {which}: keep a copy of it, restore the newest backup ({words})")
