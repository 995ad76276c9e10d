"""A demo mailbox: takes every mail by SMTP, keeps it, and shows it over HTTP.

It keeps what arrives as often as it arrives, so that a letter sent twice is seen twice::

    GET    /             the mails, for people
    GET    /messages     {"messages": [...]}, filters to= and case=
    DELETE /messages     forget them
    POST   /faults       {mode, recipient?, count?}; without a recipient for everybody, instead of all before
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from html import escape
from pathlib import Path
from typing import Any, Final, Self
from weakref import WeakSet

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from embedded.database import Database
from embedded.serving import LOOPBACK, field, json_object, malformed, refusals, serving

Json = dict[str, Any]

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS mails (
    recipient TEXT NOT NULL, sender TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL,
    message_id TEXT NOT NULL, case_number TEXT NOT NULL, headers TEXT NOT NULL, received_at TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class DemoMailbox:
    """A running demo mailbox: where it takes mail and where it shows it."""

    smtp_host: str
    smtp_port: int
    url: str

    @classmethod
    @asynccontextmanager
    async def start(cls, *, port: int = 0, http_port: int = 0, path: Path | None = None) -> AsyncIterator[Self]:
        """Run a mailbox until the block ends; with a path it goes on from its file."""
        with closing(Database(path, _SCHEMA)) as database:
            mails, faults = _Mails(database), _FaultSwitch()
            async with (
                _taking(_Postman(mails, faults), port) as smtp_port,
                serving(_application(mails, faults), http_port) as url,
            ):
                yield cls(LOOPBACK, smtp_port, url)


class _Mails:
    """Everything that arrived, in the order of its arrival."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def keep(self, recipient: str, sender: str, mail: EmailMessage) -> None:
        headers = {name: str(value) for name, value in mail.items()}
        self._db.run(
            "INSERT INTO mails VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                recipient,
                sender,
                str(mail["Subject"] or ""),
                _text(mail),
                str(mail["Message-ID"] or ""),
                str(mail["X-Casetrail-Case"] or ""),
                json.dumps(headers),
                datetime.now(UTC).isoformat(),
            ),
        )

    def found(self, to: str | None, case: str | None) -> list[Json]:
        rows = self._db.rows(
            "SELECT rowid, * FROM mails WHERE recipient = COALESCE(?, recipient)"
            " AND case_number = COALESCE(?, case_number) ORDER BY rowid",
            (to, case),
        )
        return [
            {
                "to": row["recipient"],
                "from": row["sender"],
                "subject": row["subject"],
                "text": row["text"],
                "message_id": row["message_id"],
                "case": row["case_number"],
                "headers": json.loads(row["headers"]),
                "received_at": row["received_at"],
            }
            for row in rows
        ]

    def forget(self) -> None:
        self._db.run("DELETE FROM mails")


class _Mode(StrEnum):
    NONE = "none"
    TEMPORARY = "temporary"  # 451 for the recipient
    REFUSE = "refuse"  # 550 for the recipient
    LOST = "lost"  # kept, and yet answered 451: the sender cannot know


@dataclass(slots=True)
class _Fault:
    """A mode for the next ``left`` mails, or for all of them."""

    mode: _Mode
    left: int | None


class _FaultSwitch:
    """The current faults: one for each recipient that has its own, and one for all others."""

    def __init__(self) -> None:
        self._faults: dict[str, _Fault] = {}

    async def set(self, request: web.Request) -> web.Response:
        body = await json_object(request)
        try:
            mode = _Mode(field(body, "mode", ""))
        except ValueError:
            raise malformed(f"'mode' must be one of {', '.join(_Mode)}") from None
        recipient = field(body, "recipient", "")
        if not recipient:
            self._faults.clear()
        left = field(body, "count", 0) if body.get("count") is not None else None
        self._faults[recipient] = _Fault(mode, left)
        return web.json_response({"mode": mode})

    def strikes(self, recipients: list[str], *modes: _Mode) -> _Mode:
        """Return the mode if it is one of these and meant for one of the recipients; using it up by one."""
        own = (self._faults[recipient] for recipient in recipients if recipient in self._faults)
        fault = next(own, self._faults.get(""))
        if fault is None or fault.mode not in modes or fault.left == 0:
            return _Mode.NONE
        if fault.left is not None:
            fault.left -= 1
        return fault.mode


class _Postman:
    """Takes mails from the SMTP protocol, which calls its ``handle_…`` methods."""

    def __init__(self, mails: _Mails, faults: _FaultSwitch) -> None:
        self._mails = mails
        self._faults = faults

    async def handle_RCPT(  # noqa: N802 - the name that aiosmtpd looks for
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        match self._faults.strikes([address], _Mode.TEMPORARY, _Mode.REFUSE):
            case _Mode.TEMPORARY:
                return "451 4.3.0 mailbox busy, try again later"
            case _Mode.REFUSE:
                return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the name that aiosmtpd looks for
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        for recipient in envelope.rcpt_tos:
            self._mails.keep(recipient, envelope.mail_from or "", mail)
        if self._faults.strikes(envelope.rcpt_tos, _Mode.LOST) is _Mode.LOST:
            return "451 4.3.0 local error in processing"
        return "250 OK"


class _Connection(SMTP):
    """An SMTP connection that can be closed from this side."""

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()


@asynccontextmanager
async def _taking(postman: _Postman, port: int) -> AsyncIterator[int]:
    """Take mail on a port (0: any) until the block ends; yields the port."""
    connections: WeakSet[_Connection] = WeakSet()
    loop = asyncio.get_running_loop()

    def connect() -> _Connection:
        # The host name would otherwise be asked of the DNS.
        connection = _Connection(postman, enable_SMTPUTF8=True, hostname="mailbox.casetrail", loop=loop)
        connections.add(connection)
        return connection

    server = await loop.create_server(connect, LOOPBACK, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(connections):
            connection.hang_up()
        await server.wait_closed()


def _text(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


def _application(mails: _Mails, faults: _FaultSwitch) -> web.Application:
    def found(request: web.Request) -> list[Json]:
        return mails.found(request.query.get("to"), request.query.get("case"))

    async def messages(request: web.Request) -> web.Response:
        return web.json_response({"messages": found(request)})

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=_page(found(request)), content_type="text/html")

    async def forget(_: web.Request) -> web.Response:
        mails.forget()
        return web.json_response({"messages": []})

    app = web.Application(middlewares=[refusals])
    app.add_routes(
        [
            web.get("/", page),
            web.get("/messages", messages),
            web.delete("/messages", forget),
            web.post("/faults", faults.set),
        ]
    )
    return app


_PAGE: Final = """<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><title>Demo mailbox</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem }}
article {{ border-top: 1px solid #ccc; padding: 1rem 0 }}
h2 {{ font-size: 1.1rem; margin: 0 }}
p {{ color: #555; margin: 0 }}
pre {{ white-space: pre-wrap; font: inherit }}
</style></head>
<body><h1>Demo mailbox</h1><p>{count} mails, the newest first</p>{mails}</body></html>
"""


def _page(found: list[Json]) -> str:
    return _PAGE.format(count=len(found), mails="".join(_article(mail) for mail in reversed(found)))


def _article(mail: Json) -> str:
    shown = {name: escape(str(value)) for name, value in mail.items()}
    return (
        "<article><h2>{subject}</h2><p>to {to} · case {case} · {received_at}</p>"
        "<p>{message_id}</p><pre>{text}</pre></article>"
    ).format(**shown)
