"""`casetrail do CASE ACTION`: each action is a function that makes its command from its options."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer

from casetrail.cli import options, output
from casetrail.cli.options import Amount, Attach, Currency, Items, Sku, Span, Text, Why, remedy, said
from casetrail.cli.terms import WriteTerms, call, taking
from casetrail.client import Client
from casetrail.commands import Action, How
from casetrail.money import digits_of
from casetrail.v1 import command_pb2 as c
from casetrail.v1.case_pb2 import Case, CaseLink
from casetrail.v1.case_service_pb2 import ExecuteResponse
from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.event_pb2 import CallbackMade
from casetrail.v1.types_pb2 import Cause, Kind, Priority, RemedyKind, Role
from casetrail.words import (
    CauseWord,
    ItemStateWord,
    KindWord,
    LadderWord,
    PriorityWord,
    PurposeWord,
    RelationWord,
    RemedyWord,
    ReturnReasonWord,
    value_of,
)

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

_Make = TypeVar("_Make", bound=Callable[..., Action])


@app.callback()
def _do(ctx: typer.Context, case: Annotated[str, typer.Argument(metavar="CASE", help="Its number.")]) -> None:
    """Do something with a case: `casetrail do CASE ACTION --help` says what an action takes."""
    ctx.obj = case


@dataclass(frozen=True)
class ActionTerms(WriteTerms):
    """What can be said with every action."""

    expected_seq: Annotated[
        int | None, typer.Option(min=0, help="Refuse unless the case has exactly this many events.")
    ] = None

    def how(self) -> How:
        """Them, as the client takes them."""
        how = super().how()
        if self.expected_seq is not None:
            how["expected_seq"] = self.expected_seq
        return how


def _action(name: str) -> Callable[[_Make], _Make]:
    """Register a function that makes an action as the sub-command that carries it out."""

    def register(make: _Make) -> _Make:
        def run(ctx: typer.Context, terms: ActionTerms, **given: Any) -> None:  # noqa: ANN401 - its own options
            _execute(ctx.obj, make(**given), terms)

        app.command(name)(taking(make, run))
        return make

    return register


def _execute(case_id: str, action: Action, terms: ActionTerms) -> None:
    async def carry_out(client: Client) -> ExecuteResponse:
        if _names_no_currency(action):
            _refuse_other_digits(await client.get(case_id), action)
        return await client.execute(case_id, action, **terms.how())

    done = call(terms, carry_out)
    if terms.as_json:
        output.print_json(done)
    else:
        output.print_written(done.case, done.events, repeated=done.repeated_request)


def _names_no_currency(action: Action) -> bool:
    if isinstance(action, c.Negotiate):
        return bool(action.wanted_minor) and not action.currency
    if isinstance(action, c.Propose | c.ChooseAlternative):
        return bool(action.remedy.amount_minor) and not action.remedy.currency
    if isinstance(action, c.Reclassify):
        return bool(action.return_request.wanted.amount_minor) and not action.return_request.wanted.currency
    return False


def _refuse_other_digits(case: Case, action: Action) -> None:
    # The amount was read with two digits after the point, and what was proposed, or the order, says in which currency.
    proposed = case.settlement.remedy.currency if isinstance(action, c.Negotiate) else ""
    currency = proposed or case.order.currency
    if currency and digits_of(currency) == digits_of(""):
        return
    reckoned = f"is reckoned in {currency}" if currency else "has no order whose currency is known"
    raise typer.BadParameter(f"{case.case_id} {reckoned}; say which currency is meant", param_hint="--currency")


Who = Annotated[str, typer.Option(metavar="NAME", help="A person.")]
Team = Annotated[str, typer.Option(metavar="NAME", help="A team.")]
OtherCase = Annotated[str, typer.Option(metavar="CASE", help="Another case.")]
Score = Annotated[int, typer.Option(min=0, max=5, help="1 to 5; 0 for none.")]


@_action("assign")
def _assign(to: Who, team: Team = "") -> Action:
    """Give the case to a person."""
    return c.Assign(to=to, team=team)


@_action("transfer")
def _transfer(why: Why, to: Who = "", team: Team = "") -> Action:
    """Hand the case on to a person, a team, or both."""
    return c.Transfer(to=to, team=team, why=why)


@_action("accept")
def _accept(text: Text = "", attach: Attach = None) -> Action:
    """Take a complaint or a return on; the customer is told so."""
    return c.Accept(words=said(text, attach))


@_action("offer")
def _offer(article: Annotated[str, typer.Option(help="Of the FAQ.")], text: Text = "", attach: Attach = None) -> Action:
    """Offer a standard answer: an automatic reply."""
    return c.OfferAnswer(article=article, words=said(text, attach))


@_action("reply")
def _reply(text: Text, attach: Attach = None) -> Action:
    """Answer the customer."""
    return c.Reply(words=said(text, attach))


@_action("message")
def _message(text: Text, attach: Attach = None) -> Action:
    """The customer wrote or called."""
    return c.ReceiveMessage(words=said(text, attach))


@_action("note")
def _note(text: Text, attach: Attach = None) -> Action:
    """Keep something that the customer does not see."""
    return c.AddNote(words=said(text, attach))


@_action("wait")
def _wait(
    cause: Annotated[CauseWord, typer.Option("--for", help="Whom the case waits for.")],
    why: Why = "",
    party: Annotated[str, typer.Option(help="Which department, vendor or carrier.")] = "",
    at_most: Span = None,
) -> Action:
    """Wait for somebody; the clocks that the policy says stop."""
    return c.Wait(cause=value_of(Cause, cause), party=party, why=why, at_most=at_most)


@_action("resume")
def _resume(why: Why = "") -> Action:
    """The wait is over."""
    return c.Resume(why=why)


@_action("prioritize")
def _prioritize(priority: Annotated[PriorityWord, typer.Option(help="The new one.")], why: Why) -> Action:
    """Give the case another priority."""
    return c.Prioritize(priority=value_of(Priority, priority), why=why)


@_action("reclassify")
def _reclassify(
    *,
    why: Why,
    kind: Annotated[KindWord | None, typer.Option(help="The new lifecycle.")] = None,
    category: Annotated[str, typer.Option(help="The new category.")] = "",
    order: Annotated[str, typer.Option(metavar="ID", help="When it becomes a return.")] = "",
    item: Items = None,
    reason: Annotated[ReturnReasonWord | None, typer.Option(help="Why it comes back.")] = None,
    item_state: Annotated[ItemStateWord | None, typer.Option(help="How it is.")] = None,
    want: Annotated[RemedyWord | None, typer.Option(help="What the customer of a return wants.")] = None,
    instead: Sku = None,
    amount: Amount = "",
    currency: Currency = "",
) -> Action:
    """It is another kind of matter, or of another category."""
    wanted = remedy(want, amount, currency, instead) if want else None
    return c.Reclassify(
        kind=value_of(Kind, kind or ""),
        category=category,
        why=why,
        return_request=options.return_request(item, reason, item_state, wanted),
        order_id=order,
    )


@_action("link")
def _link(
    to: OtherCase, relation: Annotated[RelationWord, typer.Option(help="How they belong together.")] = "related"
) -> Action:
    """This case belongs together with another."""
    return c.Link(case_id=to, relation=value_of(CaseLink.Relation, relation))


@_action("merge")
def _merge(into: OtherCase, why: Why = "") -> Action:
    """This case is a duplicate and goes on in another."""
    return c.Merge(into_case_id=into, why=why)


@_action("acknowledge")
def _acknowledge(
    why: Why = "", clock: Annotated[str, typer.Option(help="All breached clocks when left out.")] = ""
) -> Action:
    """Take an escalation on: its ladder stops."""
    return c.Acknowledge(clock_id=clock, why=why)


@_action("escalate")
def _escalate(
    question: Annotated[str, typer.Option(help="What is to be decided.")],
    to: Annotated[LadderWord | None, typer.Option(help="The next role of the ladder when left out.")] = None,
) -> Action:
    """Ask for a decision above one's authority."""
    return c.Escalate(question=question, to_role=value_of(Role, to or ""))


