"""Who has a case, what is said in it, and for whom it waits."""

from casetrail.v1.case_pb2 import Alarm, Case
from casetrail.v1.event_pb2 import (
    Accepted,
    Assigned,
    Event,
    MessageReceived,
    NoteAdded,
    Replied,
    Transferred,
    WaitEnded,
    WaitStarted,
)
from casetrail.v1.types_pb2 import Kind, Stage
from domain.changes.alarms import clear_alarms, set_alarm
from domain.changes.table import Changes

CHANGES = Changes()


@CHANGES.on("assigned")
def _assigned(case: Case, event: Event, body: Assigned) -> None:
    case.owner = body.to
    if body.team:
        case.team = body.team
    case.counters.assignments += 1
    if case.kind == Kind.KIND_INQUIRY and case.stage == Stage.STAGE_OPENED:
        case.stage = Stage.STAGE_ACCEPTED


@CHANGES.on("transferred")
def _transferred(case: Case, event: Event, body: Transferred) -> None:
    case.owner = body.to_owner
    if body.team:
        case.team = body.team
    case.counters.transfers += 1


@CHANGES.on("accepted")
def _accepted(case: Case, event: Event, body: Accepted) -> None:
    case.stage = Stage.STAGE_ACCEPTED


@CHANGES.on("replied")
def _replied(case: Case, event: Event, body: Replied) -> None:
    case.counters.replies += 1
    if case.kind == Kind.KIND_INQUIRY and case.stage in (Stage.STAGE_OPENED, Stage.STAGE_ACCEPTED):
        case.stage = Stage.STAGE_IN_PROGRESS


@CHANGES.on("message_received")
def _message_received(case: Case, event: Event, body: MessageReceived) -> None:
    case.counters.messages += 1
    case.counters.repeat_contacts += body.repeat_contact


@CHANGES.on("note_added")
def _note_added(case: Case, event: Event, body: NoteAdded) -> None:
    case.counters.notes += 1


@CHANGES.on("wait_started")
def _wait_started(case: Case, event: Event, body: WaitStarted) -> None:
    case.waiting.CopyFrom(body.waiting)
    if body.waiting.HasField("until"):
        set_alarm(case, Alarm.NAME_WAIT_ENDS, body.waiting.until.seconds)


@CHANGES.on("wait_ended")
def _wait_ended(case: Case, event: Event, body: WaitEnded) -> None:
    case.ClearField("waiting")
    clear_alarms(case, Alarm.NAME_WAIT_ENDS)
