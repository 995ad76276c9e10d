"""The verifier's processes end with what they were started for."""

from multiprocessing import active_children
from typing import NoReturn

import pytest

from casetrail_verify.parallel import in_order

_THREAD = "concurrent.futures.process._ExecutorManagerThread"
"""Tells the processes that there is nothing more to do."""


@pytest.mark.parametrize("before", [_THREAD, f"{_THREAD}.start"])
def test_an_interruption_while_the_processes_are_started_leaves_none_that_is_waited_for(
    before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = set(active_children())

    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(before, interrupted)

    with pytest.raises(KeyboardInterrupt):
        list(in_order(str, range(3), 2))

    assert set(active_children()) == others
