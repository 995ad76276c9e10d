"""Checks a log, or one case of it: by case, by position, and what else it holds."""

import hashlib
from collections.abc import Callable, Iterable, Mapping

from audit.archived import Archived
from audit.log import Verification
from audit.subject_keys import SubjectKeys
from audit.verification.cases import CheckedCases, check_cases
from audit.verification.findings import Findings
from audit.verification.order import Order
from audit.verification.snapshot import CaseRange, Snapshot

Check = Callable[[Iterable[CaseRange]], Iterable[CheckedCases]]
"""Has ranges of cases checked, and gives in their order what that gave."""


def verify(snapshot: Snapshot, keys: SubjectKeys | None = None, check: Check | None = None) -> Verification:
    """Check a log, or one case of it.

    Args:
        snapshot: What is to be checked.
        keys: What personal fields are encrypted with. Those whose key was destroyed are as empty in the events as they
            are in the projection, and all that is hashed is what is stored: erasure breaks nothing.
        check: What checks the cases beside this; by default they are checked here, one after the other.
    """
    archived = Archived(snapshot.archived())
    if check is None:
        checked: Iterable[CheckedCases] = [check_cases(snapshot, archived, keys, cases) for cases in snapshot.ranges()]
    else:
        checked = check(snapshot.ranges())
    order = Order(snapshot, {})  # while others check the cases
    checked = list(checked)
    if leaves := {position: leaf for each in checked for position, leaf in each.leaves.items()}:
        order = Order(snapshot, leaves)
    found = Findings()
    found.take(order.findings)
    for each in checked:
        found.take(each.in_rows)
        for row in each.own:
            archived.read(row)
    for each in checked:
        found.take(each.in_cases)
    if snapshot.size is not None:
        for position, words in archived.faults():
            found.add("ARCHIVE_WRONG", words, position=position)
        _check_published(snapshot, archived, found)
    _check_policies(snapshot, [each.policies for each in checked], found)
    return Verification(events=order.events, cases=sum(each.cases for each in checked), findings=found.in_order())


def _check_published(snapshot: Snapshot, archived: Archived, found: Findings) -> None:
    """Checkpoints that something else in the log shows to have been there still are.

    Of others, nothing here tells that they were deleted: a checkpoint is kept outside for that.
    """
    gone = dict.fromkeys(snapshot.cosigned_alone(), "a witness signed")
    if proven := archived.proven:
        kept = {size for size, *_ in snapshot.checkpoints()}
        gone |= {size: f"{archive} is proven by" for size, archive in proven.items() if size not in kept}
    for size, why in gone.items():
        found.add("CHECKPOINT_MISSING", f"{why} the checkpoint of {size} events, which is gone", position=size)


def _check_policies(snapshot: Snapshot, under: Iterable[Mapping[str, int]], found: Findings) -> None:
    """Each policy is what its digest was made of, and those that cases are under are there."""
    there = set[str]()
    for digest, policy_id, body in snapshot.policies():
        there.add(digest)
        if hashlib.sha256(body).hexdigest() != digest:
            found.add("POLICY_CHANGED", f"policy {policy_id} is not what its digest {digest} was made of")
    if snapshot.size is None:
        return
    first: dict[str, int] = {}
    for policies in under:
        for digest, position in policies.items():
            first[digest] = min(position, first.get(digest, position))
    for digest in first.keys() - there:
        found.add("POLICY_MISSING", f"the policy {digest}, which cases are under, is gone", position=first[digest])
