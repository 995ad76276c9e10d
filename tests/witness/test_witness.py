"""The witness: what it signs, what it refuses, and that it never forgets."""

import json
import subprocess
import sys
from base64 import b64encode
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import aiohttp
import pytest

from casetrail.proof.note import SignedNote, SigningKey, TreeNote, signed
from casetrail.proof.submission import Submission, SubmissionError
from casetrail.witness.memory import MemoryLostError
from casetrail.witness.witness import Answer, Witness
from tests.disk import on_the_disk
from tests.witness.standing import ALog, Standing, listening, run, serving


@pytest.fixture
def log() -> ALog:
    return ALog()


@pytest.fixture
def standing(tmp_path: Path, log: ALog) -> Standing:
    standing = Standing.begin(tmp_path / "witness")
    standing.trust(log.key.verifier)
    return standing


@pytest.fixture
def witness(standing: Standing) -> Witness:
    return standing.witness()


def signs(answer: Answer, log: ALog, size: int, standing: Standing) -> bool:
    """Whether this is a co-signature of the log's tree of this size."""
    if answer.status != HTTPStatus.OK:
        return False
    (cosigned,) = SignedNote.parse(log.note(size) + answer.text).cosigned_by([standing.key.verifier])
    return cosigned.seconds == 1_800_000_000


def test_it_signs_what_continues_the_last_that_it_signed(witness: Witness, log: ALog, standing: Standing) -> None:
    for old, size in ((0, 3), (3, 3), (3, 8), (8, 13), (13, 100)):
        assert signs(witness.add_checkpoint(log.submission(old, size)), log, size, standing), (old, size)


