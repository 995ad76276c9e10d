"""The writer: one task that writes what many callers want in one transaction (group commit).

A commit waits for the disk, and the log's head is one row that every process locks, so the price of both is shared:
while one group is being written the next one gathers. Each batch is decided for itself, in the order of arrival, from
what holds under the lock: other processes write too.

A group takes two ways to the server and back, however many batches it has: one that locks and reads, and one that
writes and commits. Positions are given under the lock, which ends with the commit: so they are gapless, and who reads
them in their order can never pass by one that is committed later.

A process that appends alone takes one way. It decides by what it remembers from its own last commit; the server locks,
compares, writes and commits. Where the log is not as it was remembered, or a key is there already, the server refuses
the whole, and the group takes the two ways.

A connection may break at any moment. Before the commit was on its way, nothing has happened, and the group is written
on a new connection. After that it may have been committed: the new connection looks. Where there is none, callers are
told that they must ask again with the same key.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import psycopg

from audit import questions
from audit.furthest import Furthest
from audit.group import ARCHIVED, Fate, Group, Head, PreparedBatch, Tip, Written, besides
from audit.log import LOG_ITSELF, ArchivingRefusedError, LogDamagedError, LogUnavailableError
from audit.merkle import Frontier
from audit.postgres import rows, schema
from audit.postgres.reading import Row, placeholders
from audit.postgres.server import Connection, Server, is_broken
from audit.questions import Answer, Question

_LARGEST_GROUP: Final = 256
_MOST_TIPS: Final = 50_000  # cases whose last event is remembered

_LOCK = "SELECT log, size, frontier FROM log_head FOR UPDATE"
# A statement of its own: the one that waits for the lock still sees the rows from before the wait.
_LAST = "SELECT recorded_at FROM event ORDER BY pos DESC LIMIT 1"
_TIPS = """
  SELECT case_id, seq, leaf_hash, opened FROM case_index WHERE case_id = ANY(%(cases)s)
  UNION ALL
  SELECT case_id, %(archived)s, leaf_hash, opened FROM archived WHERE case_id = ANY(%(cases)s) AND restored IS NULL
"""
_TIP_OF_LOG = "SELECT case_id, seq, leaf_hash, 0 FROM event WHERE case_id = %s ORDER BY seq DESC LIMIT 1"
_KEYS = """
  SELECT case_id, key FROM unnest(%s::text[], %s::text[]) AS asked (case_id, key)
  CROSS JOIN LATERAL (
    SELECT FROM event
    WHERE event.case_id = asked.case_id AND hashtextextended(event.key, 0) = hashtextextended(asked.key, 0)
      AND event.key = asked.key AND ordinal = 0
    LIMIT 1
  ) AS known
"""

_ERASED = "SELECT dek_id FROM erased_key WHERE dek_id = ANY(%s::text[])"

# What is acknowledged is on the disk, whatever the server was set to; a stricter setting stays.
_DURABLE: Final = """
  SELECT set_config('synchronous_commit', 'on', FALSE)
  WHERE current_setting('synchronous_commit') IN ('off', 'local')
"""
# A plan is made once and kept while the log grows: it must not read a table that was small then from end to end.
_BY_INDEX: Final = """
  SELECT set_config(name, value, FALSE) FROM (VALUES
    ('enable_seqscan', 'off'), ('jit', 'off'), ('plan_cache_mode', 'force_generic_plan')
  ) AS setting (name, value)
"""
# The frontier stands for all that was ever written. Where it is another one, dividing by zero ends the transaction.
_HEAD_IF: Final = """
  WITH moved AS (
    UPDATE log_head SET size = %s, frontier = %s WHERE (size, frontier, log) = (%s, %s, %s) RETURNING 1
  )
  SELECT 1 / count(*) FROM moved
"""
_OTHERWISE: Final = (psycopg.IntegrityError, psycopg.errors.DivisionByZero)
"""What the server says when the log is not as it was remembered."""


class Errand(NamedTuple):
    """Something small to be done in the group's transaction; its answers come in the same order."""

    changes: Sequence[Question]


class _Waiting(NamedTuple):
    task: PreparedBatch | Errand
    answer: asyncio.Future[Any]


class _Underway(NamedTuple):
    """A group whose commit was asked for and not answered."""

    group: Group
    fates: Sequence[Fate]


