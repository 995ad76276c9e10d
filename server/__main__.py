"""Runs the gRPC server: `python -m server`, told by CASETRAIL_*, TEMPORAL_* and OTEL_*."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
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
from engine.payloads import converter
from engine.rulebooks import PolicyIdReusedError, Rulebooks
from engine.temporal_settings import connect, temporal_settings
from engine.traffic import Traffic
from server.principals import Principals, PrincipalsError
from server.proving import Proving
from server.serving import AddressTakenError, Server
from server.settings import Settings
from server.temporal import Temporal
from server.transport import TransportRefusedError
from telemetry import LogGauges, ProofGauges, Telemetry, observed, start, watch_certificate

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

    temporal_settings()  # a mistake in them is no outage of Temporal's: told now, not waited for
    certificates = settings.transport.certificates(settings.address)
    principals = Principals(settings.principals)
    policy = policy_file.load(settings.engine.policy)
    async with AsyncExitStack() as ending:
        store = await stores.open_log(settings.engine.log, settings.engine.subject_keys)
        ending.push_async_callback(store.close)
        payloads = await converter(store, settings.engine.payload_keys)
        log = observed(store) if telemetry.tracing or telemetry.measuring else store
        traffic = Traffic()
        temporal = Temporal(lambda: connect(payloads, tracing=telemetry.tracing), traffic)
        engine = Engine(log, await Rulebooks.keep(log, policy), temporal, traffic=traffic)
        proving = await ending.enter_async_context(Proving.open(log, settings.proofs))
        server = Server(
            engine=engine,
            log=log,
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
            policy=policy.policy_id,
        )
        beside = [server.watch_health(), temporal.connect(), proving.run()]
        if telemetry.measuring:
            beside += [LogGauges(log).follow(), ProofGauges(log, proving.publisher, proving.witnesses).follow()]
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
    sys.exit(main())
