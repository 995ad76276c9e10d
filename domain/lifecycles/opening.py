"""How a case begins, and how it comes under another kind, priority or policy."""

from casetrail.v1.case_pb2 import Case, ReturnDetails, TimeBase
from casetrail.v1.command_pb2 import ChangePolicy, Command, Open, Prioritize, Reclassify, ReturnRequest
from casetrail.v1.effect_pb2 import OrderLookupRequested, Purpose
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import CaseOpened, PolicyChanged, Prioritized, Reclassified
from casetrail.v1.types_pb2 import Kind, ParcelDirection, Priority, Stage
from domain import promises
from domain.draft import Draft
from domain.drills import lifecycle as drill
from domain.instants import Instant, timestamp
from domain.kinds import CUSTOMERS
from domain.lifecycles import decisions, incident, parcels, talk, waiting
from domain.refusal import Rejected
from domain.rulebook import Rulebook

_BEFORE_A_SOLUTION = (
    Stage.STAGE_OPENED,
    Stage.STAGE_ACCEPTED,
    Stage.STAGE_IN_PROGRESS,
    Stage.STAGE_CLASSIFIED,
    Stage.STAGE_INVESTIGATING,
    Stage.STAGE_PROPOSED,
    Stage.STAGE_NEGOTIATING,
    Stage.STAGE_REJECTED,
    Stage.STAGE_AWAITING_GOODS,
)


def begin(command: Command, at: Instant, rules: Rulebook) -> Draft:
    """Open a case: the policy in force, the time base and the first promises are fixed by its first event."""
    asked = command.open
    # A drill is part of itself: every event of it says so, from the first on.
    drill_id = command.case_id if asked.kind == Kind.KIND_DRILL else asked.drill_id
    draft = Draft(Case(case_id=command.case_id, drill_id=drill_id), at, command.actor, rules)
    found_by = asked.incident.rule
    opened = _opened(command, at, rules, drill_id)
    draft.add(opened, rule=found_by, inputs=dict(asked.incident.inputs) if found_by else None)
    if asked.kind == Kind.KIND_DRILL:
        drill.started(draft, asked.scenario)
        return draft
    if asked.kind == Kind.KIND_RETURN:
        draft.add(OrderLookupRequested(order_id=asked.order_id))
    if asked.HasField("parcel"):
        parcels.track(draft, asked.parcel, ParcelDirection.PARCEL_DIRECTION_OUTBOUND)
    talk.tell(draft, Purpose.PURPOSE_ACKNOWLEDGEMENT)
    if asked.HasField("incident"):
        incident.declared(draft, asked.incident)
    return draft


def prioritize(draft: Draft, command: Prioritize) -> None:
    """Give it another priority; open promises are measured by it, with what has elapsed."""
    if command.priority == draft.case.priority:
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{draft.case.case_id} has this priority already")
    draft.add(Prioritized(priority=command.priority, why=command.why))
    promises.rebase(draft)


def reclassify(draft: Draft, command: Reclassify) -> None:
    """It is another kind of matter, or of another category."""
    becomes = command.kind or draft.case.kind
    if becomes not in CUSTOMERS:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_WRONG_KIND,
            "a customer's case becomes no incident: declare one, and link the case to it",
            field="reclassify.kind",
        )
    if becomes == draft.case.kind and command.category in ("", draft.case.category):
        raise Rejected(RefusalReason.REFUSAL_REASON_ALREADY_SO, f"{draft.case.case_id} is classified so already")
    body = Reclassified(category=command.category, why=command.why)
    if becomes == draft.case.kind:
        draft.add(body)
        promises.rebase(draft)
        return
    draft.require_stage(*_BEFORE_A_SOLUTION)
    decisions.require_no_remedy_asked(draft)
    waiting.end(draft, "reclassified")
    body.kind = becomes
    if becomes == Kind.KIND_RETURN:
        _become_return(draft, command, body)
    draft.add(body)
    promises.change_kind(draft)
    if becomes == Kind.KIND_RETURN:
        draft.add(OrderLookupRequested(order_id=draft.case.order_id))


def change_policy(draft: Draft, command: ChangePolicy) -> None:
    """Put the case under the policy that the draft decides by; open promises are measured by it from now on.

    What they have counted until now, they have counted by the policy before.
    """
    if draft.case.policy == draft.rules.ref:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO,
            f"{draft.case.case_id} is under {command.policy_id} already",
        )
    draft.add(PolicyChanged(policy=draft.rules.ref, why=command.why))
    promises.rebase(draft)
    waiting.apply_rules(draft)


def _opened(command: Command, at: Instant, rules: Rulebook, drill_id: str) -> CaseOpened:
    asked = command.open
    body = CaseOpened(
        kind=asked.kind,
        channel=asked.channel,
        priority=asked.priority or _priority_of(asked.category, rules),
        category=asked.category,
        order_id=asked.order_id,
        product_id=asked.product_id,
        subject=asked.subject,
        words=asked.words,
        policy=rules.ref,
        time_base=_time_base(asked, at),
        silent=asked.silent,
        source=asked.source,
        drill_id=drill_id,
        inject_id=asked.inject_id,
    )
    if asked.HasField("customer"):
        body.customer.CopyFrom(asked.customer)
    if asked.HasField("incident"):
        body.incident.CopyFrom(incident.as_declared(command, rules))
        body.priority = asked.priority or Priority.PRIORITY_URGENT
    if asked.HasField("return_request"):
        body.return_details.CopyFrom(_details(asked.return_request))
        body.wanted.CopyFrom(asked.return_request.wanted)
    return body


def _become_return(draft: Draft, command: Reclassify, body: Reclassified) -> None:
    body.order_id = command.order_id or draft.case.order_id
    if not command.HasField("return_request") or not body.order_id:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_INVALID,
            "a return needs a return_request, and an order_id where the case has none",
            field="reclassify.return_request",
        )
    body.return_details.CopyFrom(_details(command.return_request))
    body.wanted.CopyFrom(command.return_request.wanted)


def _details(request: ReturnRequest) -> ReturnDetails:
    return ReturnDetails(
        items=request.items,
        reason=request.reason,
        item_state=request.item_state,
        eligibility=ReturnDetails.ELIGIBILITY_UNDECIDED,
    )


def _priority_of(category: str, rules: Rulebook) -> Priority.ValueType:
    return rules.policy.category_priorities.get(category, Priority.PRIORITY_NORMAL)


def _time_base(asked: Open, at: Instant) -> TimeBase:
    if asked.HasField("time_base"):
        return asked.time_base
    if asked.source:
        return TimeBase(mode=TimeBase.MODE_IMPORTED)
    if asked.scale in (0, 1):
        return TimeBase(mode=TimeBase.MODE_LIVE)
    return TimeBase(mode=TimeBase.MODE_SCALED, origin=timestamp(at), scale=asked.scale)
