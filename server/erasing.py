"""AuditService.EraseCustomer: lawful erasure, for administrators."""

from collections.abc import Mapping

from audit.erasure import erase
from audit.log import Log
from casetrail.v1.audit_service_pb2 import EraseCustomerRequest, EraseCustomerResponse
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Actor, Role
from domain.refusal import Rejected
from server.calls import Stream, Unary
from server.principals import Principal
from server.receipts import Receipts


class ErasureServicer:
    """Makes a customer's personal data unreadable."""

    def __init__(self, log: Log, receipts: Receipts) -> None:
        """Erase from this log."""
        self._log = log
        self._receipts = receipts

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        return {"EraseCustomer": self.erase_customer}

    async def erase_customer(self, request: EraseCustomerRequest, principal: Principal) -> EraseCustomerResponse:
        """Destroy the customer's keys.

        Raises:
            Rejected: The caller is no administrator, a case is open, or there is nothing to erase.
        """
        if Role.ROLE_ADMIN not in principal.roles:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED,
                f"only an administrator erases a customer's data, and {principal.name!r} is none",
            )
        event = await erase(
            self._log,
            request.customer_id,
            why=request.why,
            request_id=request.request_id,
            actor=Actor(name=principal.name, role=Role.ROLE_ADMIN),
        )
        erased = event.customer_erased
        return EraseCustomerResponse(
            position=event.position,
            keys=len(erased.key_ids),
            cases=erased.cases,
            readable_events=erased.readable_events,
            receipt=await self._receipts.receipt([event]),
        )
