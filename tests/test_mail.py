"""Mail over real SMTP: what a letter says arrives, what is not one letter to one person does not leave."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from activities.mail import Encryption, Login, MailRefusedError, MailUnavailableError, Message, SmtpMailer
from embedded.mailbox import DemoMailbox
from tests.certificates import Authority, files

SENDER = "service@shop.example"


def letter(**changes: Any) -> Message:  # noqa: ANN401 - any field of a letter
    fields = {
        "message_id": "<1@casetrail>",
        "to": "li@customer.example",
        "subject": "Your case",
        "text": "Solved.",
        "headers": {},
    }
    return Message(**(fields | changes))


class Reader:
    """Reads the mailbox and arranges its faults."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def mails(self, **filters: str) -> list[dict[str, Any]]:
        async with self._http.get(f"{self._url}/messages", params=filters) as response:
            return list((await response.json())["messages"])

    async def page(self) -> str:
        async with self._http.get(self._url) as response:
            return await response.text()

    async def clear(self) -> None:
        async with self._http.delete(f"{self._url}/messages") as response:
            assert response.status == 200

    async def fault(self, mode: str, **more: object) -> None:
        async with self._http.post(f"{self._url}/faults", json={"mode": mode, **more}) as response:
            assert response.status == 200


@pytest.fixture
async def mailbox() -> AsyncIterator[DemoMailbox]:
    async with DemoMailbox.start() as mailbox:
        yield mailbox


@pytest.fixture
def mailer(mailbox: DemoMailbox) -> SmtpMailer:
    return SmtpMailer(host=mailbox.smtp_host, port=mailbox.smtp_port, sender=SENDER, timeout_seconds=5)


@pytest.fixture
async def reader(mailbox: DemoMailbox) -> AsyncIterator[Reader]:
    async with aiohttp.ClientSession() as http:
        yield Reader(mailbox.url, http)


async def test_chinese_letter_arrives_as_it_was_written(mailer: SmtpMailer, reader: Reader) -> None:
    subject = "您的退款已到账:工单 " + "很长的主题" * 30
    text = "尊敬的客户:\n您的退款 ¥199.00 已到账。\n.\n" + "一行很长的文字" * 200 + "\n"
    await mailer.send(
        Message.for_effect("R-7:refund-notice", case="R-7", to="li@customer.example", subject=subject, text=text)
    )
    [mail] = await reader.mails()
    assert (mail["to"], mail["from"], mail["subject"]) == ("li@customer.example", SENDER, subject)
    assert mail["text"].replace("\r\n", "\n") == text
    assert mail["headers"]["X-Casetrail-Case"] == "R-7"
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"
    assert mail["headers"]["From"] == SENDER
    assert datetime.fromisoformat(mail["received_at"]).tzinfo


async def test_every_letter_says_that_a_machine_wrote_it(mailer: SmtpMailer, reader: Reader) -> None:
    await mailer.send(letter())
    [mail] = await reader.mails()
    assert mail["headers"]["Auto-Submitted"] == "auto-generated"


async def test_retried_letter_has_the_same_message_id_and_another_effect_another() -> None:
    def written(effect_id: str) -> str:
        return Message.for_effect(effect_id, case="C", to="a@b.example", subject="", text="").message_id

    assert written("案件/1: notice") == written("案件/1: notice")
    assert len({written("1"), written("2"), written("1 ")}) == 3


async def test_letter_whose_receipt_was_lost_is_seen_twice_as_the_same(mailer: SmtpMailer, reader: Reader) -> None:
    message = Message.for_effect("e", case="C-1", to="li@customer.example", subject="s", text="t")
    await reader.fault("lost", count=1)
    with pytest.raises(MailUnavailableError):
        await mailer.send(message)
    await mailer.send(message)
    assert [mail["message_id"] for mail in await reader.mails()] == [message.message_id] * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Hello\r\nBcc: all@customer.example"},
        {"subject": "Hello\nBcc: all@customer.example"},
        {"subject": "Hello\rBcc: all@customer.example"},
        {"subject": "Hello\u2028Bcc: all@customer.example"},
        {"subject": "Hello\x00"},
        {"headers": {"X-Casetrail-Case": "1\r\n\r\nbody"}},
        {"headers": {"X-A: b\r\nBcc": "all@customer.example"}},
        {"headers": {"Bcc": "all@customer.example"}},
        {"headers": {"Subject": "another"}},
        {"headers": {"from": "boss@shop.example"}},
        {"headers": {"Content-Type": "text/html"}},
        {"headers": {"": "x"}},
        {"message_id": "<1@casetrail>\r\nBcc: all@customer.example"},
        {"message_id": "1@casetrail"},
        {"to": "li@customer.example\r\nDATA"},
        {"to": "li@customer.example, all@customer.example"},
        {"to": "li@customer.example> SIZE=1"},
        {"to": "Li <li@customer.example>"},
        {"to": "li"},
        {"to": "@customer.example"},
        {"to": "li@"},
        {"to": "li@customer..example"},
        {"to": "=?utf-8?q?boss?=@customer.example"},
        {"to": ""},
        {"to": "l" * 250 + "@b.example"},
    ],
)
async def test_what_is_not_one_letter_to_one_address_is_refused(
    mailer: SmtpMailer, reader: Reader, changes: dict[str, Any]
) -> None:
    with pytest.raises(MailRefusedError):
        await mailer.send(letter(**changes))
    assert await reader.mails() == []


