"""Receipts: what a caller is given for an acknowledged write, to hold against the log later."""

from collections.abc import Sequence

from audit import proofs
from audit.log import Log
from audit.merkle import Growth
from audit.signing import Notary
from casetrail.v1.case_service_pb2 import Receipt
from casetrail.v1.event_pb2 import Event


class Receipts:
    """Makes receipts: one signature for all writes of a commit."""

    def __init__(self, log: Log, notary: Notary) -> None:
        """Make them for this log, signed by its notary."""
        self._log = log
        self._notary = notary

    async def receipt(self, events: Sequence[Event], growth: Growth | None = None) -> Receipt:
        """The receipt of a write.

        Args:
            events: What it wrote.
            growth: What its commit made of the tree. A repeated request has none, and an event of the log itself brings
                none: these get today's tree.
        """
        if not events:
            return Receipt()
        last = events[-1]
        if growth is not None:
            size, root = growth.frontier.size, growth.frontier.root
            inclusion = growth.inclusion(last.position)
        else:
            head = await self._log.tree_head()
            size, root = head.size, head.root
            inclusion = await proofs.inclusion(self._log, last.position, size)
        signed = await self._notary.sign(size, root)
        return Receipt(
            position=last.position,
            hash=last.hash,
            tree_size=size,
            root=root.hex(),
            signature=signed.signature,
            key_id=signed.key.key_hash.hex(),
            origin=self._notary.origin,
            inclusion=inclusion,
        )
