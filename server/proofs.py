"""The part of AuditService that proves: checkpoints, inclusion, consistency, and the change of the signing key."""

from collections.abc import Mapping
from typing import Final

from audit import proofs
from audit.log import Checkpoint as Published
from audit.log import Log
from audit.publishing import witnesses_of
from casetrail.v1.audit_service_pb2 import (
    Checkpoint,
    GetCheckpointRequest,
    GetCheckpointResponse,
    ListCheckpointsRequest,
    ListCheckpointsResponse,
    ProveConsistencyRequest,
    ProveConsistencyResponse,
    ProveInclusionRequest,
    ProveInclusionResponse,
    RotateSigningKeyRequest,
    RotateSigningKeyResponse,
    WitnessState,
)
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Actor, Role
from domain.refusal import Rejected
from server import page_tokens
from server.calls import Stream, Unary
from server.principals import Principal
from server.proving import Proving
from server.receipts import Receipts

_PAGE: Final = 200
_PAGES: Final = "checkpoints"


class ProofServicer:
    """Proves what the log is."""

    def __init__(self, log: Log, proving: Proving, receipts: Receipts) -> None:
        """Prove this log."""
        self._log = log
        self._proving = proving
        self._receipts = receipts

    def methods(self) -> Mapping[str, Unary | Stream]:
        """What it offers, by the names of the contract."""
        return {
            "GetCheckpoint": self.get_checkpoint,
            "ListCheckpoints": self.list_checkpoints,
            "ProveInclusion": self.prove_inclusion,
            "ProveConsistency": self.prove_consistency,
            "RotateSigningKey": self.rotate_signing_key,
        }

    async def get_checkpoint(self, request: GetCheckpointRequest, _: Principal) -> GetCheckpointResponse:
        """Answer the newest published checkpoint, or the first that holds an event.

        Raises:
            Rejected: There is none yet.
        """
        if request.position:
            found = next(iter(await self._log.checkpoints(after_size=request.position - 1, limit=1)), None)
        else:
            found = await self._log.newest_checkpoint()
        if found is None:
            what = f"the event at position {request.position}" if request.position else "any event"
            raise Rejected(
                RefusalReason.REFUSAL_REASON_UNKNOWN_CHECKPOINT,
                f"no checkpoint that holds {what} has been published; about a second after a write there is one",
                "position",
            )
        return GetCheckpointResponse(
            checkpoint=_checkpoint(found),
            origin=self._proving.notary.origin,
            keys=[str(key) for key in self._proving.notary.keys],
            witnesses=[
                WitnessState(key=str(witness.address.key), size=witness.size, trouble=witness.trouble)
                for witness in self._proving.witnesses
            ],
            trouble=self._proving.publisher.trouble,
        )

    async def list_checkpoints(self, request: ListCheckpointsRequest, _: Principal) -> ListCheckpointsResponse:
        """Answer a page of checkpoints.

        Raises:
            Rejected: The page token is not of this query.
        """
        size = request.page_size or _PAGE
        after = max(page_tokens.after(_PAGES, request.page_token), request.after_size)
        found = await self._log.checkpoints(after_size=after, limit=size + 1)
        page = found[:size]
        return ListCheckpointsResponse(
            checkpoints=[_checkpoint(each) for each in page],
            next_page_token=page_tokens.token(_PAGES, page[-1].size) if len(found) > size else "",
        )

    async def prove_inclusion(self, request: ProveInclusionRequest, _: Principal) -> ProveInclusionResponse:
        """Prove that an event is in a tree of the log.

        Raises:
            Rejected: The tree does not hold it, or there is no such tree.
        """
        size = await self._size(request.tree_size, "tree_size")
        if request.position > size:
            raise _invalid("position", f"a tree of {size} events does not hold position {request.position}")
        (leaf,) = await self._log.subtrees(0, request.position - 1, request.position)
        return ProveInclusionResponse(
            position=request.position,
            hash=leaf.hex(),
            tree_size=size,
            root=(await proofs.root(self._log, size)).hex(),
            proof=await proofs.inclusion(self._log, request.position, size),
        )

    async def prove_consistency(self, request: ProveConsistencyRequest, _: Principal) -> ProveConsistencyResponse:
        """Prove that a tree of the log is an older one with events added at its end.

        Raises:
            Rejected: The old one is the larger one, or there is no such tree.
        """
        size = await self._size(request.size, "size")
        if request.old_size > size:
            raise _invalid("old_size", f"a tree of {size} events does not follow one of {request.old_size}")
        return ProveConsistencyResponse(
            old_size=request.old_size,
            old_root=(await proofs.root(self._log, request.old_size)).hex(),
            size=size,
            root=(await proofs.root(self._log, size)).hex(),
            proof=await proofs.consistency(self._log, request.old_size, size),
        )

    async def rotate_signing_key(
        self, request: RotateSigningKeyRequest, principal: Principal
    ) -> RotateSigningKeyResponse:
        """Sign with a new key from now on.

        Raises:
            Rejected: The caller is no administrator.
            KeyRefusedError: The new key cannot be kept.
        """
        if Role.ROLE_ADMIN not in principal.roles:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED,
                f"only an administrator changes the signing key, and {principal.name!r} is none",
            )
        event = await self._proving.notary.change_key(
            request_id=request.request_id, actor=Actor(name=principal.name, role=Role.ROLE_ADMIN)
        )
        change = event.signing_key_changed
        return RotateSigningKeyResponse(
            old_key=change.old_key,
            new_key=change.new_key,
            position=event.position,
            receipt=await self._receipts.receipt([event]),
        )

    async def _size(self, asked: int, field: str) -> int:
        size = await self._log.size()
        if asked > size:
            raise _invalid(field, f"the log has {size} events, not {asked}")
        return asked or size


def _checkpoint(published: Published) -> Checkpoint:
    checkpoint = Checkpoint(
        size=published.size,
        root=published.root.hex(),
        note=published.signed_note,
        witnesses=witnesses_of(published),
    )
    checkpoint.published_at.FromMicroseconds(published.published_at)
    return checkpoint


def _invalid(field: str, message: str) -> Rejected:
    return Rejected(RefusalReason.REFUSAL_REASON_INVALID, message, field)
