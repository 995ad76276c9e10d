"""From the solution to the end: told, confirmed, asked, called back, closed; and back again when the customer is not.

Nothing ends without the customer having been told [S0 1.1]. A dissatisfied customer is answered within 24 h and treated
again within 72 h, after a supervisor's review, until satisfied or withdrawn [S0 3.4, S2, S4].
"""

from casetrail.v1.case_pb2 import Closure, Satisfaction, TimeBase
from casetrail.v1.command_pb2 import (
    AnswerDissatisfaction,
    Confirm,
    Rate,
    RecordCallback,
    Reopen,
    Resolve,
    ReviewDissatisfaction,
    Withdraw,
)
from casetrail.v1.effect_pb2 import CallbackScheduled, Purpose
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.event_pb2 import (
    CallbackAbandoned,
    CallbackMade,
    CallbackOpened,
    CaseClosed,
    ConfirmationLapsed,
    Confirmed,
    DissatisfactionAnswered,
    DissatisfactionReviewed,
    Rated,
    Reopened,
    Resolved,
    SurveyLapsed,
    SurveySent,
    Withdrawn,
)
from casetrail.v1.types_pb2 import Kind, Role, Stage, Words
from domain import clocks, promises
from domain.draft import Draft
from domain.ladder import alert
from domain.lifecycles import talk, waiting
from domain.refusal import Rejected

_RESOLVABLE = {
    Kind.KIND_INQUIRY: (Stage.STAGE_OPENED, Stage.STAGE_ACCEPTED, Stage.STAGE_IN_PROGRESS),
    # A complaint that proves unfounded, or that an explanation settles, ends without a settlement.
    Kind.KIND_COMPLAINT: (Stage.STAGE_INVESTIGATING, Stage.STAGE_NEGOTIATING),
    Kind.KIND_RETURN: (Stage.STAGE_REJECTED, Stage.STAGE_IN_PROGRESS, Stage.STAGE_NEGOTIATING),
}
_PENDING_REMEDIES = frozenset({"refund", "compensation", "exchange"})


def resolve(draft: Draft, command: Resolve) -> None:
    """A person has solved it and says how; the customer is to be told."""
    draft.require_stage(*_RESOLVABLE[draft.case.kind])
    resolved(draft, command.words, command.solution)


def resolved(draft: Draft, words: Words | None = None, solution: str = "") -> None:
    """The case is solved: the customer is written to, or a person tells."""
    waiting.end(draft, "solved")
    draft.add(Resolved(words=words, solution=solution))
    talk.tell(draft, Purpose.PURPOSE_RESULT, words.text if words else "")


def confirm(draft: Draft, command: Confirm) -> None:
    """The customer confirms the solution, and so has been told; the survey is answered too when a verdict is given."""
    draft.require_stage(Stage.STAGE_RESOLVED, Stage.STAGE_TOLD)
    if command.HasField("satisfied"):
        _require_unsaid(draft)
    if draft.case.stage == Stage.STAGE_RESOLVED:
        talk.told(draft, Purpose.PURPOSE_RESULT, draft.case.channel)
    draft.add(Confirmed())
    if command.HasField("satisfied"):
        _judge(draft, Rated(satisfied=command.satisfied, words=command.words))
    elif draft.case.satisfaction.verdict == Satisfaction.VERDICT_UNSPECIFIED:
        _survey(draft)


def rate(draft: Draft, command: Rate) -> None:
    """The customer answers the survey, in time or after the case was closed without an answer."""
    late = draft.case.stage == Stage.STAGE_CLOSED and draft.case.closure.how == Closure.HOW_UNRATED
    if not late:
        draft.require_stage(Stage.STAGE_TOLD, Stage.STAGE_CONFIRMED)
    _require_unsaid(draft)
    body = Rated(satisfied=command.satisfied, score=command.score, words=command.words)
    if command.HasField("recommend"):
        body.recommend = command.recommend
    _judge(draft, body)


