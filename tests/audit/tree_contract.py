"""What every store keeps of the tree. Subclassed once for each database, which gives the `log` fixture."""

import asyncio
from datetime import date

import pytest

from audit import proofs
from audit.log import LOG_ITSELF, Appended, Batch, Checkpoint, Log, LogDamagedError, Need
from audit.own_events import record
from audit.sealing import seal
from audit.signing import origin_of
from casetrail.proof.note import TreeNote
from casetrail.proof.tree import EMPTY_ROOT, check_consistency, check_inclusion
from casetrail.v1.event_pb2 import LogSealed
from tests.audit.given import Writer, note, opening
from tests.audit.test_merkle import reference_root


async def leaves_of(log: Log) -> list[bytes]:
    return [bytes.fromhex(event.hash) for event in await log.scan(limit=10_000)]


async def filled(log: Log, events: int) -> list[bytes]:
    """A log of so many events, in several commits."""
    writer = Writer(log, "INQ-1")
    await writer.write(opening(), key="open")
    while (left := events - writer.seq) > 0:
        await writer.write(*[note()] * min(left, 100), key=f"k{left}")
    return await leaves_of(log)


def checkpoint(size: int, *, root: bytes = b"\x01" * 32) -> Checkpoint:
    return Checkpoint(size, root, f"a note of {size}\n", 1_795_000_000_000_000 + size)


async def true_checkpoint(log: Log, size: int) -> Checkpoint:
    """What a log would publish of itself, its signature aside."""
    tree = TreeNote(origin_of((await log.tree_head()).log), size, await proofs.root(log, size))
    return Checkpoint(size, tree.root, f"{tree.body}\n", 1_795_000_000_000_000 + size)