@_action("decide")
def _decide(
    granted: Annotated[bool, typer.Option("--grant/--refuse", help="The decision.")],
    text: Text = "",
    attach: Attach = None,
) -> Action:
    """Answer a decision request."""
    return c.Decide(granted=granted, words=said(text, attach))


@_action("inform")
def _inform(
    purpose: Annotated[PurposeWord, typer.Option(help="What the customer was told.")],
    text: Text = "",
    attach: Attach = None,
) -> Action:
    """A person told the customer."""
    return c.Inform(purpose=value_of(Purpose, purpose), words=said(text, attach))


@_action("classify")
def _classify(
    category: Annotated[str, typer.Option(help="The policy's word.")],
    priority: Annotated[PriorityWord | None, typer.Option(help="Stays when left out.")] = None,
) -> Action:
    """Say what the complaint is about."""
    return c.Classify(category=category, priority=value_of(Priority, priority or ""))


@_action("investigate")
def _investigate(
    specialist: Annotated[str, typer.Option(metavar="NAME", help="Whoever acts when left out.")] = "",
) -> Action:
    """A specialist takes the complaint up."""
    return c.Investigate(specialist=specialist)


@_action("ask")
def _ask(department: Annotated[str, typer.Option(help="Which one.")], text: Text = "", attach: Attach = None) -> Action:
    """Ask a department."""
    return c.AskDepartment(department=department, words=said(text, attach))


