"""Detection: what in the log is taken for an incident [S0 7.1]. The rules and their figures are the policy's.

A fold over the events of all cases, in the order of the log, with a memory that does not grow with the log. Only real
cases in live time count: not those of drills, of imported history, or on compressed time.

A matter is a rule and what it is about. It is declared once, and is quiet then for a while: cases of it that come
meanwhile belong to that incident. When the log shows that the incident is over, the quiet is too, and counting begins
anew, with those cases that came too late to be linked. The request id follows from rule, matter, time and the incident
that was over, not from where the fold began.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from casetrail.v1.case_pb2 import TimeBase
from casetrail.v1.command_pb2 import Command, Declaration, LinkCases, Open
from casetrail.v1.detection_pb2 import DetectionState, Quiet, Sightings, Tally
from casetrail.v1.event_pb2 import CaseOpened, Event
from casetrail.v1.policy_pb2 import BreachRate, CaseWave, DetectionRule, Policy
from casetrail.v1.types_pb2 import Channel, Kind
from domain.draft import SYSTEM
from domain.instants import Instant

# Matters that are remembered at most. Beyond it, those of which nothing was seen for longest are forgotten.
MOST_MATTERS = 2000
# In how many slices a window is counted: it may reach back further by one slice.
_SLICES = 20
# A live event is written when it happens, or later by what a standstill took; only compressed time runs ahead of that.
_LATE = 3600

# How the request id of every declaration begins.
_DECLARED = "detection/"
# From then on an incident takes no more cases.
_ENDS = frozenset({"incident_followed_up", "case_closed"})

# Clocks of incidents themselves: one that goes badly is no sign of another.
_OF_INCIDENTS = frozenset({"initial_response", "public_notice", "notice_update", "task", "retrospective"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule has found something.

    Attributes:
        rule: The rule's name.
        what: The category, product or clock.
        request_id: Of the declaration, now or earlier.
        declare: Whether an incident is to be declared; else the cases belong to the one that was.
        case_ids: The cases that were seen.
        figures: What the rule looked at.
    """

    rule: str
    what: str
    request_id: str
    declare: bool
    case_ids: tuple[str, ...] = ()
    figures: dict[str, str] = field(default_factory=dict)


def observe(state: DetectionState, events: Iterable[Event], policy: Policy) -> tuple[DetectionState, list[Finding]]:
    """Look at some more events, in the order of the log.

    Returns:
        What to remember, and what was found. The given state is left as it was; events that it knows are passed over.
    """
    own = DetectionState()
    own.CopyFrom(state)
    found: list[Finding] = []
    for event in events:
        if event.position <= own.position:
            continue
        own.position = event.position
        _follow(own, event)
        if _counts(event):
            for rule in policy.incidents.detection:
                found.extend(_look(own, rule, event))
    return own, found


def declaration(finding: Finding, policy: Policy) -> Command:
    """The command that declares the incident."""
    rule = next(rule for rule in policy.incidents.detection if rule.rule == finding.rule)
    what = finding.what if rule.HasField("wave") else finding.what.replace("_", " ")  # a clock, in words
    return Command(
        request_id=finding.request_id,
        actor=SYSTEM,
        open=Open(
            kind=Kind.KIND_INCIDENT,
            channel=Channel.CHANNEL_WEB,
            category=finding.what if rule.wave.of == CaseWave.OF_CATEGORY else "",
            product_id=finding.what if rule.wave.of == CaseWave.OF_PRODUCT else "",
            subject=rule.subject.replace("{what}", what),
            incident=Declaration(
                suspected_level=rule.suspected_level,
                crisis=rule.crisis,
                rule=rule.rule,
                inputs=finding.figures,
                case_ids=finding.case_ids,
            ),
        ),
    )


def linking(finding: Finding, incident_id: str) -> Command:
    """The command that lets further cases belong to the incident that was declared about them."""
    cases = LinkCases(case_ids=finding.case_ids, rule=finding.rule)
    return Command(
        case_id=incident_id,
        request_id=f"{finding.request_id}/{_short(' '.join(finding.case_ids))}",
        actor=SYSTEM,
        link_cases=cases,
    )


def _counts(event: Event) -> bool:
    """Whether an event is of a real case in live time, as far as it says so itself."""
    if event.drill_id:
        return False
    if event.HasField("case_opened"):
        opened = event.case_opened
        return opened.time_base.mode == TimeBase.MODE_LIVE and not opened.silent
    return 0 <= event.recorded_at.seconds - event.at.seconds <= _LATE


def _look(state: DetectionState, rule: DetectionRule, event: Event) -> Iterator[Finding]:
    if rule.HasField("wave"):
        what = _matter_of(event, rule.wave)
        if what:
            yield from _wave(state, rule, event, what)
    elif (broken := _verdict(event, rule.breach_rate)) is not None:
        yield from _rate(state, rule, event.at.seconds, broken=broken)


# --- many cases of one category or product ---


def _matter_of(event: Event, wave: CaseWave) -> str:
    """The category or product that an event says a case is about, where the rule looks at it; else nothing."""
    if event.HasField("case_opened"):
        opened: CaseOpened = event.case_opened
        if opened.kind not in (wave.kinds or (Kind.KIND_COMPLAINT,)):
            return ""
        return opened.category if wave.of == CaseWave.OF_CATEGORY else opened.product_id
    # What a complaint is about is often known only when it is classified.
    of_complaints = not wave.kinds or Kind.KIND_COMPLAINT in wave.kinds
    if event.HasField("classified") and of_complaints and wave.of == CaseWave.OF_CATEGORY:
        return event.classified.category
    return ""


