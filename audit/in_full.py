"""What the log gives in pages, in full: the events of a case, and the cases that a filter finds."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final

from audit.log import Log
from audit.portions import FIRST, next_portion
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Kind

_CASES: Final = 500


async def history(log: Log, case_id: str, *, after_seq: int = 0) -> list[Event]:
    """All events of a case, or those behind one, in order; none where there is no such case."""
    return [event async for page in pages(log, case_id, after_seq=after_seq) for event in page]


async def pages(log: Log, case_id: str, *, after_seq: int = 0) -> AsyncGenerator[Sequence[Event], None]:
    """The same in pages, for whoever needs only one at a time: a case can be longer than memory is large."""
    portion = FIRST
    while page := await log.events(case_id, after_seq=after_seq, limit=portion):
        yield page
        after_seq, portion = page[-1].seq, next_portion(page)


async def found_cases(log: Log, case_filter: CaseFilter) -> AsyncIterator[Case]:
    """All cases that a filter finds, the newest first."""
    token = ""
    while True:
        page = await log.list_cases(case_filter, page_size=_CASES, token=token)
        for case in page.cases:
            yield case
        if not page.next_token:
            return
        token = page.next_token


async def cases_of_drill(log: Log, drill_id: str, *, only_open: bool = False) -> Sequence[Case]:
    """The cases of a drill, without the drill itself, the oldest first."""
    wanted = CaseFilter(drill_id=drill_id, include_drills=True, open=only_open)
    found = [case async for case in found_cases(log, wanted) if case.kind != Kind.KIND_DRILL]
    return found[::-1]
