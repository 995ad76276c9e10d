"""What went wrong, for a person: what, why, and what to do."""

import errno
import os
import traceback

import typer

from casetrail.errors import CasetrailError, Stale, Unavailable, Untrusted
from casetrail.file_problems import FileError
from casetrail.proof import ProofError
from casetrail.timeline import printable

_ADVICE = {
    "UNREACHABLE": "Start the engine (`make up`), or say where it runs: --address or CASETRAIL_ADDRESS.",
    "TLS_WANTED": "Name its authority: CASETRAIL_TLS_CA=FILE, or `system`.",
    "NO_TLS": "Unset CASETRAIL_TLS_CA where it is to be spoken to in clear; or is the port another program's?",
    "UNKNOWN_AUTHORITY": "CASETRAIL_TLS_CA names the PEM file of the authority that has signed it.",
    "OTHER_HOST_NAME": "Use a name that is in the certificate as CASETRAIL_ADDRESS, or say it as CASETRAIL_TLS_NAME.",
    "CLIENT_CERTIFICATE": "CASETRAIL_TLS_CLIENT_CERT and CASETRAIL_TLS_CLIENT_KEY name yours.",
    "IN_CLEAR": "Set CASETRAIL_TLS_CA, or CASETRAIL_INSECURE=1 where the way there is safe by other means.",
    "UNKNOWN_CASE": "`casetrail list` shows which cases there are.",
    "STALE_SEQ": "Read it again (`casetrail get CASE`), then repeat with its seq, or without --expected-seq.",
    "CASE_CLOSED": "A customer's case can go on: `casetrail do CASE reopen --why …` begins another round.",
    "REQUEST_ID_REUSED": "Leave --request-id out, or choose another.",
    "UNKNOWN_PRINCIPAL": "Say who asks: --token, CASETRAIL_TOKEN, or CASETRAIL_DATA (the engine's data folder).",
    "BEYOND_AUTHORITY": "Let somebody do it who may; a customer's case can go up: `casetrail do CASE escalate`.",
    "MAY_NOT_ACT_FOR": "Leave --as out, or use the token of somebody who may.",
    "LOG_UNAVAILABLE": "Look at the engine's disk and its log output, then repeat.",
    "SAME_PERSON": "Ask another administrator or auditor, with a token of their own.",
    "UNKNOWN_SCHEDULE": "`casetrail drill schedule list` shows which there are.",
    "UNKNOWN_ARCHIVE": "`casetrail archive list` shows which there are.",
    "CASES_HAVE_CHANGED": "`casetrail archive propose` begins again, with the cases as they are now.",
    "ARCHIVE_CARRIED_OUT": "`casetrail archive restore ARCHIVE --all --why …` brings its cases back.",
    "ARCHIVE_WITHDRAWN": "`casetrail archive propose` begins again, where they are to be archived after all.",
    "ARCHIVE_DAMAGED": "Nothing has happened. Keep what is there, and put a good copy in its place.",
    "LOG_DAMAGED": "`casetrail verify` says what is wrong in the log, and without a server `casetrail-db verify`.",
    "WORKFLOW_UNAVAILABLE": "Leave --from-workflow out: the log has the case.",
    "WORKFLOW_NOT_RUNNING": "Leave --from-workflow out. An open case gets another when its time has come.",
}


# As protobuf says it of a number that no field of the contract can hold.
_TOO_LARGE = "Value out of range:"


def tell(error: Exception) -> None:
    """Say on stderr what went wrong."""
    if os.environ.get("CASETRAIL_DEBUG"):
        traceback.print_exception(error)
    for line in _lines(error):
        typer.echo(line, err=True)


def _lines(error: Exception) -> list[str]:
    match error:
        case CasetrailError():
            return [_headline(error), *_details(error)]
        case FileError():
            return [printable(str(problem)) for problem in error.problems]
        case ProofError():
            return [f"Does not hold: {error}."]
        case ModuleNotFoundError(name="cryptography"):
            return ["Failed: this needs `cryptography`: pip install 'casetrail[proof]'."]
        case _ if words := _expected(error):
            return [f"Failed: {words}."]
        case _:
            return [
                f"Failed: {str(error) or type(error).__name__}",
                "  This should not have happened. CASETRAIL_DEBUG=1 shows where it did.",
            ]


def _expected(error: Exception) -> str:
    """What is wrong with a file, a word or a number that was given; empty where it is none of them."""
    match error:
        case OSError(filename=str(name), strerror=str(why)):
            return f"{name}: {why}"
        case OSError(errno=errno.ENOSPC, strerror=str(why)):
            return f"the output cannot be written: {why}"
        case UnicodeEncodeError(object=words, reason="surrogates not allowed"):
            return f"one of the command's words is no UTF-8: {words!r}"
        case ValueError(args=(str(why),)) if why.startswith(_TOO_LARGE):
            return f"this number is too large:{why.removeprefix(_TOO_LARGE)}"
        case _:
            return ""


def _headline(error: CasetrailError) -> str:
    word = "Failed" if isinstance(error, Unavailable | Untrusted) else "Refused"
    reason = f" ({error.reason})" if error.reason else f" ({error.code.name})"
    return f"{word}{reason}: {error.message}"


def _details(error: CasetrailError) -> list[str]:
    lines = [
        f"  {wrong.field}: {wrong.description}"
        for wrong in error.field_violations
        if wrong.description not in error.message
    ]
    # Only a write expects a seq: a read that is stale has asked for what the log does not have.
    if error.reason in _ADVICE and (error.request_id or not isinstance(error, Stale)):
        lines.append(f"  {_ADVICE[error.reason]}")
    if isinstance(error, Unavailable) and error.request_id:
        lines.append(f"  It may have happened all the same: repeat it with --request-id {error.request_id}.")
    return lines
