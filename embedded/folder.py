"""The data folder: what the embedded stack keeps, and that only one stack uses it.

casetrail.db      the audit log: what must never be lost
keys/             what the log is signed with: as precious
keys.db, kek      what personal fields are encrypted with; payload-keys: the same for what Temporal keeps
archives/         cases that left the log: all that is left of what they said
principals.yaml   who may call; token: the secret of `local`, which may do everything
staff.yaml        whom escalations, departments' tasks and notices to users reach
temporal/         Temporal's memory: may be deleted while the stack is down
services/         the demo shop and mailbox
logs/, ports.json, lock
"""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from audit.durable import write_private

# How long a killed stack may take to let go of its folder.
_PATIENCE_SECONDS: Final = 5.0

_PRINCIPALS: Final = """\
# Who may call the engine. Add your own; a change counts within a second.
principals:
  # The person at this machine: its token is in the file `token`.
  - name: local
    roles: [service, importer, auditor, incident_lead, admin,
            agent, team_lead, supervisor, director, executive]
    may_act_as: [customer, service, importer, auditor, incident_lead, admin,
                 agent, team_lead, supervisor, director, executive]
    token_sha256: {digest}
"""
_STAFF: Final = """\
# Whom escalations reach, by role; who has none is only asked as one of a department. The embedded mailbox takes the
# mail to all of them.
people:
  - {name: amy, role: agent, email: amy@staff.example}
  - {name: ben, role: agent, email: ben@staff.example}
  - {name: chloe, role: team_lead, email: chloe@staff.example}
  - {name: daniel, role: supervisor, email: daniel@staff.example}
  - {name: erin, role: director, email: erin@staff.example}
  - {name: feng, role: executive, email: feng@staff.example}
  - {name: iris, role: incident_lead, email: iris@staff.example}
  - {name: omar, email: omar@staff.example}
  - {name: tang, email: tang@staff.example}
  - {name: lena, email: lena@staff.example}
# Who gets an incident's tasks.
departments:
  - {name: operations, people: [omar], email: operations@staff.example}
  - {name: technology, people: [tang], email: technology@staff.example}
  - {name: legal, people: [lena], email: legal@staff.example}
  - {name: customer-care, people: [chloe], email: customer-care@staff.example}
# Where an incident's notices are sent to be published; `*` takes what no other one is for.
audiences:
  - {name: all users, email: all-users@notices.example}
  - {name: "*", email: notices@notices.example}
"""


class FolderError(Exception):
    """The data folder cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A prepared data folder, held for this process and those that it starts.

    Attributes:
        path: The folder, absolute.
        lock: An open file. The folder is free again when the last process that inherited it is gone.
    """

    path: Path
    lock: int

    @classmethod
    @contextmanager
    def hold(cls, path: Path) -> Iterator["Folder"]:
        """Create what is missing, and keep other stacks out until the block ends.

        Raises:
            FolderError: Another stack uses it, or it cannot be written.
        """
        path = path.resolve()
        try:
            for folder in (path, path / "logs", path / "services", path / "temporal"):
                folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise FolderError(f"{path} cannot be used: {error.strerror}") from error
        try:
            _acquire(lock, path)
            _write_missing(path)
            yield cls(path, lock)
        finally:
            os.close(lock)

    @property
    def token(self) -> str:
        """The secret of the principal `local`."""
        return (self.path / "token").read_text().strip()

    @property
    def temporal_database(self) -> Path:
        """Where Temporal keeps what the log can give it again."""
        return self.path / "temporal" / "temporal.db"


def _acquire(lock: int, path: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                owner = os.pread(lock, 20, 0).decode().strip() or "unknown"
                raise FolderError(f"{path} is in use by another stack (process {owner})") from None
            time.sleep(0.05)  # flock knows no timeout
        else:
            break
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _write_missing(path: Path) -> None:
    if not (path / "principals.yaml").exists():
        token = secrets.token_urlsafe(32)
        write_private(path / "token", token + "\n")
        write_private(path / "principals.yaml", _PRINCIPALS.format(digest=sha256(token.encode()).hexdigest()))
    if not (path / "token").exists():
        raise FolderError(f"{path / 'token'} is missing: delete principals.yaml too, and both are made anew")
    if not (path / "staff.yaml").exists():
        (path / "staff.yaml").write_text(_STAFF)
