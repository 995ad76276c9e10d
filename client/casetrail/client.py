"""The client: typed calls that may be repeated safely, and watches that survive a broken connection."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from casetrail import environment, handshake
from casetrail.archives import Archives
from casetrail.calling import Calls
from casetrail.commands import Action, How, command, new_request_id, timestamp, words
from casetrail.drills import Drills
from casetrail.errors import Unavailable, Untrusted
from casetrail.incidents import Incidents
from casetrail.patience import Patience
from casetrail.receipts import LOG_ITSELF, ReceiptFile
from casetrail.tls import Tls, is_loopback
from casetrail.v1.audit_service_pb2 import (
    CaseRerun,
    Checkpoint,
    CrossCheckRequest,
    CrossCheckResponse,
    EraseCustomerRequest,
    EraseCustomerResponse,
    ExportLogRequest,
    GetCheckpointRequest,
    GetCheckpointResponse,
    ListCheckpointsRequest,
    ListEventsRequest,
    ProveConsistencyRequest,
    ProveConsistencyResponse,
    ProveInclusionRequest,
    ProveInclusionResponse,
    ReplayCaseRequest,
    ReplayCaseResponse,
    RotateSigningKeyRequest,
    RotateSigningKeyResponse,
    VerifyCaseRequest,
    VerifyCaseResponse,
    WatchEventsRequest,
    WhatIfRequest,
)
from casetrail.v1.audit_service_pb2_grpc import AuditServiceStub
from casetrail.v1.case_pb2 import Case, Customer
from casetrail.v1.case_service_pb2 import (
    BatchExecuteRequest,
    BatchResult,
    CaseFilter,
    ExecuteRequest,
    ExecuteResponse,
    GetCaseRequest,
    ListCasesRequest,
    OpenCaseRequest,
    OpenCaseResponse,
    Receipt,
    WatchCaseRequest,
    WatchCaseResponse,
)
from casetrail.v1.case_service_pb2_grpc import CaseServiceStub
from casetrail.v1.command_pb2 import Command, Open, ParcelReference, ReturnRequest
from casetrail.v1.event_pb2 import Event
from casetrail.v1.policy_pb2 import Policy
from casetrail.v1.types_pb2 import Actor, Attachment, Channel, Kind, Priority
from casetrail.verbs import Verbs
from casetrail.words import ChannelWord, KindWord, PriorityWord, value_of

if TYPE_CHECKING:
    # Names that only the generated stubs have: the same classes, as an asynchronous channel makes them.
    from casetrail.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from casetrail.v1.case_service_pb2_grpc import CaseServiceAsyncStub

_BATCH = 1000
"""The contract's limit."""

_OPTIONS = (
    # Back soon after the service is: our own pauses are what keeps callers from crowding it.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    # A watch notices a peer that vanished without a word; more often than every 5 minutes servers take amiss.
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # A page of long events is larger than gRPC's 4 MiB.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
)


