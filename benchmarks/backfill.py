"""How fast history is imported: the sample log, played by the CLI as anybody would."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Final

from benchmarks.bench import Bench
from benchmarks.figures import Figure, Section
from benchmarks.processes import ROOT, BenchmarkError

_EXAMPLES: Final = ROOT / "examples"
_CLI: Final = Path(sys.executable).with_name("casetrail")


async def measure(bench: Bench) -> Section:
    """Import the sample.

    Raises:
        BenchmarkError: The CLI failed.
    """
    process = await asyncio.create_subprocess_exec(
        *(str(_CLI), "play", str(_EXAMPLES / "servicenow_sample.csv")),
        *("--mapping", str(_EXAMPLES / "servicenow.yaml"), "--backfill", "--json"),
        cwd=ROOT,
        env={**os.environ, "CASETRAIL_ADDRESS": bench.stack.address, "CASETRAIL_TOKEN": bench.stack.token},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        process_group=0,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        raise BenchmarkError(f"casetrail play ended with status {process.returncode}: {errors.decode().strip()}")
    summary = json.loads(output)
    seconds = summary["seconds"]
    return Section(
        "Importing history: the sample log, by `casetrail play --backfill`",
        (
            Figure("rows", summary["rows"] / seconds, "rows/s"),
            Figure("events", summary["events"] / seconds, "events/s"),
        ),
        notes=(f"{summary['cases']} cases, {summary['rows']:,} rows, {summary['events']:,} events.",),
    )
