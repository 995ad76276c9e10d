"""How the parts of the client ask the service: over its one channel, and patiently."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

Ask = Callable[..., Awaitable[Any]]
"""Asks for one answer."""

Follow = Callable[..., AsyncGenerator[Any, None]]
"""Follows a stream of answers, across lost connections."""
