"""Entry of the Temporal worker: builds things and wires them, nothing else. `python worker.py`."""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

import structlog
import uvloop
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.worker import Worker

from activities.directory import Directory, DirectoryError
from activities.drill_systems import FaultSwitches
from activities.http_shop import HttpShop
from activities.mail import SmtpMailer
from activities.outside import DRILL_HEADER, Rehearsal
from activities.registry import all_activities
from activities.sealing import Sealing
from audit import stores
from audit.log import LogDamagedError, LogUnavailableError
from casetrail import policy_file
from casetrail.key_file import KeyFileError
from engine.engine import Engine
from engine.garbage import spare_what_stays
from engine.ground import Ground
from engine.leaving import leave
from engine.naming import CRITICAL_QUEUE, TASK_QUEUE
from engine.nudge import TemporalWaker
from engine.rulebooks import PolicyIdReusedError
from engine.sweep import Sweep
from engine.temporal_settings import connect
from telemetry import Telemetry, start
from worker_settings import Settings
from workflows.detection import keep_detection
from workflows.seal import keep_schedule
from workflows.worker import worker_for

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger("worker")

# What can be wrong with what we are given, and is said in a line.
_EXPECTED = (
    DirectoryError,
    KeyFileError,
    LogDamagedError,
    LogUnavailableError,
    PolicyIdReusedError,
    ValueError,
    policy_file.PolicyError,
)


def main() -> int:
    """Work until SIGTERM or SIGINT; return the exit status."""
    telemetry = start("casetrail-worker")
    try:
        uvloop.run(_work(Settings.read(), telemetry))
    except _EXPECTED as error:
        _log.error("cannot work", why=str(error))
        return 1
    finally:
        telemetry.shutdown()
    return 0


async def _work(settings: Settings, telemetry: Telemetry) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    directory = Directory(settings.staff)
    mailer = _mailer(settings, settings.smtp)
    async with AsyncExitStack() as ending:
        ground = await ending.enter_async_context(Ground.opened(settings.engine, telemetry))
        log = ground.log
        shop = await ending.enter_async_context(HttpShop.connect(settings.shop_url, token=settings.shop_token))
        rehearsal = await _rehearsal(settings, ending)
        client = await _connect(ground.payloads, tracing=telemetry.tracing, stop=stop)
        if client is None:
            return
        waker = TemporalWaker(client)
        engine = Engine(log, ground.rulebooks, waker)
        worker = worker_for(
            client,
            [*all_activities(engine, mailer, shop, directory, log=log, rehearsal=rehearsal), Sealing(log).seal_day],
            task_queue=settings.queue,
            drain=timedelta(seconds=settings.engine.drain_seconds),
        )
        spare_what_stays()
        _log.info(
            "working",
            queue=settings.queue,
            namespace=client.namespace,
            log=stores.shown(settings.engine.log),
            policy=engine.newest_rules.policy.policy_id,
        )
        await _work_until(stop, worker, Sweep(log, client, waker), client)
        await waker.drain(settings.engine.drain_seconds)
    _log.info("stopped")


async def _work_until(stop: asyncio.Event, worker: Worker, sweep: Sweep, client: Client) -> None:
    async with asyncio.TaskGroup() as running:
        running.create_task(worker.run())
        running.create_task(sweep.run(stop))
        standing = (
            running.create_task(keep_schedule(client, TASK_QUEUE)),
            running.create_task(keep_detection(client, CRITICAL_QUEUE)),
        )
        await stop.wait()
        _log.info("stopping")
        for task in standing:
            task.cancel()
        await worker.shutdown()


def _mailer(settings: Settings, server: tuple[str, int]) -> SmtpMailer:
    host, port = server
    return SmtpMailer(
        host=host,
        port=port,
        sender=settings.sender,
        encryption=settings.smtp_encryption,
        login=settings.smtp_login,
    )


async def _rehearsal(settings: Settings, ending: AsyncExitStack) -> Rehearsal:
    """What drills have for themselves."""
    switches = {"shop": settings.drill_shop_url, "mail": settings.drill_mail_faults_url}
    rehearsal = Rehearsal(
        mailer=_mailer(settings, settings.drill_smtp or settings.smtp),
        sink=settings.drill_sink,
        faults=await ending.enter_async_context(FaultSwitches.connect(switches, settings.drill_sink)),
    )
    if not settings.drill_shop_url:
        return rehearsal
    shop = await ending.enter_async_context(HttpShop.connect(settings.drill_shop_url))
    return replace(rehearsal, shop=partial(shop.marked, DRILL_HEADER))


async def _connect(payloads: DataConverter, *, tracing: bool, stop: asyncio.Event) -> Client | None:
    """Try until Temporal answers; None when told to stop before."""
    runtime = Runtime(telemetry=TelemetryConfig(logging=_core_log_lines()))
    pause = _FIRST_PAUSE
    while not stop.is_set():
        try:
            return await connect(payloads, tracing=tracing, runtime=runtime)
        except (RuntimeError, ValueError) as error:  # Temporal's client cannot connect, or has a wrong address
            if pause == _FIRST_PAUSE:
                _log.warning("temporal is not there; trying on", why=str(error))
        try:
            async with asyncio.timeout(pause):
                await stop.wait()
        except TimeoutError:
            pause = min(2 * pause, _LONGEST_PAUSE)
    return None


def _core_log_lines() -> LoggingConfig:
    """Send what Temporal's core has to say through our own log, instead of to stderr as it is."""
    return LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )


if __name__ == "__main__":
    leave(main())
