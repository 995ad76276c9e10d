"""Which roles may do what. How much money a role may decide about is the policy's."""

from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Actor, Role
from domain.refusal import Rejected
from domain.rulebook import LADDER_ROLES

Roles = frozenset[Role.ValueType]

# Backend systems act for staff and for customers.
STAFF: Roles = frozenset({*LADDER_ROLES, Role.ROLE_SERVICE, Role.ROLE_IMPORTER})
CUSTOMER_SIDE: Roles = STAFF | {Role.ROLE_CUSTOMER}
LEADS: Roles = frozenset(LADDER_ROLES[1:])
SUPERVISORS: Roles = frozenset(LADDER_ROLES[2:])
POLICY_KEEPERS: Roles = SUPERVISORS | {Role.ROLE_ADMIN}
IMPORTERS: Roles = frozenset({Role.ROLE_IMPORTER})
ENGINE: Roles = frozenset({Role.ROLE_SYSTEM})

# By the command's action.
_MAY: dict[str, Roles] = {
    "open": CUSTOMER_SIDE,
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
    "absorb": ENGINE,
    "report_outcome": ENGINE,
}


def roles_for(action: str) -> Roles:
    """The roles that may carry out an action, by its name in Command."""
    return _MAY.get(action, STAFF)


def require_role(action: str, actor: Actor) -> None:
    """Refuse an actor whose role may not do this.

    Raises:
        Rejected: ROLE_NOT_ALLOWED.
    """
    allowed = roles_for(action)
    if actor.role in allowed:
        return
    words = ", ".join(sorted(Role.Name(role).removeprefix("ROLE_").lower() for role in allowed))
    raise Rejected(
        RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED,
        f"{action} may be done by {words}; you act as {Role.Name(actor.role).removeprefix('ROLE_').lower()}",
    )