def _wave(state: DetectionState, rule: DetectionRule, event: Event, what: str) -> Iterator[Finding]:
    at, matter = event.at.seconds, f"{rule.rule} {what}"
    known = state.sightings[matter].seen
    if any(sighting.case_id == event.case_id for sighting in known):
        return
    quiet = _quiet(state, matter, at)
    if quiet:
        yield Finding(rule.rule, what, quiet.request_id, declare=False, case_ids=(event.case_id,))
    known.append(Sightings.Sighting(at=at, case_id=event.case_id))
    recent = [sighting for sighting in known if sighting.at > at - rule.wave.within.seconds][-rule.wave.count :]
    state.sightings[matter].CopyFrom(Sightings(seen=recent))
    if not quiet and len(recent) >= rule.wave.count:
        yield Finding(
            rule.rule,
            what,
            _fall_quiet(state, rule, matter, at),
            declare=True,
            case_ids=tuple(sighting.case_id for sighting in recent),
            figures={
                "what": what,
                "count": str(len(recent)),
                "within_seconds": str(at - min(sighting.at for sighting in recent)),
            },
        )
    _forget(state)


# --- too many broken promises ---


def _verdict(event: Event, rate: BreachRate) -> bool | None:
    """Whether a promise that the rule looks at was broken (True) or kept (False); None when neither happened."""
    if event.HasField("clock_breached"):
        name, broken = event.clock_breached.clock.name, True
    elif event.HasField("clock_met"):
        name, broken = event.clock_met.clock.name, False
    else:
        return None
    if rate.clock != name and (rate.clock or name in _OF_INCIDENTS):
        return None
    return broken


def _rate(state: DetectionState, rule: DetectionRule, at: Instant, *, broken: bool) -> Iterator[Finding]:
    rate = rule.breach_rate
    width = max(1, rate.within.seconds // _SLICES)
    tally = state.tallies[rule.rule]
    _count(tally, at - at % width, broken=broken)
    kept_since = at - rate.within.seconds - width
    recent = [one for one in tally.slices if kept_since < one.begins]
    tally.CopyFrom(Tally(slices=recent))
    lost, total = sum(one.broken for one in recent), sum(one.kept + one.broken for one in recent)
    if not broken or total < rate.at_least or 100 * lost < rate.percent * total or _quiet(state, rule.rule, at):
        return
    what = rate.clock or "all promises"
    figures = {"what": what, "broken": str(lost), "of": str(total), "percent": str(100 * lost // total)}
    yield Finding(rule.rule, what, _fall_quiet(state, rule, rule.rule, at), declare=True, figures=figures)


def _count(tally: Tally, begins: Instant, *, broken: bool) -> None:
    # Events come nearly in the order of their time, so that the slice is mostly the last.
    found = next((one for one in reversed(tally.slices) if one.begins == begins), None)
    one = found or tally.slices.add(begins=begins)
    one.broken += broken
    one.kept += not broken


# --- declared once ---


def _quiet(state: DetectionState, matter: str, at: Instant) -> Quiet | None:
    quiet = state.quiet.get(matter)
    return quiet if quiet and not quiet.over and at < quiet.until else None


def _fall_quiet(state: DetectionState, rule: DetectionRule, matter: str, at: Instant) -> str:
    """Raise no other alarm about this for a while; returns the request id of the one that is raised."""
    window = at // rule.quiet_for.seconds
    request_id = f"{_DECLARED}{rule.rule}/{_short(matter)}/{window}"
    before = state.quiet.get(matter)
    if before and before.over and at < before.until:
        request_id += f"/{_short(before.incident_id)}"
    state.quiet[matter].CopyFrom(Quiet(until=at + rule.quiet_for.seconds, request_id=request_id))
    return request_id


def _follow(state: DetectionState, event: Event) -> None:
    """Learn from the log which incident a declaration has led to, and when that one is over."""
    if event.key.startswith(_DECLARED) and event.HasField("case_opened"):
        for matter, quiet in state.quiet.items():
            if quiet.request_id == event.key:
                quiet.incident_id = event.case_id
                state.incidents[event.case_id] = matter
    elif matter := state.incidents.get(event.case_id, ""):
        happened = event.WhichOneof("body") or ""
        if matter in state.quiet and state.quiet[matter].incident_id == event.case_id:
            _learn(state, matter, event, happened)
        if happened == "case_closed":
            del state.incidents[event.case_id]


def _learn(state: DetectionState, matter: str, event: Event, happened: str) -> None:
    if happened == "incident_reopened":
        state.quiet[matter].over = False
    elif happened == "case_linked" and matter in state.sightings:
        for sighting in state.sightings[matter].seen:
            sighting.linked |= sighting.case_id == event.case_linked.case_id
    elif happened in _ENDS:
        state.quiet[matter].over = True
        state.tallies.pop(matter, None)
        late = Sightings(seen=[sighting for sighting in state.sightings[matter].seen if not sighting.linked])
        del state.sightings[matter]
        if late.seen:
            state.sightings[matter].CopyFrom(late)


def _forget(state: DetectionState) -> None:
    """Keep the memory small: let go of the matters of which nothing was seen for longest."""
    if len(state.incidents) > MOST_MATTERS:
        for incident_id in [known for known, matter in state.incidents.items() if matter not in state.quiet]:
            del state.incidents[incident_id]
    for matters, age in (
        (state.sightings, lambda matter: state.sightings[matter].seen[-1].at),
        (state.quiet, lambda matter: state.quiet[matter].until),
    ):
        if len(matters) > MOST_MATTERS:
            for matter in sorted(matters, key=age)[: len(matters) // 2]:
                del matters[matter]


def _short(words: str) -> str:
    return sha256(words.encode()).hexdigest()[:12]
