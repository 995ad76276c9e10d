"""Runs the gRPC server: `python -m server`, told by CASETRAIL_*, TEMPORAL_* and OTEL_*."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any

import structlog
import uvloop

from audit import stores
from audit.checkpoint_folder import FolderRefusedError
from audit.log import LogDamagedError, LogUnavailableError
from audit.signing import KeyRefusedError
from casetrail import policy_file
from casetrail.key_file import KeyFileError
from engine.engine import Engine
from engine.garbage import spare_what_stays
from engine.ground import Ground
from engine.leaving import leave
from engine.rulebooks import PolicyIdReusedError
from engine.temporal_settings import connect
from engine.traffic import Traffic
from server import open_files
from server.principals import Principals, PrincipalsError
from server.proving import Proving
from server.serving import AddressTakenError, Server
from server.settings import Settings
from server.temporal import Temporal
from server.transport import TransportRefusedError
from telemetry import LogGauges, ProofGauges, Telemetry, start, watch_certificate

_log: structlog.stdlib.BoundLogger = structlog.get_logger("server")

# What can be wrong with what we are given, and is said in a line.
_EXPECTED = (
    AddressTakenError,
    FolderRefusedError,
    KeyFileError,
    KeyRefusedError,
    LogDamagedError,
    LogUnavailableError,
    PolicyIdReusedError,
    PrincipalsError,
    TransportRefusedError,
    ValueError,
    policy_file.PolicyError,
)


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    open_files.take_all()
    telemetry = start("casetrail-server")
    try:
        uvloop.run(_serve(Settings.read(), telemetry))
    except _EXPECTED as error:
        _log.error("cannot serve", why=str(error))
        return 1
    finally:
        telemetry.shutdown()
    return 0


async def _serve(settings: Settings, telemetry: Telemetry) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    certificates = settings.transport.certificates(settings.address)
    principals = Principals(settings.principals)
    async with (
        Ground.opened(settings.engine, telemetry) as ground,
        Proving.open(ground.log, settings.proofs) as proving,
    ):
        traffic = Traffic()
        temporal = Temporal(lambda: connect(ground.payloads, tracing=telemetry.tracing), traffic)
        engine = Engine(ground.log, ground.rulebooks, temporal, traffic=traffic)
        server = Server(
            engine=engine,
            log=ground.log,
            temporal=temporal,
            principals=principals,
            proving=proving,
            archives=settings.archives,
            tracing=telemetry.tracing,
        )
        port = await server.start(settings.address, certificates.credentials() if certificates else None)
        spare_what_stays()
        _log.info(
            "serving",
            port=port,
            tls=certificates is not None,
            log=stores.shown(settings.engine.log),
            policy=engine.newest_rules.policy.policy_id,
        )
        beside = [server.watch_health(), temporal.connect(), proving.run()]
        if telemetry.measuring:
            beside += [
                LogGauges(ground.log).follow(),
                ProofGauges(ground.log, proving.publisher, proving.witnesses).follow(),
            ]
            if certificates is not None:
                watch_certificate(lambda: certificates.until)
        async with _running(beside):
            await stopping.wait()
            _log.info("stopping")
            await server.stop(settings.engine.drain_seconds)
            await temporal.drain(settings.engine.drain_seconds)
    _log.info("stopped")


@asynccontextmanager
async def _running(beside: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Have all of this go on until the block ends; where one of it fails, so does the block."""
    async with asyncio.TaskGroup() as background:
        tasks = [background.create_task(each) for each in beside]
        yield
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    leave(main())
