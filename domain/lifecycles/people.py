"""Who has the case."""

from casetrail.v1.command_pb2 import Accept, Assign, Transfer
from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Accepted, Assigned, Replied, Transferred
from casetrail.v1.types_pb2 import Kind, Stage
from domain.draft import Draft
from domain.lifecycles import returns, talk
from domain.refusal import Rejected


def assign(draft: Draft, command: Assign) -> None:
    """Give the case to a person."""
    if draft.case.owner == command.to and command.team in ("", draft.case.team):
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{command.to} has {draft.case.case_id} already")
    draft.add(Assigned(to=command.to, team=command.team))


def transfer(draft: Draft, command: Transfer) -> None:
    """Hand the case on, with its record."""
    draft.add(Transferred(from_owner=draft.case.owner, to_owner=command.to, team=command.team, why=command.why))


def accept(draft: Draft, command: Accept) -> None:
    """A person takes a complaint or a return on; what is said with it is the first reply: appease first [S0 3.2]."""
    draft.require_stage(Stage.STAGE_OPENED)
    if not draft.case.owner:
        draft.add(Assigned(to=draft.actor.name))
    draft.add(Accepted())
    if command.words.text:
        draft.add(Replied(words=command.words))
        talk.tell(draft, Purpose.PURPOSE_REPLY, command.words.text)
    if draft.case.kind == Kind.KIND_RETURN:
        returns.try_rules(draft)
