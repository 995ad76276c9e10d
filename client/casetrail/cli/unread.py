"""Output that nobody reads any more, as behind `| head`: the command ends by SIGPIPE, as other tools do.

Only who writes that output ends it. For the process the signal stays ignored: threads of gRPC write to sockets of their
own while a command prints or ends, which may be closed by then.
"""

import io
import os
import signal
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def end_when_unread() -> None:
    """From now on this process ends when it writes to stdout or stderr and nobody reads that any more."""
    sys.stdout, sys.stderr = _ending(sys.stdout), _ending(sys.stderr)


def _ending(stream: TextIO) -> TextIO:
    if not (isinstance(stream, io.TextIOWrapper) and hasattr(signal, "SIGPIPE")):
        return stream
    stream.flush()
    raw = _Output(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        # With PYTHONUNBUFFERED there is no buffer.
        io.BufferedWriter(raw) if isinstance(stream.buffer, io.BufferedWriter) else raw,
        encoding=stream.encoding,
        errors="backslashreplace",  # what the terminal has no letter for is shown by its number
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Output(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGPIPE)
            raise
