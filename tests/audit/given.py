"""Batches as a writer would bring them: events made by hand, the case folded from them."""

import hashlib
from collections.abc import Sequence

from audit.log import Appended, Batch, Log, Need
from casetrail.v1.case_pb2 import Case, TimeBase
from casetrail.v1.event_pb2 import CaseClosed, CaseOpened, Event, NoteAdded, Reopened, Replied
from casetrail.v1.types_pb2 import Actor, Channel, Kind, Priority, Role, Words
from domain.evolve import fold

NOON = 1_790_000_000
NOTHING_NEEDED = Need(wake=None, effects=False)

Body = CaseOpened | Replied | NoteAdded | CaseClosed | Reopened


def opening(
    *,
    kind: Kind.ValueType = Kind.KIND_INQUIRY,
    customer: str = "cu-1",
    order: str = "",
    category: str = "order",
    priority: Priority.ValueType = Priority.PRIORITY_NORMAL,
    imported: bool = False,
) -> CaseOpened:
    body = CaseOpened(
        kind=kind,
        channel=Channel.CHANNEL_CHAT,
        priority=priority,
        category=category,
        order_id=order,
        subject="Where is my parcel?",
        time_base=TimeBase(mode=TimeBase.MODE_IMPORTED if imported else TimeBase.MODE_LIVE),
    )
    body.customer.customer_id = customer
    body.customer.name = "Li Lei"
    return body


def reply(text: str = "It is on its way.") -> Replied:
    return Replied(words=Words(text=text))


def note(text: str = "Called the carrier.") -> NoteAdded:
    return NoteAdded(words=Words(text=text))


def event(case_id: str, seq: int, body: Body, *, key: str, at: int, timed: bool = False) -> Event:
    made = Event(case_id=case_id, seq=seq, key=key, actor=Actor(name="mei", role=Role.ROLE_AGENT, via="shop"))
    made.at.seconds = at
    if timed:
        made.due.seconds = at
        made.actor.CopyFrom(Actor(name="clock", role=Role.ROLE_SYSTEM))
    made.reason.rule = "by.hand"
    made.reason.inputs["b"] = "2"
    made.reason.inputs["a"] = "1"
    for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields:
        if field.message_type is body.DESCRIPTOR:
            getattr(made, field.name).CopyFrom(body)
    return made


def digest(request: str) -> str:
    return hashlib.sha256(request.encode()).hexdigest()


class Writer:
    """One who writes to a case and remembers what it was."""

    def __init__(self, log: Log, case_id: str) -> None:
        self.log = log
        self.case_id = case_id
        self.case: Case | None = None

    @property
    def seq(self) -> int:
        return self.case.seq if self.case is not None else 0

    def batch(
        self,
        *bodies: Body,
        key: str,
        time_owes: Sequence[Body] = (),
        need: Need = NOTHING_NEEDED,
        at: int | None = None,
    ) -> Batch:
        when = at if at is not None else NOON + self.seq
        owed = [
            event(self.case_id, self.seq + n, body, key=f"first_response#1:{n}@{when}", at=when, timed=True)
            for n, body in enumerate(time_owes, start=1)
        ]
        asked = [
            event(self.case_id, self.seq + n, body, key=key, at=when)
            for n, body in enumerate(bodies, start=len(owed) + 1)
        ]
        return Batch(
            case_id=self.case_id,
            expected_seq=self.seq,
            key=key if bodies else "",
            digest=digest(key) if bodies else "",
            events=[*owed, *asked],
            case=fold([*owed, *asked], self.case),
            need=need,
        )

    async def write(
        self,
        *bodies: Body,
        key: str,
        time_owes: Sequence[Body] = (),
        need: Need = NOTHING_NEEDED,
        at: int | None = None,
    ) -> Sequence[Event]:
        batch = self.batch(*bodies, key=key, time_owes=time_owes, need=need, at=at)
        written = await self.log.append(batch)
        assert isinstance(written, Appended), written
        self.case = batch.case
        return written.events
