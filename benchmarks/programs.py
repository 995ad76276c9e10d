"""Our own programs, run to their end as anybody would run them."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.processes import ROOT, BenchmarkError


async def run(program: str, *arguments: str, environment: Mapping[str, str]) -> str:
    """What a program prints.

    Args:
        program: Its name, as it is installed beside Python.
        arguments: Its command line.
        environment: Added to ours.

    Raises:
        BenchmarkError: It failed.
    """
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name(program)), *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        process_group=0,  # Ctrl-C is for us, who end it
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        words = (errors or output).decode().strip()
        raise BenchmarkError(f"{program} ended with status {process.returncode}: {words}")
    return output.decode()
