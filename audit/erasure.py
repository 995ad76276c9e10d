"""Lawful erasure: a customer's personal data becomes unreadable for ever, and every proof stays valid.

The data is encrypted with the customer's key, so destroying the key is enough: in the log, in its backups, in exports
and archives. It takes three steps. The erasure is noted, with the event that will say so, in a transaction that finds
no case of the customer open; from then on nothing is written under the key. The event is written. The key is destroyed.
A crash leaves a noted erasure, which is finished at the next start.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from audit.envelope import StoredEvent, event_of
from audit.in_full import found_cases
from audit.log import LOG_ITSELF, Erasure, Log
from audit.own_events import record
from casetrail.personal import take_out
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor, Stage
from domain.refusal import Rejected


async def erase(log: Log, customer_id: str, *, why: str, request_id: str, actor: Actor) -> Event:
    """Erase a customer's personal data, once for each request id.

    Returns:
        The event that says so.

    Raises:
        Rejected: UNKNOWN_CUSTOMER, NOT_YET while a case is open, NOTHING_TO_DO, or REQUEST_ID_REUSED.
        LogUnavailableError: Nothing was erased, or the same request id again finishes it.
    """
    await finish(log)
    digest = hashlib.sha256(f"{customer_id}\n{why}".encode()).hexdigest()
    known = await log.find_key(LOG_ITSELF, request_id)
    if known is None:
        event = await _event(log, customer_id, why, actor)
        if not await log.note_erasure(Erasure(customer_id, request_id, digest, event)):
            raise _not_yet(customer_id, "a case has just been opened")
        await finish(log)
        known = await log.find_key(LOG_ITSELF, request_id)
    if known is None or known.digest != digest:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_REQUEST_ID_REUSED,
            f"the request id {request_id!r} was used for something else",
            field="request_id",
        )
    await log.destroy_keys(known.events[0].customer_erased.key_ids)
    return known.events[0]


async def finish(log: Log) -> None:
    """Write the events of erasures that were noted, and destroy their keys."""
    for erasure in await log.unfinished_erasures():
        event = erasure.event
        await record(log, event.customer_erased, key=erasure.request_id, actor=event.actor, digest=erasure.digest)
        await log.destroy_keys(event.customer_erased.key_ids)


async def _event(log: Log, customer_id: str, why: str, actor: Actor) -> Event:
    of_customer = CaseFilter(customer_id=customer_id, include_drills=True)
    cases = [case async for case in found_cases(log, of_customer)]
    keys = await log.keys_of(customer_id)
    if not cases and not keys:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_UNKNOWN_CUSTOMER, f"no case is of {customer_id!r}", field="customer_id"
        )
    for case in cases:
        if case.stage != Stage.STAGE_CLOSED:
            raise _not_yet(customer_id, f"{case.case_id} is open")
    if not keys:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"nothing of {customer_id!r} is encrypted with a key that exists: it was erased already, or written before "
            "personal fields were encrypted",
            field="customer_id",
        )
    event = Event(case_id=LOG_ITSELF, actor=actor)
    event.at.FromDatetime(datetime.now(UTC).replace(microsecond=0))
    said = event.customer_erased
    said.key_ids.extend(keys)
    said.cases = len(cases)
    said.why = why
    said.readable_events = await _readable(log, cases)
    return event


async def _readable(log: Log, cases: Sequence[Case]) -> int:
    """How many events of the cases have personal fields that are not encrypted."""
    count = 0
    for case in cases:
        seq = 0
        while rows := await log.rows_of(case.case_id, after_seq=seq):
            count += sum(_is_readable(row) for row in rows)
            seq = rows[-1].seq
    return count


def _is_readable(row: StoredEvent) -> bool:
    return row.payload is not None and bool(take_out(event_of(row)).fields)


def _not_yet(customer_id: str, message: str) -> Rejected:
    return Rejected(
        RefusalReason.REFUSAL_REASON_NOT_YET,
        f"{message}: what is open needs the data of {customer_id!r}; close it first",
        field="customer_id",
    )
