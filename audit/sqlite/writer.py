"""The writer: one thread that writes what many callers want in one transaction (group commit).

A commit waits for the disk, so its price is shared: while one group is being written the next one gathers. Each batch
is decided for itself, in the order of arrival: written, known before, or behind. Callers are answered after the commit,
a whole group with one wake-up of the event loop.

Other processes may write to the same file. What the writer remembers of cases is therefore checked at the start of each
transaction: it holds as long as the log has the size that this writer left it with.

Python's interpreter lock is given up at every step of a statement, and a busy event loop is slow to hand it back. So a
group takes a fixed number of statements, with many rows in each, however many batches it has.
"""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import pysqlite3.dbapi2 as sqlite

from audit import questions
from audit.envelope import EVENT_COLUMNS
from audit.furthest import Furthest
from audit.group import (
    ARCHIVED,
    INDEX_COLUMNS,
    INDEX_CONFLICT,
    NEED_COLUMNS,
    NEED_CONFLICT,
    Group,
    Head,
    PreparedBatch,
    Tip,
    Written,
    besides,
)
from audit.log import LOG_ITSELF, ArchivingRefusedError, LogDamagedError
from audit.merkle import Frontier
from audit.questions import Question
from audit.sqlite import reading
from audit.sqlite.file import Connection, DatabaseFile

_LARGEST_GROUP: Final = 256
_MOST_ROWS: Final = 64  # in one statement
_MOST_TIPS: Final = 50_000  # cases whose last event is remembered

EVENT: Final = f"INSERT INTO event ({EVENT_COLUMNS}) VALUES"
"""Writes events, when their values are told."""

_SUBTREE = "INSERT INTO subtree VALUES"
_INDEX = f"INSERT INTO case_index ({', '.join(INDEX_COLUMNS)}) VALUES"
_NEED = f"INSERT INTO need ({', '.join(NEED_COLUMNS)}) VALUES"
_TIPS = "SELECT case_id, seq, leaf_hash, opened FROM case_index WHERE case_id IN"
_ARCHIVED_TIPS = "SELECT case_id, ?, leaf_hash, opened FROM archived WHERE restored IS NULL AND case_id IN"
_KNOWN_KEYS = "SELECT case_id, key FROM event WHERE ordinal = 0 AND (case_id, key) IN"


class Errand(NamedTuple):
    """Something small to be done in the group's transaction."""

    run: Callable[[Connection], Any]


class _Waiting(NamedTuple):
    task: PreparedBatch | Errand
    answer: asyncio.Future[Any]


class Writer:
    """Writes batches and errands, in groups.

    Attributes:
        groups: How many transactions it has committed.
    """

    def __init__(self, file: DatabaseFile, *, clock: Callable[[], int], on_growth: Callable[[], None]) -> None:
        """Start the thread.

        Args:
            file: Where to write.
            clock: The real time in microseconds since 1970.
            on_growth: Called in the event loop after each commit that added events.
        """
        self.groups = 0
        self._file = file
        self._clock = clock
        self._on_growth = on_growth
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._connection: Connection | None = None
        self._head = Head("", -1, 0, Frontier())
        self._furthest = Furthest(str(file.path))
        self._tips: dict[str, Tip] = {}
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def submit(self, task: PreparedBatch | Errand) -> asyncio.Future[Any]:
        """Queue something; the future gets its fate, or the log's error. A caller that gives up disturbs nobody."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Waiting(task, answer))
        return answer

    def stop(self) -> None:
        """Write what is queued, then end. Blocks until it is done."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        going_on = True
        while going_on:
            group, going_on = self._gather()
            if group:
                self._write(group)
        self._disconnect()

    def _gather(self) -> tuple[list[_Waiting], bool]:
        """Wait for one task and take all that wait with it; False when the last one has been taken."""
        group: list[_Waiting] = []
        while len(group) < _LARGEST_GROUP:
            try:
                task = self._waiting.get(block=not group)
            except queue.Empty:
                break
            if task is None:
                return group, False
            group.append(task)
        return group, True

    def _write(self, group: list[_Waiting]) -> None:
        try:
            with self._file.errors():
                fates = self._transaction([waiting.task for waiting in group])
        except sqlite.IntegrityError as conflict:
            self._disconnect()
            self._write_apart(group, conflict)
        except Exception as error:  # noqa: BLE001 - else its callers would wait for ever, and the writer be dead
            self._disconnect()
            _answer(group, [error] * len(group))
        else:
            self.groups += 1
            grown = any(isinstance(fate, Written) for fate in fates)
            _answer(group, fates, self._on_growth if grown else None)

    def _write_apart(self, group: list[_Waiting], conflict: Exception) -> None:
        """One task of the group breaks a rule of the tables: the others must not suffer for it."""
        if len(group) > 1:
            for waiting in group:
                self._write([waiting])
            return
        error: Exception = LogDamagedError(
            f"the log {self._file.path} contradicts itself ({conflict}): run `casetrail-db verify`"
        )
        if ArchivingRefusedError.is_meant_by(str(conflict)):
            error = ArchivingRefusedError(str(conflict))
        elif "event.key" in str(conflict):
            error = ValueError(f"the case has an event under this key already ({conflict})")
        _answer(group, [error])

    def _transaction(self, tasks: Sequence[PreparedBatch | Errand]) -> list[Any]:
        self._file.check_in_place()
        connection = self._connected()
        connection.execute("BEGIN IMMEDIATE")
        head = self._read_head(connection)
        batches = [task for task in tasks if isinstance(task, PreparedBatch)]
        group = Group(
            head,
            self._read_tips(connection, batches),
            _read_keys(connection, batches),
            _read_erased(connection, batches),
            self._clock(),
        )
        fates = [group.decide(batch) for batch in batches]
        beside = besides(batches, fates)
        store(connection, group, beside)
        done = [task.run(connection) for task in tasks if isinstance(task, Errand)]
        connection.execute("COMMIT")
        self._furthest.reached(group.head.frontier)
        self._head = group.head
        self._tips |= group.tips
        if beside:
            self._tips.clear()  # which cases there are has changed
        answers = {True: iter(fates), False: iter(done)}
        return [next(answers[isinstance(task, PreparedBatch)]) for task in tasks]

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._file.connect()
        return self._connection

    def _disconnect(self) -> None:
        """Let go of the connection, and with it of an unfinished transaction; the next group begins anew."""
        connection, self._connection = self._connection, None
        self._head = self._head._replace(size=-1)
        self._tips.clear()
        if connection is not None:
            connection.close()

    def _read_head(self, connection: Connection) -> Head:
        log, size, frontier = questions.head_of(reading.answer(connection, questions.head()))
        if (size, frontier) == (self._head.size, self._head.frontier.stored):
            return self._head
        self._tips.clear()
        last = connection.execute("SELECT recorded_at FROM event WHERE pos = ?", (size,)).fetchall()
        try:
            head = Head(log, size, last[0][0] if last else 0, Frontier.parse(size, frontier))
        except ValueError as error:
            raise LogDamagedError(
                f"the log {self._file.path} contradicts itself ({error}): run `casetrail-db verify`"
            ) from error
        self._furthest.reached(head.frontier)
        return head

    def _read_tips(self, connection: Connection, batches: Iterable[PreparedBatch]) -> dict[str, Tip]:
        if len(self._tips) > _MOST_TIPS:
            self._tips.clear()
        unknown = list({batch.case_id for batch in batches if batch.case_id not in self._tips})
        if unknown:
            marks = ", ".join("?" * len(unknown))
            found = connection.execute(
                f"{_TIPS} ({marks}) UNION ALL {_ARCHIVED_TIPS} ({marks})",
                [*unknown, ARCHIVED, *unknown],
            ).fetchall()
            self._tips |= {case_id: Tip(*tip) for case_id, *tip in found}
        if LOG_ITSELF in unknown:
            self._tips |= _tip_of_log(connection)
        return self._tips


