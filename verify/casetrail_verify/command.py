"""The `casetrail-verify` command line."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from casetrail_verify.evidence import Evidence, EvidenceError, keys
from casetrail_verify.notes import LOG_KEY, WITNESS_KEY
from casetrail_verify.verification import verify

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    It exits with 0 when all holds, 1 when something is wrong, 2 when the words were wrong or a file cannot be read.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # they are text streams
    given = _parser().parse_args(arguments)
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
    except EvidenceError as error:
        sys.stderr.write(f"casetrail-verify: {error}\n")
        sys.exit(2)
    except OSError as error:
        what = f"{error.filename} cannot be read" if error.filename else "its temporary files cannot be written"
        sys.stderr.write(f"casetrail-verify: {what}: {error.strerror}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    _tell(f"{report.json if given.json else report.words}\n")
    sys.exit(0 if report.holds else 1)


def _tell(verdict: str) -> None:
    try:
        sys.stdout.write(verdict)
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on: end as other tools do, and not with the status of a fault
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    except OSError as error:
        sys.stderr.write(f"casetrail-verify: the report cannot be written: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(2)  # in order, it would be tried again, and the status would be another


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="casetrail-verify",
        description="Check an export of a Casetrail audit log: offline, without trusting whoever runs the service.",
        epilog="Exit status: 0 all holds, 1 something is wrong, 2 the words were wrong or a file cannot be read.",
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
    parser.add_argument("--processes", type=_positive, metavar="N", help="check with so many processes")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number
