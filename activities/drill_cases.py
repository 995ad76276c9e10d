"""The cases of a drill, as the log has them."""

from collections.abc import Sequence
from typing import Final

from audit.log import Log
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.types_pb2 import Kind

_PAGE: Final = 500


async def cases_of(log: Log, drill_id: str, *, only_open: bool = False) -> Sequence[Case]:
    """The cases of a drill, without the drill itself, the oldest first."""
    wanted, token = CaseFilter(drill_id=drill_id, include_drills=True, open=only_open), ""
    cases: list[Case] = []
    while True:
        page = await log.list_cases(wanted, page_size=_PAGE, token=token)
        cases += [case for case in page.cases if case.kind != Kind.KIND_DRILL]
        token = page.next_token
        if not token:
            return cases[::-1]
