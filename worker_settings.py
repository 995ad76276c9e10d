"""What the worker is told by its environment."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from activities.mail import Encryption, Login
from activities.outside import DEFAULT_SINK
from engine.naming import CRITICAL_QUEUE, TASK_QUEUE
from engine.settings import EngineSettings

_PORTS: Final = range(1, 65_536)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the worker works on, and whom it reaches. Temporal's own settings are the standard TEMPORAL_*.

    Attributes:
        engine: What its engine works on.
        staff: CASETRAIL_STAFF, who works here; `staff.yaml` in CASETRAIL_DATA when left out.
        shop_url: CASETRAIL_SHOP_URL, the base URL of the shop's systems.
        shop_token: CASETRAIL_SHOP_TOKEN, the bearer token for them, if they ask for one.
        smtp: CASETRAIL_SMTP_ADDRESS, host:port.
        smtp_encryption: CASETRAIL_SMTP_ENCRYPTION: none, starttls or tls; none when left out.
        smtp_login: CASETRAIL_SMTP_USER and CASETRAIL_SMTP_PASSWORD, if the mail server asks for them.
        sender: CASETRAIL_MAIL_SENDER, the address that letters come from.
        queue: CASETRAIL_QUEUE, the Temporal task queue that work comes from: `casetrail` when left out. A worker
            of `casetrail-critical` has critical incidents for itself, and detection.
        drill_sink: CASETRAIL_DRILL_SINK, the address that all letters of drills go to; `{drill}` in it stands for the
            drill's number.
        drill_smtp: CASETRAIL_DRILL_SMTP_ADDRESS, the mail server of drills; that of everything else when left out.
        drill_shop_url: CASETRAIL_DRILL_SHOP_URL, the shop of drills; when left out they have none.
        drill_mail_faults_url: CASETRAIL_DRILL_MAIL_FAULTS_URL, where the mail server of drills is told to fail.
    """

    engine: EngineSettings
    staff: Path
    shop_url: str
    shop_token: str | None = field(repr=False)
    smtp: tuple[str, int]
    smtp_encryption: Encryption
    smtp_login: Login | None
    sender: str
    queue: str
    drill_sink: str
    drill_smtp: tuple[str, int] | None
    drill_shop_url: str
    drill_mail_faults_url: str

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            ValueError: One of them is missing or cannot be used; the message names it.
        """
        engine = EngineSettings.read(environment)
        return cls(
            engine=engine,
            staff=Path(environment.get("CASETRAIL_STAFF") or engine.data / "staff.yaml"),
            shop_url=_url("CASETRAIL_SHOP_URL", _required(environment, "CASETRAIL_SHOP_URL")),
            shop_token=environment.get("CASETRAIL_SHOP_TOKEN") or None,
            smtp=_address(environment, "CASETRAIL_SMTP_ADDRESS"),
            smtp_encryption=_encryption(environment),
            smtp_login=_login(environment),
            sender=environment.get("CASETRAIL_MAIL_SENDER") or "casetrail@localhost",
            queue=_queue(environment),
            drill_sink=environment.get("CASETRAIL_DRILL_SINK") or DEFAULT_SINK,
            drill_smtp=(
                _address(environment, "CASETRAIL_DRILL_SMTP_ADDRESS")
                if environment.get("CASETRAIL_DRILL_SMTP_ADDRESS")
                else None
            ),
            drill_shop_url=_optional_url(environment, "CASETRAIL_DRILL_SHOP_URL"),
            drill_mail_faults_url=_optional_url(environment, "CASETRAIL_DRILL_MAIL_FAULTS_URL"),
        )


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        raise ValueError(f"{name} is missing")
    return value


def _address(environment: Mapping[str, str], name: str) -> tuple[str, int]:
    value = _required(environment, name)
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) not in _PORTS:
        raise ValueError(f"{name} must be host:port, not {value!r}")
    return host, int(port)


def _url(name: str, value: str) -> str:
    with suppress(ValueError):  # what cannot be a host or a port
        url = urlsplit(value)
        if url.scheme in ("http", "https") and url.hostname and url.port != 0:
            return value
    raise ValueError(f"{name} must be http://… or https://…")  # without its value, which may hold a password


def _optional_url(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    return _url(name, value) if value else ""


def _queue(environment: Mapping[str, str]) -> str:
    value = environment.get("CASETRAIL_QUEUE") or TASK_QUEUE
    if value not in (TASK_QUEUE, CRITICAL_QUEUE):
        raise ValueError(f"CASETRAIL_QUEUE must be {TASK_QUEUE} or {CRITICAL_QUEUE}, not {value!r}")
    return value


def _encryption(environment: Mapping[str, str]) -> Encryption:
    value = environment.get("CASETRAIL_SMTP_ENCRYPTION") or "none"
    try:
        return Encryption(value)
    except ValueError:
        raise ValueError(f"CASETRAIL_SMTP_ENCRYPTION must be none, starttls or tls, not {value!r}") from None


def _login(environment: Mapping[str, str]) -> Login | None:
    user = environment.get("CASETRAIL_SMTP_USER")
    return Login(user, _required(environment, "CASETRAIL_SMTP_PASSWORD")) if user else None
