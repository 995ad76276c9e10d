# ruff: noqa: N818 - `except casetrail.NotFound` says all that `NotFoundError` would
"""What a call can end with besides an answer.

One base class carries what the service said; the subclasses are what a caller does something different about.
"""

from dataclasses import dataclass
from typing import cast

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo  # type: ignore[import-untyped] # has no types
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped] # likewise
from grpc_status import rpc_status


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """A field of the request that breaks a rule of the contract.

    Attributes:
        field: Its path, for example `command.reply.words.text`.
        description: What is wrong with it.
    """

    field: str
    description: str


class CasetrailError(Exception):
    """A call was not carried out, or nobody knows whether it was.

    Attributes:
        code: The gRPC status.
        reason: The stable reason of the contract, a `RefusalReason` without its prefix such as `WRONG_STAGE`;
            `UNREACHABLE` when there was no connection, or what `Untrusted` lists; empty when whoever answered gave
            none.
        message: What was wrong, for a person.
        field_violations: The fields that were wrong, where that is what was wrong.
        request_id: Of a write: the id under which it can be asked for again. Empty for reads.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        field_violations: tuple[FieldViolation, ...] = (),
        request_id: str = "",
    ) -> None:
        super().__init__(f"{reason}: {message}" if reason else message)
        self.code = code
        self.reason = reason
        self.message = message
        self.field_violations = field_violations
        self.request_id = request_id

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return False

    def after(self, told: "CasetrailError | None") -> "CasetrailError":
        """This one as the last of several attempts, of which an earlier one was told why; that says more than silence.

        Whether the last one was carried out is as unknown as before.
        """
        if told is None or self.reason:
            return self
        words = f"the last attempt was not answered in time; before that: {told.message}"
        return type(self)(words, code=self.code, request_id=self.request_id)


class InvalidRequest(CasetrailError):
    """The request breaks a rule of the contract, or is too large; `field_violations` says where."""


class NotFound(CasetrailError):
    """There is no such thing: no case, archive, checkpoint, customer or schedule of that name."""


class Refused(CasetrailError):
    """The lifecycle does not allow this now; nothing happened."""


class Stale(Refused):
    """The case has moved on from `expected_seq`, or the log does not have what is to be read on from: read it again."""


class NotAllowed(CasetrailError):
    """The caller is unknown, or may not do this."""


class Untrusted(CasetrailError):
    """There is no connection that both sides trust, and trying again does not make one.

    Its reasons: `TLS_WANTED` (by the service, not spoken by the client), `NO_TLS` (the other way round),
    `UNKNOWN_AUTHORITY`, `OTHER_HOST_NAME` and `NOT_VALID_NOW` (of the service's certificate),
    `CLIENT_CERTIFICATE` (missing, or not accepted), `IN_CLEAR` (beyond this machine without TLS: not tried) and
    `TLS_SETTINGS` (files or settings that cannot be used).
    """


class Unavailable(CasetrailError):
    """No answer within the caller's patience.

    A write may have happened all the same: asking again with the same `request_id` finds out.
    """

    @property
    def passes(self) -> bool:
        """It may be there again in a moment."""
        return True


_CLASSES: dict[grpc.StatusCode, type[CasetrailError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.RESOURCE_EXHAUSTED: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.ALREADY_EXISTS: Refused,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowed,
    grpc.StatusCode.UNAUTHENTICATED: NotAllowed,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    # What a server that stops says of calls that it let go. The caller's own cancellation becomes no error.
    grpc.StatusCode.CANCELLED: Unavailable,
    # Without expected_seq: two writers met, and neither asked to be told.
    grpc.StatusCode.ABORTED: Unavailable,
}


def error_of(call: grpc.aio.AioRpcError, request_id: str = "") -> CasetrailError:
    """What a failed call says, as an exception of this module."""
    status = _status(call)
    info, violations = ErrorInfo(), BadRequest()
    for detail in status.details:
        # The two are told apart by their type; any other detail is not for programs.
        _ = detail.Unpack(info) or detail.Unpack(violations)
    found = Stale if info.reason == "STALE_SEQ" else _CLASSES.get(call.code(), CasetrailError)
    return found(
        status.message or call.details() or call.code().name,
        code=call.code(),
        reason=info.reason,
        field_violations=tuple(FieldViolation(v.field, v.description) for v in violations.field_violations),
        request_id=request_id,
    )


def _status(call: grpc.aio.AioRpcError) -> Status:
    try:
        return rpc_status.from_call(cast("grpc.Call", call)) or Status()
    except ValueError:
        # Details of something between us and the service, which contradict its status: the status counts.
        return Status()
