"""`casetrail-verify` as an auditor runs it."""

import asyncio
import gzip
import json
import os
import signal
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from pathlib import Path

import pytest

from casetrail_verify.command import main
from tests.programs import CASETRAIL_VERIFY
from tests.verify.forging import FOREIGN_KEY, LOG_KEY, NEXT_KEY, WITNESS, World, note
from tests.waiting import PATIENCE, until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export and what an auditor has besides."""
    World().write_down().evidence(tmp_path)
    (tmp_path / "log.vkey").write_text(f"# the log's key\n\n{LOG_KEY.vkey}\n")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main([str(each) for each in arguments])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


def test_an_untouched_log_is_a_success(folder: Path) -> None:
    command = [str(CASETRAIL_VERIFY.installed), "export.jsonl", "--log-key", "log.vkey"]
    more = ["--witness-key", WITNESS.vkey, "--checkpoints", "checkpoints", "--receipts", "receipts.jsonl"]

    done = subprocess.run([*command, *more], cwd=folder, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert "The log holds" in done.stdout


def test_when_nobody_reads_the_verdict_it_ends_without_a_word_and_is_no_fault(folder: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [str(CASETRAIL_VERIFY.installed), "export.jsonl", "--log-key", "log.vkey"]
    done = subprocess.run(command, cwd=folder, stdout=writes, stderr=subprocess.PIPE, check=False)
    os.close(writes)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


def test_a_fault_is_a_failure_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = folder / "export.jsonl"
    export.write_bytes(export.read_bytes().replace(b'\\"mei\\"', b'\\"amy\\"', 1))

    status, out, _ = run(capsys, export, "--log-key", folder / "log.vkey")

    assert status == 1
    assert "position 1, case INQ-0: LEAF_HASH_WRONG" in out
    assert "THE LOG DOES NOT HOLD" in out


def test_a_fault_is_a_failure_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export = folder / "export.jsonl"
    export.write_bytes(export.read_bytes()[:-1000])

    status, out, _ = run(capsys, export, "--log-key", LOG_KEY.vkey, "--json")

    report = json.loads(out)
    assert (status, report["holds"]) == (1, False)
    assert "EXPORT_TRUNCATED" in {fault["reason"] for fault in report["faults"]}


def test_a_checkpoint_from_the_future_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = World().write_down()
    world.drafts += world.drafts[:3]
    world.write_down()
    newer = folder / "newer.note"
    newer.write_text(note(world.rows, 42))

    status, out, _ = run(capsys, folder / "export.jsonl", "--log-key", LOG_KEY.vkey, "--checkpoints", newer)

    assert status == 1
    assert "a tree of 42 events was signed, and the export has 40" in out
    assert "export again" in out


def test_the_key_of_another_log_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, folder / "export.jsonl", "--log-key", FOREIGN_KEY.vkey)

    assert status == 1
    assert "the wrong key, or another log's export" in out


def test_another_key_under_the_name_of_this_log_is_suspected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, folder / "export.jsonl", "--log-key", NEXT_KEY.vkey)

    assert status == 1
    assert "is the key that was given the key of this log?" in out


def test_a_truncated_export_says_nothing_of_what_may_stand_in_the_rest(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = folder / "export.jsonl"
    export.write_bytes(b"".join(export.read_bytes().splitlines(keepends=True)[:30]))

    status, out, _ = run(capsys, export, "--log-key", LOG_KEY.vkey, "--json")

    assert status == 1
    assert {fault["reason"] for fault in json.loads(out)["faults"]} == {
        *("EXPORT_TRUNCATED", "POSITION_WRONG", "TAIL_UNSIGNED")
    }


@pytest.mark.parametrize("kept", [1, 100, -1])
def test_a_file_that_was_cut_off_anywhere_is_said_to_be(
    kept: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = folder / "export.jsonl"
    export.write_bytes(export.read_bytes()[:kept])

    status, out, _ = run(capsys, export, "--log-key", LOG_KEY.vkey, "--json")

    assert status == 1
    assert "EXPORT_TRUNCATED" in {fault["reason"] for fault in json.loads(out)["faults"]}


def test_keys_may_come_through_a_pipe(folder: Path) -> None:
    command = f"{CASETRAIL_VERIFY.installed} export.jsonl --log-key <(cat log.vkey)"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_receipt_without_a_line_end_is_checked_like_any_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receipts = folder / "receipts.jsonl"
    first = receipts.read_text().splitlines()[0]
    receipts.write_text(first.replace(json.loads(first)["caseId"], "INQ-9"))

    status, out, _ = run(capsys, folder / "export.jsonl", "--log-key", LOG_KEY.vkey, "--receipts", receipts)

    assert status == 1
    assert "RECEIPT_WRONG" in out


def test_a_report_that_cannot_be_written_is_no_verdict(folder: Path) -> None:
    command = [str(CASETRAIL_VERIFY.installed), "export.jsonl", "--log-key", "log.vkey"]

    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=folder, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (
        2,
        "casetrail-verify: the report cannot be written: No space left on device\n",
    )


def test_where_there_is_nowhere_to_write_the_report_there_is_no_verdict(folder: Path) -> None:
    command = [str(CASETRAIL_VERIFY.installed), "export.jsonl", "--log-key", "log.vkey"]

    done = subprocess.run(
        ["bash", "-c", '"$@" >&-', "", *command], cwd=folder, capture_output=True, text=True, check=False
    )
    silent = subprocess.run(["bash", "-c", '"$@" >&- 2>&-', "", *command], cwd=folder, check=False)

    assert (done.returncode, done.stderr) == (2, "casetrail-verify: the report cannot be written: stdout is closed\n")
    assert silent.returncode == 2


def test_a_log_that_needs_more_memory_than_there_is_is_not_judged(folder: Path) -> None:
    export = folder / "export.jsonl"
    export.write_bytes(b'{"kind":"header","x":"' + b"a" * (64 << 20) + export.read_bytes())
    command = f"ulimit -v {128 << 10}; {CASETRAIL_VERIFY.installed} export.jsonl --log-key log.vkey"

    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", "casetrail-verify: there is not enough memory\n")


async def test_ctrl_c_while_it_is_being_loaded_ends_it_without_a_word(folder: Path) -> None:
    begun = folder / "begun"
    (folder / "rfc8785.py").write_text(f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(60)")
    command = [str(CASETRAIL_VERIFY.installed), "export.jsonl", "--log-key", "log.vkey"]
    running = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stderr=PIPE, env={**os.environ, "PYTHONPATH": str(folder)}
    )
    await until(begun.exists)

    running.send_signal(signal.SIGINT)

    _, said = await running.communicate()
    assert (running.returncode, said) == (130, b"")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
async def test_when_it_is_ended_its_processes_end_and_what_it_can_remove_is_removed(
    number: signal.Signals, folder: Path
) -> None:
    temporary = folder / "temporary"
    temporary.mkdir()
    lines = (folder / "export.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "export.jsonl").write_bytes(b"".join([*lines[:20], *[lines[20]] * 100_000]))  # takes a while
    command = [str(CASETRAIL_VERIFY.installed), "export.jsonl", "--log-key", "log.vkey", "--processes", "2"]
    running = await asyncio.create_subprocess_exec(
        *command, cwd=folder, process_group=0, stderr=DEVNULL, env={**os.environ, "TMPDIR": str(temporary)}
    )
    await until(lambda: processes_of(running.pid) == 3)

    running.send_signal(number)
    status = await asyncio.wait_for(running.wait(), PATIENCE)
    await until(lambda: processes_of(running.pid) == 0)

    if number is signal.SIGKILL:
        assert status == -number
    else:
        assert (status, list(temporary.iterdir())) == (128 + number, [])


def processes_of(group: int) -> int:
    """How many run in a group of processes."""
    found = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, _, of_group = stat.read_text().rpartition(")")[2].split()[:3]
            found += int(of_group) == group and state != "Z"
    return found


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"PAR1\x15\xc0", "it is no UTF-8: byte 6 is 0xc0"),
        (gzip.compress(b"{}\n", mtime=0), "it is no UTF-8"),
        (b"\xef\xbb\xbf{}\n", "a byte order mark"),
        (b"PAR1", "no JSON"),
        (b"[" * 100_000 + b"\n", "it is nested too deeply"),
        (b"[]\n", "no JSON object"),
        (b'{"kind":"event"}\n', "does not begin with the header"),
        (b'{"kind":"event","format":"casetrail-export","version":1}\n', "does not begin with the header"),
        (b'{"kind":"header","format":"another","version":1}\n', "does not begin with the header"),
        (b'{"kind":"header","format":"casetrail-export","version":2}\n', "this program reads version 1"),
        (b'{"kind":"header","format":"casetrail-export","version":1.0}\n', "'version' is not an integer: 1.0"),
        (b'{"kind":"header","format":"casetrail-export","version":true}\n', "'version' is not an integer: True"),
    ],
)
def test_what_is_no_export_is_said_to_be_none(
    content: bytes, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "export.jsonl").write_bytes(content)

    status, out, _ = run(capsys, folder / "export.jsonl", "--log-key", LOG_KEY.vkey)

    assert status == 1
    assert words in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export.jsonl"], "--log-key"),
        (["missing.jsonl", "--log-key", LOG_KEY.vkey], "missing.jsonl cannot be read"),
        ([".", "--log-key", LOG_KEY.vkey], "cannot be read"),
        (["export.jsonl", "--log-key", "missing.vkey"], "neither a file nor a key"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey[:-4]], "no key of a log"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey.replace("+", "+0", 1)], "does not match its hash"),
        (["export.jsonl", "--log-key", "PRIVATE+KEY+" + LOG_KEY.vkey], "private key"),
        (["export.jsonl", "--log-key", WITNESS.vkey], "the key of a witness, not of a log"),
        (["export.jsonl", "--log-key", "export.jsonl"], "no key of a log"),
        (["export.jsonl", "--log-key", "none.vkey"], "none.vkey holds no key"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--checkpoints", "missing"], "missing cannot be read"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--checkpoints", "empty"], "holds no checkpoints"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--checkpoints", "nothing"], "nothing holds no checkpoints"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--receipts", "missing"], "missing cannot be read"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--receipts", "nothing"], "nothing holds no receipts"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--receipts", "torn"], "torn holds no receipts"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--receipts", "pipe"], "pipe is no regular file"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--checkpoints", "pipe"], "pipe is no regular file"),
        (["pipe", "--log-key", LOG_KEY.vkey], "pipe is no regular file"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--processes", "0"], "'0' is no number from 1 to 64"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--processes", "100000"], "'100000' is no number from 1 to 64"),
        (["export.jsonl", "--log-key", LOG_KEY.vkey, "--processes", "all"], "'all' is no number from 1 to 64"),
    ],
)
def test_wrong_words_are_told_apart_from_a_wrong_log(
    arguments: list[str], words: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir()
    (folder / "nothing").touch()
    os.mkfifo(folder / "pipe")
    (folder / "torn").write_text('{"caseId":"INQ-')
    (folder / "none.vkey").write_text("# the log's key\n\n")

    status, out, err = run(capsys, *arguments)

    assert (status, out) == (2, "")
    assert words in err
