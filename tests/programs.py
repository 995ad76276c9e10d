"""The project's programs, each run in a process of its own that does not have to load their modules first.

That loading is most of what a short command takes. What depends on how a program is started, on its input, or on where
its output goes is tested with the installed one.
"""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Final, NamedTuple

from casetrail.cli import _COMMANDS

ROOT: Final = Path(__file__).parents[1]


class Ran(NamedTuple):
    """How a program ended, and what it said."""

    code: int
    out: str
    err: str


class Program:
    """A program, loaded when it is first wanted.

    Attributes:
        installed: What users start.
    """

    def __init__(self, name: str, entry: str, modules: Iterable[str] = ()) -> None:
        """Say what it is.

        Args:
            name: What it is called as.
            entry: Its `MODULE:FUNCTION`.
            modules: What else it loads sooner or later.
        """
        self.installed = Path(sys.executable).with_name(name)
        self._command = [sys.executable, "-m", "tests.loaded_program", name, entry, *modules]
        self._one_at_a_time = Lock()
        self._loaded: subprocess.Popen[str] | None = None

    def run(self, *words: str, folder: Path = ROOT, **environment: str) -> Ran:
        """Run it with these words, in this folder, with these variables besides those of the tests."""
        with self._one_at_a_time, TemporaryDirectory() as said:
            out, err = Path(said) / "out", Path(said) / "err"
            out.touch()
            err.touch()
            asked = {"words": words, "environment": {**os.environ, **environment}, "folder": str(folder)}
            code = self._ask(json.dumps({**asked, "out": str(out), "err": str(err)}))
            return Ran(code, out.read_text(), err.read_text())

    def _ask(self, line: str) -> int:
        if self._loaded is None:
            self._loaded = subprocess.Popen(
                self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            atexit.register(self._loaded.communicate)
        assert self._loaded.stdin is not None
        assert self._loaded.stdout is not None
        print(line, file=self._loaded.stdin, flush=True)
        return int(self._loaded.stdout.readline())


_COMMAND_LINE: Final = [entry.partition(":")[0] for entry in _COMMANDS.values()]
_TYPER: Final = ("typer._adapters", "typer.rich_utils")

CASETRAIL: Final = Program("casetrail", "casetrail.starting:main", ["casetrail.cli", *_COMMAND_LINE, *_TYPER])
CASETRAIL_DB: Final = Program("casetrail-db", "audit.db:main")
CASETRAIL_VERIFY: Final = Program("casetrail-verify", "casetrail_verify.starting:main", ["casetrail_verify.command"])
CASETRAIL_WITNESS: Final = Program(
    "casetrail-witness", "casetrail.witness.starting:main", ["casetrail.witness.command"]
)
