"""Errors on the wire: every way in which a call can fail becomes one `google.rpc.Status`, here only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped] # has no types

from audit.log import LogDamagedError, LogUnavailableError
from audit.signing import KeyRefusedError
from casetrail.v1.errors_pb2 import RefusalReason
from domain.refusal import Rejected

DOMAIN: Final = "casetrail"

_INTERNAL_MESSAGE: Final = "a fault of the engine; it is in the server's log under this request's id"
# A status travels in trailers, of which peers take 8 KiB: the message, each byte outside ASCII as three, and the
# details in base 64.
_LONGEST_MESSAGE: Final = 400
_LONGEST_DESCRIPTION: Final = 200
_MOST_BYTES: Final = 3000

CODES: Final[Mapping[RefusalReason.ValueType, grpc.StatusCode]] = {
    RefusalReason.REFUSAL_REASON_UNSPECIFIED: grpc.StatusCode.UNKNOWN,
    RefusalReason.REFUSAL_REASON_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.REFUSAL_REASON_UNKNOWN_CASE: grpc.StatusCode.NOT_FOUND,
    RefusalReason.REFUSAL_REASON_UNKNOWN_CHECKPOINT: grpc.StatusCode.NOT_FOUND,
    RefusalReason.REFUSAL_REASON_UNKNOWN_CUSTOMER: grpc.StatusCode.NOT_FOUND,
    RefusalReason.REFUSAL_REASON_UNKNOWN_SCHEDULE: grpc.StatusCode.NOT_FOUND,
    RefusalReason.REFUSAL_REASON_UNKNOWN_ARCHIVE: grpc.StatusCode.NOT_FOUND,
    RefusalReason.REFUSAL_REASON_ARCHIVE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    RefusalReason.REFUSAL_REASON_ARCHIVE_DAMAGED: grpc.StatusCode.DATA_LOSS,
    RefusalReason.REFUSAL_REASON_CASE_EXISTS: grpc.StatusCode.ALREADY_EXISTS,
    RefusalReason.REFUSAL_REASON_REQUEST_ID_REUSED: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.REFUSAL_REASON_STALE_SEQ: grpc.StatusCode.ABORTED,
    RefusalReason.REFUSAL_REASON_WRONG_STAGE: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_WRONG_KIND: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_CASE_CLOSED: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_NOTHING_TO_DO: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_ALREADY_SO: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_TOO_EARLY: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_NOT_YET: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_WRONG_TIME: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_UNKNOWN_POLICY: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_UNKNOWN_EFFECT: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_CANNOT_JOIN: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_NO_RULES: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_CASE_ARCHIVED: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_CASES_HAVE_CHANGED: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_ARCHIVE_CARRIED_OUT: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_ARCHIVE_WITHDRAWN: grpc.StatusCode.FAILED_PRECONDITION,
    RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED: grpc.StatusCode.PERMISSION_DENIED,
    RefusalReason.REFUSAL_REASON_BEYOND_AUTHORITY: grpc.StatusCode.PERMISSION_DENIED,
    RefusalReason.REFUSAL_REASON_UNKNOWN_PRINCIPAL: grpc.StatusCode.UNAUTHENTICATED,
    RefusalReason.REFUSAL_REASON_MAY_NOT_ACT_FOR: grpc.StatusCode.PERMISSION_DENIED,
    RefusalReason.REFUSAL_REASON_SAME_PERSON: grpc.StatusCode.PERMISSION_DENIED,
    RefusalReason.REFUSAL_REASON_LOG_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    RefusalReason.REFUSAL_REASON_LOG_DAMAGED: grpc.StatusCode.DATA_LOSS,
    RefusalReason.REFUSAL_REASON_WORKFLOW_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    RefusalReason.REFUSAL_REASON_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
    RefusalReason.REFUSAL_REASON_INTERNAL: grpc.StatusCode.INTERNAL,
    RefusalReason.REFUSAL_REASON_BAD_PAGE_TOKEN: grpc.StatusCode.INVALID_ARGUMENT,
    RefusalReason.REFUSAL_REASON_BUSY: grpc.StatusCode.UNAVAILABLE,
    RefusalReason.REFUSAL_REASON_STOPPING: grpc.StatusCode.UNAVAILABLE,
    RefusalReason.REFUSAL_REASON_WORKFLOW_NOT_RUNNING: grpc.StatusCode.FAILED_PRECONDITION,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """A field that breaks a rule of the contract, by its path from the request."""

    field: str
    description: str


class InvalidRequest(Rejected):
    """The request breaks rules of the contract, possibly several at once."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        """Refuse with all that is wrong, so that the caller mends it in one go."""
        first = violations[0]
        more = f", and {len(violations) - 1} more" if len(violations) > 1 else ""
        message = f"{first.field}: {first.description}{more}" if first.field else f"{first.description}{more}"
        super().__init__(RefusalReason.REFUSAL_REASON_INVALID, message, first.field)
        self.violations = tuple(violations)


@dataclass(frozen=True, slots=True)
class Refused:
    """A failed call, as its caller is told.

    Attributes:
        code: The gRPC status code.
        reason: Stable, for programs; the name of a `RefusalReason` without its prefix.
        message: For people.
        violations: The wrong fields, where there are any.
        unexpected: A fault of ours, to be logged.
    """

    code: grpc.StatusCode
    reason: str
    message: str
    violations: Sequence[Violation] = ()
    unexpected: bool = False

    @property
    def trailers(self) -> tuple[tuple[str, bytes]]:
        """The status with its details, where gRPC's rich error model looks for it."""
        return (("grpc-status-details-bin", self._status().SerializeToString()),)

    def _status(self) -> status_pb2.Status:
        details = [_packed(error_details_pb2.ErrorInfo(reason=self.reason, domain=DOMAIN))]
        if self.violations:
            bad = error_details_pb2.BadRequest()
            for violation in self.violations:
                description = violation.description[:_LONGEST_DESCRIPTION]
                bad.field_violations.add(field=violation.field, description=description)
                if bad.ByteSize() > _MOST_BYTES - 4 * _LONGEST_MESSAGE:
                    break
            details.append(_packed(bad))
        return status_pb2.Status(code=self.code.value[0], message=self.message, details=details)


def explain(error: Exception) -> Refused:
    """Say what a caller is told of an error: what and why, but nothing from inside the engine."""
    match error:
        case InvalidRequest():
            return _refused(error, error.violations)
        case Rejected():
            return _refused(error, [Violation(error.field, error.message)] if error.field else [])
        case LogUnavailableError() | KeyRefusedError():
            message = f"{error}; ask again with the same request id"
            return _refused(Rejected(RefusalReason.REFUSAL_REASON_LOG_UNAVAILABLE, message))
        case LogDamagedError():
            return _refused(Rejected(RefusalReason.REFUSAL_REASON_LOG_DAMAGED, str(error)))
        case _:
            fault = _refused(Rejected(RefusalReason.REFUSAL_REASON_INTERNAL, _INTERNAL_MESSAGE))
            return Refused(fault.code, fault.reason, fault.message, unexpected=True)


def _refused(rejected: Rejected, violations: Sequence[Violation] = ()) -> Refused:
    return Refused(CODES[rejected.reason], rejected.code, rejected.message[:_LONGEST_MESSAGE], violations)


def _packed(detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
