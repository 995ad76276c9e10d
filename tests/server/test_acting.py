import pytest

from casetrail.v1.command_pb2 import Command
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.types_pb2 import Actor, Kind, Role
from domain import Rejected
from server.acting import actor_of
from server.principals import Principal

AMY = Principal("amy", frozenset({Role.ROLE_AGENT}), frozenset(), "")
SHOP = Principal("shop", frozenset({Role.ROLE_SERVICE}), frozenset({Role.ROLE_CUSTOMER, Role.ROLE_AGENT}), "")
IMPORTER = Principal("history", frozenset({Role.ROLE_IMPORTER}), frozenset({Role.ROLE_AGENT}), "")
LOCAL = Principal(
    "local",
    frozenset(Role.values()) - {Role.ROLE_UNSPECIFIED, Role.ROLE_SYSTEM, Role.ROLE_CUSTOMER},
    frozenset(Role.values()) - {Role.ROLE_UNSPECIFIED, Role.ROLE_SYSTEM},
    "",
)


def note(actor: Actor | None = None) -> Command:
    command = Command(case_id="INQ-1", request_id="r", actor=actor)
    command.note.words.text = "seen"
    return command


def opening(case_id: str = "") -> Command:
    command = Command(request_id="r", case_id=case_id)
    command.open.kind = Kind.KIND_INQUIRY
    return command


def refused(command: Command, principal: Principal) -> Rejected:
    with pytest.raises(Rejected) as caught:
        actor_of(command, principal)
    return caught.value


def test_a_principal_acts_itself_when_it_names_nobody() -> None:
    assert actor_of(note(), AMY) == Actor(name="amy", role=Role.ROLE_AGENT)


def test_of_many_roles_the_highest_on_the_ladder_that_may_do_it_is_taken() -> None:
    assert actor_of(note(), LOCAL).role == Role.ROLE_EXECUTIVE


def test_a_role_that_may_do_it_goes_before_a_higher_one_that_may_not() -> None:
    lead_and_admin = Principal("root", frozenset({Role.ROLE_TEAM_LEAD, Role.ROLE_ADMIN}), frozenset(), "")
    command = Command(case_id="INQ-1", request_id="r")
    command.change_policy.policy_id = "next"

    assert actor_of(command, lead_and_admin).role == Role.ROLE_ADMIN


def test_a_principal_can_choose_among_its_own_roles() -> None:
    actor = actor_of(note(actor=Actor(name="local", role=Role.ROLE_TEAM_LEAD)), LOCAL)

    assert actor == Actor(name="local", role=Role.ROLE_TEAM_LEAD)


def test_acting_for_somebody_else_says_through_whom() -> None:
    actor = actor_of(note(actor=Actor(name="amy", role=Role.ROLE_AGENT, via="forged")), SHOP)

    assert actor == Actor(name="amy", role=Role.ROLE_AGENT, via="shop")


def test_acting_in_a_role_that_was_not_granted_is_refused() -> None:
    rejected = refused(note(actor=Actor(name="chloe", role=Role.ROLE_TEAM_LEAD)), SHOP)

    assert (rejected.reason, rejected.field) == (RefusalReason.REFUSAL_REASON_MAY_NOT_ACT_FOR, "actor.role")


def test_acting_as_oneself_in_a_role_that_one_has_not_is_refused() -> None:
    rejected = refused(note(actor=Actor(name="amy", role=Role.ROLE_DIRECTOR)), AMY)

    assert rejected.reason == RefusalReason.REFUSAL_REASON_MAY_NOT_ACT_FOR


def test_an_actor_without_a_role_is_refused() -> None:
    assert refused(note(actor=Actor(name="amy")), SHOP).reason == RefusalReason.REFUSAL_REASON_INVALID


@pytest.mark.parametrize("principal", [AMY, SHOP, IMPORTER, LOCAL])
def test_nobody_outside_is_the_engine_itself(principal: Principal) -> None:
    rejected = refused(note(actor=Actor(name=principal.name, role=Role.ROLE_SYSTEM)), principal)

    assert rejected.reason == RefusalReason.REFUSAL_REASON_MAY_NOT_ACT_FOR


def importers_commands() -> list[Command]:
    at, source, row, close = note(), opening(), Command(case_id="A"), Command(case_id="A")
    at.at.seconds = 1
    source.open.source = "INC1"
    row.import_row.raw = "a,b"
    close.close.SetInParent()
    return [at, source, row, close, opening(case_id="INC1")]


@pytest.mark.parametrize("command", importers_commands(), ids=["at", "open.source", "import_row", "close", "case_id"])
def test_what_only_importers_may_send_is_refused_from_others_and_taken_from_them(command: Command) -> None:
    rejected = refused(command, SHOP)

    assert rejected.reason == RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED
    assert rejected.field
    assert actor_of(command, IMPORTER) == Actor(name="history", role=Role.ROLE_IMPORTER)
    assert actor_of(command, LOCAL).role == Role.ROLE_IMPORTER


def test_an_importer_can_say_who_acted_then() -> None:
    command = note(actor=Actor(name="agent 17", role=Role.ROLE_AGENT))
    command.at.seconds = 1

    assert actor_of(command, IMPORTER) == Actor(name="agent 17", role=Role.ROLE_AGENT, via="history")


@pytest.mark.parametrize("action", ["absorb", "report_outcome"])
def test_what_the_engine_tells_itself_is_refused_from_everybody(action: str) -> None:
    command = Command(case_id="A", request_id="r")
    getattr(command, action).SetInParent()

    assert refused(command, LOCAL).reason == RefusalReason.REFUSAL_REASON_ROLE_NOT_ALLOWED
