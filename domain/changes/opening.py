"""How a case begins, and how it comes under another kind, priority, policy or time."""

from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.v1.case_pb2 import Alarm, Callback, Case
from casetrail.v1.effect_pb2 import CallbackScheduled
from casetrail.v1.event_pb2 import CaseOpened, Event, HandedOver, PolicyChanged, Prioritized, Reclassified
from casetrail.v1.types_pb2 import Kind, Stage
from domain.changes.alarms import set_alarm
from domain.changes.table import Changes

CHANGES = Changes()


@CHANGES.on("case_opened")
def _case_opened(case: Case, event: Event, body: CaseOpened) -> None:
    case.case_id = event.case_id
    case.kind = body.kind
    case.stage = Stage.STAGE_OPENED
    case.opened_at.seconds = event.at.seconds
    case.channel = body.channel
    case.priority = body.priority
    case.category = body.category
    if body.HasField("customer"):
        case.customer.CopyFrom(body.customer)
    case.order_id = body.order_id
    case.product_id = body.product_id
    case.subject = body.subject
    case.policy.CopyFrom(body.policy)
    case.time_base.CopyFrom(body.time_base)
    case.round = 1
    case.silent = body.silent
    case.source = body.source
    case.counters.messages = 1
    if body.HasField("return_details"):
        case.return_details.CopyFrom(body.return_details)
    if body.HasField("wanted"):
        case.settlement.remedy.CopyFrom(body.wanted)
    if body.HasField("incident"):
        case.stage = Stage.STAGE_DECLARED
        case.incident.CopyFrom(body.incident)
    if body.drill_id:
        case.drill_id = body.drill_id
        case.is_drill = True
        case.inject_id = body.inject_id


@CHANGES.on("prioritized")
def _prioritized(case: Case, event: Event, body: Prioritized) -> None:
    case.priority = body.priority


@CHANGES.on("reclassified")
def _reclassified(case: Case, event: Event, body: Reclassified) -> None:
    if body.category:
        case.category = body.category
    if body.order_id:
        case.order_id = body.order_id
    if not body.kind or body.kind == case.kind:
        return
    case.kind = body.kind
    case.stage = Stage.STAGE_OPENED
    if case.kind == Kind.KIND_INQUIRY and case.owner:
        case.stage = Stage.STAGE_ACCEPTED
    case.ClearField("settlement")
    case.ClearField("return_details")
    if body.HasField("return_details"):
        case.return_details.CopyFrom(body.return_details)
    if body.HasField("wanted"):
        case.settlement.remedy.CopyFrom(body.wanted)


@CHANGES.on("policy_changed")
def _policy_changed(case: Case, event: Event, body: PolicyChanged) -> None:
    case.policy.CopyFrom(body.policy)


@CHANGES.on("handed_over")
def _handed_over(case: Case, event: Event, body: HandedOver) -> None:
    case.time_base.CopyFrom(body.time_base)
    case.silent = body.silent
    # The case slept on the importer's clock: what time would have brought is as far ahead as it was.
    for instant in _ahead(case):
        instant.seconds += body.slept_seconds
    if body.HasField("confirm_by"):
        set_alarm(case, Alarm.NAME_CONFIRMATION_LAPSES, body.confirm_by.seconds)


def _ahead(case: Case) -> Iterator[Timestamp]:
    """Every instant in the case's future that is no clock's own mark."""
    yield from (alarm.due_at for alarm in case.alarms)
    yield from (clock.climb.next_at for clock in case.clocks if clock.climb.HasField("next_at"))
    if case.waiting.HasField("until"):
        yield case.waiting.until
    if case.HasField("callback"):
        yield from _of_call(case.callback)
    for effect in case.pending_effects:
        if effect.HasField("callback"):
            yield from _of_call(effect.callback)


def _of_call(call: Callback | CallbackScheduled) -> Iterator[Timestamp]:
    yield call.not_before
    if call.HasField("due_at"):
        yield call.due_at
