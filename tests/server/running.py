"""A server on a real log and engine, in the test's own event loop, called over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped] # has no types
from temporalio.client import Client

from audit.sqlite import SqliteLog
from audit.stores import KeySettings, open_keys, sqlite_url
from casetrail.v1.audit_service_pb2_grpc import AuditServiceStub
from casetrail.v1.case_service_pb2 import ExecuteRequest, ExecuteResponse, OpenCaseRequest, OpenCaseResponse
from casetrail.v1.case_service_pb2_grpc import CaseServiceStub
from casetrail.v1.command_pb2 import Command
from casetrail.v1.retention_service_pb2_grpc import RetentionServiceStub
from casetrail.v1.types_pb2 import Actor, Channel, Kind
from engine.engine import Engine
from engine.rulebooks import Rulebooks
from server.principals import Principals
from server.proving import ProofSettings, Proving
from server.serving import Server
from server.temporal import Temporal
from tests.policies import shipped_policy

if TYPE_CHECKING:
    from casetrail.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from casetrail.v1.case_service_pb2_grpc import CaseServiceAsyncStub
    from casetrail.v1.retention_service_pb2_grpc import RetentionServiceAsyncStub


def token_hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()


PRINCIPALS = f"""\
principals:
  - {{name: shop, roles: [service], may_act_as: [customer, agent], token_sha256: {token_hash("shop-secret")}}}
  - {{name: chloe, roles: [agent, team_lead], token_sha256: {token_hash("chloe-secret")}}}
  - {{name: history, roles: [importer], may_act_as: [agent], token_sha256: {token_hash("history-secret")}}}
  - {{name: player, roles: [importer], may_act_as: [importer], token_sha256: {token_hash("player-secret")}}}
  - {{name: admin, roles: [admin], token_sha256: {token_hash("admin-secret")}}}
  - {{name: audrey, roles: [auditor], token_sha256: {token_hash("audrey-secret")}}}
"""


@dataclass(frozen=True, slots=True)
class Refused:
    """What a caller makes of a failed call."""

    code: grpc.StatusCode
    reason: str
    message: str
    fields: dict[str, str]


def refusal(error: grpc.aio.AioRpcError) -> Refused:
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    status = status_pb2.Status.FromString(details)
    assert status.code == error.code().value[0]
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info) or detail.Unpack(bad)
    assert info.domain == "casetrail"
    fields = {each.field: each.description for each in bad.field_violations}
    return Refused(error.code(), info.reason, status.message, fields)


@dataclass(slots=True)
class Running:
    """A running server and ways to call it."""

    address: str
    channel: grpc.aio.Channel
    server: Server
    log: SqliteLog
    principals: Path
    proving: Proving

    @property
    def cases(self) -> "CaseServiceAsyncStub":
        return CaseServiceStub(self.channel)

    @property
    def retention(self) -> "RetentionServiceAsyncStub":
        return RetentionServiceStub(self.channel)

    @property
    def audit(self) -> "AuditServiceAsyncStub":
        return AuditServiceStub(self.channel)

    async def open(
        self, request_id: str = "open-1", *, caller: str = "shop", on_behalf_of: Actor | None = None, email: str = ""
    ) -> OpenCaseResponse:
        request = OpenCaseRequest(request_id=request_id, on_behalf_of=on_behalf_of)
        request.open.kind = Kind.KIND_INQUIRY
        request.open.channel = Channel.CHANNEL_EMAIL
        request.open.customer.customer_id = "C-1"
        request.open.customer.email = email
        request.open.subject = "Where is my parcel?"
        return await self.cases.OpenCase(request, metadata=token(caller))

    async def execute(self, command: Command, *, caller: str = "shop") -> ExecuteResponse:
        return await self.cases.Execute(ExecuteRequest(command=command), metadata=token(caller))

    async def note(self, case_id: str, n: int, *, text: str = "seen") -> ExecuteResponse:
        command = Command(case_id=case_id, request_id=f"note-{n}")
        command.note.words.text = text
        return await self.execute(command)

    async def is_witnessed(self) -> bool:
        """Whether a witness has signed all that there is."""
        newest = await self.log.newest_checkpoint()
        return newest is not None and newest.size == await self.log.size() and bool(newest.cosignatures)


def token(caller: str) -> tuple[tuple[str, str]]:
    return (("authorization", f"Bearer {caller}-secret"),)


async def _nobody() -> Client:
    raise RuntimeError("no Temporal here")


@asynccontextmanager
async def serving(
    folder: Path, proofs: ProofSettings | None = None, *, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[Running]:
    principals = folder / "principals.yaml"
    principals.write_text(PRINCIPALS)
    log = SqliteLog(folder / "casetrail.db")
    await log.use_keys(open_keys(KeySettings(sqlite_url(folder / "keys.db"), folder / "kek")))
    temporal = Temporal(_nobody)
    engine = Engine(log, await Rulebooks.keep(log, shipped_policy()), temporal)
    async with AsyncExitStack() as ending:
        ending.push_async_callback(log.close)
        proving = await ending.enter_async_context(Proving.open(log, proofs or ProofSettings(folder / "keys")))
        server = Server(
            engine=engine,
            log=log,
            temporal=temporal,
            principals=Principals(principals),
            proving=proving,
            archives=folder / "archives",
        )
        address = f"127.0.0.1:{await server.start('127.0.0.1:0', credentials)}"
        ending.push_async_callback(server.stop, 0)
        for work in (server.watch_health(), proving.run()):
            ending.push_async_callback(_cancelled, asyncio.create_task(work))
        channel = grpc.aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)])
        yield Running(address, await ending.enter_async_context(channel), server, log, principals, proving)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
