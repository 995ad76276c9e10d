"""`casetrail-db`: prepares the log's database, brings it up to date, looks at it, verifies it, and changes keys.

The log is the one that CASETRAIL_LOG names. A PostgreSQL server's tables are made and changed by an administrator's
role, never by the application's, so `init` and `upgrade` want its URL too.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from audit import key_writing, payload_key, stores
from audit.db_verify import NOT_DONE, verify
from audit.durable import make_folder
from audit.log import LogDamagedError, LogUnavailableError, NoLogError
from audit.postgres import administration as postgres
from audit.remains import Remains, refuse_to_begin
from audit.sqlite import administration as sqlite
from audit.sqlite.file import DatabaseFile
from casetrail.key_file import KeyFileError
from casetrail.payload_keys import path_from, payload_key_file

_ADMIN = "CASETRAIL_DB_ADMIN"
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status: 0 where the log can be worked with afterwards, and of `verify` holds."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # when nobody reads on, end as other tools do
    given = _parser().parse_args(arguments)
    try:
        url = given.log or stores.from_settings(os.environ, _data())
        stores.check(url)
        return _carried_out(given, url)
    except (LogUnavailableError, LogDamagedError, KeyFileError, ValueError, OSError) as error:
        sys.stderr.write(f"casetrail-db: {error}\n")
        return NOT_DONE if given.command == "verify" else 1
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="casetrail-db", description="Prepare, upgrade, look at or verify the log's database, or change keys."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (
        ("init", "make what is missing: roles, database, tables, rights"),
        ("upgrade", "bring the tables up to date, while no process of Casetrail runs"),
        ("status", "say what state the database is in, and change nothing"),
        ("verify", "check the whole log as `casetrail verify` does, without a server, and change nothing"),
        ("rotate-kek", "wrap the subjects' keys with a new key-encryption key, and let the old one go"),
        ("rotate-payload-key", "add a new key for what Temporal keeps, and leave the older ones"),
        (
            "replace-payload-key",
            "begin with a new key for what Temporal keeps, where the one in force is lost for ever",
        ),
    ):
        command = commands.add_parser(name, help=words, description=words)
        command.add_argument(
            "--log", metavar="URL", default="", help="the log, as the application uses it (default: CASETRAIL_LOG)"
        )
        if name in {"init", "upgrade"}:
            command.add_argument(
                "--admin",
                metavar="URL",
                default="",
                help=f"PostgreSQL: of a role that may make roles and databases there (default: {_ADMIN})",
            )
        if name == "verify":
            command.epilog = "Exit status: 0 all holds, 1 something is wrong, 2 it could not be checked."
            command.add_argument("--json", action="store_true", help="report for programs")
            command.add_argument(
                "--without-keys",
                action="store_true",
                help="leave out what personal fields say, and signatures where the log's public keys are not",
            )
    return parser


def _carried_out(given: argparse.Namespace, url: str) -> int:
    try:
        return _COMMANDS[given.command](given, url)
    except NoLogError as error:
        refuse_to_begin(stores.shown(url), _remains(url))  # rather than say how one is begun
        raise error from None


def _verify(given: argparse.Namespace, url: str) -> int:
    return verify(url, _data(), with_keys=not given.without_keys, as_json=given.json)


def _init(given: argparse.Namespace, url: str) -> int:
    found = _remains(url)
    if path := stores.sqlite_path(url):
        if not stores.is_begun(path):
            refuse_to_begin(str(path), found)
        _open_file(path)
    else:
        admin = _admin(given)
        left = postgres.left_without_log(url, admin)
        if left is not None:
            refuse_to_begin(stores.shown(url), [*found, *left])
        _say_all(postgres.init(url, admin))
    return _status(given, url)


def _remains(url: str) -> list[str]:
    """What shows that there was this log; nothing where the settings' log is another one: this may be for keys only."""
    own = stores.from_settings(os.environ, _data())
    file = stores.sqlite_path(own)
    is_another = own != url and (file is None or stores.is_begun(file))
    return [] if is_another else Remains.read(os.environ, _data()).found()


def _upgrade(given: argparse.Namespace, url: str) -> int:
    if path := stores.sqlite_path(url):
        if not sqlite.status(path).schema:
            raise NoLogError.without_tables(path)
        _open_file(path)
    else:
        _say_all(postgres.upgrade(url, _admin(given)))
    return _status(given, url)


def _open_file(path: Path) -> None:
    make_folder(path.parent)
    DatabaseFile(path, busy_timeout=5.0)


def _rotate(_: argparse.Namespace, url: str) -> int:
    keys = stores.open_keys(stores.KeySettings.read(os.environ, _data(), url))
    keys.begin()
    count = keys.rotate()
    _say(f"wrapped {count:,} key{'' if count == 1 else 's'} anew; copy {keys.kek_file} to wherever else it is needed")
    return 0


def _rotate_payload_key(*_: object) -> int:
    file = payload_key_file(path_from(os.environ, _data()))
    new = list(key_writing.add(file))[-1]
    _say(f"added {new}; copy {file.path} to wherever else it is needed, then start the processes anew")
    return 0


def _replace_payload_key(_: argparse.Namespace, url: str) -> int:
    return asyncio.run(_replaced(url))


async def _replaced(url: str) -> int:
    file = payload_key_file(path_from(os.environ, _data()))
    log = await stores.open_log(url)
    try:
        new, lost = await payload_key.replace(log, file)
    finally:
        await log.close()
    _say(f"began with {new}; copy {file.path} to wherever else it is needed, then start the processes anew")
    if lost:
        _say(f"what Temporal keeps under {lost} cannot be read any more")
    return 0


def _data() -> Path:
    return Path(os.environ.get("CASETRAIL_DATA") or "data")


def _admin(given: argparse.Namespace) -> str:
    admin: str = given.admin or os.environ.get(_ADMIN) or ""
    if not admin:
        raise ValueError(
            f"this takes an administrator's role: name its URL by --admin or {_ADMIN}, "
            "for example postgresql://postgres:PASSWORD@HOST/postgres"
        )
    return admin


def _status(_: argparse.Namespace, url: str) -> int:
    path = stores.sqlite_path(url)
    state = sqlite.status(path) if path else postgres.status(url)
    _say(f"log       {stores.shown(url)}")
    _say(f"database  {state.database}")
    _say(f"schema    {state.schema or 'none'} (this Casetrail: {state.newest})")
    if not state.schema:
        refuse_to_begin(stores.shown(url), _remains(url))
    else:
        _say(f"id        {state.log}")
        _say(f"events    {state.events}")
    for warning in state.warnings:
        _say(f"warning   {warning}")
    if state.advice:
        _say(f"to do     {state.advice}")
        return 1
    return 0


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")


def _say_all(lines: Iterable[str]) -> None:
    for words in lines:
        _say(words)


_COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace, str], int]]] = {
    "init": _init,
    "upgrade": _upgrade,
    "status": _status,
    "verify": _verify,
    "rotate-kek": _rotate,
    "rotate-payload-key": _rotate_payload_key,
    "replace-payload-key": _replace_payload_key,
}


if __name__ == "__main__":
    sys.exit(main())
