"""How a process ends that has spoken to Temporal."""

import os
import sys
from typing import NoReturn


def leave(outcome: int | str | None) -> NoReturn:
    """End with a status, or with words and 1, as `sys.exit` does, but without taking the interpreter apart.

    Temporal's client works in threads that Python cannot stop. One that still lets go of an object meanwhile crashes
    the process: every seventh one that could not connect and then exited ended by a signal instead of with its status
    (https://github.com/temporalio/sdk-python/issues/300). Whatever is to be closed or sent must have been before.
    """
    if isinstance(outcome, str):
        sys.stderr.write(f"{outcome}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1 if isinstance(outcome, str) else outcome or 0)
