"""Commands that compare: the record with another policy, and the log with what else knows the cases."""

import json
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from casetrail import policy_file
from casetrail.cli import options, output
from casetrail.cli.options import word_of_enum
from casetrail.cli.reading import AnyCaseArgument
from casetrail.cli.terms import Terms, call, spread
from casetrail.client import Client
from casetrail.counting import counted
from casetrail.short_forms import duration_text
from casetrail.v1.audit_service_pb2 import CaseRerun, ClockEnd, ComparedClock
from casetrail.v1.case_service_pb2 import CaseFilter
from casetrail.v1.types_pb2 import Kind
from casetrail.words import spaced, value_of, word_of

_Verdict = ClockEnd.Verdict

KindsOption = Annotated[
    list[str] | None, typer.Option("--kind", parser=word_of_enum(Kind), metavar="KIND", help="Of these lifecycles.")
]
CasesOption = Annotated[list[str] | None, typer.Option("--case", metavar="CASE", help="Only these cases.")]


@spread
def what_if(
    *,
    policy: Annotated[Path, typer.Option(metavar="FILE", help="The other policy: a YAML file.")],
    kind: KindsOption = None,
    category: Annotated[str, typer.Option(help="Of this category.")] = "",
    case: CasesOption = None,
    opened_from: options.From = None,
    opened_before: options.To = None,
    drills: Annotated[bool, typer.Option("--drills", help="Those of drills as well.")] = False,
    every: Annotated[bool, typer.Option("--all", help="List clocks that end the same, too.")] = False,
    terms: Terms,
) -> None:
    """Run recorded cases again under another policy, and list the clocks that would have ended differently.

    --from and --to are about when cases were opened. What people did is taken from the record as it was: this is a
    calculation, no forecast. Cases of drills are left out unless they are named, or --drills asks for them; what the
    script of a drill did is taken as it was, too.
    """
    options.check_span(opened_from, opened_before)
    other = policy_file.load(policy)
    case_filter = CaseFilter(
        kinds=[value_of(Kind, word) for word in kind or ()],
        category=category,
        opened_from=opened_from,
        opened_before=opened_before,
        include_drills=drills,
    )
    tally = Tally()

    async def run(client: Client) -> None:
        async for rerun in client.what_if(other, case_filter, case_ids=case or ()):
            tally.count(rerun)
            if terms.as_json:
                output.print_json_line(rerun)
            else:
                _print_rerun(rerun, every=every)

    call(terms, run)
    if terms.as_json:
        typer.echo(json.dumps({"totals": tally.as_json()}))
        return
    if not tally.cases:
        output.console.print("No case fits.")
        return
    output.print_table(tally.table())
    for line in tally.summary(other.policy_id):
        output.console.print(line, markup=False)


@dataclass(slots=True)
class Totals:
    """What became of the clocks of one name.

    Attributes:
        recorded: How many ended in each way in the record.
        what_if: How many would have.
        differing: How many ended in one way and would have in another.
    """

    recorded: Counter[str] = field(default_factory=Counter)
    what_if: Counter[str] = field(default_factory=Counter)
    differing: int = 0


@dataclass(slots=True)
class Tally:
    """Totals over all cases."""

    cases: int = 0
    events: int = 0
    differing: int = 0
    clocks: dict[str, Totals] = field(default_factory=lambda: defaultdict(Totals))
    remarks: Counter[str] = field(default_factory=Counter)

    def count(self, rerun: CaseRerun) -> None:
        """Take a case in."""
        self.cases += 1
        self.events += rerun.seq
        self.differing += any(differs(clock) for clock in rerun.clocks)
        self.remarks.update(remark.reason for remark in rerun.remarks)
        for clock in rerun.clocks:
            totals = self.clocks[clock.name]
            totals.recorded[_verdict(clock.recorded)] += 1
            totals.what_if[_verdict(clock.what_if)] += 1
            totals.differing += differs(clock)

    def table(self) -> Table:
        """A row for each clock."""
        table = Table("clock", "met", "breached", "cancelled", "open", "different", box=None)
        for name, totals in sorted(self.clocks.items()):
            cells = (
                f"{totals.recorded[verdict]} → {totals.what_if[verdict]}"
                if totals.recorded[verdict] != totals.what_if[verdict]
                else str(totals.recorded[verdict])
                for verdict in ("met", "breached", "cancelled", "open")
            )
            table.add_row(spaced(name), *cells, str(totals.differing or ""))
        return table

    def summary(self, policy_id: str) -> Iterator[str]:
        """What to make of it."""
        yield (
            f"{counted(self.cases, 'case')} ({counted(self.events, 'event')}) run again under {policy_id}: "
            f"clocks of {self.differing:,} would have ended differently."
        )
        for reason, times in sorted(self.remarks.items()):
            yield f"  {times:,} × {_REMARKS.get(reason, reason)}"

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "cases": self.cases,
            "events": self.events,
            "casesDiffering": self.differing,
            "clocks": {
                name: {"recorded": dict(t.recorded), "whatIf": dict(t.what_if), "differing": t.differing}
                for name, t in sorted(self.clocks.items())
            },
            "remarks": dict(self.remarks),
        }


