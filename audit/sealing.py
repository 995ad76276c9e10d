"""The daily seal: what every case was at the end of a day.

An extract of one case cannot show that the case had no further events; a seal can, since it is about the last event of
each case. Leaf and tree are written down in docs/proof.md.
"""

from collections.abc import Sequence
from datetime import date

from audit.log import CaseEnd, Log
from audit.merkle import Frontier
from audit.own_events import record
from casetrail.proof.tree import hash_leaf
from casetrail.v1.event_pb2 import Event, LogSealed

_SEQ_BYTES = 8


def seal_leaf(end: CaseEnd) -> bytes:
    """The hash of one case's end."""
    return hash_leaf(end.case_id.encode() + b"\x00" + end.seq.to_bytes(_SEQ_BYTES, "big") + end.leaf_hash)


def seal_root(ends: Sequence[CaseEnd]) -> bytes:
    """The root over the ends of all cases, which come by the bytes of their ids."""
    return Frontier().grow([seal_leaf(end) for end in ends]).frontier.root


async def seal(log: Log, day: date) -> Event:
    """Seal a day, once: asked again, the answer is the seal that there is.

    Raises:
        LogUnavailableError: It is not sealed, or asking again tells.
    """
    size = await log.size()
    ends = await log.case_ends(size)
    body = LogSealed(day=day.isoformat(), size=size, cases=len(ends), root=seal_root(ends).hex())
    return await record(log, body, key=f"seal {day.isoformat()}")
