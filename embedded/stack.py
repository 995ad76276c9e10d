"""The whole engine on one machine: Temporal, demo shop and mailbox, worker and server, under one supervisor.

async with Stack.start(data=folder) as stack:
    ...  # call stack.address with stack.token
    await stack.kill("worker")  # it comes back by itself
    await stack.ready()
"""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from embedded import ports, readiness
from embedded.folder import Folder
from embedded.processes import Guard, ProcessError, Program, Say, Supervised
from embedded.serving import LOOPBACK
from engine.naming import CRITICAL_QUEUE, TASK_QUEUE

_PORTS: Final = (
    *("temporal", "temporal_ui", "temporal_http", "temporal_metrics"),
    *("shop", "mail", "mailbox", "drill_shop", "drill_mail", "drill_mailbox"),
)
# Whoever depends on another ends before it.
_ENDING: Final = ("server", "worker", "worker-critical", "services", "temporal")


AFTER_CALLERS: Final = 10
"""Niceness of who keeps time: who answers callers goes first where both share a processor, and time catches up."""


class Stack:
    """A running stack: where its parts are, and ways to disturb them."""

    def __init__(self, folder: Folder, chosen: dict[str, int]) -> None:
        """Describe it; `start` runs one."""
        self.data: Final = folder.path
        self.token: Final = folder.token
        self.address: Final = f"{LOOPBACK}:{chosen['server']}"
        self.temporal_address: Final = f"{LOOPBACK}:{chosen['temporal']}"
        self.temporal_ui: Final = f"http://{LOOPBACK}:{chosen['temporal_ui']}"
        self.shop_url: Final = f"http://{LOOPBACK}:{chosen['shop']}"
        self.mailbox_url: Final = f"http://{LOOPBACK}:{chosen['mailbox']}"
        self.smtp_address: Final = f"{LOOPBACK}:{chosen['mail']}"
        self.drill_shop_url: Final = f"http://{LOOPBACK}:{chosen['drill_shop']}"
        self.drill_mailbox_url: Final = f"http://{LOOPBACK}:{chosen['drill_mailbox']}"
        self.drill_smtp_address: Final = f"{LOOPBACK}:{chosen['drill_mail']}"
        self._processes: dict[str, Supervised] = {}

    @classmethod
    @asynccontextmanager
    async def start(cls, *, data: Path, port: int = 0, say: Say = lambda _: None) -> AsyncIterator["Stack"]:
        """Run a stack on a data folder until the block ends, and end it in order.

        Args:
            data: The folder, made when it is missing.
            port: Of the gRPC server; 0 is any.
            say: Takes what a person wants to hear while it runs.

        Raises:
            FolderError: The folder cannot be used.
            ProcessError: Something does not come up, or the port is taken.
        """
        if port and not ports.is_free(port):
            raise ProcessError(f"port {port} is taken; choose another one")
        with Folder.hold(data) as folder:
            names = _PORTS if port else (*_PORTS, "server")
            chosen = {"server": port, **ports.choose(names, folder.path / "ports.json")}
            stack = cls(folder, chosen)
            guard = await Guard.start(folder.lock)
            stack._prepare(folder, chosen, guard, say)
            try:
                await stack._begin()
                yield stack
            finally:
                await stack._end()
                await guard.close()

    async def ready(self, *names: str) -> None:
        """Wait until these parts, or all of them, answer."""
        for name in names or _ENDING:
            await self._processes[name].until_ready()

    async def kill(self, name: str) -> None:
        """Kill a part without warning; it is started again.

        Args:
            name: `server`, `worker`, `worker-critical`, `services` or `temporal`.
        """
        await self._processes[name].kill()

    async def stop(self, name: str) -> None:
        """End a part in order, and leave it so until `resume`."""
        await self._processes[name].stop()

    async def resume(self, name: str) -> None:
        """Start a part that was stopped, and wait until it answers."""
        await self._processes[name].start()

    def _prepare(self, folder: Folder, chosen: dict[str, int], guard: Guard, say: Say) -> None:
        for program in self._programs(folder, chosen):
            self._processes[program.name] = Supervised(
                program, logs=folder.path / "logs", lock=folder.lock, guard=guard, say=say
            )

    async def _begin(self) -> None:
        try:
            async with asyncio.TaskGroup() as starting:
                for name in ("temporal", "services", "server"):
                    starting.create_task(self._processes[name].start())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        await asyncio.gather(*(self._processes[name].start() for name in ("worker", "worker-critical")))

    async def _end(self) -> None:
        for name in _ENDING:
            await self._processes[name].stop()

    def _programs(self, folder: Folder, chosen: dict[str, int]) -> Sequence[Program]:
        environment = {
            "CASETRAIL_ADDRESS": self.address,
            "CASETRAIL_DATA": str(folder.path),
            "CASETRAIL_SHOP_URL": self.shop_url,
            "CASETRAIL_SMTP_ADDRESS": self.smtp_address,
            "CASETRAIL_DRILL_SHOP_URL": self.drill_shop_url,
            "CASETRAIL_DRILL_SMTP_ADDRESS": self.drill_smtp_address,
            "CASETRAIL_DRILL_MAIL_FAULTS_URL": self.drill_mailbox_url,
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_NAMESPACE": "default",
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }
        python = sys.executable
        return (
            Program(
                "temporal",
                _temporal(folder, chosen),
                {},
                lambda _: readiness.grpc_serving(
                    self.temporal_address, "temporal.api.workflowservice.v1.WorkflowService"
                ),
                patience=10,
                # It chooses ports for its inner services, and panics when another program is faster to take one.
                tries=3,
                niceness=AFTER_CALLERS,
            ),
            Program(
                "services",
                (
                    *(python, "-m", "embedded.services", "--data", str(folder.path / "services")),
                    *("--shop-port", str(chosen["shop"]), "--mail-port", str(chosen["mail"])),
                    *("--mail-http-port", str(chosen["mailbox"]), "--drill-shop-port", str(chosen["drill_shop"])),
                    *("--drill-mail-port", str(chosen["drill_mail"])),
                    *("--drill-mail-http-port", str(chosen["drill_mailbox"])),
                ),
                environment,
                lambda _: readiness.http_answers(
                    self.shop_url, self.mailbox_url, self.drill_shop_url, self.drill_mailbox_url
                ),
                patience=5,
            ),
            Program(
                "worker",
                (python, "worker.py"),
                environment,
                lambda pid: readiness.worker_polls(self.temporal_address, TASK_QUEUE, pid),
                patience=15,
                niceness=AFTER_CALLERS,
            ),
            # For incidents of level 1, and for detection: what all others have to do does not hold it up.
            Program(
                "worker-critical",
                (python, "worker.py"),
                {**environment, "CASETRAIL_QUEUE": CRITICAL_QUEUE},
                lambda pid: readiness.worker_polls(self.temporal_address, CRITICAL_QUEUE, pid),
                patience=15,
            ),
            Program(
                "server",
                (python, "-m", "server"),
                environment,
                lambda _: readiness.grpc_serving(self.address),
                patience=15,
            ),
        )


def _temporal(folder: Folder, chosen: dict[str, int]) -> Sequence[str]:
    binary = Path(sys.executable).with_name("temporal")
    program = str(binary) if binary.exists() else shutil.which("temporal")
    if program is None:
        raise ProcessError("the `temporal` program is missing; `make setup` installs it")
    return (
        *(program, "server", "start-dev", "--log-format", "json", "--log-level", "warn"),
        *("--ip", LOOPBACK, "--port", str(chosen["temporal"]), "--ui-port", str(chosen["temporal_ui"])),
        *("--http-port", str(chosen["temporal_http"]), "--metrics-port", str(chosen["temporal_metrics"])),
        *("--ui-disable-news-fetch", "--db-filename", str(folder.temporal_database)),
        # The log gives Temporal again what its last commit may lose.
        *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
    )
