"""Who calls: bearer tokens and the principals file.

The file, `principals.yaml`, holds no token but its SHA-256, so that reading the file lets nobody in:

    principals:
      - name: shop-backend
        roles: [service]                     # in which it acts itself
        may_act_as: [customer, agent]        # in which it may name others
        token_sha256: 5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8

It is read again whenever it changes; a change that cannot be read is reported, and the last good state stays.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from time import monotonic
from typing import Any, Final

import structlog
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Role
from domain.refusal import Rejected
from domain.words import word
from engine.file_mark import mark

_SHA256_HEX: Final = 64
_KEYS: Final = frozenset({"name", "roles", "may_act_as", "token_sha256"})
# Nobody outside is the engine itself.
_NOT_FOR_CALLERS: Final = frozenset({Role.ROLE_UNSPECIFIED, Role.ROLE_SYSTEM})

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class PrincipalsError(Exception):
    """The principals file cannot be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that we know.

    Attributes:
        name: As the audit log will name it.
        roles: In which it acts itself.
        may_act_as: In which it may name somebody else as the actor.
        token_sha256: Of its token, hex.
    """

    name: str
    roles: frozenset[Role.ValueType]
    may_act_as: frozenset[Role.ValueType]
    token_sha256: str = field(repr=False)


class Principals:
    """The principals of a file, as it is now."""

    def __init__(self, path: Path, *, look_every: float = 1.0) -> None:
        """Read the file.

        Args:
            path: The file.
            look_every: Seconds after which a change counts at the latest.

        Raises:
            PrincipalsError: It cannot be used.
        """
        self._path = path
        self._look_every = look_every
        self._look_again_at = 0.0
        self._seen = mark(path)
        self._principals = load(path)

    def authenticate(self, metadata: Iterable[tuple[str, str | bytes]]) -> Principal:
        """Find who makes a call, by its `authorization: Bearer TOKEN`.

        Raises:
            Rejected: There is no token, or nobody has it.
        """
        self._refresh()
        given = sha256(_token(metadata).encode()).hexdigest()
        found = None
        for principal in self._principals:  # all of them: how long it takes must not say how far one came
            if compare_digest(principal.token_sha256, given):
                found = principal
        if found is None:
            raise _unknown("nobody has this token")
        return found

    def _refresh(self) -> None:
        # Not on every call: the system call hands the interpreter's lock to the log's writer, and waits to get it back.
        if monotonic() < self._look_again_at:
            return
        self._look_again_at = monotonic() + self._look_every
        seen = mark(self._path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._principals = load(self._path)
        except PrincipalsError as error:
            _log.error("principals file not taken, the last good state stays", why=str(error))
        else:
            _log.info("principals file read again", principals=len(self._principals))


def load(path: Path) -> Sequence[Principal]:
    """Read a principals file.

    Raises:
        PrincipalsError: It cannot be read, or says something that it must not.
    """
    try:
        content = YAML(typ="safe").load(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError, YAMLError) as error:
        raise PrincipalsError(f"{path} cannot be read: {error}") from error
    entries = content.get("principals") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise PrincipalsError(f"{path}: a list `principals:` is missing")
    principals = [_principal(entry, f"{path}: principals[{n}]") for n, entry in enumerate(entries)]
    for attribute in ("name", "token_sha256"):
        values = [getattr(principal, attribute) for principal in principals]
        if len(set(values)) < len(values):
            raise PrincipalsError(f"{path}: two principals have the same {attribute}")
    return principals


def _principal(entry: Any, where: str) -> Principal:  # noqa: ANN401 - whatever the file holds
    if not isinstance(entry, dict):
        raise PrincipalsError(f"{where} is no mapping")
    if strange := sorted(set(map(str, entry)) - _KEYS):
        raise PrincipalsError(f"{where} has an unknown key {strange[0]!r}, not {', '.join(sorted(_KEYS))}")
    name, digest = entry.get("name"), entry.get("token_sha256")
    if not isinstance(name, str) or not name:
        raise PrincipalsError(f"{where}.name is missing")
    if not isinstance(digest, str) or len(digest) != _SHA256_HEX or set(digest) - set("0123456789abcdef"):
        raise PrincipalsError(f"{where}.token_sha256 must be 64 lower-case hexadecimal digits")
    roles = _roles(entry.get("roles"), f"{where}.roles")
    if not roles:
        raise PrincipalsError(f"{where}.roles is empty: it could do nothing")
    return Principal(name, roles, _roles(entry.get("may_act_as"), f"{where}.may_act_as"), digest)


def _roles(names: Any, where: str) -> frozenset[Role.ValueType]:  # noqa: ANN401 - likewise
    if not isinstance(names or [], list):
        raise PrincipalsError(f"{where} must be a list of roles")
    known = {word(Role, role): role for role in Role.values() if role not in _NOT_FOR_CALLERS}
    for name in names or []:
        if not isinstance(name, str) or name not in known:
            raise PrincipalsError(f"{where}: {name!r} is no role of a caller; known are {', '.join(known)}")
    return frozenset(known[name] for name in names or [])


def _token(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    for key, value in metadata:
        if key == "authorization":
            scheme, _, token = str(value).partition(" ")
            if scheme.lower() == "bearer" and (given := token.strip()):
                return given
            raise _unknown("the authorization must be `Bearer TOKEN`")
    raise _unknown("a call needs the metadata `authorization: Bearer TOKEN`")


def _unknown(message: str) -> Rejected:
    return Rejected(RefusalReason.REFUSAL_REASON_UNKNOWN_PRINCIPAL, message)
