"""Cases that belong together: linked, or merged when they are the same matter.

Each case has a log of its own, so joining two is a demand on the other, and is done when that one has accepted.
"""

from casetrail.v1.case_pb2 import CaseLink, TimeBase
from casetrail.v1.command_pb2 import Absorb, Link, Merge
from casetrail.v1.effect_pb2 import LinkRequested, MergeRequested
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import DuplicateAbsorbed, Linked, Unlinked
from casetrail.v1.types_pb2 import Kind, Stage
from domain.draft import Draft
from domain.lifecycles import closing, linked
from domain.refusal import Rejected


def link(draft: Draft, command: Link) -> None:
    """Note that another case has to do with this one, in both."""
    _require_other(draft, command.case_id)
    if any(entry.case_id == command.case_id for entry in draft.case.links):
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{draft.case.case_id} is linked to {command.case_id}")
    draft.add(Linked(link=CaseLink(case_id=command.case_id, relation=command.relation)))
    draft.add(LinkRequested(case_id=command.case_id))


def not_linked(draft: Draft, case_id: str) -> None:
    """The other case has not noted it: there is no such case, or it is of another world."""
    if any(entry.case_id == case_id for entry in draft.case.links):
        draft.add(Unlinked(case_id=case_id))


def merge(draft: Draft, command: Merge) -> None:
    """This case is a duplicate: it goes on in the other, and is closed when that one has taken it in."""
    _require_other(draft, command.into_case_id)
    if draft.case.time_base.mode == TimeBase.MODE_IMPORTED:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_CANNOT_JOIN,
            f"{draft.case.case_id} stands on the importer's clock; hand it over to live time first",
        )
    if draft.case.merged_into:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO,
            f"{draft.case.case_id} is being merged into {draft.case.merged_into}",
        )
    closing.refuse_while_paying(draft)
    draft.add(MergeRequested(into_case_id=command.into_case_id, reason=command.why))


def absorb(draft: Draft, command: Absorb) -> None:
    """Another case says that it is linked to this one, or its duplicate: of the same customer, and this is open."""
    linked.require_same_world(draft, command.drill_id, command.case_id)
    if command.only_link:
        _be_linked(draft, command)
        return
    if draft.case.stage == Stage.STAGE_CLOSED:
        raise Rejected(RefusalReason.REFUSAL_REASON_CANNOT_JOIN, f"{draft.case.case_id} is closed; reopen it first")
    if draft.case.merged_into:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_CANNOT_JOIN,
            f"{draft.case.case_id} is itself being merged into {draft.case.merged_into}",
        )
    if draft.case.customer.customer_id != command.customer_id:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_CANNOT_JOIN,
            f"{draft.case.case_id} and {command.case_id} are of different customers",
        )
    draft.add(DuplicateAbsorbed(case_id=command.case_id, why=command.why))


def _be_linked(draft: Draft, command: Absorb) -> None:
    if command.incident:
        linked.linked_to_incident(draft, command.case_id)
        return
    draft.add(Linked(link=CaseLink(case_id=command.case_id, relation=CaseLink.RELATION_RELATED)))
    if draft.case.kind == Kind.KIND_INCIDENT:
        linked.linked_by_customer_side(draft, command)


def _require_other(draft: Draft, case_id: str) -> None:
    if case_id == draft.case.case_id:
        raise Rejected(RefusalReason.REFUSAL_REASON_CANNOT_JOIN, f"{case_id} is this case itself")