@_action("finding")
def _finding(
    text: Text,
    department: Annotated[str, typer.Option(help="Whose it is; your own when left out.")] = "",
    attach: Attach = None,
) -> Action:
    """Record what was found."""
    return c.RecordFinding(department=department, words=said(text, attach))


@_action("propose")
def _propose(
    kind: Annotated[RemedyWord, typer.Option("--remedy", help="What is proposed.")],
    amount: Amount = "",
    currency: Currency = "",
    instead: Sku = None,
    text: Text = "",
    attach: Attach = None,
) -> Action:
    """Propose a settlement to the customer."""
    return c.Propose(remedy=remedy(kind, amount, currency, instead), words=said(text, attach))


@_action("agree")
def _agree() -> Action:
    """The customer agrees to what was proposed or offered."""
    return c.Agree()


@_action("negotiate")
def _negotiate(amount: Amount = "", currency: Currency = "", text: Text = "", attach: Attach = None) -> Action:
    """The customer wants something else."""
    wanted = remedy("other", amount, currency, None).amount_minor
    return c.Negotiate(words=said(text, attach), wanted_minor=wanted, currency=currency)


@_action("carry-out")
def _carry_out(text: Text = "", attach: Attach = None) -> Action:
    """A remedy that a person carries out is done."""
    return c.CarryOut(words=said(text, attach))


@_action("eligibility")
def _eligibility(
    eligible: Annotated[bool, typer.Option("--eligible/--not-eligible", help="The decision.")],
    why: Why,
    alternative: Annotated[
        list[str] | None,
        typer.Option(parser=options.word_of_enum(RemedyKind), metavar="REMEDY", help="May be chosen instead."),
    ] = None,
    keep_goods: Annotated[bool, typer.Option("--keep-goods", help="The goods need not come back.")] = False,
) -> Action:
    """Decide whether the return is allowed."""
    return c.DecideEligibility(
        eligible=eligible,
        why=why,
        alternatives=[value_of(RemedyKind, word) for word in alternative or ()],
        keep_goods=keep_goods,
    )


@_action("choose")
def _choose(
    kind: Annotated[RemedyWord, typer.Option("--remedy", help="What is chosen.")],
    amount: Amount = "",
    currency: Currency = "",
    instead: Sku = None,
    text: Text = "",
) -> Action:
    """The customer chooses what was offered instead."""
    return c.ChooseAlternative(remedy=remedy(kind, amount, currency, instead, text))


Carrier = Annotated[str, typer.Option(help="Who carries the parcel.")]
Tracking = Annotated[str, typer.Option(metavar="NUMBER", help="The carrier's number of the parcel.")]


