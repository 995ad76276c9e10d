"""Page tokens: taken by the query that they are of, as they were given, and refused otherwise."""

from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.refusal import Rejected
from server import page_tokens


@given(st.text(max_size=20), st.integers(0, 2**63 - 1))
def test_a_page_goes_on_where_the_last_one_ended(query: str, last: int) -> None:
    assert page_tokens.after(query, page_tokens.token(query, last)) == last
    assert page_tokens.after(query, "") == 0


@pytest.mark.parametrize(
    "said",
    ["INQ-1", "INQ-2:7", "INQ-1:", "INQ-1:x", "INQ-1:-1", f"INQ-1:{2**63}", f"INQ-1:{'9' * 5000}", "INQ-1:7:7"],
)
def test_what_is_no_token_of_this_query_is_refused(said: str) -> None:
    for given_token in (urlsafe_b64encode(said.encode()).decode(), "漢", "/w==", "nonsense"):
        with pytest.raises(Rejected) as refused:
            page_tokens.after("INQ-1", given_token)
        assert refused.value.code == "BAD_PAGE_TOKEN"
