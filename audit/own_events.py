"""Events of the log itself: in the log as any other, in no case."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from audit.log import LOG_ITSELF, Appended, AppendResult, Batch, Behind, Known, Log, Need
from casetrail.v1.event_pb2 import (
    ArchiveApproved,
    ArchiveProposed,
    ArchiveWithdrawn,
    CaseRestored,
    CasesArchived,
    CustomerErased,
    Event,
    LogSealed,
    SigningKeyChanged,
)
from casetrail.v1.types_pb2 import Actor, Role

SYSTEM = Actor(name="casetrail", role=Role.ROLE_SYSTEM)
"""Who acts where nobody asked for it."""

OwnBody = (
    LogSealed
    | SigningKeyChanged
    | ArchiveProposed
    | ArchiveApproved
    | ArchiveWithdrawn
    | CasesArchived
    | CaseRestored
    | CustomerErased
)

_FIELDS: Final = {
    field.message_type.name: field.name
    for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields
    if field.message_type
}
_NOTHING_NEEDED = Need(wake=None, effects=False)


async def record(
    log: Log,
    body: OwnBody,
    *,
    key: str,
    actor: Actor = SYSTEM,
    digest: str = "",
    append: Callable[[Batch], Awaitable[AppendResult]] | None = None,
) -> Event:
    """Write an event of the log itself, once for each key.

    Args:
        log: Where.
        body: What has happened.
        key: What it is written for only once.
        actor: Who did it.
        digest: SHA-256 of the request that it follows from, hex; when left out, what is written tells it apart.
        append: How, where something else happens in the same transaction.

    Returns:
        The event as the log has it: where the key was known, the one that was written then, whatever its body.

    Raises:
        LogUnavailableError: It is not written, or the same key tells.
    """
    append = append or log.append
    event = Event(case_id=LOG_ITSELF, key=key, actor=actor)
    event.at.FromDatetime(datetime.now(UTC).replace(microsecond=0))
    getattr(event, _FIELDS[type(body).DESCRIPTOR.name]).CopyFrom(body)
    digest = digest or hashlib.sha256(event.SerializeToString(deterministic=True)).hexdigest()
    seq = 0
    while True:
        result = await append(
            Batch(
                case_id=LOG_ITSELF,
                expected_seq=seq,
                key=key,
                digest=digest,
                events=[event],
                case=None,
                need=_NOTHING_NEEDED,
            )
        )
        match result:
            case Appended() | Known():
                return result.events[0]
            case Behind():
                seq = result.events[-1].seq if result.events else 0
