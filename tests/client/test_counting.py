"""Numbers in sentences: here, and in the offline verifier, which shares no code."""

from collections.abc import Callable

import pytest

from casetrail.counting import counted
from casetrail_verify import report


@pytest.mark.parametrize("count", [counted, report.counted], ids=["casetrail", "casetrail-verify"])
def test_one_is_told_from_many(count: Callable[..., str]) -> None:
    assert [count(number, "case") for number in (0, 1, 2, 1024)] == ["0 cases", "1 case", "2 cases", "1,024 cases"]
    assert [count(number, "does not hold", "do not hold") for number in (1, 2)] == ["1 does not hold", "2 do not hold"]
