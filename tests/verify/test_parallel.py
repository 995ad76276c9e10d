"""The verifier's processes end with what they were started for."""

from concurrent.futures import process
from multiprocessing import active_children
from typing import NoReturn

import pytest

from casetrail_verify.parallel import in_order


def test_an_interruption_while_the_processes_are_started_leaves_none_that_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = set(active_children())

    def interrupted(_pool: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        process, "_ExecutorManagerThread", interrupted
    )  # it tells them that there is nothing more to do

    with pytest.raises(KeyboardInterrupt):
        list(in_order(str, range(3), 2))

    assert set(active_children()) == before
