"""`casetrail why`: why an event happened."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

import typer
from google.protobuf.json_format import MessageToDict
from rich.text import Text

from casetrail import causes
from casetrail.cli import output
from casetrail.cli.reading import CaseArgument
from casetrail.cli.terms import Terms, call, spread
from casetrail.client import Client
from casetrail.counting import counted
from casetrail.timeline import Line, event_type, local_time, tell
from casetrail.v1.event_pb2 import Event


@spread
def why(
    case: CaseArgument,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="Its number in the case, or its id.")],
    *,
    terms: Terms,
) -> None:
    """Say why an event happened: which rule, what it looked at, under which policy, and what it follows from."""
    if not case:
        raise typer.BadParameter("name a case", param_hint="CASE")
    seq = _seq(case, event)

    async def read(client: Client) -> Sequence[Event]:
        return [each async for each in client.events(case)]

    history = call(terms, read)
    if not 1 <= seq <= len(history):
        there = f"has {counted(len(history), 'event')}, and no event {seq}" if history else "has no events yet"
        output.refuse(f"{case} {there}")
    asked = history[seq - 1]
    if terms.as_json:
        typer.echo(json.dumps(_why_as_json(asked, history), ensure_ascii=False, indent=2))
        return
    for text in _why(asked, history):
        output.console.print(text)


def _seq(case: str, event: str) -> int:
    of_case, colon, number = event.rpartition(":")
    if (colon and of_case != case) or not number.isdecimal():
        raise typer.BadParameter(f"'{event}' is no event of {case}: write 7 or {case}:7", param_hint="EVENT")
    return int(number)


def _why(asked: Event, history: Sequence[Event]) -> Iterator[Text]:
    policy = causes.policy_at(asked, history)
    yield Text(f"{asked.event_id}  {event_type(asked)}", style="bold")
    yield Text(f"  what      {_line(asked, history).what}")
    yield Text(f"  who       {_line(asked, history).who}{_when(asked, history)}")
    for text in _rule(asked, history):
        yield Text(f"  {text}")
    if policy.policy_id:
        yield Text(f"  policy    {policy.policy_id} (digest {policy.digest[:12]}…), in force for the case at the time")
    yield Text(f"  proof     leaf {asked.hash}")
    steps = list(causes.chain(asked, history))
    if not steps:
        yield Text(f"  because   {_of_itself(asked, history)}")
        return
    yield Text("  because")
    for cause in steps:
        yield Text(f"    {cause.event.event_id:<24}{_line(cause.event, history).what}")
        yield Text(f"    {'':<24}{cause.link.value}{_origin(cause.event, history)}", style="dim")


def _rule(asked: Event, history: Sequence[Event]) -> Iterable[str]:
    ruling = causes.ruling(asked, history)
    if ruling is None:
        return ["rule      none: the step means this under every policy"]
    reason = ruling.reason
    looked_at = "; ".join(f"{name}: {value or 'none'}" for name, value in sorted(reason.inputs.items()))
    given = "" if ruling is asked else f" (given by {ruling.event_id})"
    return [
        f"rule      {reason.rule}, of policy {reason.policy_id}{given}",
        f"          {_rule_words(reason.rule)}",
        f"looked at {looked_at or 'nothing else'}",
    ]


_RULES = {
    "clock": "what the policy promises: the first of the clock's targets that fits the case",
    "ladder": "who hears of a broken promise, and after how long the next one does",
    "authority": "how much each role may decide by itself",
    "person": "a person decided",
    "inspection": "what the goods were found to be",
    "logistics": "a parcel without a scan for too long",
    "exchange": "what was to be sent is not there",
    "return.eligible": "what an eligible return had cost is owed",
}


def _rule_words(rule: str) -> str:
    return _RULES.get(rule) or _RULES.get(rule.partition(".")[0]) or "the first of the policy's rules that fits"


def _of_itself(asked: Event, history: Sequence[Event]) -> str:
    """Why there is something that no other event of the case has led to."""
    if demand := causes.scripted_by(asked):
        return f"the scenario of the drill {asked.drill_id} has it so: {demand} demanded it"
    if asked.HasField("due"):
        return "its time had come: nothing else in the case demanded it"
    return f"{_line(asked, history).who} did it, by request {asked.key}: nothing in the case demanded it"


def _origin(event: Event, history: Sequence[Event]) -> str:
    if next(causes.causes(event, history), None) is not None:
        return ""
    if event.HasField("due"):
        return "; its time had come"
    who = _line(event, history).who
    if demand := causes.scripted_by(event):
        return f"; done by {who}, for the drill: {demand} demanded it"
    return f"; done by {who}, request {event.key}"


def _when(asked: Event, history: Sequence[Event]) -> str:
    when, since = f"{local_time(asked.at, None):%d %b %Y %H:%M:%S}", _line(asked, history).since
    return f", {when} ({since} after the opening)" + (", when it was due" if asked.HasField("due") else "")


def _line(event: Event, history: Sequence[Event]) -> Line:
    [line] = tell([event], None, history[0].at)
    return line


def _why_as_json(asked: Event, history: Sequence[Event]) -> dict[str, Any]:
    policy, ruling = causes.policy_at(asked, history), causes.ruling(asked, history)
    return {
        "event": MessageToDict(asked) | {"type": event_type(asked)},
        "what": _line(asked, history).what,
        "rule": ruling.reason.rule if ruling else "",
        "inputs": dict(ruling.reason.inputs) if ruling else {},
        "ruledBy": ruling.event_id if ruling else "",
        "policy": MessageToDict(policy),
        "because": [
            {
                "eventId": cause.event.event_id,
                "type": event_type(cause.event),
                "link": cause.link.name,
                "what": _line(cause.event, history).what,
                "key": cause.event.key,
                "hash": cause.event.hash,
            }
            for cause in causes.chain(asked, history)
        ],
    }
