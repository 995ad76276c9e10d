"""What makes one policy the same as another: its bytes."""

import hashlib

from casetrail.v1.case_pb2 import PolicyRef
from casetrail.v1.policy_pb2 import Policy


def canonical_bytes(policy: Policy) -> bytes:
    """The policy as it is kept for ever, and as its digest is taken over."""
    return policy.SerializeToString(deterministic=True)


def digest(policy: Policy) -> str:
    """Hex SHA-256 of the canonical bytes."""
    return hashlib.sha256(canonical_bytes(policy)).hexdigest()


def reference(policy: Policy) -> PolicyRef:
    """How a case names the policy that it is under."""
    return PolicyRef(policy_id=policy.policy_id, digest=digest(policy))
