"""How many files the server may have open: each caller's connection is one."""

import resource
from contextlib import suppress


def take_all() -> None:
    """Take as many as are allowed, instead of the few that a process begins with.

    When there are none left the log's own files cannot be opened either, so callers must not use them up.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # what is called unlimited is not allowed everywhere
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