def record_callback(draft: Draft, command: RecordCallback) -> None:
    """The follow-up call was tried; a customer who is not reached is called as often as the policy asks for."""
    if not draft.case.HasField("callback"):
        raise Rejected(RefusalReason.REFUSAL_REASON_NOTHING_TO_DO, f"{draft.case.case_id} is owed no follow-up call")
    if draft.at < draft.case.callback.not_before.seconds:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_TOO_EARLY,
            f"{draft.case.case_id}: no call before {draft.case.callback.not_before.ToJsonString()}",
        )
    draft.add(CallbackMade(result=command.result, words=command.words))
    if command.result == CallbackMade.RESULT_DISSATISFIED:
        _dissatisfied(draft)
    elif command.result == CallbackMade.RESULT_SATISFIED:
        close_if_over(draft)
    elif draft.case.callback.attempts >= draft.rules.policy.closing.callback_attempts:
        draft.add(CallbackAbandoned(attempts=draft.case.callback.attempts))
        promises.cancel(draft, "the customer could not be reached", name="follow_up")
        close_if_over(draft)


def answer_dissatisfaction(draft: Draft, command: AnswerDissatisfaction) -> None:
    """Answer the dissatisfied customer."""
    if not clocks.open_clocks(draft.case, "dissatisfaction_answer"):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOTHING_TO_DO,
            f"{draft.case.case_id} owes no answer to a dissatisfied customer",
        )
    draft.add(DissatisfactionAnswered(words=command.words))
    talk.tell(draft, Purpose.PURPOSE_DISSATISFACTION, command.words.text)


def review_dissatisfaction(draft: Draft, command: ReviewDissatisfaction) -> None:
    """A supervisor has looked into it; the case is treated again."""
    if not draft.case.review_owed:
        raise Rejected(RefusalReason.REFUSAL_REASON_NOTHING_TO_DO, f"{draft.case.case_id} needs no review")
    draft.add(DissatisfactionReviewed(words=command.words))
    _reopen(draft, "the customer is dissatisfied")


def reopen(draft: Draft, command: Reopen) -> None:
    """Treat the case again, with clocks and survey of its own, as often as needed."""
    if draft.case.review_owed:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOT_YET,
            f"a supervisor must review {draft.case.case_id} first: the customer is dissatisfied",
        )
    draft.require_stage(Stage.STAGE_RESOLVED, Stage.STAGE_TOLD, Stage.STAGE_CONFIRMED, Stage.STAGE_CLOSED)
    if draft.case.closure.how == Closure.HOW_MERGED:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_CASE_CLOSED,
            f"{draft.case.case_id} goes on as {draft.case.merged_into}; reopen that one",
        )
    _reopen(draft, command.why, repeat_contact=talk.soon_after_result(draft))


def withdraw(draft: Draft, command: Withdraw) -> None:
    """The customer does not pursue it."""
    refuse_while_paying(draft)
    draft.add(Withdrawn(why=command.why))
    close(draft, Closure.HOW_WITHDRAWN)


def refuse_while_paying(draft: Draft) -> None:
    """Refuse to end a case whose remedy the shop is carrying out: its outcome would come to nobody.

    Raises:
        Rejected: NOT_YET.
    """
    if any(effect.WhichOneof("demand") in _PENDING_REMEDIES for effect in draft.case.pending_effects):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOT_YET,
            f"a remedy of {draft.case.case_id} is being carried out; wait for its outcome",
        )


def close(draft: Draft, how: Closure.How.ValueType) -> None:
    """End the case: no promise is owed any more."""
    waiting.end(draft, "the case is closed")
    promises.cancel(draft, "the case is closed")
    draft.add(CaseClosed(closure=Closure(how=how)))


