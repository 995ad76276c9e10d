"""What can be said with every command, and how a command reaches the service."""

import asyncio
import dataclasses
import functools
import inspect
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from casetrail import environment
from casetrail.client import Client
from casetrail.commands import How
from casetrail.tls import Tls
from casetrail.v1.types_pb2 import Actor, Role
from casetrail.words import value_of

_Result = TypeVar("_Result")

# What a header of a call can carry.
_TOKEN = re.compile(r"[!-~]*")


def actor(text: str) -> Actor:
    """Read NAME:ROLE.

    Raises:
        typer.BadParameter: It is not written so, or there is no such role.
    """
    name, colon, role = text.rpartition(":")
    if not (name and colon):
        raise typer.BadParameter(f"'{text}' is not NAME:ROLE, for example amy:agent")
    try:
        return Actor(name=name, role=value_of(Role, role))
    except ValueError as wrong:
        raise typer.BadParameter(f"role {wrong}") from None


RequestId = Annotated[str, typer.Option(metavar="ID", help="Carried out once, however often it is sent.")]


def host_and_port(text: str) -> str:
    """Read HOST:PORT."""
    if not _ADDRESS.fullmatch(text) or int(text.rpartition(":")[2]) > _LAST_PORT:
        raise typer.BadParameter(f"'{text}' is not HOST:PORT, for example {environment.DEFAULT_ADDRESS}")
    return text


_ADDRESS = re.compile(r"[^\s/:]+:[0-9]{1,5}|\[[0-9a-fA-F:.]+\]:[0-9]{1,5}")
_LAST_PORT = 65535


@dataclass(frozen=True)
class Terms:
    """What can be said with every command."""

    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False
    address: Annotated[
        str,
        typer.Option(
            envvar="CASETRAIL_ADDRESS", parser=host_and_port, metavar="HOST:PORT", help="Where the engine answers."
        ),
    ] = environment.DEFAULT_ADDRESS
    token: Annotated[
        str,
        typer.Option(
            envvar="CASETRAIL_TOKEN",
            show_envvar=False,
            help="Who asks: CASETRAIL_TOKEN, or the file `token` in CASETRAIL_DATA, when left out.",
        ),
    ] = ""


@dataclass(frozen=True)
class KeepTerms(Terms):
    """What can be said with every command that writes."""

    keep_receipts: Annotated[
        Path | None,
        typer.Option(envvar="CASETRAIL_RECEIPTS", metavar="FILE", help="Append the receipt to this file."),
    ] = None


@dataclass(frozen=True)
class WriteTerms(KeepTerms):
    """What can be said with every command that writes to a case."""

    request_id: RequestId = ""
    acting: Annotated[
        Actor | None, typer.Option("--as", parser=actor, metavar="NAME:ROLE", help="Act for somebody else.")
    ] = None

    def how(self) -> How:
        """Them, as the client takes them."""
        how = How(request_id=self.request_id)
        if self.acting:
            how["actor"] = self.acting
        return how


def spread(function: Callable[..., None]) -> Callable[..., None]:
    """Make each field of a dataclass that a command takes an option of the command line."""
    options: list[inspect.Parameter] = []
    groups: dict[str, tuple[type, list[str]]] = {}
    for parameter in inspect.signature(function).parameters.values():
        group = parameter.annotation
        if isinstance(group, type) and dataclasses.is_dataclass(group):
            fields = inspect.signature(group).parameters.values()
            groups[parameter.name] = (group, [field.name for field in fields])
            options += fields
        else:
            options.append(parameter)

    @functools.wraps(function)
    def run(**given: Any) -> None:  # noqa: ANN401 - whatever the options are
        for name, (made, fields) in groups.items():
            given[name] = made(**{field: given.pop(field) for field in fields})
        function(**given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    run.__dict__["__signature__"] = inspect.Signature([option.replace(kind=keyword) for option in options])
    return run


def taking(make: Callable[..., Any], run: Callable[..., None]) -> Callable[..., None]:
    """Spread a command that sends what another function makes: it has that one's words and options.

    Args:
        make: Makes it.
        run: Sends it: `run(about, terms, **options)`.
    """
    about, terms, _ = inspect.signature(run).parameters.values()
    own = inspect.signature(make).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    run.__doc__ = make.__doc__
    run.__dict__["__signature__"] = inspect.Signature([each.replace(kind=keyword) for each in (about, *own, terms)])
    return spread(run)


def follow(terms: Terms, work: Callable[[Client], Awaitable[None]]) -> None:
    """Do something with a connected client that goes on until Ctrl-C, which is how one ends it."""
    with suppress(KeyboardInterrupt):
        call(terms, work)


def call(terms: Terms, work: Callable[[Client], Awaitable[_Result]]) -> _Result:
    """Do something with a connected client.

    Raises:
        CasetrailError: It was refused, or nobody answers.
        typer.BadParameter: The token cannot be sent.
    """
    token = terms.token or environment.token()
    if not _TOKEN.fullmatch(token):
        raise typer.BadParameter("a token has printable ASCII characters only, and no space", param_hint="--token")

    async def session() -> _Result:
        receipts = terms.keep_receipts if isinstance(terms, KeepTerms) else None
        async with Client(
            terms.address,
            token,
            tls=Tls.from_environment(),
            insecure=environment.insecure(),
            receipts=receipts,
        ) as client:
            await client.connect()
            return await work(client)

    return asyncio.run(session())