_REMARKS = {
    "REFUSED": "a recorded step would not have been possible, and is left out",
    "ASSUMED": "a letter that only the other policy writes is taken as delivered at once",
    "UNANSWERED": "something that only the other policy demands is left open",
    "POLICY_CHANGE_LEFT_OUT": "a change of policy is left out",
    "NOT_REPRODUCED": "an event is not what today's rules make of any command, and is left out",
}


def differs(clock: ComparedClock) -> bool:
    """Whether a clock would have ended differently."""
    return clock.recorded.verdict != clock.what_if.verdict


def _print_rerun(rerun: CaseRerun, *, every: bool) -> None:
    for clock in rerun.clocks:
        if every or differs(clock):
            style = _STYLES.get((clock.recorded.verdict, clock.what_if.verdict), "")
            name = spaced(clock.name) + (f" ({_short(clock.subject)})" if clock.subject else "")
            number = f" #{clock.ordinal}" if clock.ordinal > 1 else ""
            ends = f"{_told(clock.recorded)} → {_told(clock.what_if)}"
            output.console.print(f"{rerun.case_id:<20}{name + number:<27} {ends}", style=style, markup=False)


def _short(subject: str) -> str:
    """A subject in a column: a task's is all that is to be done."""
    return textwrap.shorten(subject, _SUBJECT, placeholder=" …")


_SUBJECT = 32

_STYLES = {
    (_Verdict.VERDICT_MET, _Verdict.VERDICT_BREACHED): "red",
    (_Verdict.VERDICT_BREACHED, _Verdict.VERDICT_MET): "green",
}


def _told(end: ClockEnd) -> str:
    word, left = _verdict(end), end.target_seconds - end.elapsed_seconds
    if end.verdict in (_Verdict.VERDICT_MET, _Verdict.VERDICT_OPEN):
        return f"{word}, {duration_text(left)} to spare of {duration_text(end.target_seconds)}"
    if end.verdict == _Verdict.VERDICT_BREACHED:
        return f"{word} by {duration_text(-left)} over {duration_text(end.target_seconds)}"
    return word


def _verdict(end: ClockEnd) -> str:
    return word_of(_Verdict.DESCRIPTOR, end.verdict)


# --- crosscheck -------------------------------------------------------------------------------------------------------


@spread
def crosscheck(case: AnyCaseArgument = "", *, terms: Terms) -> None:
    """Compare log, projection and running workflow of every open case, or of one; exit status 1 where they differ."""
    checked = Counter[str]()

    async def run(client: Client) -> None:
        async for answer in client.cross_check(case):
            checked["cases"] += 1
            checked["workflows"] += answer.workflow_expected
            checked["differing"] += bool(answer.differences)
            if terms.as_json:
                output.print_json_line(answer)
                continue
            for found in answer.differences:
                typer.echo(f"{answer.case_id} event {answer.seq}: {found.reason}: {found.message}", err=True)

    call(terms, run)
    if not terms.as_json:
        for line in _verdict_lines(checked):
            output.console.print(line, markup=False)
    if checked["differing"]:
        raise typer.Exit(1)


def _verdict_lines(checked: Counter[str]) -> Iterable[str]:
    cases, workflows, differing = checked["cases"], checked["workflows"], checked["differing"]
    if not cases:
        return ["No case is open."]
    compared = f"{counted(cases, 'case')} compared, {workflows:,} of them with a workflow"
    rest = f"{counted(differing, 'differs', 'differ')}." if differing else "log, projection and workflows agree."
    return [f"{compared}: {rest}"]
