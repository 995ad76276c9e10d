"""A case while a decision about it is being taken."""

from google.protobuf.message import Message

from casetrail.v1.case_pb2 import Case
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Actor, Reason, Role, Stage
from domain import promises
from domain.evolve import apply
from domain.instants import Instant
from domain.refusal import Rejected
from domain.rulebook import Rulebook
from domain.words import words

SYSTEM = Actor(name="casetrail", role=Role.ROLE_SYSTEM)

_BODY_FIELDS = {
    field.message_type.name: field.name
    for field in Event.DESCRIPTOR.oneofs_by_name["body"].fields
    if field.message_type
}


class Draft:
    """What a decision has come to so far: the events, and the case as it is after them.

    Attributes:
        case: A private copy of the case, evolved with every event.
        events: What will be written.
        at: When the next event happens.
        actor: Who causes it.
        rules: The policy in force; for `change_policy` the one that will be.
        rules_before: The policy under which the case's clocks have counted so far.
        key: What the next event can be written for only once; empty for a command's, whose key is its request.
    """

    def __init__(
        self, case: Case, at: Instant, actor: Actor, rules: Rulebook, *, rules_before: Rulebook | None = None
    ) -> None:
        self.case = case
        self.events: list[Event] = []
        self.at = at
        self.actor = actor
        self.rules = rules
        self.rules_before = rules_before or rules
        self.key = ""

    def add(self, body: Message, *, rule: str = "", inputs: dict[str, str] | None = None) -> Event:
        """Let something happen, with the clocks that it starts, keeps or ends.

        Args:
            body: The event's body.
            rule: Which rule demanded it, where that is not plain from the command.
            inputs: What the rule looked at.
        """
        event = Event(case_id=self.case.case_id, seq=self.case.seq + 1, actor=self.actor)
        getattr(event, _BODY_FIELDS[body.DESCRIPTOR.name]).CopyFrom(body)
        if self.case.drill_id:
            event.drill_id = self.case.drill_id
        event.at.seconds = self.at
        if self.key:
            event.key = self.key
            event.due.seconds = self.at
        if rule:
            event.reason.CopyFrom(Reason(rule=rule, inputs=inputs, policy_id=self.rules.ref.policy_id))
        apply(self.case, event)
        self.events.append(event)
        promises.follow(self, event)
        return event

    def require_stage(self, *stages: Stage.ValueType) -> None:
        """Refuse unless the case is at one of these stages.

        Raises:
            Rejected: WRONG_STAGE.
        """
        if self.case.stage in stages:
            return
        allowed = " or ".join(sorted(words(Stage, stage) for stage in stages))
        raise Rejected(
            RefusalReason.REFUSAL_REASON_WRONG_STAGE,
            f"{self.case.case_id} is {words(Stage, self.case.stage)}; this is possible only when it is {allowed}",
        )
