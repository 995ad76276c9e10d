"""A process that has loaded a program's modules, and becomes that program as often as it is asked to.

`python -m tests.loaded_program NAME MODULE:FUNCTION [MODULE …]`. Each line of its standard input asks once, in JSON;
the answer is the exit status. Each run is a process of its own: arguments, environment, folder and output are its
alone, and it ends as a program ends.
"""

import gc
import json
import os
import signal
import sys
import time
from importlib import import_module
from typing import Final

_PATIENCE_SECONDS: Final = 120


def main() -> None:
    name, entry, *more = sys.argv[1:]
    for each in more:
        import_module(each)
    module, _, function = entry.partition(":")
    run = getattr(import_module(module), function)
    gc.freeze()  # what all runs share is copied for none of them
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.alarm(_PATIENCE_SECONDS)  # kills what hangs
            _become(name, **json.loads(line))
            sys.exit(run())
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


def _become(name: str, words: list[str], environment: dict[str, str], folder: str, out: str, err: str) -> None:
    sys.argv = [name, *words]
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    for number, path in enumerate((os.devnull, out, err)):
        opened = os.open(path, os.O_RDWR)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115 - until the process ends
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115 - until the process ends


if __name__ == "__main__":
    main()
