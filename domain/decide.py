"""What a command means: the table of actions, and the way every decision takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from casetrail.v1.case_pb2 import Case
from casetrail.v1.command_pb2 import Command
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Kind, Stage
from domain import authority
from domain.draft import Draft
from domain.drills import lifecycle as drill
from domain.evolve import fold
from domain.instants import Instant
from domain.kinds import ALL, COMPLAINT, CUSTOMERS, DRILL, INCIDENT, RETURN, SETTLED, Kinds
from domain.lifecycles import (
    closing,
    complaint,
    decisions,
    importing,
    incident,
    joining,
    linked,
    notices,
    opening,
    outcomes,
    parcels,
    people,
    remedies,
    returns,
    talk,
    tasks,
    waiting,
)
from domain.passing import expire, pass_time
from domain.refusal import Rejected, unknown_case
from domain.rulebook import Rulebook
from domain.words import word

_ALL_BUT_DRILLS = ALL - DRILL


@dataclass(frozen=True, slots=True)
class Action:
    """How one action is decided.

    Attributes:
        decide: Adds to the draft what the command means.
        kinds: The kinds of case that have the action.
        when_closed: Whether a closed case takes it.
    """

    decide: Callable[[Draft, Any], None]
    kinds: Kinds = CUSTOMERS
    when_closed: bool = False


ACTIONS: dict[str, Action] = {
    "assign": Action(people.assign),
    "transfer": Action(people.transfer),
    "accept": Action(people.accept, SETTLED),
    "offer_answer": Action(talk.offer_answer),
    "reply": Action(talk.reply),
    "receive_message": Action(talk.receive_message),
    "inform": Action(talk.inform),
    "note": Action(talk.note, ALL, when_closed=True),
    "wait": Action(waiting.wait),
    "resume": Action(waiting.resume),
    "prioritize": Action(opening.prioritize),
    "reclassify": Action(opening.reclassify),
    "link": Action(joining.link, when_closed=True),
    "merge": Action(joining.merge),
    "absorb": Action(joining.absorb, _ALL_BUT_DRILLS, when_closed=True),
    "acknowledge": Action(decisions.acknowledge, _ALL_BUT_DRILLS),
    "escalate": Action(decisions.escalate),
    "decide": Action(decisions.decide),
    "classify": Action(complaint.classify, COMPLAINT),
    "investigate": Action(complaint.investigate, COMPLAINT),
    "ask_department": Action(complaint.ask_department, COMPLAINT),
    "record_finding": Action(complaint.record_finding, COMPLAINT),
    "propose": Action(complaint.propose, SETTLED),
    "negotiate": Action(complaint.negotiate, SETTLED),
    "agree": Action(remedies.agree, SETTLED),
    "carry_out": Action(remedies.carry_out, SETTLED),
    "choose_alternative": Action(remedies.choose_alternative, RETURN),
    "decide_eligibility": Action(returns.decide_eligibility, RETURN),
    "ship_back": Action(returns.ship_back, RETURN),
    "receive_goods": Action(returns.receive_goods, RETURN),
    "inspect": Action(returns.inspect, RETURN),
    "track_parcel": Action(parcels.track_for_customer),
    "resolve": Action(closing.resolve),
    "confirm": Action(closing.confirm),
    "rate": Action(closing.rate, when_closed=True),
    "record_callback": Action(closing.record_callback),
    "answer_dissatisfaction": Action(closing.answer_dissatisfaction),
    "review_dissatisfaction": Action(closing.review_dissatisfaction),
    "reopen": Action(closing.reopen, when_closed=True),
    "withdraw": Action(closing.withdraw),
    "change_policy": Action(opening.change_policy, _ALL_BUT_DRILLS),
    "hand_over": Action(importing.hand_over),
    "import_row": Action(importing.import_row, when_closed=True),
    "close": Action(lambda draft, _: importing.close(draft)),
    "confirm_nature": Action(incident.confirm_nature, INCIDENT),
    "grade_incident": Action(incident.grade, INCIDENT),
    "assume_command": Action(incident.assume_command, INCIDENT),
    "hand_over_command": Action(incident.hand_over_command, INCIDENT),
    "add_task": Action(tasks.add, INCIDENT),
    "accept_task": Action(tasks.accept, INCIDENT),
    "refuse_task": Action(tasks.refuse, INCIDENT),
    "reassign_task": Action(tasks.reassign, INCIDENT),
    "complete_task": Action(tasks.complete, INCIDENT),
    "cancel_task": Action(tasks.cancel, INCIDENT),
    "reopen_task": Action(tasks.reopen, INCIDENT),
    "draft_notice": Action(notices.draft_notice, INCIDENT),
    "approve_notice": Action(notices.approve, INCIDENT),
    "discard_notice": Action(notices.discard, INCIDENT),
    "send_notice": Action(notices.send, INCIDENT),
    "link_cases": Action(linked.link_cases, INCIDENT),
    "contain_incident": Action(incident.contain, INCIDENT),
    "resolve_incident": Action(incident.resolve, INCIDENT),
    "follow_up_case": Action(linked.follow_up_case, INCIDENT),
    "finish_follow_up": Action(incident.finish_follow_up, INCIDENT),
    "file_report": Action(incident.file_report, INCIDENT),
    "close_incident": Action(incident.close, INCIDENT),
    "dismiss_incident": Action(incident.dismiss, INCIDENT),
    "reopen_incident": Action(incident.reopen, INCIDENT),
    "relay_notice": Action(linked.relay_notice, when_closed=True),
    "end_incident": Action(linked.end_incident, when_closed=True),
    "inject_by_hand": Action(drill.inject_by_hand, DRILL),
    "abort_drill": Action(drill.abort, DRILL),
    "remark_drill": Action(drill.remark, DRILL, when_closed=True),
    "end_drill_case": Action(drill.end_case, _ALL_BUT_DRILLS),
    "report_outcome": Action(outcomes.report, ALL, when_closed=True),
}


def decide(
    case: Case | None, command: Command, at: Instant, rules: Rulebook, *, rules_before: Rulebook | None = None
) -> list[Event]:
    """What a command means for a case that time has caught up with.

    Args:
        case: The case; None for `open`.
        command: With its case_id and actor set.
        at: When it happens, in case time; not before the case's last event.
        rules: The policy in force; for `change_policy` the one that will be.
        rules_before: For `change_policy`: the policy that the case is under.

    Returns:
        At least one event.

    Raises:
        Rejected: Nothing happens, and why.
    """
    draft = begun(case, command, at, rules, rules_before=rules_before)
    if case is not None:
        # A promise that the command itself made due, such as one with a shorter target, is broken now.
        pass_time(draft, at)
    return draft.events


def begun(
    case: Case | None, command: Command, at: Instant, rules: Rulebook, *, rules_before: Rulebook | None = None
) -> Draft:
    """What `decide` says, with the case as it is then, but without what time owes because of it."""
    name = command.WhichOneof("action") or ""
    authority.require_role(name, command.actor)
    if case is None:
        if name != "open":
            raise unknown_case(command.case_id)
        draft = opening.begin(command, at, rules)
    else:
        action = _action(case, name)
        draft = Draft(fold((), case), at, command.actor, rules, rules_before=rules_before)
        action.decide(draft, getattr(command, name))
    if command.source_activity:
        draft.events[0].source_activity = command.source_activity
    return draft


def act(
    case: Case | None, command: Command, at: Instant, rules: Rulebook, *, rules_after: Rulebook | None = None
) -> list[Event]:
    """Time first, then the command: what is written when a command comes in at `at`.

    Args:
        case: The case as it was last seen; None for `open`.
        command: With its case_id and actor set.
        at: When it happens, in case time.
        rules: The policy that the case is under.
        rules_after: For `change_policy`: the policy that it will be under.

    Raises:
        Rejected: Nothing happens, and why.
    """
    if case is None:
        return decide(None, command, at, rules)
    # Real time has not moved a case that stands on the importer's clock, until it is handed over.
    owed = [] if command.HasField("hand_over") else expire(case, at, rules)
    caught_up = fold(owed, case) if owed else case
    return owed + decide(caught_up, command, at, rules_after or rules, rules_before=rules)


def _action(case: Case, name: str) -> Action:
    action = ACTIONS.get(name)
    if action is None:
        raise Rejected(RefusalReason.REFUSAL_REASON_CASE_EXISTS, f"{case.case_id} is open already")
    if case.kind not in action.kinds:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_WRONG_KIND,
            f"{case.case_id} is of kind {word(Kind, case.kind)}, which has no {name}",
        )
    if case.stage == Stage.STAGE_CLOSED and not action.when_closed:
        advice = "; reopen it first" if case.kind in ACTIONS["reopen"].kinds else " for good"
        raise Rejected(RefusalReason.REFUSAL_REASON_CASE_CLOSED, f"{case.case_id} is closed{advice}")
    return action
