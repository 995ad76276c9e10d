"""Events of the log itself: in the log as any other, in no case."""

import hashlib
from datetime import UTC, datetime

from audit.log import LOG_ITSELF, Appended, Batch, Behind, Known, Log, Need
from casetrail.v1.event_pb2 import Event, LogSealed, SigningKeyChanged
from casetrail.v1.types_pb2 import Actor, Role

SYSTEM = Actor(name="casetrail", role=Role.ROLE_SYSTEM)
"""Who acts where nobody asked for it."""

_NOTHING_NEEDED = Need(wake=None, effects=False)


async def record(log: Log, body: LogSealed | SigningKeyChanged, *, key: str, actor: Actor = SYSTEM) -> Event:
    """Write an event of the log itself, once for each key.

    Args:
        log: Where.
        body: What has happened.
        key: What it is written for only once.
        actor: Who did it.

    Returns:
        The event as the log has it: where the key was known, the one that was written then, whatever its body.

    Raises:
        LogUnavailableError: It is not written, or the same key tells.
    """
    event = Event(case_id=LOG_ITSELF, key=key, actor=actor)
    event.at.FromDatetime(datetime.now(UTC).replace(microsecond=0))
    if isinstance(body, LogSealed):
        event.log_sealed.CopyFrom(body)
    else:
        event.signing_key_changed.CopyFrom(body)
    digest = hashlib.sha256(event.SerializeToString(deterministic=True)).hexdigest()
    seq = 0
    while True:
        result = await log.append(
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