async def test_text_cannot_end_the_letter_or_add_headers(mailer: SmtpMailer, reader: Reader) -> None:
    text = "\nBcc: all@customer.example\n\n.\nMAIL FROM:<x@y>\n..\n"
    await mailer.send(letter(text=text))
    [mail] = await reader.mails()
    assert mail["text"].replace("\r\n", "\n") == text
    assert "Bcc" not in mail["headers"]


async def test_an_address_that_is_none_is_not_named(mailer: SmtpMailer) -> None:
    with pytest.raises(MailRefusedError) as refused:
        await mailer.send(letter(to="wang\\xiaoming@customer.example"))
    assert "xiaoming" not in str(refused.value)


async def test_address_in_chinese_arrives(mailer: SmtpMailer, reader: Reader) -> None:
    await mailer.send(letter(to="李娜@例子.公司"))
    [mail] = await reader.mails(to="李娜@例子.公司")
    assert mail["subject"] == "Your case"


async def test_recipient_that_does_not_exist_is_refused_and_others_are_not(mailer: SmtpMailer, reader: Reader) -> None:
    await reader.fault("refuse", recipient="gone@customer.example")
    with pytest.raises(MailRefusedError, match="550"):
        await mailer.send(letter(to="gone@customer.example"))
    await mailer.send(letter())
    assert [mail["to"] for mail in await reader.mails()] == ["li@customer.example"]


async def test_one_recipients_fault_neither_sets_nor_ends_anothers(mailer: SmtpMailer, reader: Reader) -> None:
    for recipient in ("a@drill.example", "b@drill.example"):
        await reader.fault("temporary", recipient=recipient)
    await reader.fault("none", recipient="a@drill.example")
    await mailer.send(letter(to="a@drill.example"))
    with pytest.raises(MailUnavailableError):
        await mailer.send(letter(to="b@drill.example"))
    await reader.fault("none")
    await mailer.send(letter(to="b@drill.example"))


async def test_busy_mailbox_is_unavailable_until_it_is_not(mailer: SmtpMailer, reader: Reader) -> None:
    await reader.fault("temporary", count=2)
    for _ in range(2):
        with pytest.raises(MailUnavailableError, match="451"):
            await mailer.send(letter())
    await mailer.send(letter())
    assert len(await reader.mails()) == 1


async def test_mailbox_filters_by_recipient_and_case_and_forgets_on_demand(mailer: SmtpMailer, reader: Reader) -> None:
    for number, to in (("C-1", "a@b.example"), ("C-1", "c@d.example"), ("C-2", "a@b.example")):
        await mailer.send(Message.for_effect(number + to, case=number, to=to, subject=number, text="t"))
    assert [mail["to"] for mail in await reader.mails(case="C-1")] == ["a@b.example", "c@d.example"]
    assert [mail["case"] for mail in await reader.mails(to="a@b.example")] == ["C-1", "C-2"]
    assert len(await reader.mails(to="a@b.example", case="C-2")) == 1
    await reader.clear()
    assert await reader.mails() == []


async def test_page_for_people_shows_letters_as_text_not_as_markup(mailer: SmtpMailer, reader: Reader) -> None:
    await mailer.send(letter(subject="<script>alert(1)</script>", text="{braces} & 您好"))
    page = await reader.page()
    assert "<script>" not in page
    assert "{braces} &amp; 您好" in page


async def test_restarted_mailbox_shows_what_it_kept(tmp_path: Path) -> None:
    for expected in (1, 2):
        async with (
            DemoMailbox.start(path=tmp_path / "mails.sqlite3") as mailbox,
            aiohttp.ClientSession() as http,
        ):
            await SmtpMailer(host=mailbox.smtp_host, port=mailbox.smtp_port, sender=SENDER).send(letter())
            assert len(await Reader(mailbox.url, http).mails()) == expected


