"""How the stand-ins are served over HTTP: loopback only, refusals as JSON."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

LOOPBACK: Final = "127.0.0.1"
_GRACE_SECONDS: Final = 1.0

Value = TypeVar("Value", str, int)


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of the server
    """A request that is answered with an HTTP error status and a stable reason."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        """Keep what the answer says."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[str]:
    """Serve an application on a port (0: any) until the block ends; yields its base URL."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn a refusal into its JSON answer."""
    try:
        return await handler(request)
    except Refusal as refusal:
        body = {"reason": refusal.reason, "message": refusal.message}
        return web.json_response(body, status=refusal.status)


async def json_object(request: web.Request) -> dict[str, object]:
    """Read the request's body, which must be a JSON object."""
    try:
        body = await request.json()
    except ValueError:
        raise malformed("the body must be JSON") from None
    if not isinstance(body, dict):
        raise malformed("the body must be a JSON object")
    return body


def field(body: dict[str, object], name: str, default: Value) -> Value:
    """Return a field of the default's type, or the default when it is absent or null."""
    value = body.get(name)
    if value is None:
        return default
    if type(value) is not type(default):
        raise malformed(f"{name!r} must be of type {type(default).__name__}")
    return value


def required(body: dict[str, object], name: str, kind: type[Value]) -> Value:
    """Return a field of a type, which must be there."""
    if body.get(name) is None:
        raise malformed(f"{name!r} is missing")
    return field(body, name, kind())


def malformed(message: str) -> Refusal:
    """Say that a request is not as agreed."""
    return Refusal(400, "MALFORMED", message)