@_action("ship-back")
def _ship_back(carrier: Carrier, tracking: Tracking) -> Action:
    """The customer sent the goods back."""
    return c.ShipBack(parcel=c.ParcelReference(carrier=carrier, tracking_no=tracking))


@_action("received")
def _received() -> Action:
    """The goods are here."""
    return c.ReceiveGoods()


@_action("inspect")
def _inspect(
    passed: Annotated[bool, typer.Option("--passed/--failed", help="The result.")],
    text: Text = "",
    attach: Attach = None,
) -> Action:
    """The goods were looked at."""
    return c.Inspect(passed=passed, words=said(text, attach))


@_action("track")
def _track(carrier: Carrier, tracking: Tracking) -> Action:
    """Follow a parcel for the customer."""
    return c.TrackParcel(parcel=c.ParcelReference(carrier=carrier, tracking_no=tracking))


@_action("resolve")
def _resolve(
    text: Text = "",
    solution: Annotated[str, typer.Option(help="In the policy's words.")] = "",
    attach: Attach = None,
) -> Action:
    """The problem is solved; the customer is told so."""
    return c.Resolve(words=said(text, attach), solution=solution)


@_action("confirm")
def _confirm(
    satisfied: Annotated[
        bool | None, typer.Option("--satisfied/--dissatisfied", help="Answers the survey too.")
    ] = None,
    text: Text = "",
    attach: Attach = None,
) -> Action:
    """The customer confirms the solution."""
    return c.Confirm(satisfied=satisfied, words=said(text, attach))


@_action("rate")
def _rate(
    satisfied: Annotated[bool, typer.Option("--satisfied/--dissatisfied", help="The verdict.")],
    score: Score = 0,
    recommend: Annotated[int | None, typer.Option(min=0, max=10, help="Would recommend us.")] = None,
    text: Text = "",
    attach: Attach = None,
) -> Action:
    """The customer answers the survey."""
    return c.Rate(satisfied=satisfied, score=score, recommend=recommend, words=said(text, attach))


@_action("callback")
def _callback(
    satisfied: Annotated[bool, typer.Option("--satisfied", help="The customer is.")] = False,
    dissatisfied: Annotated[bool, typer.Option("--dissatisfied", help="The customer is.")] = False,
    not_reached: Annotated[bool, typer.Option("--not-reached", help="Nobody answered.")] = False,
    text: Text = "",
    attach: Attach = None,
) -> Action:
    """The follow-up call was tried."""
    results = {
        CallbackMade.RESULT_SATISFIED: satisfied,
        CallbackMade.RESULT_DISSATISFIED: dissatisfied,
        CallbackMade.RESULT_NOT_REACHED: not_reached,
    }
    said_so = [result for result, given in results.items() if given]
    if len(said_so) != 1:
        raise typer.BadParameter("say one of --satisfied, --dissatisfied and --not-reached")
    return c.RecordCallback(result=said_so[0], words=said(text, attach))


@_action("answer")
def _answer(text: Text, attach: Attach = None) -> Action:
    """Answer a dissatisfied customer."""
    return c.AnswerDissatisfaction(words=said(text, attach))


@_action("review")
def _review(text: Text, attach: Attach = None) -> Action:
    """A supervisor reviews why the customer is dissatisfied."""
    return c.ReviewDissatisfaction(words=said(text, attach))


@_action("reopen")
def _reopen(why: Why) -> Action:
    """Begin another round of treatment."""
    return c.Reopen(why=why)


@_action("withdraw")
def _withdraw(why: Why = "") -> Action:
    """The customer withdraws the matter."""
    return c.Withdraw(why=why)


@_action("change-policy")
def _change_policy(policy: Annotated[str, typer.Option(metavar="ID", help="The new one.")], why: Why) -> Action:
    """Put the case under another policy."""
    return c.ChangePolicy(policy_id=policy, why=why)


@_action("hand-over")
def _hand_over(
    why: Why = "",
    speak: Annotated[bool, typer.Option("--speak", help="Write and bill from now on.")] = False,
) -> Action:
    """Bring an imported case to live time."""
    return c.HandOver(why=why, speak=speak)
