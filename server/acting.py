"""Who acts: from the principal that calls, and whom it names, to the actor that the log will name."""

from collections.abc import Sequence
from typing import Final

from casetrail.v1.command_pb2 import Command
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Actor, Role
from domain.authority import ENGINE_ONLY, IMPORTERS_ONLY, roles_for
from domain.refusal import Rejected
from domain.words import word
from server.principals import Principal

# In which of its roles a principal acts when it does not say: the first here that fits.
_PREFERENCE: Final[Sequence[Role.ValueType]] = (
    Role.ROLE_EXECUTIVE,
    Role.ROLE_DIRECTOR,
    Role.ROLE_SUPERVISOR,
    Role.ROLE_TEAM_LEAD,
    Role.ROLE_AGENT,
    Role.ROLE_ADMIN,
    Role.ROLE_INCIDENT_LEAD,
    Role.ROLE_SERVICE,
    Role.ROLE_CUSTOMER,
    Role.ROLE_IMPORTER,
    Role.ROLE_AUDITOR,
)


def actor_of(command: Command, principal: Principal) -> Actor:
    """Say who sends a command: the principal itself, or the person it names, through it.

    Raises:
        Rejected: The command is not for this caller, or it may not act for that person. Its field is the
            path from the command.
    """
    action = command.WhichOneof("action") or ""
    if action in ENGINE_ONLY:
        raise _not_allowed(f"only the engine itself sends {action}", action)
    importers = _importers_field(command, action)
    if importers and Role.ROLE_IMPORTER not in principal.roles:
        raise _not_allowed(f"only an importer may send {importers}, and {principal.name!r} is none", importers)
    if command.HasField("actor"):
        return _named(command.actor, principal, action)
    return Actor(name=principal.name, role=Role.ROLE_IMPORTER if importers else _own_role(principal, action))


def _importers_field(command: Command, action: str) -> str:
    """Name the first thing in a command that only an importer may send; empty when there is none."""
    if command.HasField("at"):
        return "at"
    if action == "open" and command.case_id:
        return "case_id"
    if action == "open" and command.open.source:
        return "open.source"
    return action if action in IMPORTERS_ONLY else ""


def _named(named: Actor, principal: Principal, action: str) -> Actor:
    if named.name == principal.name and named.role in {Role.ROLE_UNSPECIFIED, *principal.roles}:
        return Actor(name=principal.name, role=named.role or _own_role(principal, action))
    if named.role == Role.ROLE_UNSPECIFIED:
        raise Rejected(RefusalReason.REFUSAL_REASON_INVALID, f"say in which role {named.name!r} acts", "actor.role")
    if named.role not in principal.may_act_as:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_MAY_NOT_ACT_FOR,
            f"{principal.name!r} may not act for a {word(Role, named.role)}",
            "actor.role",
        )
    return Actor(name=named.name, role=named.role, via=principal.name)


def _own_role(principal: Principal, action: str) -> Role.ValueType:
    """Choose the first of a principal's roles that may do this; the first one, to be refused, where none may."""
    fitting = principal.roles & roles_for(action) or principal.roles
    return next(role for role in _PREFERENCE if role in fitting)


def _not_allowed(message: str, field: str) -> Rejected:
    return Rejected(RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED, message, field)
