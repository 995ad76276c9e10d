"""Mail to customers and staff: what a letter is, and how it leaves by SMTP.

A letter's Message-ID is made from the id of the effect that demanded it. SMTP cannot promise that a retried
letter arrives once; the same Message-ID lets whoever receives it twice see that it is the same.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from enum import Enum
from hashlib import sha256
from typing import Final, Protocol

import aiosmtplib

CASE_HEADER: Final = "X-Casetrail-Case"
AUTOMATIC_HEADER: Final = "Auto-Submitted"


class MailError(Exception):
    """A letter that was not sent."""


class MailUnavailableError(MailError):
    """Transient: the mail server cannot be used now. The letter may have left: send it again, unchanged."""


class MailRefusedError(MailError):
    """Final: this letter will not be taken, however often it is sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """A letter to one recipient."""

    message_id: str
    to: str
    subject: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def for_effect(cls, effect_id: str, *, case: str, to: str, subject: str, text: str) -> "Message":
        """Write the letter that an effect demands for a case: the same effect, the same Message-ID."""
        # A digest: an effect's id may hold characters, and be of a length, that a Message-ID cannot have.
        message_id = f"<{sha256(effect_id.encode()).hexdigest()[:40]}@casetrail>"
        headers = {CASE_HEADER: case, AUTOMATIC_HEADER: "auto-generated"}
        return cls(message_id, to, subject, text, headers)


class Mailer(Protocol):
    """Whatever sends letters."""

    async def send(self, message: Message) -> None:
        """Send a letter, or raise ``MailUnavailableError`` or ``MailRefusedError``."""


class Encryption(Enum):
    """How the connection to the mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Login:
    """Who sends, to a mail server that asks."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpMailer:
    """Sends each letter over a connection of its own to one mail server."""

    host: str
    port: int
    sender: str
    encryption: Encryption = Encryption.NONE
    tls_context: ssl.SSLContext | None = None
    login: Login | None = None
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Refuse settings that would never send, or would show the password to the network."""
        if not self.sender.isascii() or not _ADDRESS.fullmatch(self.sender):
            raise ValueError(f"the sender {self.sender!r} is not a plain e-mail address")
        if self.login and self.encryption is Encryption.NONE:
            raise ValueError("a login needs an encrypted connection")

    async def send(self, message: Message) -> None:
        """Send a letter, or raise ``MailUnavailableError`` or ``MailRefusedError``."""
        letter = _letter(message, self.sender)
        try:
            async with self._connection() as server:
                await server.send_message(letter, sender=self.sender, recipients=[message.to])
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _answered(error.recipients[0]) from error
        except aiosmtplib.SMTPDataError as error:
            raise _answered(error) from error
        except aiosmtplib.SMTPNotSupported as error:
            raise _lacking(error, message.to) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            # Also a refused login or sender: the fault is in the settings, and they can be mended.
            raise MailUnavailableError(f"the mail server {self.host}:{self.port} cannot be used: {error}") from error

    def _connection(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            # Otherwise asked of the DNS, which may take seconds to say nothing.
            local_hostname=self.sender.rpartition("@")[2],
            timeout=self.timeout_seconds,
            use_tls=self.encryption is Encryption.TLS,
            start_tls=self.encryption is Encryption.STARTTLS,
            tls_context=self.tls_context,
            username=self.login.username if self.login else None,
            password=self.login.password if self.login else None,
        )


_PERMANENT: Final = range(500, 600)


def _answered(error: aiosmtplib.SMTPResponseException) -> MailError:
    text = f"the mail server answered {error.code}: {error.message}"
    return MailRefusedError(text) if error.code in _PERMANENT else MailUnavailableError(text)


def _lacking(error: aiosmtplib.SMTPNotSupported, to: str) -> MailError:
    if not to.isascii():
        return MailRefusedError(f"the mail server takes no address like the recipient's: {error}")
    return MailUnavailableError(f"the mail server lacks what the settings ask for: {error}")


_ATOM: Final = r"[^\s@<>()\[\]\\,;:\".\x00-\x1f\x7f]+"
# Without the encoded words of headers ("=?"): such an address would show as another one.
_ADDRESS: Final = re.compile(rf"(?!.*=\?){_ATOM}(\.{_ATOM})*@{_ATOM}(\.{_ATOM})*")
_ADDRESS_LENGTH: Final = 254
_MESSAGE_ID: Final = re.compile(r"<[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+>", re.ASCII)
# Not the headers that address, date, identify or frame the letter: those are made here.
_EXTRA_HEADER: Final = re.compile(
    r"X-[A-Za-z0-9-]+|Auto-Submitted|In-Reply-To|References|Reply-To|Precedence|Importance", re.IGNORECASE
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def _letter(message: Message, sender: str) -> EmailMessage:
    _check(message)
    letter = EmailMessage()
    letter["From"] = sender
    letter["To"] = message.to
    letter["Subject"] = message.subject
    letter["Date"] = datetime.now(UTC)
    letter["Message-ID"] = message.message_id
    for name, value in message.headers.items():
        letter[name] = value
    if AUTOMATIC_HEADER not in letter:
        letter[AUTOMATIC_HEADER] = "auto-generated"
    letter.set_content(message.text)
    return letter


def _check(message: Message) -> None:
    """Refuse what would write other headers, reach other people, or can never be delivered."""
    if len(message.to) > _ADDRESS_LENGTH or not _ADDRESS.fullmatch(message.to):
        raise MailRefusedError("what is given for the recipient is not an e-mail address")
    if not _MESSAGE_ID.fullmatch(message.message_id):
        raise MailRefusedError(f"{message.message_id!r} is not a Message-ID")
    for name in message.headers:
        if not _EXTRA_HEADER.fullmatch(name):
            raise MailRefusedError(f"a letter must not set the header {name!r}")
    if any(_CONTROL.search(value) for value in (message.subject, *message.headers.values())):
        raise MailRefusedError("a header must not hold line breaks or other control characters")
