"""The `casetrail-verify` command line."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

from casetrail_verify.evidence import Evidence, EvidenceError, keys
from casetrail_verify.notes import LOG_KEY, WITNESS_KEY
from casetrail_verify.parallel import ProcessesError
from casetrail_verify.verification import verify

_BY_SIGNAL = 128  # and its number, as shells say it
_MOST_PROCESSES = 64


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    It exits with 0 when all holds, 1 when something is wrong, and 2 without a verdict: the words were wrong, a file
    cannot be read, or the check did not come to its end.
    """
    for stream in _open_streams():
        stream.reconfigure(errors="backslashreplace")
    given = _parser().parse_args(arguments)
    if sys.stdout not in _open_streams():
        _cannot("the report cannot be written: stdout is closed")
    _end_in_order()
    try:
        report = verify(
            Evidence(
                export=given.export,
                log_keys=keys(given.log_key, LOG_KEY),
                witness_keys=keys(given.witness_key, WITNESS_KEY),
                checkpoints=given.checkpoints,
                receipts=given.receipts,
                archived=given.archived,
            ),
            processes=given.processes,
        )
    except (EvidenceError, ProcessesError) as error:
        _cannot(str(error))
    except MemoryError:
        _cannot("there is not enough memory")
    except OSError as error:
        what = f"{error.filename} cannot be read" if error.filename else "its temporary files cannot be written"
        _cannot(f"{what}: {error.strerror}")
    _tell(f"{report.json if given.json else report.words}\n")
    sys.exit(0 if report.holds else 1)


def _end_in_order() -> None:
    """Have what ends a program at once end it as Ctrl-C does, so that its temporary files go away."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # not every system has both
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda ended_by, _: sys.exit(_BY_SIGNAL + ended_by))


def _open_streams() -> list[TextIOWrapper]:
    """Stdout and stderr, as far as whoever started the program has not closed them."""
    return [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, TextIOWrapper)]


def _cannot(why: str) -> NoReturn:
    """End without a verdict."""
    if sys.stderr in _open_streams():
        sys.stderr.write(f"casetrail-verify: {why}\n")
        sys.stderr.flush()
    sys.exit(2)


def _tell(verdict: str) -> None:
    try:
        sys.stdout.write(verdict)
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on: end as other tools do, and not with the status of a fault
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    except OSError as error:
        with suppress(SystemExit):
            _cannot(f"the report cannot be written: {error.strerror}")
        os._exit(2)  # in order, it would be tried again, and the status would be another


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="casetrail-verify",
        description="Check an export of a Casetrail audit log: offline, without trusting whoever runs the service.",
        epilog="Exit status: 0 all holds, 1 something is wrong, 2 no verdict: the words were wrong, a file cannot be "
        "read, or the check did not come to its end.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "export",
        type=Path,
        metavar="EXPORT",
        help="JSON lines, as `casetrail export` writes them, or the folder of an archive",
    )
    parser.add_argument(
        "--log-key",
        action="append",
        required=True,
        metavar="KEY",
        help="key of the log, or a file of its keys, the oldest first; learnt from elsewhere than the export",
    )
    parser.add_argument(
        "--witness-key",
        action="append",
        default=[],
        metavar="KEY",
        help="key of a witness that must have co-signed all of the log, or a file of such keys; may be repeated",
    )
    parser.add_argument(
        "--checkpoints",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="checkpoints that were kept elsewhere: a note, a file of JSON lines, or a folder; may be repeated",
    )
    parser.add_argument(
        "--receipts",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="receipts that callers have kept, as JSON lines; may be repeated",
    )
    parser.add_argument(
        "--archived",
        action="store_true",
        help="payloads may be gone, whatever the log says of archives: count them only",
    )
    parser.add_argument("--json", action="store_true", help="report for programs")
    parser.add_argument("--processes", type=_processes, metavar="N", help="check with so many processes")
    return parser


def _processes(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= _MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {_MOST_PROCESSES}")
    return int(text)
