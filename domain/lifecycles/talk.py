"""What is said: to the customer, by the customer, and among ourselves."""

from casetrail.v1.case_pb2 import DecisionRequest, Settlement, TimeBase
from casetrail.v1.command_pb2 import AddNote, Inform, OfferAnswer, ReceiveMessage, Reply
from casetrail.v1.effect_pb2 import NotificationRequested, Purpose
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import AnswerOffered, CustomerTold, MessageReceived, NoteAdded, Replied
from casetrail.v1.types_pb2 import Cause, Channel, Stage
from domain.draft import Draft
from domain.lifecycles import closing, waiting
from domain.refusal import Rejected


def offer_answer(draft: Draft, command: OfferAnswer) -> None:
    """Offer a standard answer: robot first, and it counts as no reply by a person [S0 2.2, S1 6.2]."""
    draft.add(AnswerOffered(article=command.article, words=command.words))


def reply(draft: Draft, command: Reply) -> None:
    """A person answers the customer; by mail where that is the channel, else the caller's channel delivers it."""
    draft.add(Replied(words=command.words))
    if draft.case.channel == Channel.CHANNEL_EMAIL:
        tell(draft, Purpose.PURPOSE_REPLY, command.words.text)


def receive_message(draft: Draft, command: ReceiveMessage) -> None:
    """The customer says something: a wait for the customer is over."""
    draft.add(MessageReceived(words=command.words, repeat_contact=soon_after_result(draft)))
    if draft.case.waiting.cause == Cause.CAUSE_CUSTOMER:
        waiting.end(draft, "the customer answered")


def note(draft: Draft, command: AddNote) -> None:
    """Put something on record that the customer does not see."""
    draft.add(NoteAdded(words=command.words))


def inform(draft: Draft, command: Inform) -> None:
    """A person told the customer something that is owed."""
    if command.purpose == Purpose.PURPOSE_RESULT and draft.case.stage != Stage.STAGE_RESOLVED:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"{draft.case.case_id} has no result that is still to be told",
        )
    if command.purpose == Purpose.PURPOSE_DECISION and not _decided(draft):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"{draft.case.case_id} has no decision that is still to be told",
        )
    if command.purpose == Purpose.PURPOSE_PROPOSAL and draft.case.settlement.state == Settlement.STATE_UNSPECIFIED:
        raise Rejected(RefusalReason.REFUSAL_REASON_NOTHING_TO_DO, f"nothing is proposed in {draft.case.case_id}")
    told(draft, command.purpose, draft.case.channel)


def tell(draft: Draft, purpose: Purpose.ValueType, text: str = "") -> bool:
    """Demand that the customer be written to. False when that is impossible: a person must tell, and say so."""
    if draft.case.silent or not draft.case.customer.email:
        return False
    draft.add(NotificationRequested(purpose=purpose, text=text))
    return True


def tell_or_said(draft: Draft, purpose: Purpose.ValueType, text: str = "") -> None:
    """Demand that the customer be written to; without an address, whoever acts has said it in the case's channel."""
    if not tell(draft, purpose, text):
        told(draft, purpose, draft.case.channel)


def told(draft: Draft, purpose: Purpose.ValueType, channel: Channel.ValueType) -> None:
    """The customer knows; after a result, silence will count as confirmation and a follow-up call may be owed."""
    body = CustomerTold(purpose=purpose, channel=channel)
    result = purpose == Purpose.PURPOSE_RESULT and draft.case.stage == Stage.STAGE_RESOLVED
    # How an imported case ended, its source says.
    if result and draft.case.time_base.mode != TimeBase.MODE_IMPORTED:
        body.confirm_by.seconds = draft.at + draft.rules.policy.closing.confirm_within.seconds
    draft.add(body)
    if result:
        closing.schedule_callback(draft)


def soon_after_result(draft: Draft) -> bool:
    """Whether a customer who comes back now counts against first-contact resolution [S4 2.2]."""
    resolved = draft.case.resolved_at.seconds
    window = draft.rules.policy.closing.repeat_contact_within.seconds
    return draft.case.HasField("resolved_at") and draft.at - resolved <= window


def _decided(draft: Draft) -> bool:
    return draft.case.HasField("decision") and draft.case.decision.state != DecisionRequest.STATE_ASKED
