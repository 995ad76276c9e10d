"""The keys of data subjects: each customer's, and of a case without a customer the case's own.

They are kept apart from the log, in a file or a schema of their own, each wrapped with the key-encryption key. A key is
there before anything is encrypted with it: what a crash leaves in between is a key that nobody needs. Keys are
remembered for a minute, and not given any more once the log says that another process destroys them; that nothing new
is written under them, the log itself sees to.
"""

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit import key_table
from audit.encryption import Key, Keys
from audit.key_encryption import KeyEncryptionKeys
from audit.key_table import Run
from casetrail.key_file import KEY_BYTES
from casetrail.v1.case_pb2 import Case

_REMEMBERED_SECONDS: Final = 60.0
_MOST_REMEMBERED: Final = 50_000
_ID_BYTES: Final = 8

T = TypeVar("T")


class KeyPlace(NamedTuple):
    """Where another process finds the keys.

    Attributes:
        url: Of their database.
        kek: The file with the key that they are wrapped with.
    """

    url: str
    kek: Path


class KeyDatabase(Protocol):
    """Where the keys are kept. Its calls block."""

    @property
    def url(self) -> str:
        """Where it is; not to be shown, since it may hold a password."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def holding(self) -> str:
        """What a SELECT ends with so that what it has read stays until the end of the transaction."""

    def within(self, work: Callable[[Run], T]) -> T:
        """Do some work in one transaction; it may be done twice where the connection breaks.

        Raises:
            LogUnavailableError: The database cannot be used.
            ValueError: It cannot hold a name.
        """

    def close(self) -> None:
        """Let go of it."""


class _Remembered(NamedTuple):
    key: Key | None
    since: float


def subject_of(case: Case) -> str:
    """Whom the personal fields of a case are about."""
    customer = case.customer.customer_id
    return customer_subject(customer) if customer else f"case:{case.case_id}"


def customer_subject(customer_id: str) -> str:
    """A customer, as a subject."""
    return f"customer:{customer_id}"


class SubjectKeys:
    """Gives keys, makes them, destroys them."""

    def __init__(self, database: KeyDatabase, keks: KeyEncryptionKeys) -> None:
        """Use a database and a file; `begin` finds out whether they fit each other."""
        self._database = database
        self._keks = keks
        self._kek_id = ""
        self._lock = threading.Lock()
        self._by_id: dict[str, _Remembered] = {}
        self._by_subject: dict[str, _Remembered] = {}
        self._destroyed: frozenset[str] = frozenset()  # as the log says
        self._wanted: dict[str, asyncio.Future[Key]] = {}
        self._making: asyncio.Task[None] | None = None

    @property
    def known_destroyed(self) -> int:
        """Of how many keys it is known here that the log says they are destroyed."""
        return len(self._destroyed)

    @property
    def name(self) -> str:
        """What errors call the keys."""
        return self._database.name

    @property
    def kek_file(self) -> Path:
        """Where the key-encryption keys are."""
        return self._keks.path

    @property
    def place(self) -> KeyPlace:
        """Where another process finds them; not to be shown."""
        return KeyPlace(self._database.url, self._keks.path.absolute())

    def are_begun(self) -> bool:
        """Whether a key-encryption key is in force, so that there may be keys."""
        return bool(self._database.within(key_table.kek_in_force))

    def begin(self) -> None:
        """Find out which key-encryption key is in force, and make the first one.

        Raises:
            LogUnavailableError: The database cannot be used, or the file has not the key that is in force.
        """
        self._kek_id = self._database.within(key_table.kek_in_force)
        if not self._kek_id:
            made = self._keks.make()
            self._kek_id = self._database.within(lambda run: key_table.put_in_force_first(run, made))
        self._keks.check(self._kek_id)

    # Giving keys

    def remembered(self, subject: str) -> Key | None:
        """The key of a subject, where it is known here and now."""
        found = self._by_subject.get(subject)
        return found.key if found is not None and _is_fresh(found) else None

    async def of(self, subject: str) -> Key:
        """The key of a subject; made when there is none. Those who ask at the same time share one transaction.

        Raises:
            LogUnavailableError: It can be neither found nor made.
        """
        if (known := self.remembered(subject)) is not None:
            return known
        wanted = self._wanted.get(subject)
        if wanted is None:
            wanted = self._wanted[subject] = asyncio.get_running_loop().create_future()
            if self._making is None:
                self._making = asyncio.create_task(self._settle_wanted(), name="subject-keys")
        return await asyncio.shield(wanted)

    async def found(self, key_ids: Iterable[str]) -> Keys:
        """Keys by their ids; None for one that is destroyed. Those that never were, and empty ids, are left out.

        Raises:
            LogUnavailableError: They cannot be read.
        """
        known, unknown = self._split(key_ids)
        return {**known, **await asyncio.to_thread(self._fetch, unknown)} if unknown else known

    def found_at_once(self, key_ids: Iterable[str]) -> Keys:
        """The same, for a thread that may wait."""
        known, unknown = self._split(key_ids)
        return {**known, **self._fetch(unknown)} if unknown else known

    # Destroying keys

    async def active(self, subject: str) -> Sequence[str]:
        """Ids of the keys of a subject that were not destroyed."""
        return await asyncio.to_thread(self._database.within, lambda run: key_table.active_ids(run, subject))

    async def destroy(self, key_ids: Sequence[str]) -> None:
        """Destroy keys, for ever. Those that are destroyed already stay so."""
        if not key_ids:
            return
        now = time.time_ns() // 1000
        await asyncio.to_thread(self._database.within, lambda run: key_table.destroy(run, key_ids, now))
        self.forget()

    def count_as_destroyed(self, key_ids: Iterable[str]) -> None:
        """Show nothing under these keys from now on: the log says that they are destroyed, or just being destroyed."""
        self._destroyed = frozenset(key_ids)
        self.forget()

    def forget(self) -> None:
        """Remember no key any more."""
        with self._lock:
            self._by_id.clear()
            self._by_subject.clear()

    # The key-encryption key

    def rotate(self) -> int:
        """Wrap all keys with a new key-encryption key; returns how many. The old one is gone afterwards.

        The file is changed only under the lock of the key in force: of two who change it at once, neither writes a file
        without the key that the other has just wrapped everything with.

        Raises:
            LogUnavailableError: It cannot be done; the old one goes on.
        """

        def rewrap(run: Run) -> int:
            key_table.hold_in_force(run)
            new = self._keks.add()
            key_table.put_in_force(run, new)
            kept = key_table.all_kept(run)
            for each in kept:
                if each.wrapped is None:
                    continue
                plain = self._keks.unwrap(each.kek_id, each.wrapped, each.about)
                key_table.keep_wrapped(run, each._replace(kek_id=new, wrapped=self._keks.wrap(new, plain, each.about)))
            return sum(each.wrapped is not None for each in kept)

        def let_go(run: Run) -> str:
            in_force = key_table.hold_in_force(run)
            self._keks.keep_only(in_force)
            return in_force

        count = self._database.within(rewrap)
        self._kek_id = self._database.within(let_go)
        return count

    async def close(self) -> None:
        """Let go of the database, after what is under way."""
        if self._making is not None:
            await asyncio.wait([self._making])
        await asyncio.to_thread(self._database.close)

    async def _settle_wanted(self) -> None:
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            await self._settle_together(wanted)
        self._making = None

    async def _settle_together(self, wanted: Mapping[str, asyncio.Future[Key]]) -> None:
        try:
            keys = await asyncio.to_thread(self._settle, list(wanted))
        except Exception as error:  # noqa: BLE001 - else its callers would wait for ever
            if len(wanted) > 1:  # one of them must not harm the others
                for subject, future in wanted.items():
                    await self._settle_together({subject: future})
                return
            for future in wanted.values():
                future.set_exception(error)
                future.exception()  # a caller that gave up has left it unread
        else:
            for subject, future in wanted.items():
                future.set_result(keys[subject])

    def _settle(self, subjects: Sequence[str]) -> Mapping[str, Key]:
        """The keys of subjects, made where there are none."""
        fresh = {subject: secrets.token_bytes(KEY_BYTES) for subject in subjects}
        while True:
            made = [self._wrapped(subject, key) for subject, key in fresh.items()]
            settle = partial(key_table.settle, made=made, kek_id=self._kek_id, holding=self._database.holding)
            try:
                kept = self._database.within(settle)
            except key_table.KekChangedError as changed:
                self._kek_id = str(changed)
            else:
                return {each.subject: self._remember(each) for each in kept}  # type: ignore[misc] # active, so a key

    def _wrapped(self, subject: str, key: bytes) -> key_table.Kept:
        new = key_table.Kept(secrets.token_hex(_ID_BYTES), subject, self._kek_id, None)
        return new._replace(wrapped=self._keks.wrap(self._kek_id, key, new.about))

    def _split(self, key_ids: Iterable[str]) -> tuple[dict[str, Key | None], list[str]]:
        known: dict[str, Key | None] = {}
        unknown: dict[str, None] = {}
        for key_id in key_ids:
            if not key_id or key_id in known:
                continue
            found = self._by_id.get(key_id)
            if key_id in self._destroyed:
                known[key_id] = None
            elif found is not None and _is_fresh(found):
                known[key_id] = found.key
            else:
                unknown[key_id] = None
        return known, list(unknown)

    def _fetch(self, key_ids: Sequence[str]) -> Keys:
        kept = self._database.within(lambda run: key_table.found(run, key_ids))
        return {each.key_id: self._remember(each) for each in kept}

    def _remember(self, kept: key_table.Kept) -> Key | None:
        key = None
        if kept.wrapped is not None:
            plain = self._keks.unwrap(kept.kek_id, kept.wrapped, kept.about)
            key = Key(kept.key_id, AESGCM(plain), renewed=kept.renewed > 0)
        remembered = _Remembered(key, time.monotonic())
        with self._lock:
            if len(self._by_id) >= _MOST_REMEMBERED:
                self._by_id.clear()
                self._by_subject.clear()
            self._by_id[kept.key_id] = remembered
            if key is not None:
                self._by_subject[kept.subject] = remembered
        return key


def _is_fresh(remembered: _Remembered) -> bool:
    return time.monotonic() - remembered.since < _REMEMBERED_SECONDS