def close_if_over(draft: Draft) -> None:
    """Close the case when the customer has been asked and no follow-up call is owed."""
    if draft.case.HasField("callback") or draft.case.stage == Stage.STAGE_CLOSED:
        return
    verdict = draft.case.satisfaction.verdict
    if verdict == Satisfaction.VERDICT_SATISFIED:
        close(draft, Closure.HOW_SATISFIED)
    elif verdict == Satisfaction.VERDICT_UNANSWERED:
        close(draft, Closure.HOW_UNRATED)


def schedule_callback(draft: Draft) -> None:
    """Owe the customer a follow-up call where the policy says so [S0 3.2, 3.4]."""
    rules = draft.rules.policy.closing
    of_a_kind = draft.case.kind in rules.callback_kinds
    for_a_reason = (
        draft.case.kind == Kind.KIND_RETURN and draft.case.return_details.reason in rules.callback_return_reasons
    )
    if not draft.case.silent and (of_a_kind or for_a_reason):
        owe_callback(draft)


def owe_callback(draft: Draft) -> None:
    """Owe the customer a follow-up call."""
    rules = draft.rules.policy.closing
    body = CallbackScheduled()
    # A second at least: that the call may be made is written once for each instant.
    body.not_before.seconds = draft.at + max(1, rules.callback_not_before.seconds)
    if target := draft.rules.target("follow_up", draft.case):
        body.due_at.seconds = draft.rules.calendar(target.calendar).add(draft.at, target.seconds)
    draft.add(body)


def confirmation_lapsed(draft: Draft) -> None:
    """The customer was told and has not objected."""
    draft.add(ConfirmationLapsed())
    draft.add(Confirmed())
    _survey(draft)


def survey_lapsed(draft: Draft) -> None:
    """The customer was asked and has not answered."""
    draft.add(SurveyLapsed())
    close_if_over(draft)


def go_on(draft: Draft) -> None:
    """Ask the customer of a confirmed case that was handed over: its source no longer says how it ended."""
    unasked = draft.case.satisfaction.verdict == Satisfaction.VERDICT_UNSPECIFIED
    if draft.case.stage == Stage.STAGE_CONFIRMED and unasked:
        _survey(draft)


def callback_opened(draft: Draft) -> None:
    """From now on the follow-up call may be made."""
    draft.add(CallbackOpened())


def _survey(draft: Draft) -> None:
    if draft.case.time_base.mode == TimeBase.MODE_IMPORTED:
        return
    if draft.case.silent:
        close(draft, Closure.HOW_UNRATED)
        return
    body = SurveySent()
    body.lapses_at.seconds = draft.at + draft.rules.policy.closing.survey_within.seconds
    draft.add(body)
    talk.tell(draft, Purpose.PURPOSE_SURVEY)


def _require_unsaid(draft: Draft) -> None:
    """Refuse a second verdict of a customer who is satisfied: each round counts one."""
    if draft.case.satisfaction.verdict == Satisfaction.VERDICT_SATISFIED:
        raise Rejected(
            RefusalReason.REFUSAL_REASON_ALREADY_SO,
            f"the customer of {draft.case.case_id} has said so; reopen it when that is true no more",
        )


def _judge(draft: Draft, body: Rated) -> None:
    draft.add(body)
    if body.satisfied:
        close_if_over(draft)
        return
    _dissatisfied(draft)


def _dissatisfied(draft: Draft) -> None:
    promises.cancel(draft, "the customer is dissatisfied", name="follow_up")
    alert(draft, Role.ROLE_SUPERVISOR, "dissatisfied customer: review needed")


def _reopen(draft: Draft, why: str, *, repeat_contact: bool = False) -> None:
    if any(effect.HasField("merge") for effect in draft.case.pending_effects):
        raise Rejected(
            RefusalReason.REFUSAL_REASON_NOT_YET,
            f"{draft.case.case_id} is being merged into {draft.case.merged_into}, where it goes on",
        )
    waiting.end(draft, "a new round begins")
    promises.end_round(draft, "a new round begins")
    draft.add(Reopened(round=draft.case.round + 1, why=why, repeat_contact=repeat_contact))
