"""Tokens of pages of cases: what could not have been given is refused before a database sees it."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from audit.paging import page_start, page_token
from casetrail.v1.case_service_pb2 import CaseFilter

FILTER = CaseFilter(owner="amy")


@pytest.mark.parametrize("opened", [0, 1, 2**63 - 1])
def test_a_page_begins_where_the_last_one_ended(opened: int) -> None:
    assert page_start(FILTER, page_token(FILTER, opened)) == opened


@pytest.mark.parametrize("opened", [-1, 2**63, 10**30, 1.5, True, "7", None, [7]])
def test_a_place_that_there_is_not_is_refused(opened: object) -> None:
    said = json.loads(urlsafe_b64decode(page_token(FILTER, 7)))
    token = urlsafe_b64encode(json.dumps(said | {"opened": opened}).encode()).decode()
    with pytest.raises(ValueError, match="no page token"):
        page_start(FILTER, token)


def test_a_token_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="no page token"):
        page_start(FILTER, urlsafe_b64encode(b"[" * 100_000).decode())
