"""Which other cases belong to a case."""

from casetrail.v1.case_pb2 import Case, CaseLink
from casetrail.v1.effect_pb2 import LinkAccepted, MergeRefused, MergeRequested
from casetrail.v1.event_pb2 import DuplicateAbsorbed, Event, Linked, Unlinked
from casetrail.v1.types_pb2 import Kind
from domain.changes import incident
from domain.changes.table import Changes

CHANGES = Changes()


@CHANGES.on("merge_requested")
def _merge_requested(case: Case, event: Event, body: MergeRequested) -> None:
    case.merged_into = body.into_case_id


@CHANGES.on("merge_refused")
def _merge_refused(case: Case, event: Event, body: MergeRefused) -> None:
    case.merged_into = ""


@CHANGES.on("link_accepted")
def _link_accepted(case: Case, event: Event, body: LinkAccepted) -> None:
    _link(case, body.case_id, CaseLink.RELATION_RELATED)
    if case.kind == Kind.KIND_INCIDENT:
        incident.linked_by_demand(case, body.case_id)


@CHANGES.on("linked")
def _linked(case: Case, event: Event, body: Linked) -> None:
    _link(case, body.link.case_id, body.link.relation)
    if body.link.relation == CaseLink.RELATION_INCIDENT:
        incident.tie(case, body.link.case_id)


@CHANGES.on("unlinked")
def _unlinked(case: Case, event: Event, body: Unlinked) -> None:
    for i in reversed([i for i, link in enumerate(case.links) if link.case_id == body.case_id]):
        del case.links[i]


@CHANGES.on("duplicate_absorbed")
def _duplicate_absorbed(case: Case, event: Event, body: DuplicateAbsorbed) -> None:
    _link(case, body.case_id, CaseLink.RELATION_DUPLICATE)


def _link(case: Case, case_id: str, relation: CaseLink.Relation.ValueType) -> None:
    if all(link.case_id != case_id for link in case.links):
        case.links.add(case_id=case_id, relation=relation)
