"""`casetrail-db verify`: checks the whole log where no server answers, as when one refuses to start on it."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from google.protobuf.json_format import MessageToJson

from audit import stores
from audit.log import Finding, LogDamagedError, Verification
from audit.remains import Remains
from audit.verification.kept_outside import KeptOutside
from audit.verification.signatures import Signers
from audit.witness_file import witnesses_in
from casetrail.verdict import WHOLE_LOG, fault_line, verdict

NOT_DONE: Final = 2
"""Exit status where it could not be checked."""


def verify(url: str, data: Path, *, with_keys: bool, as_json: bool) -> int:
    """Check a log and say what was found; nothing is created or changed.

    Args:
        url: Where it is.
        data: The folder that keys are in where the environment says nothing else.
        with_keys: Look at personal fields too, and insist on the log's public keys; without, signatures are looked at
            where those are there.
        as_json: Report as `casetrail verify --json` does.

    Returns:
        The exit status: 0 all holds, 1 something is wrong.

    Raises:
        ValueError: A URL is none.
        LogUnavailableError: The log, keys or the folder of checkpoints cannot be used.
    """
    keys = stores.KeySettings.read(os.environ, data, url) if with_keys else None
    left = Remains.read(os.environ, data)
    public = left.keys / "log.vkey"
    with_signatures = with_keys or public.exists()
    outside = partial(_kept_outside, left.checkpoints, public if with_signatures else None)
    checked = _found(url, keys, outside).answer
    if as_json:
        sys.stdout.write(f"{MessageToJson(checked, ensure_ascii=False)}\n")
        return 0 if checked.whole else 1
    for fault in checked.faults:
        sys.stderr.write(f"{fault_line(fault)}\n")
    left_out = [] if with_keys else ["personal fields"]
    left_out += [] if with_signatures else ["signatures"]
    words = verdict(checked, WHOLE_LOG, left_out) if checked.whole or checked.events else "Nothing else can be checked."
    (sys.stdout if checked.whole else sys.stderr).write(f"{words}\n")
    return 0 if checked.whole else 1


def _kept_outside(checkpoints: Path | None, public: Path | None) -> KeptOutside:
    """The folder of checkpoints, and the keys that are to be looked at: the log's public ones, and the witnesses'."""
    witnesses = os.environ.get("CASETRAIL_WITNESSES")
    known = [each.key for each in witnesses_in(Path(witnesses))] if witnesses else []
    return KeptOutside(checkpoints, Signers.read(public, known) if public is not None else None)


def _found(url: str, keys: stores.KeySettings | None, outside: Callable[[], KeptOutside]) -> Verification:
    """What is found, that the log cannot be gone through included."""
    ending = signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a process that helps may end before it is asked
    try:
        return asyncio.run(stores.verify(url, keys, outside))
    except LogDamagedError as damage:
        return Verification(events=0, cases=0, findings=[Finding("LOG_DAMAGED", str(damage))])
    finally:
        signal.signal(signal.SIGPIPE, ending)
