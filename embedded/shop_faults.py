"""Faults of the demo shop on demand: what a real shop's systems do on a bad day."""

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from embedded.serving import Refusal, field, json_object, malformed

_SPARED: Final = ("/faults", "/admin/")


class Mode(StrEnum):
    """How calls go wrong."""

    NONE = "none"
    DOWN = "down"  # 503, nothing done
    FLAKY = "flaky"  # every other call 503, the first one too
    SLOW = "slow"  # done after a delay
    LOST = "lost"  # done, but the connection breaks before the answer


@dataclass(frozen=True, slots=True)
class Fault:
    """A mode for the next ``count`` calls under a path, or for all of them until it is changed."""

    mode: Mode
    count: int | None
    delay_seconds: float
    path: str


class FaultSwitch:
    """Stands before the shop's handlers and spoils the calls that the current fault is for."""

    def __init__(self) -> None:
        """Start without a fault."""
        self._fault = Fault(Mode.NONE, None, 0.0, "/")
        self._hit = 0

    async def set(self, request: web.Request) -> web.Response:
        """Take a fault from ``POST /faults``; it replaces the one before."""
        self._fault = _fault(await json_object(request))
        self._hit = 0
        return web.json_response({"mode": self._fault.mode})

    async def spoil(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Pass a call on, well or badly."""
        match self._next(request.path):
            case Mode.NONE:
                return await handler(request)
            case Mode.SLOW:
                await asyncio.sleep(self._fault.delay_seconds)
                return await handler(request)
            case Mode.LOST:
                return await _lose(request, handler)
            case _:
                raise Refusal(503, "UNAVAILABLE", "the shop is down for a while")

    def _next(self, path: str) -> Mode:
        fault = self._fault
        if path.startswith(_SPARED) or not path.startswith(fault.path):
            return Mode.NONE
        if fault.count is not None and self._hit >= fault.count:
            return Mode.NONE
        self._hit += 1
        if fault.mode is Mode.FLAKY:
            return Mode.DOWN if self._hit % 2 else Mode.NONE
        return fault.mode


async def _lose(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    if request.transport is not None:
        request.transport.abort()
    return response


def _fault(body: dict[str, object]) -> Fault:
    try:
        mode = Mode(field(body, "mode", ""))
    except ValueError:
        raise malformed(f"'mode' must be one of {', '.join(Mode)}") from None
    return Fault(
        mode=mode,
        count=field(body, "count", 0) if body.get("count") is not None else None,
        delay_seconds=field(body, "delay_ms", 1000) / 1000,
        path=field(body, "path", "/"),
    )