class Writer:
    """Writes batches and errands, in groups.

    Attributes:
        groups: How many transactions it has committed.
    """

    def __init__(self, server: Server, *, clock: Callable[[], int], on_growth: Callable[[], None]) -> None:
        """Start the task.

        Args:
            server: Where to write.
            clock: The real time in microseconds since 1970.
            on_growth: Called after each commit that added events.
        """
        self.groups = 0
        self._server = server
        self._clock = clock
        self._on_growth = on_growth
        self._waiting: deque[_Waiting] = deque()
        self._wanted = asyncio.Event()
        self._stopping = False
        self._connection: Connection | None = None
        self._underway: _Underway | None = None
        self._memory = _Memory()
        self._furthest = Furthest(server.name)
        self._task = asyncio.create_task(self._run(), name="log-writer")

    def submit(self, task: PreparedBatch | Errand) -> asyncio.Future[Any]:
        """Queue something; the future gets its fate, or the log's error. A caller that gives up disturbs nobody."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(task, answer))
        self._wanted.set()
        return answer

    async def stop(self) -> None:
        """Write what is queued, then end."""
        self._stopping = True
        self._wanted.set()
        await self._task

    async def _run(self) -> None:
        while not (self._stopping and not self._waiting):
            if not self._waiting:
                self._wanted.clear()
                await self._wanted.wait()
                continue
            await self._write([self._waiting.popleft() for _ in range(min(len(self._waiting), _LARGEST_GROUP))])
        await self._disconnect()

    async def _write(self, group: list[_Waiting]) -> None:
        try:
            fates = await self._written([waiting.task for waiting in group])
        except (psycopg.IntegrityError, psycopg.DataError) as misfit:
            await self._disconnect()
            await self._write_apart(group, misfit)
        except psycopg.Error as error:
            await self._disconnect()
            _tell(group, [self._server.translated(error)] * len(group))
        except Exception as error:  # noqa: BLE001 - else its callers would wait for ever, and the writer be dead
            await self._disconnect()
            _tell(group, [error] * len(group))
        else:
            self.groups += 1
            _tell(group, fates)
            if any(isinstance(fate, Written) for fate in fates):
                self._on_growth()

    async def _write_apart(self, group: list[_Waiting], misfit: psycopg.Error) -> None:
        """One task of the group breaks a rule of the tables: the others must not suffer for it."""
        if len(group) > 1:
            for waiting in group:
                await self._write([waiting])
            return
        _tell(group, [self._refusal(misfit)])

    def _refusal(self, misfit: psycopg.Error) -> Exception:
        if isinstance(misfit, psycopg.DataError):
            return ValueError(f"PostgreSQL cannot hold this: {misfit}")
        if ArchivingRefusedError.is_meant_by(misfit.diag.message_primary or ""):
            return ArchivingRefusedError(misfit.diag.message_primary or "")
        if misfit.diag.constraint_name == "event_first":
            return ValueError(f"the case has an event under this key already ({misfit.diag.message_detail})")
        return LogDamagedError(f"the log {self._server.name} contradicts itself ({misfit}): run `casetrail-db verify`")

    async def _written(self, tasks: Sequence[PreparedBatch | Errand]) -> list[Any]:
        """Write a group; where the connection breaks, find out on a new one what became of it, or write it there."""
        self._underway = None
        try:
            return await self._transaction(await self._connected(), tasks)
        except psycopg.OperationalError as broken:
            if self._connection is None or not is_broken(self._connection, broken):
                raise
            await self._disconnect()
            try:
                return await self._written_after_all(tasks)
            except (psycopg.OperationalError, LogUnavailableError) as error:
                if self._underway is None:
                    raise
                raise LogUnavailableError(
                    f"the connection to the log {self._server.name} broke during a commit, and whether it was written "
                    f"is not known: ask again with the same request id ({_in_a_line(broken)}; and then: "
                    f"{_in_a_line(error)})",
                ) from error

    async def _written_after_all(self, tasks: Sequence[PreparedBatch | Errand]) -> list[Any]:
        connection = await self._connected()
        underway = self._underway
        if underway is None or not await self._holds(connection, underway.group):
            self._underway = None
            return await self._transaction(connection, tasks)
        done = await self._transaction(connection, [task for task in tasks if isinstance(task, Errand)])
        return _in_order(tasks, underway.fates, done)

    async def _holds(self, connection: Connection, group: Group) -> bool:
        """Whether a group was committed. The lock waits for the connection that broke, if the server still has it."""
        with self._server.deadline(connection):
            async with connection.transaction():
                await connection.execute(_LOCK)
                found = await connection.execute("SELECT leaf_hash FROM event WHERE pos = %s", (group.head.size,))
                row = await found.fetchone()
        return row is not None and bool(group.events) and row[0] == group.events[-1].leaf_hash

    async def _transaction(self, connection: Connection, tasks: Sequence[PreparedBatch | Errand]) -> list[Any]:
        batches = [task for task in tasks if isinstance(task, PreparedBatch)]
        errands = [task for task in tasks if isinstance(task, Errand)]
        with self._server.deadline(connection):
            fates, done = await self._at_once(connection, batches, errands) or await self._under_lock(
                connection, batches, errands
            )
        return _in_order(tasks, fates, done)

    async def _at_once(
        self, connection: Connection, batches: Sequence[PreparedBatch], errands: Sequence[Errand]
    ) -> "_Done | None":
        """Write a group as this process remembers the log; None when it is, or may be, another one."""
        group = self._memory.group(batches, self._clock())
        if group is None:
            return None
        fates = [group.decide(batch) for batch in batches]
        if not all(isinstance(fate, Written) for fate in fates):
            return None
        try:
            async with connection.pipeline():
                await connection.execute("BEGIN")
                await connection.execute(
                    _HEAD_IF, (*rows.end_of(group.head), *rows.end_of(group.before), group.before.log)
                )
                await connection.execute(
                    rows.WRITE, rows.values(group, unless_erased=[b.dek_id for b in batches if b.dek_id])
                )
                cursors = await _asked(connection, errands)
                self._underway = _Underway(group, fates)
                await connection.execute("COMMIT")
                _make_events(fates)
        except _OTHERWISE:
            self._underway = None
            self._memory.doubt()
            await connection.rollback()
            return None
        self._underway = None
        self._furthest.reached(group.head.frontier)
        self._memory.keep(group)
        return fates, await _answers(cursors)

    async def _under_lock(
        self, connection: Connection, batches: Sequence[PreparedBatch], errands: Sequence[Errand]
    ) -> "_Done":
        group = await self._read(connection, batches)
        fates = [group.decide(batch) for batch in batches]
        beside = besides(batches, fates)
        async with connection.pipeline():
            if group.events:
                await connection.execute(rows.WRITE, rows.values(group))
                for change in beside:
                    await _ask(connection, change)
                await connection.execute(rows.HEAD, rows.end_of(group.head))
            cursors = await _asked(connection, errands)
            self._underway = _Underway(group, fates)
            await connection.execute("COMMIT")
            _make_events(fates)
        self._underway = None
        self._furthest.reached(group.head.frontier)
        self._memory.learn(group)
        if beside:
            self._memory.forget()  # which cases there are has changed
        return fates, await _answers(cursors)

    async def _read(self, connection: Connection, batches: Sequence[PreparedBatch]) -> Group:
        """Begin the transaction, lock the head, and read all that its batches are decided by."""
        cases = list({batch.case_id for batch in batches})
        keyed = [batch for batch in batches if batch.key]
        async with connection.pipeline():
            await connection.execute("BEGIN")
            head = await connection.execute(_LOCK, binary=True)
            last = await connection.execute(_LAST, binary=True)
            tips = await connection.execute(_TIPS, {"cases": cases, "archived": ARCHIVED}, binary=True)
            tip_of_log = await connection.execute(_TIP_OF_LOG, (LOG_ITSELF,), binary=True)
            keys = await connection.execute(_KEYS, ([b.case_id for b in keyed], [b.key for b in keyed]), binary=True)
            erased = await connection.execute(_ERASED, ([b.dek_id for b in batches if b.dek_id],), binary=True)
        found = [*await tips.fetchall(), *await tip_of_log.fetchall()]
        return Group(
            self._head(await head.fetchall(), await last.fetchall()),
            {case_id: Tip(*tip) for case_id, *tip in found},
            {(case_id, key) for case_id, key in await keys.fetchall()},
            {key_id for (key_id,) in await erased.fetchall()},
            self._clock(),
        )

    def _head(self, heads: Sequence[Row], last: Sequence[Row]) -> Head:
        log, size, frontier = questions.head_of(heads)
        try:
            head = Head(log, size, last[0][0] if last else 0, Frontier.parse(size, frontier))
        except ValueError as error:
            raise LogDamagedError(
                f"the log {self._server.name} contradicts itself ({error}): run `casetrail-db verify`"
            ) from error
        self._furthest.reached(head.frontier)
        return head

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = await self._server.connect(patience=self._server.timeouts.patience)
            await schema.check(self._connection, self._server.name)  # an upgrade may be why the old one broke
            await self._connection.execute(_DURABLE)
            await self._connection.execute(_BY_INDEX)
        return self._connection

    async def _disconnect(self) -> None:
        """Let go of the connection, and with it of an unfinished transaction; the next group begins anew."""
        connection, self._connection = self._connection, None
        self._memory.forget()
        if connection is not None:
            await connection.close()  # the server ends the transaction, also where this no longer reaches it


class _Memory:
    """How this process left the log: where it ended, and where its cases did.

    It is believed while nobody else appends. A process that finds the log moved believes nothing until it has found it
    as it left it.
    """

    def __init__(self) -> None:
        self._left: Head | None = None
        self._believed = False
        self._tips: dict[str, Tip] = {}

    def group(self, batches: Sequence[PreparedBatch], now: int) -> Group | None:
        """A group that follows what was left; None where that is not enough to decide these batches."""
        if self._left is None or not self._believed or not batches:
            return None
        # A case that is not remembered can only be new: if it is not, the tables refuse its first event.
        if any(batch.besides or (batch.case_id not in self._tips and batch.expected_seq) for batch in batches):
            return None
        return Group(self._left, self._tips, set(), set(), now)

    def keep(self, group: Group) -> None:
        """The group was written, and nobody else wrote before it."""
        if len(self._tips) > _MOST_TIPS:
            self._tips.clear()
        self._left = group.head
        self._tips |= group.tips

    def learn(self, group: Group) -> None:
        """The group was written, after what was found."""
        self._believed = self._left is None or self._left == group.before
        if not self._believed:
            self._tips.clear()
        self.keep(group)

    def doubt(self) -> None:
        """Something may not be as it is remembered; whether it is the log's end will be seen under the lock."""
        self._believed = False

    def forget(self) -> None:
        """Nothing that is remembered needs to hold."""
        self._left = None
        self._tips.clear()