def test_what_it_signs_is_on_the_disk_before_it_says_so(
    witness: Witness, log: ALog, standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = standing.folder / "seen"
    order = on_the_disk(monkeypatch, below=seen)
    opened = len(list(Path("/proc/self/fd").iterdir()))

    witness.add_checkpoint(log.submission(0, 3))

    (kept,) = seen.iterdir()
    assert order == [f"sync {kept.stem}.new", f"name {kept.name}", "sync ."]
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_an_empty_tree_can_be_the_first(witness: Witness, log: ALog, standing: Standing) -> None:
    assert signs(witness.add_checkpoint(log.submission(0, 0)), log, 0, standing)
    assert signs(witness.add_checkpoint(log.submission(0, 5)), log, 5, standing)


def test_who_forgot_how_far_it_has_come_is_told(witness: Witness, log: ALog) -> None:
    witness.add_checkpoint(log.submission(0, 8))
    for old in (0, 3, 9):
        answer = witness.add_checkpoint(log.submission(old, 13))
        assert (answer.status, answer.text, answer.content_type) == (409, "8\n", "text/x.tlog.size")


def test_another_history_is_not_signed_and_kept_as_evidence(witness: Witness, log: ALog, standing: Standing) -> None:
    fork = ALog(name="other")
    fork.key = log.key
    witness.add_checkpoint(log.submission(0, 8))
    same_size = witness.add_checkpoint(fork.submission(8, 8))
    longer = witness.add_checkpoint(fork.submission(8, 13))
    assert (same_size.status, same_size.text, longer.status) == (409, "8\n", 422)
    kept = [json.loads(line)["note"] for line in (standing.folder / "evidence.jsonl").read_text().splitlines()]
    assert kept == [fork.note(8), fork.note(13)]
    assert signs(witness.add_checkpoint(log.submission(8, 13)), log, 13, standing)


def test_a_proof_of_something_else_is_refused(witness: Witness, log: ALog) -> None:
    witness.add_checkpoint(log.submission(0, 8))
    for proof in ([], log.proof(7, 13), [*log.proof(8, 13), bytes(32)], log.proof(8, 13)[:-1]):
        assert witness.add_checkpoint(Submission(8, proof, log.note(13)).text).status == 422
    assert witness.add_checkpoint(Submission(8, [bytes(32)], log.note(8)).text).status == 422


def test_a_log_that_nobody_named_is_not_served(witness: Witness) -> None:
    assert witness.add_checkpoint(ALog("casetrail/0b").submission(0, 3)).status == 404


def test_a_checkpoint_that_no_trusted_key_signed_is_refused(witness: Witness, log: ALog) -> None:
    stranger = ALog()
    assert witness.add_checkpoint(stranger.submission(0, 3)).status == 403
    tree = log.tree(3)
    forged = signed(TreeNote(tree.origin, 4, tree.root), [log.key.line(tree.body)])
    assert witness.add_checkpoint(Submission(0, [], forged).text).status == 403


def test_another_key_of_a_log_counts_as_soon_as_it_is_trusted(witness: Witness, log: ALog, standing: Standing) -> None:
    old = log.key.verifier
    witness.add_checkpoint(log.submission(0, 3))
    log.key = SigningKey.generate(old.name)
    assert witness.add_checkpoint(log.submission(3, 8)).status == 403
    standing.trust(old, log.key.verifier)
    assert signs(witness.add_checkpoint(log.submission(3, 8)), log, 8, standing)


TOO_MANY = "old 0" + 64 * f"\n{b64encode(bytes(32)).decode()}"


@pytest.mark.parametrize(
    "head", ["", "old", "old -1", "old 01", "old x", "new 3", "old 3 ", "old 0\nAAAA", "old 0\n???", TOO_MANY]
)
def test_what_is_no_submission_is_refused(witness: Witness, log: ALog, head: str) -> None:
    assert witness.add_checkpoint(f"{head}\n\n{log.note(3)}").status == 400
    with pytest.raises(SubmissionError):
        Submission.parse(f"{head}\n\n{log.note(3)}")


def test_what_is_no_checkpoint_is_refused(witness: Witness) -> None:
    assert witness.add_checkpoint("old 0\n\nsomething\n").status == 400


def test_a_size_above_the_checkpoints_is_refused(witness: Witness, log: ALog) -> None:
    assert witness.add_checkpoint(Submission(4, [], log.note(3)).text).status == 400


# Memory


def test_what_was_signed_is_remembered_by_the_next_process(standing: Standing, log: ALog) -> None:
    standing.witness().add_checkpoint(log.submission(0, 8))
    assert standing.witness().add_checkpoint(log.submission(0, 13)).text == "8\n"
    assert standing.witness().add_checkpoint(log.submission(8, 13)).status == 200


def test_what_cannot_be_remembered_is_not_signed(witness: Witness, log: ALog, monkeypatch: pytest.MonkeyPatch) -> None:
    witness.add_checkpoint(log.submission(0, 3))

    def disk_full(note: SignedNote) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(witness._memory, "remember", disk_full)
    with pytest.raises(OSError, match="No space"):
        witness.add_checkpoint(log.submission(3, 8))
    monkeypatch.undo()
    assert witness.add_checkpoint(log.submission(0, 8)).text == "3\n"


def test_a_witness_without_memory_does_not_begin(standing: Standing) -> None:
    (standing.folder / "seen").rmdir()
    with pytest.raises(MemoryLostError, match="begin a new witness with a new key"):
        standing.witness()


def test_a_witness_with_a_damaged_memory_does_not_sign(witness: Witness, log: ALog, standing: Standing) -> None:
    witness.add_checkpoint(log.submission(0, 3))
    (kept,) = (standing.folder / "seen").glob("*.json")
    kept.write_text(kept.read_text()[:-40])
    with pytest.raises(MemoryLostError, match="cannot be read"):
        witness.add_checkpoint(log.submission(3, 8))


# Over HTTP


async def test_it_answers_over_http(witness: Witness, log: ALog, standing: Standing) -> None:
    with listening(witness) as url:
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{url}/add-checkpoint", data=log.submission(0, 3).encode()) as answer:
                assert (answer.status, answer.content_type) == (200, "text/plain")
                assert SignedNote.parse(log.note(3) + await answer.text()).cosigned_by([standing.key.verifier])
            async with session.post(f"{url}/add-checkpoint", data=log.submission(0, 8).encode()) as answer:
                assert (answer.status, answer.content_type) == (409, "text/x.tlog.size")
                assert await answer.text() == "3\n"
            async with session.post(f"{url}/add-checkpoint", data=b"\xff\xfe") as answer:
                assert answer.status == 400
            async with session.post(f"{url}/add-checkpoint", data=bytes(70_000)) as answer:
                assert answer.status == 413
            async with session.post(f"{url}/elsewhere", data=b"") as answer:
                assert answer.status == 404
            async with session.get(f"{url}/add-checkpoint") as answer:
                assert answer.status == 501


@pytest.mark.parametrize("length", ["", "x", "-1", "+3", "1e3", "65537", "9" * 5000])
def test_a_body_of_no_known_length_is_not_read(witness: Witness, length: str) -> None:
    with listening(witness) as url, closing(HTTPConnection(url.removeprefix("http://"), timeout=5)) as connection:
        connection.putrequest("POST", "/add-checkpoint")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Connection")) == (413, "close")


async def test_a_failing_memory_is_an_error_without_a_signature(
    witness: Witness, log: ALog, standing: Standing
) -> None:
    witness.add_checkpoint(log.submission(0, 3))
    for kept in list((standing.folder / "seen").glob("*.json")):
        kept.write_text("")
    with listening(witness) as url:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/add-checkpoint", data=log.submission(3, 8).encode()) as answer,
        ):
            assert answer.status == 500
            assert "—" not in await answer.text()


