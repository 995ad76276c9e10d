"""Verifying looks at the signatures of all that the log has published: who owns the database has not its keys."""

from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pysqlite3.dbapi2 as sqlite
import pytest
import pytest_asyncio

from audit.key_changes import change_statement
from audit.log import Checkpoint, Verification
from audit.own_events import record
from audit.publishing import Publisher
from audit.signing import KeyRefusedError, Notary
from audit.sqlite import SqliteLog
from audit.verification import signatures
from audit.verification.kept_outside import KeptOutside
from audit.verification.signatures import Signers
from casetrail.proof.note import LOG_KEY, WITNESS_KEY, SignedNote, SigningKey, TreeNote, VerifierKey, signed
from casetrail.v1.event_pb2 import LogSealed, SigningKeyChanged
from casetrail.v1.types_pb2 import Actor, Role
from tests.audit.given import Writer, note, opening

ADMIN = Actor(name="ada", role=Role.ROLE_ADMIN)


class Published(NamedTuple):
    """A log of five events with a checkpoint of each; the fourth one changes its key. Its last one is witnessed.

    Attributes:
        old: The private key that it began with.
    """

    log: SqliteLog
    notary: Notary
    old: SigningKey
    witness: SigningKey

    async def verify(self, *keys: VerifierKey) -> Verification:
        """Check it; with its own keys where no others are given."""
        signers = Signers(keys or self.notary.keys, [self.witness.verifier])
        return await self.log.verify(outside=KeptOutside(None, signers))

    async def body(self, size: int) -> str:
        (checkpoint,) = await self.log.checkpoints(after_size=size - 1, limit=1)
        return SignedNote.parse(checkpoint.note).tree.body

    async def sign_again(self, size: int, *lines: str) -> None:
        """Replace the signatures of a checkpoint in the database."""
        text = f"{await self.body(size)}\n{''.join(lines)}"
        self.as_owner("checkpoint", "UPDATE checkpoint SET note = ? WHERE size = ?", text, size)

    def as_owner(self, table: str, statement: str, *values: object) -> None:
        with closing(sqlite.connect(self.log.path, isolation_level=None)) as other:
            for (name,) in other.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)
            ).fetchall():
                other.execute(f"DROP TRIGGER {name}")
            other.execute(statement, values)


@pytest_asyncio.fixture
async def published(tmp_path: Path) -> AsyncIterator[Published]:
    log = SqliteLog(tmp_path / "log.db")
    notary = await Notary.open(log, tmp_path / "keys")
    publisher = Publisher(log, notary)
    made = Published(
        log,
        notary,
        SigningKey.parse((tmp_path / "keys" / "log.key").read_text()),
        SigningKey.generate("w1", WITNESS_KEY),
    )
    writer = Writer(log, "INQ-1")
    await writer.write(opening(), key="open")
    await publisher.publish()
    for number in range(2):
        await writer.write(note(), key=f"k{number}")
        await publisher.publish()
    await notary.change_key(request_id="r1", actor=ADMIN)
    await publisher.publish()
    await writer.write(note(), key="last")
    await publisher.publish()
    await log.keep_cosignature(5, "w1", made.witness.cosign(await made.body(5), 1_790_000_000))
    yield made
    await log.close()


def found(verification: Verification) -> list[tuple[str, int]]:
    return [(finding.reason, finding.position) for finding in verification.findings]


