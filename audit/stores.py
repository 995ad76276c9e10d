"""Which database the log is in, by its URL: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from audit.log import Log
from audit.postgres import PostgresLog
from audit.postgres.server import Server
from audit.sqlite import SqliteLog

_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = ("postgresql://", "postgres://")


async def open_log(url: str) -> Log:
    """Open the log. An SQLite file is created where it is missing; a PostgreSQL database must have been prepared.

    Raises:
        ValueError: This is no URL of a log.
        LogUnavailableError: The database cannot be used.
        LogDamagedError: It is broken.
    """
    if path := sqlite_path(url):
        return SqliteLog(path)
    check(url)
    return await PostgresLog.open(url)


def from_settings(environment: Mapping[str, str], data: Path) -> str:
    """The URL that a process is told: CASETRAIL_LOG, or a file in its data folder.

    Raises:
        ValueError: It is no URL of a log.
    """
    url = environment.get("CASETRAIL_LOG") or sqlite_url(data / "casetrail.db")
    check(url)
    return url


def sqlite_url(path: Path) -> str:
    """The URL of a log in a file."""
    return f"{_SQLITE}{path}"


def sqlite_path(url: str) -> Path | None:
    """The file that a URL names: after `sqlite:///`, from this folder unless it begins with a slash itself."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) and url != _SQLITE else None


def check(url: str) -> None:
    """Make sure that this is the URL of a log.

    Raises:
        ValueError: It is not; the message says what one looks like, and never repeats a password.
    """
    if sqlite_path(url):
        return
    if url.startswith(_POSTGRES):
        try:
            Server(url)
        except ValueError as error:
            raise ValueError(f"the log's URL (CASETRAIL_LOG) is {error}") from error
        return
    hint = "" if "://" in url or "@" in url or not url else f"; for the file {url} write {_SQLITE}{url}"
    raise ValueError(
        f"the log's URL (CASETRAIL_LOG) must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE{hint}"
    )


def shown(url: str) -> str:
    """The URL as it may be shown: without its password."""
    return url if sqlite_path(url) else Server(url).name
