"""Files that are there when they are whole, whatever happens meanwhile."""

import asyncio
import os
import signal
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import BinaryIO

import pytest

from casetrail.cli.whole_file import write_whole
from casetrail.v1.incident_service_pb2 import GetReportResponse
from tests.client.scripted import Service, Silence
from tests.programs import CASETRAIL
from tests.waiting import until


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def test_two_who_write_one_file_at_once_each_write_it_whole(tmp_path: Path) -> None:
    file = tmp_path / "log"

    def write(part: BinaryIO) -> None:
        part.write(b"begin, ")
        write_whole(file, lambda other: other.write(b"the other"))
        assert file.read_bytes() == b"the other"
        part.write(b"end")

    write_whole(file, write)

    assert file.read_bytes() == b"begin, end"
    assert files_in(tmp_path) == [file]


def test_what_cannot_be_written_leaves_what_was_there_and_names_it(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"of yesterday")

    def write(part: BinaryIO) -> None:
        part.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=f"No space left on device: '{file}'"):
        write_whole(file, write)

    assert file.read_bytes() == b"of yesterday"
    assert files_in(tmp_path) == [file]


async def test_a_report_for_which_there_is_no_room_leaves_no_part_of_it(service: Service, tmp_path: Path) -> None:
    service.script("GetReport", GetReportResponse(content=b"x" * 10_000))
    command = f"ulimit -f 1; {CASETRAIL.installed} incident report INC-1 --out r.html"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", command),
        cwd=tmp_path,
        env={**os.environ, "CASETRAIL_ADDRESS": service.address, "CASETRAIL_TOKEN": "secret"},
        stderr=PIPE,
    )
    _, said = await process.communicate()
    assert (process.returncode, said) == (1, b"Failed: r.html: File too large.\n")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_an_export_that_is_ended_leaves_no_part_of_it(
    number: signal.Signals, service: Service, tmp_path: Path
) -> None:
    service.script("ExportLog", [Silence()])
    process = await asyncio.create_subprocess_exec(
        *(CASETRAIL.installed, "export", "--format", "jsonl", "log.jsonl"),
        cwd=tmp_path,
        env={**os.environ, "CASETRAIL_ADDRESS": service.address, "CASETRAIL_TOKEN": "secret"},
        stderr=DEVNULL,
    )
    await until(lambda: bool(service.requests("ExportLog")))
    assert [part.suffix for part in files_in(tmp_path)] == [".part"]

    process.send_signal(number)

    assert await process.wait() == 128 + number
    assert files_in(tmp_path) == []