_Done = tuple[Sequence[Fate], Sequence[list[Answer]]]
"""What became of batches, and the answers of errands."""


def _make_events(fates: Sequence[Fate]) -> None:
    """Make what callers are answered with, in the time that the server takes to commit."""
    for fate in fates:
        if isinstance(fate, Written):
            _ = fate.events


_Asked = Sequence[Sequence[psycopg.AsyncCursor[Row]]]


async def _asked(connection: Connection, errands: Sequence[Errand]) -> _Asked:
    return [[await _ask(connection, change) for change in errand.changes] for errand in errands]


async def _ask(connection: Connection, change: Question) -> psycopg.AsyncCursor[Row]:
    return await connection.execute(placeholders(change.text), change.values, binary=True)


async def _answers(asked: _Asked) -> list[list[Answer]]:
    return [[await _answer_of(cursor) for cursor in cursors] for cursors in asked]


async def _answer_of(cursor: psycopg.AsyncCursor[Row]) -> Answer:
    return Answer(await cursor.fetchall() if cursor.description else [], cursor.rowcount)


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _in_order(tasks: Sequence[PreparedBatch | Errand], fates: Sequence[Fate], done: Sequence[Any]) -> list[Any]:
    """What became of batches and errands, in the order in which they were asked for."""
    answers = {True: iter(fates), False: iter(done)}
    return [next(answers[isinstance(task, PreparedBatch)]) for task in tasks]


def _tell(group: Sequence[_Waiting], answers: Sequence[Any]) -> None:
    for waiting, value in zip(group, answers, strict=True):
        if waiting.answer.done():
            continue
        if isinstance(value, Exception):
            waiting.answer.set_exception(value)
        else:
            waiting.answer.set_result(value)
