"""Which database the log is in, by its URL: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from audit import erasure
from audit.key_encryption import KeyEncryptionKeys
from audit.log import Log, LogUnavailableError, NoLogError, Verification
from audit.postgres import PostgresLog, schema
from audit.postgres import verifying as postgres_verifying
from audit.postgres.keys import PostgresKeys
from audit.postgres.server import Server
from audit.remains import Remains, refuse_to_begin
from audit.sqlite import SqliteLog
from audit.sqlite import verifying as sqlite_verifying
from audit.sqlite.file import DatabaseFile
from audit.sqlite.keys import SqliteKeys
from audit.subject_keys import SubjectKeys
from audit.verification.kept_outside import KeptOutside

_SQLITE: Final = "sqlite:///"
_PATIENCE: Final = 5.0  # seconds for another process's transaction
_POSTGRES: Final = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Where the keys are that personal fields are encrypted with.

    Attributes:
        url: CASETRAIL_SUBJECT_KEYS, of the subjects' keys: sqlite:///PATH or postgresql://…. When left out, the file
            `keys.db` in the data folder, or where the log is in PostgreSQL a schema of its own there.
        kek: CASETRAIL_KEK, the file with the key that they are wrapped with; `kek` in the data folder when left out.
    """

    url: str = field(repr=False)
    kek: Path

    @classmethod
    def read(cls, environment: Mapping[str, str], data: Path, log: str) -> Self:
        """Read the settings.

        Raises:
            ValueError: The URL is none.
        """
        usual = sqlite_url(data / "keys.db") if sqlite_path(log) else log
        url = environment.get("CASETRAIL_SUBJECT_KEYS") or usual
        check(url, "the subjects' keys' URL (CASETRAIL_SUBJECT_KEYS)")
        return cls(url, Path(environment.get("CASETRAIL_KEK") or data / "kek"))


async def open_log(url: str, keys: KeySettings | None = None, remains: Remains | None = None) -> Log:
    """Open the log. An SQLite file is created where it is missing; a PostgreSQL database must have been prepared.

    Args:
        url: Where it is.
        keys: What personal fields are encrypted with; without, they are written as they are, and encrypted ones are not
            read.
        remains: What a log that was lost has left; none is begun in its place.

    Raises:
        ValueError: This is no URL of a log.
        LogUnavailableError: The database, or the keys, cannot be used.
        LogDamagedError: It is broken, or was lost.
    """
    check(url)
    log = await _opened_log(url, remains)
    if keys is not None:
        try:
            await log.use_keys(await asyncio.to_thread(open_keys, keys))
            await erasure.finish(log)
        except BaseException:
            await log.close()
            raise
    return log


async def _opened_log(url: str, remains: Remains | None) -> SqliteLog | PostgresLog:
    found = remains.found() if remains is not None else []  # first: a key is made after its log
    if path := sqlite_path(url):
        if not is_begun(path):
            refuse_to_begin(str(path), found)
        return SqliteLog(path)
    try:
        return await PostgresLog.open(url)
    except NoLogError as error:
        refuse_to_begin(shown(url), found)
        raise error from None


async def verify(url: str, keys: KeySettings | None, outside: Callable[[], KeptOutside]) -> Verification:
    """Check the whole log without opening it to be worked with: nothing is created or changed.

    Args:
        url: Where it is.
        keys: What personal fields are encrypted with; without, they are not looked at.
        outside: Says what is known of it outside the database, once it is seen to be there.

    Raises:
        ValueError: This is no URL of a log.
        LogUnavailableError: The database, the keys or what is outside cannot be used.
        LogDamagedError: It is so damaged that it cannot be gone through.
    """
    check(url)
    if path := sqlite_path(url):
        file = DatabaseFile(path, busy_timeout=_PATIENCE, read_only=True)
        async with _opened(keys) as subject_keys:
            return await sqlite_verifying.verify(file, subject_keys, outside=outside())
    server = Server(url)
    await schema.check_at(server)
    async with _opened(keys) as subject_keys:
        return await postgres_verifying.verify(server, subject_keys, outside=outside())


@asynccontextmanager
async def _opened(settings: KeySettings | None) -> AsyncIterator[SubjectKeys | None]:
    """The keys that there are: none is made."""
    if settings is None:
        yield None
        return
    for file in (sqlite_path(settings.url), settings.kek):
        if file is not None and not file.exists():
            raise LogUnavailableError(
                f"{file} is missing, and personal fields cannot be read without it: say where it is "
                "(CASETRAIL_SUBJECT_KEYS, CASETRAIL_KEK, CASETRAIL_DATA), or leave them out (--without-keys)"
            )
    keys = await asyncio.to_thread(open_keys, settings)
    try:
        yield keys
    finally:
        await keys.close()


def open_keys(settings: KeySettings) -> SubjectKeys:
    """Open the subjects' keys. Blocks.

    Raises:
        ValueError: Their URL is none.
        LogUnavailableError: They cannot be used.
    """
    path = sqlite_path(settings.url)
    database = SqliteKeys(path) if path else PostgresKeys(settings.url)
    return SubjectKeys(database, KeyEncryptionKeys(settings.kek))


def from_settings(environment: Mapping[str, str], data: Path) -> str:
    """The URL that a process is told: CASETRAIL_LOG, or a file in its data folder.

    Raises:
        ValueError: It is no URL of a log.
    """
    url = environment.get("CASETRAIL_LOG") or sqlite_url(data / "casetrail.db")
    check(url)
    return url


def is_begun(path: Path) -> bool:
    """Whether there is anything in a file."""
    return path.exists() and path.stat().st_size > 0


def sqlite_url(path: Path) -> str:
    """The URL of a log in a file."""
    return f"{_SQLITE}{path}"


def sqlite_path(url: str) -> Path | None:
    """The file that a URL names: after `sqlite:///`, from this folder unless it begins with a slash itself."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) and url != _SQLITE else None


def check(url: str, what: str = "the log's URL (CASETRAIL_LOG)") -> None:
    """Make sure that this is the URL of a log, or of what the message shall call it.

    Raises:
        ValueError: It is not; the message says what one looks like, and never repeats a password.
    """
    if sqlite_path(url):
        return
    if url.startswith(_POSTGRES):
        try:
            Server(url)
        except ValueError as error:
            raise ValueError(f"{what} is {error}") from error
        return
    hint = "" if "://" in url or "@" in url or not url else f"; for the file {url} write {_SQLITE}{url}"
    raise ValueError(f"{what} must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE{hint}")


def shown(url: str) -> str:
    """The URL as it may be shown: without its password."""
    return url if sqlite_path(url) else Server(url).name
