"""What an auditor does with a large log: `casetrail export` from a server, and `casetrail-verify` of the export."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from audit import key_writing
from benchmarks import programs
from benchmarks.processes import ROOT, BenchmarkError
from casetrail.payload_keys import payload_key_file
from embedded import ports
from embedded.folder import Folder
from embedded.serving import LOOPBACK

_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Audited:
    """How fast it went: events a second, and how large the export is."""

    exported: float
    verified: float
    bytes: float


async def audit(url: str, folder: Path) -> Audited:
    """Export a log from a server of its own, which has no Temporal, and verify the export.

    Raises:
        BenchmarkError: It does not hold, or a program failed.
    """
    export = folder / "export.jsonl"
    with Folder.hold(folder) as held:
        key_writing.make(payload_key_file(folder / "payload-keys"))  # a server makes none for a log that has events
        async with _server(url, folder) as address:
            environment = {"CASETRAIL_ADDRESS": address, "CASETRAIL_TOKEN": held.token}
            began = time.perf_counter()
            told = await programs.run(
                "casetrail", "export", str(export), "--format", "jsonl", "--json", environment=environment
            )
            exporting = time.perf_counter() - began
        began = time.perf_counter()
        await programs.run(
            "casetrail-verify", str(export), "--log-key", str(folder / "keys" / "log.vkey"), environment={}
        )
        verifying = time.perf_counter() - began
    events, size = json.loads(told)["events"], export.stat().st_size
    export.unlink()
    return Audited(events / exporting, events / verifying, size / events)


@asynccontextmanager
async def _server(url: str, folder: Path) -> AsyncIterator[str]:
    (port,) = ports.free(1)
    address = f"{LOOPBACK}:{port}"
    environment = {
        "CASETRAIL_LOG": url,
        "CASETRAIL_DATA": str(folder),
        "CASETRAIL_ADDRESS": address,
        "TEMPORAL_ADDRESS": f"{LOOPBACK}:9",  # where nobody listens
    }
    with (folder / "server.log").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "server"),
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            process_group=0,
        )
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), _PATIENCE)
        yield address
    except TimeoutError as error:
        raise BenchmarkError(f"the server does not answer: {(folder / 'server.log').read_text()}") from error
    finally:
        process.terminate()
        await process.wait()
