"""Which roles may do what. How much money a role may decide about is the policy's."""

from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Actor, Role
from domain.refusal import Rejected
from domain.rulebook import LADDER_ROLES
from domain.words import word

Roles = frozenset[Role.ValueType]

# Backend systems act for staff and for customers.
STAFF: Roles = frozenset({*LADDER_ROLES, Role.ROLE_SERVICE, Role.ROLE_IMPORTER})
CUSTOMER_SIDE: Roles = STAFF | {Role.ROLE_CUSTOMER}
LEADS: Roles = frozenset(LADDER_ROLES[1:])
SUPERVISORS: Roles = frozenset(LADDER_ROLES[2:])
POLICY_KEEPERS: Roles = SUPERVISORS | {Role.ROLE_ADMIN}
IMPORTERS: Roles = frozenset({Role.ROLE_IMPORTER})
ENGINE: Roles = frozenset({Role.ROLE_SYSTEM})
# Beside the ladder there is the emergency team.
RESPONDERS: Roles = STAFF | {Role.ROLE_INCIDENT_LEAD}
LADDER_AND_TEAM: Roles = frozenset({*LADDER_ROLES, Role.ROLE_INCIDENT_LEAD})
LEADERS: Roles = LEADS | {Role.ROLE_INCIDENT_LEAD}
DIRECTORS_OF_DRILLS: Roles = LEADERS | {Role.ROLE_ADMIN, Role.ROLE_SERVICE}
# Detection declares by itself.
DETECTION: Roles = RESPONDERS | ENGINE

# By the command's action.
_MAY: dict[str, Roles] = {
    "open": CUSTOMER_SIDE | DETECTION,
    "note": RESPONDERS,
    "acknowledge": RESPONDERS,
    "receive_message": CUSTOMER_SIDE,
    "agree": CUSTOMER_SIDE,
    "negotiate": CUSTOMER_SIDE,
    "choose_alternative": CUSTOMER_SIDE,
    "ship_back": CUSTOMER_SIDE,
    "confirm": CUSTOMER_SIDE,
    "rate": CUSTOMER_SIDE,
    "reopen": CUSTOMER_SIDE,
    "withdraw": CUSTOMER_SIDE,
    "decide": LEADS,
    "review_dissatisfaction": SUPERVISORS,
    "change_policy": POLICY_KEEPERS,
    "import_row": IMPORTERS,
    "close": IMPORTERS,
    "hand_over": IMPORTERS | POLICY_KEEPERS,
    "confirm_nature": DETECTION,
    "grade_incident": LEADERS,
    "assume_command": LADDER_AND_TEAM,
    "hand_over_command": LADDER_AND_TEAM,
    "add_task": LEADERS,
    "accept_task": RESPONDERS,
    "refuse_task": RESPONDERS,
    "reassign_task": LEADERS,
    "complete_task": RESPONDERS,
    "cancel_task": LADDER_AND_TEAM,
    "reopen_task": LEADERS,
    "draft_notice": RESPONDERS,
    "approve_notice": LADDER_AND_TEAM,
    "discard_notice": LADDER_AND_TEAM,
    "send_notice": LADDER_AND_TEAM,
    "link_cases": DETECTION,
    "contain_incident": LADDER_AND_TEAM,
    "resolve_incident": LADDER_AND_TEAM,
    "follow_up_case": RESPONDERS,
    "finish_follow_up": LADDER_AND_TEAM,
    "file_report": LADDER_AND_TEAM,
    "close_incident": LADDER_AND_TEAM,
    "dismiss_incident": LEADERS,
    "reopen_incident": LEADERS,
    "inject_by_hand": DIRECTORS_OF_DRILLS,
    "abort_drill": DIRECTORS_OF_DRILLS,
    "remark_drill": RESPONDERS | DIRECTORS_OF_DRILLS,
    "end_drill_case": ENGINE,
    "relay_notice": ENGINE,
    "end_incident": ENGINE,
    "absorb": ENGINE,
    "report_outcome": ENGINE,
}


ENGINE_ONLY = frozenset(action for action, roles in _MAY.items() if roles == ENGINE)
"""Actions that only the engine itself sends."""

IMPORTERS_ONLY = frozenset(action for action, roles in _MAY.items() if roles == IMPORTERS)
"""Actions that only an importer sends."""


def roles_for(action: str) -> Roles:
    """The roles that may carry out an action, by its name in Command."""
    return _MAY.get(action, STAFF)


def require_role(action: str, actor: Actor, *, doing: str = "") -> None:
    """Refuse an actor whose role may not do this.

    Args:
        action: By its name in Command.
        actor: Who would.
        doing: What it is called in the refusal; the action's name when left out.

    Raises:
        Rejected: ROLE_NOT_ALLOWED.
    """
    allowed = roles_for(action)
    if actor.role in allowed:
        return
    words = ", ".join(sorted(word(Role, role) for role in allowed))
    raise Rejected(
        RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED,
        f"{doing or action} may be done by {words}; you act as {word(Role, actor.role)}",
    )
