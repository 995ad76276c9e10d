"""The lifecycle on Casetrail, as a caller reaches it: over gRPC, with its own client."""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from benchmarks.closed_loop import TEXT
from casetrail import Client
from casetrail.v1.command_pb2 import Confirm
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Words

TRAIL: Final = (
    *("case_opened", "clock_started", "clock_started"),
    "assigned",
    *("replied", "clock_met"),
    "note_added",
    *("resolved", "clock_met", "clock_started"),
    *("customer_told", "clock_met", "confirmed", "survey_sent"),
)
"""What a case has when it was led to its end, each once and in this order; the survey's deadline is still armed."""

_WORDS: Final = Words(text=TEXT)


class CasetrailCases:
    """Inquiries that come in by a web form, from customers without an address: nobody is written to."""

    def __init__(self, client: Client) -> None:
        """Call through a client that somebody else opened."""
        self._client = client
        self._commands: dict[str, Callable[[str], Awaitable[object]]] = {
            "assign": lambda case_id: client.assign(case_id, "amy", "parcels"),
            "reply": lambda case_id: client.reply(case_id, TEXT),
            "note": lambda case_id: client.note(case_id, TEXT),
            "resolve": lambda case_id: client.resolve(case_id, TEXT),
            "confirm": lambda case_id: client.execute(case_id, Confirm(words=_WORDS)),
        }

    async def open(self, name: str) -> str:
        """Open a case."""
        opened = await self._client.open(
            kind="inquiry", customer=name, channel="web", subject="Where is my parcel?", text=TEXT, category="order"
        )
        return opened.case.case_id

    async def act(self, case_id: str, command: str) -> None:
        """Carry a command out."""
        await self._commands[command](case_id)


def faults(events: Iterable[Event], cases: Sequence[str]) -> Sequence[str]:
    """What is wrong with the cases of a round, a line each: an event lost, doubled, or out of order.

    Args:
        events: All that the log gained in the round, in its order.
        cases: Those that callers led to their end.
    """
    trails: defaultdict[str, list[str]] = defaultdict(list)
    for event in events:
        trails[event.case_id].append(event.WhichOneof("body") or "")
    wrong = [case_id for case_id in cases if tuple(trails[case_id]) != TRAIL]
    strange = trails.keys() - set(cases)
    doubled = [case_id for case_id, times in Counter(cases).items() if times > 1]
    return [
        *(f"{case_id} has {', '.join(trails[case_id]) or 'no events'}" for case_id in wrong),
        *(f"{case_id} was opened by nobody" for case_id in sorted(strange)),
        *(f"{case_id} was given to two openings" for case_id in doubled),
    ]