class Client(Verbs):
    """A connection to Casetrail, used as `async with Client(…) as client`.

    Every write carries a request id, and every retry carries the same: however often a call is sent, it is
    carried out once. What passes by itself (the service restarts, its log is busy) is retried within the
    caller's patience; the rest is raised as `CasetrailError`.
    """

    def __init__(
        self,
        address: str = environment.DEFAULT_ADDRESS,
        token: str = "",
        *,
        tls: Tls | None = None,
        insecure: bool = False,
        patience: Patience = Patience(),
        receipts: Path | None = None,
    ) -> None:
        """Say where the service is and who asks; the connection is made by the first call.

        Args:
            address: HOST:PORT.
            token: The principal's bearer token.
            tls: By what the service is known. Without it nothing is encrypted: for loopback only.
            insecure: Speak in clear beyond loopback all the same, where the way is safe by other means.
            patience: Deadlines and pauses of all calls.
            receipts: A file to which the receipt of each write is appended.
        """
        self.address = address
        self._receipts = ReceiptFile(receipts) if receipts else None
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._tls = tls
        self._insecure = insecure
        self._patience = patience

    @classmethod
    def from_environment(cls, *, patience: Patience = Patience()) -> Self:
        """A client of what CASETRAIL_ADDRESS, _TOKEN (or _DATA), _TLS_CA and its companions, and _RECEIPTS name.

        Raises:
            Untrusted: `TLS_SETTINGS`: what is said of TLS cannot be used.
        """
        return cls(
            environment.address(),
            environment.token(),
            tls=Tls.from_environment(),
            insecure=environment.insecure(),
            patience=patience,
            receipts=environment.receipts(),
        )

    async def __aenter__(self) -> Self:
        """Take up a channel of the running event loop.

        Raises:
            OSError: Receipts are to be kept where nothing can be written.
            Untrusted: `IN_CLEAR`, or `TLS_SETTINGS`: nothing was sent.
        """
        channel = self._make_channel()
        if self._receipts is not None:
            self._receipts.__enter__()
        self._channel = channel
        self._calls = Calls(channel, self.address, self._tls, self._metadata, self._patience)
        self._cases: CaseServiceAsyncStub = CaseServiceStub(channel)
        self._audit: AuditServiceAsyncStub = AuditServiceStub(channel)
        self.archives = Archives(self._calls, self._keep)
        self.drills = Drills(self._calls, self._keep)
        self.incidents = Incidents(self._calls, self._keep)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the channel, and of the watches on it."""
        if self._receipts is not None:
            self._receipts.__exit__(kind, error, trace)
        await self._channel.close()

    async def connect(self, within: float = 5.0) -> None:
        """Make the connection now, to learn at once that nobody is there.

        Args:
            within: Seconds to wait for a slow network. A refused connection is told without waiting.

        Raises:
            Unavailable: `UNREACHABLE`: there is no connection.
            Untrusted: There is somebody, but the two sides do not agree on TLS.
        """
        try:
            async with asyncio.timeout(within):
                while (state := self._channel.get_state(try_to_connect=True)) != grpc.ChannelConnectivity.READY:
                    if state == grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                        raise await handshake.fault(self.address, self._tls) or self._unreachable()
                    await self._channel.wait_for_state_change(state)
        except TimeoutError:
            raise self._unreachable() from None

    async def open(  # noqa: PLR0913 - what a case can begin with, each by its name
        self,
        *,
        kind: KindWord,
        customer: str | Customer,
        channel: ChannelWord,
        subject: str,
        text: str = "",
        attachments: Sequence[Attachment] = (),
        category: str = "",
        priority: PriorityWord | None = None,
        order_id: str = "",
        product_id: str = "",
        return_request: ReturnRequest | None = None,
        parcel: ParcelReference | None = None,
        scale: float = 0,
        silent: bool = False,
        source: str = "",
        case_id: str = "",
        request_id: str = "",
        actor: Actor | None = None,
        at: datetime | None = None,
    ) -> OpenCaseResponse:
        """Begin a case.

        Args:
            kind: Which lifecycle.
            customer: The customer, or only the customer's reference.
            channel: How the customer came.
            subject: One line.
            text: What the customer said.
            attachments: Evidence.
            category: order, product, logistics, …: the policy's words.
            priority: The policy decides when left out.
            order_id: The shop's order; a return needs one.
            product_id: The shop's product.
            return_request: Of a return, and only of one: items, reason, what is wanted.
            parcel: A parcel that the matter is about.
            scale: Case seconds per real second; 0 and 1 are real time.
            silent: Nobody is written to, nothing is billed.
            source: Only for an importer: the case's number in its source.
            case_id: Only for an importer: the number that the case gets.
            request_id: The same again finds the same case; a new one when left out.
            actor: Who acts, where the caller may act for others.
            at: Only for an importer: when it happened.
        """
        opening = Open(
            kind=value_of(Kind, kind),
            channel=value_of(Channel, channel),
            priority=value_of(Priority, priority or ""),
            category=category,
            customer=Customer(customer_id=customer) if isinstance(customer, str) else customer,
            order_id=order_id,
            product_id=product_id,
            subject=subject,
            words=words(text, tuple(attachments)),
            scale=scale,
            return_request=return_request,
            source=source,
            silent=silent,
            parcel=parcel,
        )
        request = OpenCaseRequest(
            request_id=request_id or new_request_id(),
            open=opening,
            on_behalf_of=actor,
            case_id=case_id,
            at=timestamp(at) if at else None,
        )
        answer = await self._calls.ask(self._cases.OpenCase, request, request.request_id)
        self._keep(answer.case.case_id, request.request_id, answer.receipt)
        return answer

    async def execute(self, case_id: str, action: Action, **how: Unpack[How]) -> ExecuteResponse:
        """Carry out one command, such as `execute(case_id, Reply(words=Words(text="…")))`."""
        made = command(case_id, action, **how)
        answer = await self._calls.ask(self._cases.Execute, ExecuteRequest(command=made), made.request_id)
        self._keep(case_id, made.request_id, answer.receipt)
        return answer

    async def batch(self, commands: Iterable[Command]) -> Sequence[BatchResult]:
        """Carry out many commands: of one case in order, of different cases side by side.

        Commands without a request id get one. A refused command has its refusal as result; the others go on.

        Raises:
            Unavailable: Nobody knows which were carried out. Those that came with a request id can be sent again.
        """
        results: list[BatchResult] = []
        waiting = iter(commands)
        while part := tuple(itertools.islice(waiting, _BATCH)):
            request = BatchExecuteRequest(commands=part)
            for made in request.commands:
                made.request_id = made.request_id or new_request_id()
            answer = await self._calls.ask(self._cases.BatchExecute, request)
            for made, result in zip(request.commands, answer.results, strict=True):
                events = result.done.events
                self._keep(events[-1].case_id if events else made.case_id, made.request_id, result.done.receipt)
            results.extend(answer.results)
        return results

    async def get(self, case_id: str, *, from_workflow: bool = False) -> Case:
        """The case as it is now, from the log.

        Args:
            case_id: The case.
            from_workflow: Ask its running workflow instead, which knows number, kind, stage and seq as of when it
                last looked at the log: a cross-check.
        """
        source = GetCaseRequest.SOURCE_WORKFLOW if from_workflow else GetCaseRequest.SOURCE_UNSPECIFIED
        answer = await self._calls.ask(self._cases.GetCase, GetCaseRequest(case_id=case_id, source=source))
        return answer.case

    async def list(self, case_filter: CaseFilter | None = None, *, page_size: int = 0) -> AsyncIterator[Case]:
        """Cases that fit the filter, the newest first; pages are fetched as they are needed."""
        request = ListCasesRequest(filter=case_filter, page_size=page_size)
        async for page in self._calls.pages(self._cases.ListCases, request):
            for case in page.cases:
                yield case

    def watch(self, case_id: str, *, after_seq: int = 0) -> AsyncGenerator[WatchCaseResponse, None]:
        """Every event of a case after one, with the case after it: what is there, then what comes.

        A broken connection is taken up again where it broke: nothing is lost, nothing comes twice.
        """
        return self._calls.follow(
            self._cases.WatchCase,
            lambda seq: WatchCaseRequest(case_id=case_id, after_seq=seq),
            place=lambda answer: answer.event.seq,
            after=after_seq,
        )

    async def events(
        self, case_id: str = "", *, after_position: int = 0, page_size: int = 500
    ) -> AsyncGenerator[Event, None]:
        """Events of one case, or of all, in the log's order; pages are fetched as they are needed."""
        request = ListEventsRequest(case_id=case_id, after_position=after_position, page_size=page_size)
        async for page in self._calls.pages(self._audit.ListEvents, request):
            for event in page.events:
                yield event

    async def watch_events(self, after_position: int = 0) -> AsyncIterator[Event]:
        """Every event after a position of the log, what is there and then what comes, over breaks as well."""
        answers = self._calls.follow(
            self._audit.WatchEvents,
            lambda position: WatchEventsRequest(after_position=position),
            place=lambda answer: answer.event.position,
            after=after_position,
        )
        async for answer in answers:
            yield answer.event

    async def replay(
        self, case_id: str, *, seq: int | None = None, at: datetime | Timestamp | None = None
    ) -> ReplayCaseResponse:
        """The case after one of its events, or at an instant of case time, with the events up to then.

        Raises:
            ValueError: Not exactly one of `seq` and `at` is given.
        """
        if (seq is None) == (at is None):
            raise ValueError("replay needs a seq or an instant, and not both")
        request = ReplayCaseRequest(
            case_id=case_id, at=timestamp(at) if isinstance(at, datetime) else at, without_events=True
        )
        if seq is not None:
            request.seq = seq
        answer = await self._calls.ask(self._audit.ReplayCase, request)
        if not answer.events:  # an older service gives them at once
            async with aclosing(self.events(case_id)) as events:
                async for event in events:
                    if event.seq > answer.case.seq:
                        break
                    answer.events.append(event)
        return answer

    async def verify(self, case_id: str = "", *, within: float = 600.0) -> VerifyCaseResponse:
        """Check one case, or the whole log, which takes its time: `within` so many seconds."""
        patience = replace(self._patience, overall=within, attempt=within, again=self._patience.overall)
        return await self._calls.ask(self._audit.VerifyCase, VerifyCaseRequest(case_id=case_id), patience=patience)

    async def checkpoint(self, position: int = 0) -> GetCheckpointResponse:
        """The first published checkpoint that holds the event at a position, or the newest; and who has signed it."""
        return await self._calls.ask(self._audit.GetCheckpoint, GetCheckpointRequest(position=position))

    async def checkpoints(self, *, after_size: int = 0, page_size: int = 0) -> AsyncIterator[Checkpoint]:
        """Published checkpoints by size; pages are fetched as they are needed."""
        request = ListCheckpointsRequest(after_size=after_size, page_size=page_size)
        async for page in self._calls.pages(self._audit.ListCheckpoints, request):
            for checkpoint in page.checkpoints:
                yield checkpoint

    async def prove_inclusion(self, position: int, *, tree_size: int = 0) -> ProveInclusionResponse:
        """A proof that an event is in the tree of so many events, or of all; `casetrail.proof.tree` checks it."""
        return await self._calls.ask(
            self._audit.ProveInclusion, ProveInclusionRequest(position=position, tree_size=tree_size)
        )

    async def prove_consistency(self, old_size: int, *, size: int = 0) -> ProveConsistencyResponse:
        """A proof that one tree of the log continues an older one; `casetrail.proof.tree` checks it."""
        return await self._calls.ask(
            self._audit.ProveConsistency, ProveConsistencyRequest(old_size=old_size, size=size)
        )

    async def rotate_signing_key(self, *, request_id: str = "") -> RotateSigningKeyResponse:
        """Have the log sign with a new key from now on. For administrators."""
        request = RotateSigningKeyRequest(request_id=request_id or new_request_id())
        answer = await self._calls.ask(self._audit.RotateSigningKey, request, request.request_id)
        self._keep(LOG_ITSELF, request.request_id, answer.receipt)
        return answer

    async def erase_customer(self, customer_id: str, *, why: str, request_id: str = "") -> EraseCustomerResponse:
        """Make a customer's personal data unreadable for ever. For administrators."""
        request = EraseCustomerRequest(request_id=request_id or new_request_id(), customer_id=customer_id, why=why)
        answer = await self._calls.ask(self._audit.EraseCustomer, request, request.request_id)
        self._keep(LOG_ITSELF, request.request_id, answer.receipt)
        return answer

    async def steps(self, case_id: str) -> AsyncIterator[WatchCaseResponse]:
        """Every event of a case so far, each with the case after it."""
        last = (await self.get(case_id)).seq
        async with aclosing(self.watch(case_id)) as answers:
            async for answer in answers:
                yield answer
                if answer.event.seq >= last:
                    return

    async def what_if(
        self, policy: Policy, case_filter: CaseFilter | None = None, *, case_ids: Sequence[str] = ()
    ) -> AsyncIterator[CaseRerun]:
        """Recorded cases, run again under another policy. Nothing is written.

        Args:
            policy: What holds in place of the policies that the cases were under.
            case_filter: Which cases; all when left out.
            case_ids: Only these, in this order; the newest first when left out.
        """
        request = WhatIfRequest(policy=policy, filter=case_filter, case_ids=case_ids)
        async for answer in self._calls.once(self._audit.WhatIf, request):
            yield answer.rerun

    async def export_log(self, request: ExportLogRequest | None = None) -> AsyncIterator[bytes]:
        """The log, or an extract of it, as lines of the export format (docs/proof.md), without the last one."""
        async for answer in self._calls.once(self._audit.ExportLog, request or ExportLogRequest()):
            yield answer.lines

    def cross_check(self, case_id: str = "") -> AsyncIterator[CrossCheckResponse]:
        """How log, projection and running workflow of each open case, or of one case, agree."""
        return self._calls.once(self._audit.CrossCheck, CrossCheckRequest(case_id=case_id))

    def _make_channel(self) -> grpc.aio.Channel:
        if self._tls is not None:
            options = (*_OPTIONS, *self._tls.options())
            return grpc.aio.secure_channel(self.address, self._tls.credentials(), options=options)
        if not (self._insecure or is_loopback(self.address)):
            raise Untrusted(
                f"without TLS the token would pass in clear to {self.address}, which is not this machine",
                reason="IN_CLEAR",
            )
        return grpc.aio.insecure_channel(self.address, options=_OPTIONS)

    def _unreachable(self) -> Unavailable:
        return Unavailable(f"nothing answers at {self.address}", code=grpc.StatusCode.UNAVAILABLE, reason="UNREACHABLE")

    def _keep(self, case_id: str, request_id: str, receipt: Receipt) -> None:
        if self._receipts is not None:
            self._receipts.keep(case_id, request_id, receipt)