class TreeContract:
    """The rules of `Log` about what can be proved with it."""

    async def test_an_empty_log_has_the_empty_tree(self, log: Log) -> None:
        head = await log.tree_head()
        assert (head.size, head.root, await proofs.root(log, 0)) == (0, EMPTY_ROOT, EMPTY_ROOT)

    async def test_the_tree_is_over_all_events_in_their_order(self, log: Log) -> None:
        writers = [Writer(log, f"INQ-{n}") for n in range(20)]
        await asyncio.gather(*(writer.write(opening(), note(), key="open") for writer in writers))
        await asyncio.gather(*(writer.write(note(), key="more") for writer in writers))
        head = await log.tree_head()
        assert (head.size, head.root) == (60, reference_root(await leaves_of(log)))

    async def test_a_commit_is_answered_with_what_it_made_of_the_tree(self, log: Log) -> None:
        writers = [Writer(log, f"INQ-{n}") for n in range(20)]
        written = await asyncio.gather(*(log.append(writer.batch(opening(), note(), key="open")) for writer in writers))
        leaves = await leaves_of(log)
        for each in written:
            assert isinstance(each, Appended)
            frontier = each.growth.frontier
            assert frontier.root == reference_root(leaves[: frontier.size])
            for event in each.events:
                check_inclusion(
                    bytes.fromhex(event.hash),
                    event.position - 1,
                    frontier.size,
                    frontier.root,
                    each.growth.inclusion(event.position),
                )

    async def test_every_tree_that_ever_was_can_be_proved(self, log: Log) -> None:
        leaves = await filled(log, 600)
        for size in (1, 2, 255, 256, 257, 511, 512, 599, 600):
            root = reference_root(leaves[:size])
            assert await proofs.root(log, size) == root
            for position in (1, size // 2 or 1, size):
                proof = await proofs.inclusion(log, position, size)
                check_inclusion(leaves[position - 1], position - 1, size, root, proof)
            proof = await proofs.consistency(log, size, 600)
            check_consistency(size, root, 600, reference_root(leaves), proof)

    async def test_subtrees_are_read_from_one_up_to_before_another(self, log: Log) -> None:
        leaves = await filled(log, 800)
        roots = [reference_root(leaves[first : first + 256]) for first in (0, 256, 512)]
        for first in range(3):
            for last in range(first, 4):
                assert await log.subtrees(1, first, last) == roots[first:last]

    async def test_many_proofs_about_one_tree_hold_each(self, log: Log) -> None:
        leaves = await filled(log, 520)
        tree, root = proofs.Tree(log, 513), reference_root(leaves[:513])
        for position in (513, 1, 2, 256, 257, 300, 301, 512):
            check_inclusion(leaves[position - 1], position - 1, 513, root, await tree.inclusion(position))
        assert await tree.root() == root

    async def test_what_is_not_in_a_tree_is_not_proved(self, log: Log) -> None:
        await filled(log, 3)
        for position, size in ((0, 3), (4, 3)):
            with pytest.raises(ValueError, match="does not hold position"):
                await proofs.inclusion(log, position, size)
        with pytest.raises(ValueError, match="does not follow"):
            await proofs.consistency(log, 3, 2)
        with pytest.raises(LogDamagedError, match="not all there"):
            await proofs.root(log, 4)

    async def test_checkpoints_are_kept_by_size_with_their_cosignatures(self, log: Log) -> None:
        assert await log.newest_checkpoint() is None
        for size in (3, 1, 7):
            await log.keep_checkpoint(checkpoint(size))
        await log.keep_cosignature(3, "w2", "second\n")
        await log.keep_cosignature(3, "w1", "first\n")
        await log.keep_cosignature(3, "w1", "another\n")
        newest = await log.newest_checkpoint()
        assert newest == checkpoint(7)
        one, three, seven = await log.checkpoints()
        assert (one, seven) == (checkpoint(1), checkpoint(7))
        assert (three.size, three.cosignatures) == (3, ("first\n", "second\n"))
        assert [each.size for each in await log.checkpoints(after_size=1, limit=1)] == [3]

    async def test_the_newest_checkpoint_that_all_witnesses_have_signed_is_found(self, log: Log) -> None:
        for size in (3, 5, 7):
            await log.keep_checkpoint(checkpoint(size))
        for size, witness in ((3, "w1"), (3, "w2"), (5, "w1"), (7, "w2")):
            await log.keep_cosignature(size, witness, f"{witness}\n")
        found = {
            names: await log.newest_checkpoint(witnesses=names) for names in (("w1",), ("w2",), ("w1", "w2"), ("w3",))
        }
        assert [each and each.size for each in found.values()] == [5, 7, 3, None]

    async def test_rows_of_chosen_cases_come_in_the_order_of_the_log(self, log: Log) -> None:
        writers = [Writer(log, f"INQ-{n}") for n in range(3)]
        for _ in range(2):
            for writer in writers:
                await writer.write(*([note()] if writer.seq else [opening()]), key=f"k{writer.seq}")
        rows = await log.rows(case_ids=["INQ-2", "INQ-0", "INQ-9"])
        assert [(row.position, row.case_id) for row in rows] == [(1, "INQ-0"), (3, "INQ-2"), (4, "INQ-0"), (6, "INQ-2")]
        assert [row.position for row in await log.rows(case_ids=["INQ-2", "INQ-0"], after_position=1, limit=2)] == [
            3,
            4,
        ]

    async def test_one_size_has_one_root(self, log: Log) -> None:
        await log.keep_checkpoint(checkpoint(3))
        await log.keep_checkpoint(checkpoint(3))
        with pytest.raises(LogDamagedError, match="another one was published"):
            await log.keep_checkpoint(checkpoint(3, root=b"\x02" * 32))
        assert await log.checkpoints() == [checkpoint(3)]

    async def test_a_checkpoint_that_a_witness_signed_and_that_is_gone_is_found(self, log: Log) -> None:
        await filled(log, 3)
        for size in (2, 3):
            await log.keep_cosignature(size, "w1", "a line\n")
            await log.keep_cosignature(size, "w2", "a line\n")
        await log.keep_checkpoint(await true_checkpoint(log, 3))
        (finding,) = (await log.verify()).findings
        assert (finding.reason, finding.position) == ("CHECKPOINT_MISSING", 2)
        assert (await log.verify("INQ-1")).findings == ()

    async def test_the_end_of_each_case_is_known_for_every_size(self, log: Log) -> None:
        b, a = Writer(log, "b"), Writer(log, "A")
        await b.write(opening(), note(), key="open")
        await a.write(opening(), key="open")
        await b.write(note(), key="more")
        await seal(log, date(2026, 11, 22))
        leaves = await leaves_of(log)
        ends = [(end.case_id, end.seq, end.leaf_hash) for end in await log.case_ends(3)]
        assert ends == [("A", 1, leaves[2]), ("b", 2, leaves[1])]
        assert [(end.case_id, end.seq) for end in await log.case_ends(5)] == [("A", 1), ("b", 3)]
        assert [end.case_id for end in await log.case_ends(2)] == ["b"]

    async def test_events_of_the_log_itself_are_chained_and_in_no_case(self, log: Log) -> None:
        writer = Writer(log, "INQ-1")
        first, again = [await record(log, LogSealed(day="2026-11-22", size=0), key="k1") for _ in range(2)]
        await writer.write(opening(), key="open")
        second, third = await asyncio.gather(
            record(log, LogSealed(day="2026-11-23"), key="k2"), record(log, LogSealed(day="2026-11-24"), key="k3")
        )
        own = await log.events(LOG_ITSELF)
        assert first == again == own[0]
        assert {second.event_id, third.event_id} == {"@log:2", "@log:3"}
        assert [event.previous_hash for event in own] == ["", own[0].hash, own[1].hash]
        assert await log.read_case(LOG_ITSELF) is None
        found = await log.verify()
        assert (found.events, found.cases, found.findings) == (4, 1, ())

    async def test_only_events_of_the_log_itself_have_no_case(self, log: Log) -> None:
        batch = Writer(log, "INQ-1").batch(opening(), key="open")
        for case_id, case in (("INQ-1", None), (LOG_ITSELF, batch.case)):
            with pytest.raises(ValueError, match="a case"):
                await log.append(
                    Batch(case_id, 0, "open", batch.digest, batch.events, case, Need(wake=None, effects=False))
                )
        assert await log.size() == 0
