"""Page tokens: where a list goes on, bound to the filter that it began with."""

import base64
import hashlib
import json
from typing import Final

from casetrail.v1.case_service_pb2 import CaseFilter

LARGEST: Final = 2**63 - 1  # what a database takes for a number


def page_token(case_filter: CaseFilter, opened: int) -> str:
    """The token of the page after the case that was opened at this position."""
    token = json.dumps({"opened": opened, "filter": _digest(case_filter)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(token.encode()).decode()


def page_start(case_filter: CaseFilter, token: str) -> int | None:
    """The position that a page begins before; None for the first page.

    Raises:
        ValueError: The token is of another filter, or no token.
    """
    if not token:
        return None
    try:
        said = json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
        opened, digest = said["opened"], said["filter"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("this is no page token: take it as the last page gave it") from error
    if digest != _digest(case_filter):
        raise ValueError("this page token is of another filter: keep the filter, or begin without a token")
    if type(opened) is not int or not 0 <= opened <= LARGEST:
        raise ValueError("this is no page token: take it as the last page gave it")
    return opened


def _digest(case_filter: CaseFilter) -> str:
    return hashlib.sha256(case_filter.SerializeToString(deterministic=True)).hexdigest()[:16]
