"""Commands, made from what a caller knows."""

import math
import uuid
from datetime import datetime
from typing import TypedDict, Unpack

from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.v1 import command_pb2 as c
from casetrail.v1.types_pb2 import Actor, Attachment, Words

Action = (
    c.Assign | c.Transfer | c.Accept | c.OfferAnswer | c.Reply | c.ReceiveMessage | c.Wait | c.Resume
    | c.AddNote | c.Prioritize | c.Reclassify | c.Link | c.Merge | c.Acknowledge | c.Escalate | c.Decide
    | c.Inform | c.Classify | c.Investigate | c.AskDepartment | c.RecordFinding | c.Propose | c.Agree
    | c.Negotiate | c.CarryOut | c.DecideEligibility | c.ChooseAlternative | c.ShipBack | c.ReceiveGoods
    | c.Inspect | c.TrackParcel | c.Resolve | c.Confirm | c.Rate | c.RecordCallback
    | c.AnswerDissatisfaction | c.ReviewDissatisfaction | c.Reopen | c.Withdraw | c.ChangePolicy | c.HandOver
    | c.ImportRow | c.Close
    | c.ConfirmNature | c.GradeIncident | c.AssumeCommand | c.HandOverCommand | c.AddTask | c.AcceptTask
    | c.RefuseTask | c.ReassignTask | c.CompleteTask | c.ReopenTask | c.DraftNotice | c.ApproveNotice
    | c.DiscardNotice | c.SendNotice | c.LinkCases | c.ContainIncident | c.ResolveIncident | c.FollowUpCase
    | c.FinishFollowUp | c.FileReport | c.CloseIncident | c.DismissIncident | c.ReopenIncident | c.CancelTask
    | c.InjectByHand | c.AbortDrill | c.RemarkDrill
)  # fmt: skip
"""Everything that a caller can ask of a case."""

_FIELDS = {
    field.message_type.full_name: field.name
    for field in c.Command.DESCRIPTOR.oneofs_by_name["action"].fields
    if field.message_type
}


class How(TypedDict, total=False):
    """What can be said with every command.

    Attributes:
        request_id: Carried out once under it, however often it is sent; a new one when left out.
        expected_seq: Refuse unless the case has exactly this many events.
        actor: Who acts, where the caller may act for others.
        at: When it happened; only for an importer.
    """

    request_id: str
    expected_seq: int
    actor: Actor
    at: datetime


def command(case_id: str, action: Action, **how: Unpack[How]) -> c.Command:
    """The command that a case should take an action."""
    at = how.get("at")
    made = c.Command(
        case_id=case_id,
        request_id=how.get("request_id") or new_request_id(),
        expected_seq=how.get("expected_seq"),
        actor=how.get("actor"),
        at=timestamp(at) if at else None,
    )
    slot = getattr(made, name_of(action))
    slot.SetInParent()  # an action without fields says all by being there
    slot.CopyFrom(action)
    return made


def name_of(action: Action) -> str:
    """What an action is called in a command, for example `draft_notice`."""
    return _FIELDS[action.DESCRIPTOR.full_name]


def new_request_id() -> str:
    """A request id that nobody has used."""
    return str(uuid.uuid4())


def timestamp(at: datetime) -> Timestamp:
    """An instant on the wire, in whole seconds as case time is counted.

    Raises:
        ValueError: It names no time zone, and so no instant.
    """
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} says no time zone")
    return Timestamp(seconds=math.floor(at.timestamp()))


def words(text: str = "", attachments: tuple[Attachment, ...] = ()) -> Words | None:
    """What was said, or None when nothing was."""
    return Words(text=text, attachments=attachments) if text or attachments else None
