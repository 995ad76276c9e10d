"""Programs that are ended before they have begun."""

import asyncio
import os
import signal
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.programs import CASETRAIL, CASETRAIL_WITNESS, Program
from tests.waiting import until


@pytest.mark.parametrize(
    ("program", "words"), [(CASETRAIL, ["list"]), (CASETRAIL_WITNESS, ["serve"])], ids=["casetrail", "witness"]
)
async def test_ctrl_c_while_a_program_is_being_loaded_ends_it_without_a_word(
    program: Program, words: list[str], tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "typer.py").write_text(f"import pathlib, time; pathlib.Path({str(begun)!r}).touch(); time.sleep(60)")
    loading = await asyncio.create_subprocess_exec(
        program.installed, *words, stderr=PIPE, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    await until(begun.exists)

    loading.send_signal(signal.SIGINT)

    _, said = await loading.communicate()
    assert (loading.returncode, said) == (130, b"")
