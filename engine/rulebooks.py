"""The policies in force: the newest for new cases, and each older one for the cases that are under it."""

from typing import Self

from audit.log import Log
from casetrail.v1.case_pb2 import PolicyRef
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.policy_pb2 import Policy
from domain import Rejected, Rulebook
from domain.policies import canonical_bytes


class PolicyIdReusedError(Exception):
    """A policy was changed and kept its id: open cases name the old one by it."""


class Rulebooks:
    """Compiled policies by digest, and the log that keeps every policy there ever was."""

    def __init__(self, log: Log, newest: Rulebook) -> None:
        """Take what `keep` made ready."""
        self._log = log
        self._newest = newest
        self._by_digest = {newest.ref.digest: newest}

    @classmethod
    async def keep(cls, log: Log, policy: Policy) -> Self:
        """Put a policy in force for new cases, and keep it in the log for as long as there are cases under it.

        Raises:
            PolicyIdReusedError: Its id is known for another policy.
            LogUnavailableError: It could not be kept.
            ValueError: One of its calendars cannot be used.
        """
        newest = Rulebook(policy)
        for digest, policy_id, _ in await log.policies():
            if policy_id == policy.policy_id and digest != newest.ref.digest:
                raise PolicyIdReusedError(
                    f"the log knows another policy {policy_id!r} (digest {digest[:12]}…): "
                    "a changed policy needs a new policy_id"
                )
        await log.keep_policy(newest.ref.digest, policy.policy_id, canonical_bytes(policy))
        return cls(log, newest)

    @property
    def newest(self) -> Rulebook:
        """What new cases open under."""
        return self._newest

    async def of(self, ref: PolicyRef) -> Rulebook:
        """What a case is under.

        Raises:
            Rejected: UNKNOWN_POLICY when the log never kept it.
            LogUnavailableError: The log could not be asked.
        """
        known = self._by_digest.get(ref.digest)
        return known or await self._find(ref.policy_id, ref.digest)

    async def named(self, policy_id: str) -> Rulebook:
        """A policy by its id.

        Raises:
            Rejected: UNKNOWN_POLICY.
            LogUnavailableError: The log could not be asked.
        """
        known = next((rules for rules in self._by_digest.values() if rules.ref.policy_id == policy_id), None)
        return known or await self._find(policy_id)

    async def _find(self, policy_id: str, digest: str = "") -> Rulebook:
        # Another process may have put a policy in force since this one last looked.
        for kept_digest, kept_id, body in await self._log.policies():
            if kept_digest == digest or (not digest and kept_id == policy_id):
                rules = Rulebook(Policy.FromString(body))
                self._by_digest[kept_digest] = rules
                return rules
        raise Rejected(
            RefusalReason.REFUSAL_REASON_UNKNOWN_POLICY,
            f"no policy {policy_id!r} is known here; put it in force first",
            field="change_policy.policy_id",
        )