async def test_mailbox_that_ends_hangs_up() -> None:
    async with DemoMailbox.start() as mailbox:
        reader, writer = await asyncio.open_connection(mailbox.smtp_host, mailbox.smtp_port)
        assert (await reader.readline()).startswith(b"220 ")
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()


async def test_mail_server_that_does_not_listen_is_unavailable() -> None:
    async with DemoMailbox.start() as mailbox:
        port = mailbox.smtp_port
    with pytest.raises(MailUnavailableError, match=str(port)):
        await SmtpMailer(host="127.0.0.1", port=port, sender=SENDER).send(letter())


@pytest.mark.parametrize(
    "greeting", [b"", b"554 no service here\r\n", b"421 too busy\r\n", b"\xff\xff\r\n", b"HTTP/1.1 400\r\n"]
)
async def test_mail_server_that_does_not_speak_smtp_is_unavailable(greeting: bytes) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(MailUnavailableError):
            await SmtpMailer(host="127.0.0.1", port=port, sender=SENDER, timeout_seconds=2).send(letter())


async def test_mail_server_that_says_nothing_is_unavailable_after_the_timeout() -> None:
    done = asyncio.Event()

    async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    async with await asyncio.start_server(keep_silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(MailUnavailableError):
            await SmtpMailer(host="127.0.0.1", port=port, sender=SENDER, timeout_seconds=0.1).send(letter())
        done.set()


class Sink:
    """Takes letters, and counts them."""

    def __init__(self) -> None:
        self.taken = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802 - as aiosmtpd calls it
        self.taken += 1
        return "250 OK"


@asynccontextmanager
async def guarded(sink: Sink, context: ssl.SSLContext, *, starttls: bool) -> AsyncIterator[int]:
    """Run a mail server that wants TLS, and knows one user."""

    def authenticate(
        _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"casetrail", b"right"), handled=False)

    def connect() -> SMTP:
        return SMTP(
            sink,
            hostname="localhost",
            loop=loop,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=authenticate,
            auth_required=starttls,
            auth_require_tls=starttls,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(connect, "127.0.0.1", 0, ssl=None if starttls else context)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def showing(authority: Authority) -> ssl.SSLContext:
    """What a mail server at the loopback address shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue(files(authority.file.parent, "mail"), "127.0.0.1"))
    return context


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


@pytest.mark.parametrize("encryption", [Encryption.STARTTLS, Encryption.TLS])
async def test_letter_leaves_encrypted_and_with_login(
    authority: Authority, showing: ssl.SSLContext, encryption: Encryption
) -> None:
    sink = Sink()
    starttls = encryption is Encryption.STARTTLS
    async with guarded(sink, showing, starttls=starttls) as port:
        await SmtpMailer(
            host="127.0.0.1",
            port=port,
            sender=SENDER,
            encryption=encryption,
            tls_context=trusting(authority),
            login=Login("casetrail", "right") if starttls else None,
        ).send(letter())
    assert sink.taken == 1


@pytest.mark.parametrize("encryption", [Encryption.STARTTLS, Encryption.TLS])
async def test_mail_server_that_nobody_vouches_for_gets_nothing(
    showing: ssl.SSLContext, encryption: Encryption
) -> None:
    sink = Sink()
    async with guarded(sink, showing, starttls=encryption is Encryption.STARTTLS) as port:
        with pytest.raises(MailUnavailableError):
            await SmtpMailer(host="127.0.0.1", port=port, sender=SENDER, encryption=encryption).send(letter())
    assert sink.taken == 0


async def test_wrong_login_is_unavailable_because_the_settings_can_be_mended(
    authority: Authority, showing: ssl.SSLContext
) -> None:
    async with guarded(Sink(), showing, starttls=True) as port:
        mailer = SmtpMailer(
            host="127.0.0.1",
            port=port,
            sender=SENDER,
            encryption=Encryption.STARTTLS,
            tls_context=trusting(authority),
            login=Login("casetrail", "wrong"),
        )
        with pytest.raises(MailUnavailableError, match="535"):
            await mailer.send(letter())
        assert "wrong" not in repr(mailer)


async def test_server_without_encryption_gets_nothing_when_it_is_demanded(mailbox: DemoMailbox) -> None:
    mailer = SmtpMailer(host=mailbox.smtp_host, port=mailbox.smtp_port, sender=SENDER, encryption=Encryption.STARTTLS)
    with pytest.raises(MailUnavailableError):
        await mailer.send(letter())


def test_password_is_never_sent_unencrypted() -> None:
    with pytest.raises(ValueError, match="encrypted"):
        SmtpMailer(host="127.0.0.1", port=25, sender=SENDER, login=Login("a", "b"))