# The program


async def test_a_killed_witness_has_forgotten_nothing(tmp_path: Path, log: ALog) -> None:
    folder = tmp_path / "w"
    assert await run("init", "w1.example", "--data", str(folder)) == (0, (folder / "witness.vkey").read_text().strip())
    assert (await run("trust", str(log.key.verifier), "--data", str(folder)))[0] == 0
    async with serving(folder) as (url, process), aiohttp.ClientSession() as session:
        async with session.post(f"{url}/add-checkpoint", data=log.submission(0, 8).encode()) as answer:
            assert answer.status == 200
        process.kill()
        await process.wait()
    async with serving(folder) as (url, _), aiohttp.ClientSession() as session:
        async with session.post(f"{url}/add-checkpoint", data=log.submission(0, 13).encode()) as answer:
            assert (answer.status, await answer.text()) == (409, "8\n")
        async with session.post(f"{url}/add-checkpoint", data=log.submission(8, 13).encode()) as answer:
            assert answer.status == 200


async def test_one_memory_has_one_process(tmp_path: Path) -> None:
    folder = str(tmp_path / "w")
    await run("init", "w1.example", "--data", folder)
    async with serving(tmp_path / "w"):
        code, said = await run("serve", "--data", folder, "--listen", "127.0.0.1:0")
    assert (code, said) == (1, f"casetrail-witness: another process runs the witness in {folder}")


async def test_what_is_wrong_is_said_in_words(tmp_path: Path, log: ALog) -> None:
    folder = str(tmp_path / "w")
    assert "holds no witness" in (await run("serve", "--data", folder))[1]
    assert "holds no witness" in (await run("trust", str(log.key.verifier), "--data", folder))[1]
    assert "is no name of a key" in (await run("init", "two words", "--data", folder))[1]
    code, vkey = await run("init", "w1.example", "--data", folder)
    assert (code, (tmp_path / "w" / "witness.key").stat().st_mode & 0o777) == (0, 0o600)
    assert "holds a witness already" in (await run("init", "w1.example", "--data", folder))[1]
    assert "not of a log" in (await run("trust", vkey, "--data", folder))[1]
    assert "is no verifier key" in (await run("trust", "nonsense", "--data", folder))[1]
    assert "is HOST:PORT" in (await run("serve", "--data", folder, "--listen", "here"))[1]
    (tmp_path / "w" / "seen").rmdir()
    code, said = await run("serve", "--data", folder)
    assert (code, "is missing: a witness that forgets" in said) == (1, True)


def test_without_what_it_needs_it_says_what_to_install() -> None:
    start = "import sys; sys.modules['cryptography'] = None; from casetrail.witness.starting import main; main()"

    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (
        1,
        "casetrail-witness: this needs `cryptography`: pip install 'casetrail[witness]'.\n",
    )
