"""`casetrail drill inject …`: let something happen in a drill now that its script does not have."""

from collections.abc import Callable
from typing import Annotated, Literal

import typer
from google.protobuf.duration_pb2 import Duration

from casetrail.cli import output
from casetrail.cli.options import duration
from casetrail.cli.terms import WriteTerms, call, spread
from casetrail.timeline import tell
from casetrail.v1.drill_service_pb2 import InjectIntoDrillResponse
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.inject_pb2 import DeclareInject, FaultInject, Inject, MessageInject, SilenceInject, WaveInject
from casetrail.v1.types_pb2 import Channel, Kind, Role
from casetrail.words import ChannelWord, CrisisWord, value_of

app = typer.Typer(no_args_is_help=True, help="Let something happen now that the script does not have.")

DrillArgument = Annotated[str, typer.Argument(metavar="DRILL", help="Its number.")]
IdArgument = Annotated[
    str, typer.Argument(metavar="ID", help="A name of its own in this drill: small letters, digits and dashes.")
]
Title = Annotated[str, typer.Option(help="What it is, for the report; its ID when left out.")]
ChannelOption = Annotated[ChannelWord, typer.Option(help="By which way it comes.")]
Category = Annotated[str, typer.Option(help="The policy's word.")]
Product = Annotated[str, typer.Option(metavar="ID", help="The shop's product.")]
Lasts = Annotated[Duration | None, typer.Option(parser=duration, metavar="SPAN", help="How long, for example 2h.")]

_HALF_AN_HOUR = 1800


@app.command()
@spread
def declare(
    drill: DrillArgument,
    name: IdArgument,
    *,
    subject: Annotated[str, typer.Option(help="What happened, in one line.")],
    title: Title = "",
    level: Annotated[int, typer.Option(min=0, max=4, help="As suspected; 0 when nobody knows yet.")] = 0,
    crisis: Annotated[CrisisWord | None, typer.Option(help="The class of a public-opinion crisis.")] = None,
    channel: ChannelOption = "app",
    category: Category = "",
    product: Product = "",
    terms: WriteTerms,
) -> None:
    """An incident is declared."""
    declared = DeclareInject(
        subject=subject,
        channel=value_of(Channel, channel),
        category=category,
        product_id=product,
        suspected_level=level,
        crisis=value_of(CrisisClass, crisis or ""),
    )
    _inject(drill, Inject(id=name, title=title or name, declare=declared), terms)


@app.command()
@spread
def wave(
    drill: DrillArgument,
    name: IdArgument,
    *,
    count: Annotated[int, typer.Option(min=1, max=500, help="How many cases.")],
    subject: Annotated[str, typer.Option(help="What they are about, in one line.")],
    over: Annotated[
        Duration | None, typer.Option(parser=duration, metavar="SPAN", help="Spread over so long; at once otherwise.")
    ] = None,
    kind: Annotated[Literal["inquiry", "complaint"], typer.Option(help="What they open.")] = "inquiry",
    text: Annotated[str, typer.Option(help="What they write.")] = "",
    title: Title = "",
    channel: ChannelOption = "app",
    category: Category = "",
    product: Product = "",
    terms: WriteTerms,
) -> None:
    """Customers turn up, each with a case."""
    customers = WaveInject(
        count=count,
        over=over,
        kind=value_of(Kind, kind),
        channel=value_of(Channel, channel),
        category=category,
        product_id=product,
        subject=subject,
        text=text,
    )
    _inject(drill, Inject(id=name, title=title or name, wave=customers), terms)


@app.command()
@spread
def message(
    drill: DrillArgument,
    name: IdArgument,
    *,
    to: Annotated[str, typer.Option(metavar="INJECT", help="To the cases that this inject has brought.")],
    text: Annotated[str, typer.Option(help="What it says.")],
    sender: Annotated[str, typer.Option(help="Who says it, where an incident hears it: a newspaper, …")] = "",
    title: Title = "",
    terms: WriteTerms,
) -> None:
    """Customers write in their cases; an incident hears from somebody outside."""
    said = MessageInject(to=to, text=text, sender=sender)
    _inject(drill, Inject(id=name, title=title or name, message=said), terms)


@app.command()
@spread
def silence(
    drill: DrillArgument,
    name: IdArgument,
    *,
    department: Annotated[str, typer.Option(help="operations, technology, legal, customer-care, …")] = "",
    role: Annotated[str, typer.Option(help="team_lead, supervisor, director, …")] = "",
    lasts: Lasts = None,
    title: Title = "",
    terms: WriteTerms,
) -> None:
    """A department, or a role, does not answer for half an hour, or as long as said."""
    if not department and not role:
        raise typer.BadParameter("say who does not answer", param_hint="--department or --role")
    silent = SilenceInject(department=department, role=_word(lambda: value_of(Role, role), "--role"))
    silent.lasts.CopyFrom(lasts or Duration(seconds=_HALF_AN_HOUR))
    _inject(drill, Inject(id=name, title=title or name, silence=silent), terms)


@app.command()
@spread
def fault(
    drill: DrillArgument,
    name: IdArgument,
    *,
    system: Annotated[Literal["shop", "mail"], typer.Option(help="The drill's own, which really stops answering.")],
    lasts: Lasts = None,
    title: Title = "",
    terms: WriteTerms,
) -> None:
    """A system fails for half an hour, or as long as said, or until the drill ends."""
    failing = FaultInject(system=value_of(FaultInject.System, system))
    failing.lasts.CopyFrom(lasts or Duration(seconds=_HALF_AN_HOUR))
    _inject(drill, Inject(id=name, title=title or name, fault=failing), terms)


def _word(read: Callable[[], Role.ValueType], option: str) -> Role.ValueType:
    try:
        return read()
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint=option) from None


def _inject(drill: str, made: Inject, terms: WriteTerms) -> None:
    written = call(terms, lambda client: client.drills.inject(drill, made, **terms.how()))
    if terms.as_json:
        output.print_json(InjectIntoDrillResponse(written=written))
        return
    for line in tell(written.events, None):
        output.print_line(line)
