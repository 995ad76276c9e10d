"""`casetrail incident board`: the live board of an incident, until Ctrl-C or until it is closed."""

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from casetrail.board import View, frame, is_news
from casetrail.cli import output
from casetrail.cli.terms import Terms, follow, spread
from casetrail.client import Client
from casetrail.errors import Unavailable
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import GetCaseResponse
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Kind, Stage

_EVENTS_KEPT = 200
_EVENTS_ONCE = 12
_EVERY_SECONDS = 0.5


@spread
def board(
    case: Annotated[
        str, typer.Argument(metavar="INCIDENT", help="Its number; the only one that is open when left out.")
    ] = "",
    once: Annotated[bool, typer.Option("--once", help="Print one frame, and end.")] = False,
    *,
    terms: Terms,
) -> None:
    """Watch an incident live: clocks, tasks, notices, and what it waits for."""

    async def show(client: Client) -> None:
        found = await _found(client, case)
        if terms.as_json:
            output.print_json(GetCaseResponse(case=found))
        elif once:
            await _print_once(client, found)
        else:
            await _Board(client, found).run()

    follow(terms, show)


async def _found(client: Client, case_id: str) -> Case:
    """The incident of a number, or the only one that is open."""
    if case_id:
        case = await client.get(case_id)
        if case.kind != Kind.KIND_INCIDENT:
            output.refuse(f"{case_id} is no incident")
        return case
    open_ones = [case async for case in client.incidents.list(open_only=True, include_drills=True)]
    if not open_ones:
        output.refuse("no incident is open; name one")
    if len(open_ones) > 1:
        several = ", ".join(case.case_id for case in open_ones)
        raise typer.BadParameter(f"name one of those that are open: {several}", param_hint="INCIDENT")
    return open_ones[0]


async def _print_once(client: Client, case: Case) -> None:
    events = deque[Event](maxlen=_EVENTS_ONCE)
    async for event in client.events(case.case_id):
        if is_news(event):
            events.append(event)
    console = Console(highlight=False)
    console.print(frame(View(case, list(events), datetime.now(UTC), console.width)))


class _Board:
    """Follows an incident, and draws it anew twice a second."""

    def __init__(self, client: Client, case: Case) -> None:
        self._client = client
        self._case = case
        self._events = deque[Event](maxlen=_EVENTS_KEPT)
        self._seq = 0
        self._trouble = ""

    async def run(self) -> None:
        """Show it until it is closed, or until it is cancelled."""
        console = Console(highlight=False)
        following = asyncio.create_task(self._follow())
        try:
            with Live(console=console, screen=console.is_terminal, auto_refresh=False, transient=False) as live:
                while not following.done():
                    live.update(self._frame(console), refresh=True)
                    await asyncio.wait([following], timeout=_EVERY_SECONDS)
            await following
        finally:
            following.cancel()
        # The last frame stays on the screen when the board has left it.
        console.print(self._frame(console))

    async def _follow(self) -> None:
        while True:
            try:
                async for answer in self._client.incidents.watch(self._case.case_id, after_seq=self._seq):
                    self._case, self._seq, self._trouble = answer.case, answer.event.seq, ""
                    if is_news(answer.event):
                        self._events.append(answer.event)
                    if answer.case.stage == Stage.STAGE_CLOSED and answer.event.HasField("case_closed"):
                        return
            except Unavailable as gone:
                self._trouble = gone.message
                await asyncio.sleep(_EVERY_SECONDS)

    def _frame(self, console: Console) -> RenderableType:
        width, height = console.size
        return frame(View(self._case, list(self._events), datetime.now(UTC), width, height, trouble=self._trouble))
