"""The gRPC server: services, health and reflection on one port, from start to graceful stop."""

import asyncio
from pathlib import Path
from typing import Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from audit.log import Log, LogDamagedError, LogUnavailableError
from casetrail.v1 import audit_service_pb2, case_service_pb2
from engine.engine import Engine
from server.archiving import Archiving
from server.audit import AuditServicer
from server.calls import MAX_MESSAGE_BYTES, MOST_STREAMS, Gate
from server.cases import CaseServicer
from server.crosscheck import CrossCheckServicer
from server.drill_schedules import DrillSchedules
from server.drills import CONTRACT as _DRILLS
from server.drills import DrillServicer
from server.erasing import ErasureServicer
from server.exporting import ExportServicer
from server.incidents import CONTRACT as _INCIDENTS
from server.incidents import IncidentServicer
from server.principals import Principals
from server.proofs import ProofServicer
from server.proving import Proving
from server.receipts import Receipts
from server.retention import CONTRACT as _RETENTION
from server.retention import RetentionServicer, keep_closed
from server.temporal import Temporal
from server.what_if import WhatIfServicer

_CASES: Final = case_service_pb2.DESCRIPTOR.services_by_name["CaseService"]
_AUDIT: Final = audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"]
_NAMES: Final = ("", _CASES.full_name, _AUDIT.full_name, _INCIDENTS.full_name, _DRILLS.full_name, _RETENTION.full_name)
_BETWEEN_LOOKS: Final = 1.0

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A second server on the same port is a mistake, not load balancing.
    ("grpc.so_reuseport", 0),
    # Streams are silent for hours: let clients find out that the way is broken.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # And find out ourselves: a watcher that vanished without a word is let go after 80 seconds.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # Who watches comes back at once after a restart, all together; of more than 1,000 gRPC drops some (CANCELLED).
    ("grpc.server.max_pending_requests", 2 * MOST_STREAMS),
    ("grpc.server.max_pending_requests_hard_limit", 2 * MOST_STREAMS),
)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class AddressTakenError(Exception):
    """The address cannot be listened on."""


class Server:
    """Serves an engine until it is stopped."""

    def __init__(
        self,
        *,
        engine: Engine,
        log: Log,
        temporal: Temporal,
        principals: Principals,
        proving: Proving,
        archives: Path = Path("archives"),
        tracing: bool = False,
    ) -> None:
        """Wire the services; `start` opens the port."""
        self._log = log
        self._publisher = proving.publisher
        self._gate = Gate(principals, tracing=tracing)
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(options=_OPTIONS)
        receipts = Receipts(log, proving.notary)
        cases = CaseServicer(engine, log, temporal, receipts)
        archiving = Archiving(log, proving, archives, keep_closed(engine))
        drills = DrillServicer(cases, log, engine, DrillSchedules(temporal, log))
        self._server.add_generic_rpc_handlers(
            (
                self._gate.service(_CASES, cases.methods()),
                self._gate.service(_INCIDENTS, IncidentServicer(cases, log).methods()),
                self._gate.service(_DRILLS, drills.methods()),
                self._gate.service(_RETENTION, RetentionServicer(log, engine, archiving, receipts).methods()),
                self._gate.service(
                    _AUDIT,
                    {
                        **AuditServicer(log, proving).methods(),
                        **ProofServicer(log, proving, receipts).methods(),
                        **WhatIfServicer(log).methods(),
                        **CrossCheckServicer(engine, log, temporal).methods(),
                        **ExportServicer(log, proving).methods(),
                        **ErasureServicer(log, receipts).methods(),
                    },
                ),
            )
        )
        # These two answer everybody: load balancers and people who look around have no token, and they say
        # nothing about cases.
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection((*_NAMES[1:], health.SERVICE_NAME, reflection.SERVICE_NAME), self._server)

    async def start(self, address: str, credentials: grpc.ServerCredentials | None = None) -> int:
        """Listen, in clear without credentials, and return the port.

        Raises:
            AddressTakenError: Somebody else listens there, or it is no address of this machine.
        """
        try:
            port = (
                self._server.add_insecure_port(address)
                if credentials is None
                else self._server.add_secure_port(address, credentials)
            )
        except RuntimeError as error:
            raise AddressTakenError(f"cannot listen on {address}: it is taken, or not of this machine") from error
        await self._server.start()
        return port

    async def watch_health(self) -> None:
        """Keep telling whether the log can be worked with, and answer no call while it is damaged."""
        told = None
        while True:
            trouble = await self._trouble_with_log()
            if trouble != told:
                told = trouble
                if trouble:
                    _log.error("the log cannot be worked with", why=trouble)
                await self._tell(serving=not trouble)
            await asyncio.sleep(_BETWEEN_LOOKS)

    async def stop(self, patience: float) -> None:
        """Take no more calls, let those under way end within `patience` seconds, then cut them off."""
        await self._health.enter_graceful_shutdown()
        self._gate.end_streams()
        await self._server.stop(patience)

    async def _trouble_with_log(self) -> str:
        """Why the log cannot be worked with; empty when it can."""
        unavailable = damage = ""
        try:
            await self._log.check()
            await self._publisher.check_published()
        except LogUnavailableError as error:
            unavailable = str(error)
        except LogDamagedError as error:
            damage = str(error)
        self._gate.damage = damage
        return unavailable or damage

    async def _tell(self, *, serving: bool) -> None:
        answer = health_pb2.HealthCheckResponse
        status = answer.SERVING if serving else answer.NOT_SERVING
        for name in _NAMES:
            await self._health.set(name, status)
