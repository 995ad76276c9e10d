"""`casetrail-db verify`: checks the whole log where no server answers, as when one refuses to start on it."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

from google.protobuf.json_format import MessageToJson

from audit import stores
from audit.log import Finding, LogDamagedError, Verification
from casetrail.verdict import WHOLE_LOG, fault_line, verdict

NOT_DONE: Final = 2
"""Exit status where it could not be checked."""


def verify(url: str, data: Path, *, with_keys: bool, as_json: bool) -> int:
    """Check a log and say what was found; nothing is created or changed.

    Args:
        url: Where it is.
        data: The folder that keys are in where the environment says nothing else.
        with_keys: Look at personal fields too.
        as_json: Report as `casetrail verify --json` does.

    Returns:
        The exit status: 0 all holds, 1 something is wrong.

    Raises:
        ValueError: A URL is none.
        LogUnavailableError: The log, the keys or the folder of checkpoints cannot be used.
    """
    keys = stores.KeySettings.read(os.environ, data, url) if with_keys else None
    folder = os.environ.get("CASETRAIL_CHECKPOINTS")
    checked = _found(url, keys, Path(folder) if folder else None).answer
    if as_json:
        sys.stdout.write(f"{MessageToJson(checked, ensure_ascii=False)}\n")
        return 0 if checked.whole else 1
    for fault in checked.faults:
        sys.stderr.write(f"{fault_line(fault)}\n")
    all_of = WHOLE_LOG if with_keys else f"{WHOLE_LOG}, but for personal fields"
    words = verdict(checked, all_of) if checked.whole or checked.events else "Nothing else can be checked."
    (sys.stdout if checked.whole else sys.stderr).write(f"{words}\n")
    return 0 if checked.whole else 1


def _found(url: str, keys: stores.KeySettings | None, checkpoints: Path | None) -> Verification:
    """What is found, that the log cannot be gone through included."""
    ending = signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a process that helps may end before it is asked
    try:
        return asyncio.run(stores.verify(url, keys, checkpoints))
    except LogDamagedError as damage:
        return Verification(events=0, cases=0, findings=[Finding("LOG_DAMAGED", str(damage))])
    finally:
        signal.signal(signal.SIGPIPE, ending)