def _read_keys(connection: Connection, batches: Iterable[PreparedBatch]) -> set[tuple[str, str]]:
    """Which of the batches' keys are in the log already."""
    keys = [part for batch in batches if batch.key for part in (batch.case_id, batch.key)]
    if not keys:
        return set()
    pairs = ", ".join(["(?, ?)"] * (len(keys) // 2))
    return set(connection.execute(f"{_KNOWN_KEYS} (VALUES {pairs})", keys).fetchall())


def _read_erased(connection: Connection, batches: Iterable[PreparedBatch]) -> set[str]:
    """Which of the batches' encryption keys were destroyed."""
    used = list({batch.dek_id for batch in batches if batch.dek_id})
    return {key_id for (key_id,) in reading.answer(connection, questions.erased_among(used))} if used else set()


def _tip_of_log(connection: Connection) -> dict[str, Tip]:
    found = connection.execute(
        "SELECT case_id, seq, leaf_hash FROM event WHERE case_id = ? ORDER BY seq DESC LIMIT 1",
        (LOG_ITSELF,),
    ).fetchall()
    return {case_id: Tip(seq, leaf_hash, opened=0) for case_id, seq, leaf_hash in found}


def store(connection: Connection, group: Group, beside: Sequence[Question] = ()) -> None:
    """Write all rows of a group, then what is changed beside them, then the head."""
    if not group.events:
        return
    _insert(connection, EVENT, group.events)
    if group.index:
        _insert(connection, _INDEX, list(group.index.values()), INDEX_CONFLICT)
    if group.needs:
        _insert(connection, _NEED, list(group.needs.values()), NEED_CONFLICT)
    if group.unneeding:
        reading.change(connection, questions.among("DELETE FROM need WHERE", "opened", group.unneeding))
    if group.growth.subtrees:
        _insert(connection, _SUBTREE, group.growth.subtrees)
    for change in beside:
        reading.change(connection, change)
    head = group.head
    connection.execute("UPDATE log_head SET size = ?, frontier = ?", (head.size, head.frontier.stored))


def _insert(connection: Connection, into: str, rows: Sequence[tuple[Any, ...]], conflict: str = "") -> None:
    """Insert many rows with few statements."""
    row = f"({', '.join('?' * len(rows[0]))})"
    for start in range(0, len(rows), _MOST_ROWS):
        some = rows[start : start + _MOST_ROWS]
        values = [value for values in some for value in values]
        connection.execute(f"{into} {', '.join([row] * len(some))} {conflict}", values)


def _answer(group: Sequence[_Waiting], answers: Sequence[Any], then: Callable[[], None] | None = None) -> None:
    """Answer a whole group with one wake-up of its event loop."""

    def answer() -> None:
        for waiting, value in zip(group, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(value, Exception):
                waiting.answer.set_exception(value)
            else:
                waiting.answer.set_result(value)
        if then is not None:
            then()

    # A loop that was closed meanwhile has nobody left to answer.
    with contextlib.suppress(RuntimeError):
        group[0].answer.get_loop().call_soon_threadsafe(answer)
