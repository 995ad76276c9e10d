"""An archive of a log with witnesses: nothing leaves the database before all have signed the agreement to it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from casetrail_verify import Evidence, verify
from casetrail_verify.evidence import keys
from casetrail_verify.notes import LOG_KEY, WITNESS_KEY
from server.proving import ProofSettings
from tests.server.running import Running, serving
from tests.server.test_retention import approved, carried_out, imported, proposed, refused
from tests.waiting import become_true, until
from tests.witness.standing import Standing, listening


class Witnesses:
    """Two witnesses of a log, each of which can be away."""

    def __init__(self, folder: Path) -> None:
        self._standing = {name: Standing.begin(folder / name, name=f"{name}.example") for name in ("near", "far")}
        self._urls: dict[str, str] = {}
        self._here: dict[str, ExitStack] = {}
        for name in self._standing:
            self.begin(name)

    def begin(self, name: str) -> None:
        self._here[name] = ExitStack()
        port = int(self._urls.get(name, ":0").rpartition(":")[2])
        self._urls[name] = self._here[name].enter_context(listening(self._standing[name].witness(), port))

    def end(self, name: str) -> None:
        self._here.pop(name, ExitStack()).close()

    def end_all(self) -> None:
        for name in self._standing:
            self.end(name)

    def settings(self, folder: Path) -> ProofSettings:
        lines = [f"{self._urls[name]} {each.key.verifier}\n" for name, each in self._standing.items()]
        (folder / "witnesses").write_text("".join(lines))
        return ProofSettings(folder / "keys", witnesses=folder / "witnesses")

    def trust(self, running: Running) -> None:
        for each in self._standing.values():
            each.trust(*running.proving.notary.keys)

    @property
    def keys(self) -> list[str]:
        return [str(each.key.verifier) for each in self._standing.values()]


@pytest.fixture
def witnesses(tmp_path: Path) -> Iterator[Witnesses]:
    standing = Witnesses(tmp_path)
    yield standing
    standing.end_all()


@pytest.fixture
async def running(tmp_path: Path, witnesses: Witnesses) -> AsyncIterator[Running]:
    """A log with a case that may be archived. Both witnesses have signed it, then one of them went away."""
    async with serving(tmp_path, witnesses.settings(tmp_path)) as running:
        witnesses.trust(running)
        await imported(running, "OLD-1")
        await running.proving.publisher.publish()
        await become_true(lambda: is_signed_by_all(running))
    witnesses.end("far")
    async with serving(tmp_path, witnesses.settings(tmp_path)) as running:
        yield running


async def is_signed_by_all(running: Running) -> bool:
    newest = await running.log.newest_checkpoint()
    return newest is not None and (newest.size, len(newest.cosignatures)) == (await running.log.size(), 2)


async def agreed(running: Running) -> str:
    archive_id = (await proposed(running)).archive.archive_id
    await approved(running, archive_id)
    return archive_id


async def is_all_there(running: Running, folder: Path) -> bool:
    archives = await asyncio.to_thread(lambda: list((folder / "archives").glob("*")))
    return not archives and all(row.payload is not None for row in await running.log.rows())


async def test_while_one_witness_is_away_nothing_is_written_or_removed_and_the_refusal_names_it(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.archiving.PATIENCE", 0.5)
    archive_id = await agreed(running)
    answer = await refused(carried_out(running, archive_id))
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_YET")
    for words in (archive_id, "signed by all witnesses", "far.example does not answer", "ask again"):
        assert words in answer.message
    assert await is_all_there(running, tmp_path)


async def test_it_waits_for_a_witness_that_lags_and_its_proofs_have_both_signatures(
    running: Running, witnesses: Witnesses, tmp_path: Path
) -> None:
    archive_id = await agreed(running)
    carrying_out = asyncio.create_task(carried_out(running, archive_id))
    _, far = running.proving.witnesses
    await until(lambda: bool(far.trouble))
    assert not carrying_out.done()
    assert await is_all_there(running, tmp_path)

    witnesses.begin("far")
    done = await carrying_out

    log_keys = keys([str(tmp_path / "keys" / "log.vkey")], LOG_KEY)
    report = verify(Evidence(Path(done.location), log_keys=log_keys, witness_keys=keys(witnesses.keys, WITNESS_KEY)))
    assert report.holds, report.words
    assert (await running.log.verify()).findings == ()
