"""How many files the server may have open."""

import subprocess
import sys

PROGRAM = """\
import resource
from server import open_files

resource.setrlimit(resource.RLIMIT_NOFILE, (100, 2000))
open_files.take_all()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_server_takes_as_many_open_files_as_it_is_allowed() -> None:
    told = subprocess.run((sys.executable, "-c", PROGRAM), check=True, capture_output=True, text=True)

    assert told.stdout == "2000 2000\n"
