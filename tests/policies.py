"""The policy that is shipped, for tests that want one to work under."""

from functools import cache

from casetrail import policy_file
from casetrail.v1.policy_pb2 import Policy
from engine.settings import DEFAULT_POLICY


def shipped_policy() -> Policy:
    """A copy that a test may change."""
    copy = Policy()
    copy.CopyFrom(_read())
    return copy


@cache
def _read() -> Policy:
    return policy_file.load(DEFAULT_POLICY)
