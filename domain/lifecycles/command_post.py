"""Who leads an incident: whom to tell, and who may decide what only a leader may."""

from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Role
from domain import awaited
from domain.draft import Draft
from domain.ladder import alert
from domain.refusal import Rejected


def tell(draft: Draft, text: str) -> None:
    """Tell whoever leads; while nobody does, those who may."""
    incident = draft.case.incident
    if incident.commander:
        alert(draft, incident.commander_role, text, owner=incident.commander)
    else:
        call(draft, text)


def call(draft: Draft, text: str) -> None:
    """Tell those who may lead."""
    roles = draft.case.incident.commander_roles
    alert(draft, roles[0] if roles else Role.ROLE_INCIDENT_LEAD, text)


def require_level(draft: Draft) -> None:
    """Refuse while nobody knows how bad it is.

    Raises:
        Rejected: NOT_YET.
    """
    if not draft.case.incident.level:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOT_YET,
            f"{draft.case.case_id} has no level; grade it first: the level decides who leads and approves",
        )


def require_lead(draft: Draft) -> None:
    """Refuse anybody but whoever leads, and those who may.

    Raises:
        Rejected: BEYOND_AUTHORITY.
    """
    incident = draft.case.incident
    # While the level is only suspected, those who may grade it may do the rest.
    if not incident.graded or draft.actor.name == incident.commander or awaited.may_lead(draft.actor.role, incident):
        return
    leads = incident.commander or "nobody"
    raise Rejected(
        RefusalReason.REFUSAL_REASON_BEYOND_AUTHORITY,
        f"this takes whoever leads {draft.case.case_id} ({leads}), or the role of {awaited.leaders(incident)}",
    )


def require_qualified(draft: Draft, role: Role.ValueType, *, field: str = "") -> None:
    """Refuse a role that may not lead at this level.

    Raises:
        Rejected: BEYOND_AUTHORITY.
    """
    incident = draft.case.incident
    if not awaited.may_lead(role, incident):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_BEYOND_AUTHORITY,
            f"leading an incident of level {incident.level} takes the role of {awaited.leaders(incident)}",
            field=field,
        )
