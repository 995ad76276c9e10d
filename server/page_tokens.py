"""Where a page of a list ended: a token that only the same query takes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress

from audit.paging import LARGEST
from casetrail.v1.errors_pb2 import RefusalReason
from domain.refusal import Rejected


def token(query: str, last: int) -> str:
    """The token of the page after one that ended at a place.

    Args:
        query: What tells the query from others.
        last: The place.
    """
    return urlsafe_b64encode(f"{query}:{last}".encode()).decode()


def after(query: str, given: str) -> int:
    """The place after which a page begins; 0 without a token.

    Raises:
        Rejected: BAD_PAGE_TOKEN: it is none of this query.
    """
    if not given:
        return 0
    with suppress(ValueError):
        of, _, last = urlsafe_b64decode(given).decode().rpartition(":")
        if of == query and 0 <= (place := int(last)) <= LARGEST:
            return place
    raise Rejected(RefusalReason.REFUSAL_REASON_BAD_PAGE_TOKEN, "the page token is of another query", "page_token")
