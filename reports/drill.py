"""《演练报告》, the report of a drill [S0 7.3], from its events: plan, what happened, score, problems, improvements."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from casetrail.v1.case_pb2 import Case
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.drill_pb2 import Drill, DrillExpectation, DrillInject
from casetrail.v1.event_pb2 import Event
from casetrail.v1.inject_pb2 import Inject
from casetrail.v1.scenario_pb2 import Expectation, Phase
from casetrail.v1.types_pb2 import Kind, Role, Stage
from domain import fold
from domain.drills import script
from domain.drills.score import Tally, by_phase, by_role
from domain.instants import instant
from reports.document import Block, Document, Paragraph, Section, Table
from reports.words import LANGUAGES, Language, moment

_INJECTS: Final = {
    DrillInject.STATE_PLANNED: ("planned", "计划中"),
    DrillInject.STATE_DUE: ("under way", "进行中"),
    DrillInject.STATE_MADE: ("made", "已实施"),
    DrillInject.STATE_FAILED: ("failed", "失败"),
    DrillInject.STATE_DROPPED: ("dropped", "取消"),
}
_ANYBODY: Final = Role.ROLE_UNSPECIFIED
_WHATS: Final = {
    "declare": ("incident declared", "上报突发事件"),
    "wave": ("customers turn up", "客户集中来访"),
    "message": ("message", "外部来信"),
    "silence": ("nobody answers", "无人应答"),
    "fault": ("system fails", "系统故障"),
}


def drill_report(events: Sequence[Event], cases: Sequence[Case], last_run: Case | None, locale: str) -> Document:
    """Write the report of a drill.

    Args:
        events: All events of the drill itself, from the first one on.
        cases: The cases in it, as they are now.
        last_run: The run of the same scenario before it; None when there is none.
        locale: en or zh-CN.

    Raises:
        KeyError: There is no such language.
    """
    language = LANGUAGES[locale]
    case = fold(events)
    writer = _Writer(case, events, cases, last_run, language)
    return Document(
        locale=locale,
        title=language.of((f"Drill report: {case.subject}", f"演练报告：{case.subject}")),
        warning=language.warning(case.case_id),
        sections=list(writer.sections()),
        footer=[_footer(case, language)],
    )


def _footer(case: Case, language: Language) -> str:
    drill = case.drill
    english = f"Made from events 1 to {case.seq} of {case.case_id}; scenario {drill.scenario_id}"
    chinese = f"依据 {case.case_id} 的第 1 至 {case.seq} 条事件生成；演练方案 {drill.scenario_id}"
    return language.of(
        (f"{english}, SHA-256 {drill.scenario_digest}.", f"{chinese}，SHA-256 {drill.scenario_digest}。")
    )


class _Writer:
    """Writes each part."""

    def __init__(
        self, case: Case, events: Sequence[Event], cases: Sequence[Case], last_run: Case | None, language: Language
    ) -> None:
        self._case = case
        self._drill = case.drill
        self._events = events
        self._cases = cases
        self._last = last_run
        self._language = language
        self._say = language.of
        self._scenario = script.scenario_of(case.drill.scenario)
        self._pairs = list(zip(self._scenario.expectations, case.drill.expectations, strict=True))

    def sections(self) -> Iterator[Section]:
        yield Section(self._say(("Summary", "概要")), [self._summary()])
        yield Section(self._say(("Plan", "演练方案")), list(self._plan()))
        yield Section(self._say(("What happened", "演练经过")), list(self._happened()))
        yield Section(self._say(("Expectations", "预期与结果")), [self._expectations()])
        yield Section(self._say(("Score by phase", "分阶段得分")), [self._by_phase()])
        yield Section(self._say(("Score by role", "分角色得分")), [self._by_role()])
        yield Section(self._say(("Problems", "存在问题")), list(self._problems()))
        yield Section(self._say(("Improvements", "改进措施")), list(self._improvements()))
        yield Section(self._say(("Comparison with the last run", "与上次演练对比")), list(self._comparison()))

    def _summary(self) -> Block:
        drill, scale = self._drill, self._case.time_base.scale or 1
        rows = [
            (self._say(("Drill", "演练编号")), self._case.case_id),
            (self._say(("Scenario", "演练方案")), f"{self._scenario.title} ({self._scenario.id})"),
            (self._say(("Began", "开始")), moment(drill.started_at)),
        ]
        if drill.HasField("ended_at"):
            lasted = instant(drill.ended_at) - instant(drill.started_at)
            ended = f"{moment(drill.ended_at)} ({self._language.span(lasted)})"
            rows.append((self._say(("Ended", "结束")), ended))
        else:
            rows.append((self._say(("Ended", "结束")), self._say(("under way", "进行中"))))
        if drill.aborted:
            rows.append((self._say(("Aborted", "中止")), drill.why_aborted))
        speed = self._say(("real time", "实时")) if scale == 1 else self._say((f"{scale:g} times", f"{scale:g} 倍"))
        clock = self._say(("all times by the drill's clock, UTC", "所有时间均为演练时钟，UTC"))
        rows.append((self._say(("Speed", "速度")), self._language.beside(speed, clock)))
        rows.append((self._say(("Score", "得分")), _score(drill.score, self._drill.max_score)))
        if looked_back := self._looked_back():
            rows.append((self._say(("Retrospective", "复盘")), looked_back))
        return Table(("", ""), rows)

    def _looked_back(self) -> str:
        """Whether people have noted in time what they learned; empty where nobody had to."""
        clock = next((clock for clock in self._case.clocks if clock.name == "retrospective"), None)
        if clock is None:
            return ""
        if clock.breached:
            return self._say(("nobody has noted anything in time", "逾期未复盘"))
        if clock.state == Clock.STATE_MET:
            return self._say(("done in time", "按时完成"))
        due = moment(clock.due_at)
        return self._say(
            (f"to be done until {due}: note problems and improvements", f"请于 {due} 前记录问题与改进措施")
        )

    def _plan(self) -> Iterator[Block]:
        if self._scenario.goal:
            yield Paragraph(self._scenario.goal)
        rows = [
            (self._after(planned.inject), self._what(planned.inject), planned.inject.title, planned.inject.id)
            for planned in self._drill.injects
            if not planned.by_hand
        ]
        head = (("After", "时间"), ("What", "类型"), ("Inject", "注入"), ("Id", "标识"))
        yield Table([self._say(texts) for texts in head], rows)

    def _happened(self) -> Iterator[Block]:
        head = (("At", "时间"), ("Inject", "注入"), ("State", "状态"), ("Cases", "工单"))
        rows = []
        for planned in self._drill.injects:
            state = self._say(_INJECTS[planned.state])
            by_hand = self._say((", by hand", "（人工）")) if planned.by_hand else ""
            why = self._language.beside("", self._language.recorded(planned.why_failed))
            cases = str(len(planned.case_ids) or "")
            rows.append((moment(planned.due_at), planned.inject.title, f"{state}{by_hand}{why}", cases))
        yield Table([self._say(texts) for texts in head], rows)
        yield self._brought()
        failed = Counter(self._failure(event) for event in self._events if event.HasField("move_failed"))
        if failed:
            yield Paragraph(self._say(("What scripted participants could not do:", "脚本角色未能完成的操作：")))
            head = (("Who", "角色"), ("Answering", "应对"), ("Why not", "原因"), ("Times", "次数"))
            yield Table([self._say(texts) for texts in head], [(*texts, str(times)) for texts, times in failed.items()])

    def _brought(self) -> Block:
        """The cases, alike ones together."""
        alike: dict[tuple[str, str, str, str], list[str]] = {}
        for case in self._cases:
            stage = self._language.enum(Stage.DESCRIPTOR, case.stage)
            key = (case.inject_id, self._language.enum(Kind.DESCRIPTOR, case.kind), stage, case.subject)
            alike.setdefault(key, []).append(case.case_id)
        head = (("Cases", "工单"), ("Kind", "类型"), ("Stage", "阶段"), ("Subject", "主题"))
        rows = [(self._first_and_more(numbers), *texts) for (_, *texts), numbers in alike.items()]
        return Table([self._say(texts) for texts in head], rows)

    def _failure(self, event: Event) -> tuple[str, str, str]:
        """Who could not do something, what it would have answered, and why not."""
        failed = event.move_failed
        participant, answer = script.answer_of(self._scenario, failed.move_id)
        return participant.name, self._language.word(answer.to), self._language.recorded(failed.why)

    def _expectations(self) -> Block:
        head = (
            ("Expected", "预期"),
            ("By", "角色"),
            ("Within", "时限"),
            ("Took", "用时"),
            ("Result", "结果"),
            ("Score", "得分"),
            ("Proof", "依据"),
        )
        rows = [
            (
                expectation.title,
                self._roles(expectation.by),
                self._language.span(instant(judged.due_at) - self._begins(self._drill, expectation)),
                self._took(self._drill, expectation, judged),
                self._language.enum(DrillExpectation.Verdict.DESCRIPTOR, judged.verdict),
                _score(judged.score, expectation.score),
                self._first_and_more(judged.event_ids),
            )
            for expectation, judged in self._pairs
        ]
        return Table([self._say(texts) for texts in head], rows)

    def _begins(self, drill: Drill, expectation: Expectation) -> int:
        """When the inject happened after which something is expected."""
        return instant(script.inject_of(drill, expectation.after).due_at)

    def _took(self, drill: Drill, expectation: Expectation, judged: DrillExpectation) -> str:
        if not judged.HasField("met_at"):
            return ""
        return self._language.span(instant(judged.met_at) - self._begins(drill, expectation))

    def _by_phase(self) -> Block:
        rows = ((self._phase(phase).capitalize(), tally) for phase, tally in by_phase(self._drill).items())
        return self._tallies(("Phase", "阶段"), rows)

    def _by_role(self) -> Block:
        named_first = sorted(by_role(self._drill).items(), key=lambda found: found[0] == _ANYBODY)
        return self._tallies(("Role", "角色"), ((self._role(role), tally) for role, tally in named_first))

    def _tallies(self, first: tuple[str, str], rows: Iterable[tuple[str, Tally]]) -> Block:
        head = (first, ("Met", "按时"), ("Late", "超时"), ("Missed", "未达成"), ("Score", "得分"))
        return Table(
            [self._say(texts) for texts in head],
            [
                (name, str(tally.met), str(tally.late), str(tally.missed), _score(tally.score, tally.max_score))
                for name, tally in rows
            ],
        )

    def _problems(self) -> Iterator[Block]:
        problems = [remark.problem for remark in self._drill.remarks if remark.problem]
        for expectation, judged in self._pairs:
            text = self._problem(expectation, judged)
            if text:
                problems.append(text)
        yield from self._listed(problems, ("None was found.", "未发现问题。"))

    def _problem(self, expectation: Expectation, judged: DrillExpectation) -> str:
        if judged.verdict == DrillExpectation.VERDICT_MISSED:
            return self._say((f"Missed: {expectation.title}", f"未达成：{expectation.title}"))
        if judged.verdict == DrillExpectation.VERDICT_LATE:
            late = self._language.span(instant(judged.met_at) - instant(judged.due_at))
            return self._say((f"Late by {late}: {expectation.title}", f"超时 {late}：{expectation.title}"))
        return ""

    def _improvements(self) -> Iterator[Block]:
        improvements = [remark.improvement for remark in self._drill.remarks if remark.improvement]
        for phase, tally in by_phase(self._drill).items():
            if tally.score < tally.max_score:
                name = self._phase(phase)
                lost = tally.max_score - tally.score
                texts = (f"Practise {name}: {lost} points were lost there.", f"加强“{name}”：失 {lost} 分。")
                improvements.append(self._say(texts))
        yield from self._listed(improvements, ("None is asked for.", "无。"))

    def _comparison(self) -> Iterator[Block]:
        if self._last is None:
            yield Paragraph(self._say(("This is the first run of the scenario.", "本方案首次演练。")))
            return
        before = {judged.id: judged for judged in self._last.drill.expectations}
        head = (("Expected", "预期"), ("Last run", "上次"), ("This run", "本次"))
        rows = [
            (
                expectation.title,
                self._outcome(self._last.drill, before.get(expectation.id)),
                self._outcome(self._drill, judged),
            )
            for expectation, judged in self._pairs
        ]
        last = self._last.drill
        name = self._say((f"Score ({self._last.case_id})", f"得分（{self._last.case_id}）"))
        rows.append((name, _score(last.score, last.max_score), _score(self._drill.score, self._drill.max_score)))
        yield Table([self._say(texts) for texts in head], rows)

    def _listed(self, texts: Sequence[str], none: tuple[str, str]) -> Iterator[Block]:
        if not texts:
            yield Paragraph(self._say(none))
        for number, text in enumerate(texts, 1):
            yield Paragraph(f"{number}. {text}")

    def _outcome(self, drill: Drill, judged: DrillExpectation | None) -> str:
        """How an expectation came out in a run, whose scenario may have been another one then."""
        if judged is None:
            return "–"
        took = self._took(drill, script.expectation_of(drill, judged.id), judged)
        return self._language.beside(self._language.enum(DrillExpectation.Verdict.DESCRIPTOR, judged.verdict), took)

    def _first_and_more(self, names: Sequence[str]) -> str:
        more = len(names) - 1
        return self._language.listed([*names[:1], *([f"+{more}"] if more > 0 else [])])

    def _after(self, inject: Inject) -> str:
        return self._language.span(inject.at.seconds)

    def _what(self, inject: Inject) -> str:
        return self._say(_WHATS[inject.WhichOneof("what") or "message"])

    def _phase(self, phase: Phase.ValueType) -> str:
        return self._language.enum(Phase.DESCRIPTOR, phase)

    def _roles(self, roles: Sequence[Role.ValueType]) -> str:
        return self._language.listed([self._role(role) for role in roles]) or self._role(_ANYBODY)

    def _role(self, role: Role.ValueType) -> str:
        return self._language.enum(Role.DESCRIPTOR, role) or self._say(("anybody", "不限"))


def _score(won: int, most: int) -> str:
    return f"{won}/{most}"
