"""How a caller waits: ever longer, up to a bound, and always before it asks again."""

import asyncio
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any, cast

import grpc
import pytest

from casetrail import Patience
from casetrail.errors import Unavailable
from casetrail.following import follow


def test_pauses_double_up_to_the_longest() -> None:
    drawn = [list(islice(Patience(first_pause=1, longest_pause=6).pauses(), 6)) for _ in range(400)]
    longest = [max(pauses) for pauses in zip(*drawn, strict=True)]
    for bound, pause in zip([1, 2, 4, 6, 6, 6], longest, strict=True):
        assert 0.9 * bound < pause <= bound


class Ended:
    """A stream that the service ends at once."""

    async def __aiter__(self) -> AsyncIterator[int]:
        for message in list[int]():
            yield message

    def cancel(self) -> None:
        pass


async def test_before_each_further_connection_there_is_a_pause_and_in_the_end_there_is_no_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    happened: list[str] = []

    async def sleep(_seconds: float) -> None:
        happened.append("pause")

    def start(_after: int) -> grpc.aio.UnaryStreamCall[Any, int]:
        happened.append("connect")
        return cast("grpc.aio.UnaryStreamCall[Any, int]", Ended())

    async def explain(error: grpc.aio.AioRpcError) -> Unavailable:
        return Unavailable(str(error))

    monkeypatch.setattr(asyncio, "sleep", sleep)
    patience = Patience(overall=3, first_pause=2, longest_pause=8)
    with pytest.raises(Unavailable, match="the service ended the stream"):
        async for _ in follow(start, place=int, after=0, patience=patience, explain=explain):
            pass
    assert happened == [each for _ in range(len(happened) // 2) for each in ("connect", "pause")] + ["connect"]