@pytest.mark.parametrize("at_once", [1, 2, 4000])
async def test_a_log_that_signed_all_that_it_published_holds_also_across_a_change_of_key(
    published: Published, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(signatures, "_AT_ONCE", at_once)
    verification = await published.verify()
    assert (verification.findings, verification.checkpoints) == ((), 5)


async def test_each_checkpoint_is_looked_at_once_by_however_many_threads(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signatures, "_IN_A_THREAD", 2)
    theirs = SigningKey.generate(published.notary.origin)
    for size in (1, 3, 5):
        await published.sign_again(size, theirs.line(await published.body(size)))
    assert found(await published.verify()) == [("CHECKPOINT_UNSIGNED", size) for size in (1, 3, 5)]


async def test_what_else_happens_to_a_log_changes_no_key(published: Published) -> None:
    await record(published.log, LogSealed(), key="seal 2026-11-22", actor=ADMIN)
    assert found(await published.verify()) == []


async def test_an_event_of_the_log_itself_that_cannot_be_read_is_found_and_stops_nothing(published: Published) -> None:
    await record(published.log, LogSealed(), key="seal 2026-11-22", actor=ADMIN)
    published.as_owner("event", "UPDATE event SET payload = ? WHERE pos = 6", b"\xff")
    assert found(await published.verify()) == [("PAYLOAD_CHANGED", 6)]


async def test_a_log_that_was_verified_without_its_keys_claims_no_signature(published: Published) -> None:
    assert (await published.log.verify()).checkpoints == 0


Lines = Callable[[Published, str], list[str]]


@pytest.mark.parametrize(
    "lines",
    [
        lambda given, body: [given.old.line(body.replace("\n2\n", "\n3\n"))],
        lambda given, body: [SigningKey.generate(given.notary.origin).line(body)],
        lambda given, body: [given.witness.cosign(body, 1)],
        lambda given, body: [given.old.line(body)] * 2,
        lambda given, body: [given.old.line(body), given.old.line(f"{body}more\n")],
    ],
    ids=["of something else", "by another key of its name", "by a witness alone", "twice", "also of something else"],
)
async def test_a_checkpoint_without_exactly_one_signature_of_the_log_that_holds_is_found(
    published: Published, lines: Lines
) -> None:
    await published.sign_again(2, *lines(published, await published.body(2)))
    verification = await published.verify()
    assert found(verification) == [("CHECKPOINT_UNSIGNED", 2)]
    (finding,) = verification.findings
    assert finding.message == (f"the checkpoint of 2 events has no valid signature of {published.old.verifier.short}")


async def test_the_signature_of_a_key_that_was_changed_holds_for_nothing_later(published: Published) -> None:
    for size in (4, 5):
        await published.sign_again(size, published.old.line(await published.body(size)))
    assert found(await published.verify()) == [("CHECKPOINT_UNSIGNED", 4), ("CHECKPOINT_UNSIGNED", 5)]


async def test_a_signature_that_cannot_be_read_is_found(published: Published) -> None:
    await published.sign_again(3, "— who knows\n")
    assert found(await published.verify()) == [("CHECKPOINT_MALFORMED", 3)]


async def test_a_witness_signature_of_something_else_is_found(published: Published) -> None:
    line = published.witness.cosign(await published.body(3), 1_790_000_000)
    published.as_owner("cosignature", "UPDATE cosignature SET line = ?", line)
    assert found(await published.verify()) == [("WITNESS_SIGNATURE_WRONG", 5)]


async def test_the_signature_of_a_witness_that_is_not_known_says_nothing(published: Published) -> None:
    stranger = SigningKey.generate("w2", WITNESS_KEY)
    await published.log.keep_cosignature(4, "w2", stranger.cosign("something else\n", 1))
    assert (await published.verify()).findings == ()


async def test_a_log_that_was_begun_with_another_key_than_is_known_is_found(published: Published) -> None:
    stranger = SigningKey.generate(published.notary.origin).verifier
    reasons = [reason for reason, _ in found(await published.verify(stranger))]
    assert sorted(reasons) == ["CHECKPOINT_UNSIGNED"] * 5 + ["KEY_CHANGE_WRONG"]


async def test_another_log_than_that_of_the_keys_is_said_once(published: Published) -> None:
    stranger = SigningKey.generate("casetrail/ffffffffffffffffffffffffffffffff").verifier
    (finding,) = (await published.verify(stranger)).findings
    assert (finding.reason, stranger.name in finding.message) == ("LOG_FOREIGN", True)


@pytest.mark.parametrize("wrong", ["old_key", "new_key", "signature", "new_signature", "named", "kind"])
async def test_a_change_of_key_that_does_not_hold_is_found_with_what_its_key_signs(
    published: Published, tmp_path: Path, wrong: str
) -> None:
    """As somebody writes it who has the database, and brings a key of their own."""
    log, notary = published.log, published.notary
    current = SigningKey.parse((tmp_path / "keys" / "log.key").read_text())
    theirs = SigningKey.generate(
        "casetrail/theirs" if wrong == "new_key" else notary.origin, WITNESS_KEY if wrong == "kind" else LOG_KEY
    )
    before = published.old if wrong == "old_key" else current
    statement = change_statement(notary.origin, before.verifier, theirs.verifier)
    change = SigningKeyChanged(
        old_key=str((published.old if wrong == "named" else before).verifier),
        new_key=str(theirs.verifier),
        signature=(theirs if wrong == "signature" else before).sign(statement),
        new_signature=(current if wrong == "new_signature" else theirs).sign(statement),
    )
    await record(log, change, key="r2")
    head = await log.tree_head()
    tree = TreeNote(notary.origin, head.size, head.root)
    await log.keep_checkpoint(Checkpoint(head.size, head.root, signed(tree, [theirs.line(tree.body)]), 1))

    assert sorted(found(await published.verify())) == [("CHECKPOINT_UNSIGNED", 6), ("KEY_CHANGE_WRONG", 6)]

    (tmp_path / "keys" / "log.key").write_text(theirs.secret)
    with pytest.raises(KeyRefusedError):
        await Notary.open(log, tmp_path / "keys")
    assert str(theirs.verifier) not in (tmp_path / "keys" / "log.vkey").read_text()
