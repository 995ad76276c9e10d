"""Where an export ends: at a checkpoint that the log's witnesses have signed.

The log grows while it is exported, and a witness answers a moment after it was told. So the export waits for all of
them, up to a limit; a witness that does not answer leaves out what came since it did, and the export says so.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from audit.log import Checkpoint, Log
from audit.publishing import witnesses_of
from server.proving import Proving

PATIENCE: Final = 10.0
"""Seconds for which an export waits for witnesses."""

_BETWEEN_LOOKS: Final = 0.1

_UNPUBLISHED: Final = (
    "there is no checkpoint of them: what was published is gone, or publishing fails, and the server's log says why",
)


@dataclass(frozen=True, slots=True)
class Ending:
    """Where an export ends.

    Attributes:
        size: How many events the tree has that it is as of.
        there: How many the log has at least.
        witnessed: Whether all witnesses of the log have signed that tree.
        trouble: Why they have not signed all that there is; empty when they have, or nobody waited for them. Or why the
            log itself has not.
    """

    size: int
    there: int
    witnessed: bool = False
    trouble: Sequence[str] = ()


async def ending(log: Log, proving: Proving, *, patience: float = PATIENCE) -> Ending:
    """Choose where an export of the log ends.

    Args:
        log: What is exported.
        proving: Who publishes it, and who are to sign it.
        patience: For how many seconds witnesses are waited for; with 0 it ends at the newest event whoever has signed.
    """
    size = await log.size()
    await proving.publisher.attempt()
    newest = await log.newest_checkpoint()
    signed_to = newest.size if newest is not None else 0
    if newest is None or signed_to < size:
        return Ending(signed_to, size, trouble=_UNPUBLISHED if size else ())
    names = [witness.address.key.name for witness in proving.witnesses]
    if not names or not patience:
        return Ending(newest.size, newest.size)
    signed = await _signed(log, names, newest.size, patience)
    if signed is None:
        return Ending(newest.size, newest.size, trouble=_trouble(proving, patience))
    if signed.size < newest.size:
        return Ending(signed.size, newest.size, witnessed=True, trouble=_trouble(proving, patience))
    return Ending(signed.size, signed.size, witnessed=True)


async def _signed(log: Log, names: Sequence[str], size: int, patience: float) -> Checkpoint | None:
    """The first checkpoint of so many events that all have signed, or the newest smaller one when patience ends."""
    until = monotonic() + patience
    while monotonic() < until:
        for found in await log.checkpoints(after_size=size - 1):
            if set(names) <= set(witnesses_of(found)):
                return found
        # It may be another server of this log whose witness answers first: only the log tells.
        await asyncio.sleep(_BETWEEN_LOOKS)
    return await log.newest_checkpoint(witnesses=names)


def _trouble(proving: Proving, patience: float) -> Sequence[str]:
    found = [witness.trouble for witness in proving.witnesses if witness.trouble]
    return found or [f"the witnesses did not all sign within {patience:g} seconds"]
