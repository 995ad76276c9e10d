"""《事件处理报告》, the report of an emergency incident [S0 7.1], from its events.

What nobody but a person can know (cause, measures, lessons) is what the commander filed; all the rest is the log's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.event_pb2 import Event
from casetrail.v1.incident_pb2 import (
    CrisisClass,
    IncidentNotice,
    IncidentSource,
    IncidentTask,
    LinkedCase,
)
from casetrail.v1.types_pb2 import Role, Stage
from domain.awaited import awaited_by
from domain.instants import Instant, instant
from reports.awaiting import awaited_in
from reports.document import Block, Document, Paragraph, Picture, Section, Table
from reports.facts import Facts, Promise, Telling, facts_of
from reports.picture import timeline
from reports.telling import Teller
from reports.words import LANGUAGES, Language, moment

_DECISIONS: Final = (
    "incident_graded",
    "command_assumed",
    "task_reassigned",
    "task_cancelled",
    "task_reopened",
    "notice_approved",
    "notice_discarded",
    "escalation_acknowledged",
    "incident_contained",
    "incident_resolved",
    "incident_reopened",
    "withdrawn",
)
_COLON: Final = (": ", "：")
_PICTURE_SAYS: Final = (
    "Later times are drawn narrower. Clocks: green kept, orange late, red over, blue running, grey cancelled.",
    "时间越晚刻度越窄。时限：绿色按时，橙色逾期，红色超时，蓝色计时中，灰色已取消。",
)
# Grounds that are names of the contract.
_NAMED_BY_US: Final = frozenset({"crisis", "why"})


def incident_report(events: Sequence[Event], locale: str = "en") -> Document:
    """Write the report of an incident.

    Args:
        events: All that there are, from the first one on.
        locale: en or zh-CN.

    Raises:
        KeyError: There is no such language.
        ValueError: They do not begin with the first event of a case.
    """
    language, facts = LANGUAGES[locale], facts_of(events)
    writer = _Writer(facts, language, Teller(language, {each.clock_id: each.subject for each in facts.promises}))
    case = facts.case
    return Document(
        locale=locale,
        title=language.of((f"Incident report: {case.case_id}", f"事件处理报告：{case.case_id}")),
        warning=language.warning(case.drill_id),
        sections=list(writer.sections()),
        footer=list(_footer(facts, language)),
    )


def _footer(facts: Facts, language: Language) -> Iterator[str]:
    last = facts.events[-1]
    yield language.of(
        (
            f"Made from events 1 to {last.seq} of {facts.case.case_id}. Times are UTC, in case time.",
            f"依据 {facts.case.case_id} 的第 1 至 {last.seq} 条日志生成。时间均为 UTC（工单时间）。",
        )
    )
    yield language.of((f"Hash of the last event: {last.hash}", f"末条日志哈希：{last.hash}"))


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes the parts, in their order."""

    facts: Facts
    language: Language
    teller: Teller

    def sections(self) -> Iterator[Section]:
        yield self._section(("Overview", "概况"), [Table(("", ""), list(self._overview()))])
        yield self._section(("Cause, measures, lessons", "原因、措施与教训"), list(self._filed()))
        yield self._section(("Timeline", "时间线"), [self._picture(), *self._timeline()])
        yield self._section(("Clocks", "时限"), self._table(_CLOCK_HEAD, map(self._promise, self.facts.promises)))
        yield self._section(("Decisions", "决策"), self._table(_DECISION_HEAD, self._decisions()))
        yield self._section(("Departments’ tasks", "部门任务"), self._table(_TASK_HEAD, self._tasks()))
        yield self._section(("Notices to users", "用户公告"), self._table(_NOTICE_HEAD, self._notices()))
        yield self._section(("Customers’ cases", "关联客户工单"), self._table(_CASE_HEAD, self._cases()))
        yield self._section(("Who was reached", "通知情况"), self._table(_REACH_HEAD, self._reached()))

    # --- parts --------------------------------------------------------------------------------------------------------

    def _overview(self) -> Iterator[tuple[str, str]]:
        case, language = self.facts.case, self.language
        incident, source = case.incident, case.incident.source
        yield language.of(("What happened", "事件")), case.subject
        yield language.of(("Nature", "性质")), incident.nature or language.of(("not confirmed", "尚未确认"))
        yield language.of(("Level", "等级")), self._level()
        if crisis := language.enum(CrisisClass.DESCRIPTOR, incident.crisis):
            yield language.of(("Public-opinion crisis", "舆情等级")), crisis
        by = language.enum(IncidentSource.By.DESCRIPTOR, source.by)
        seen = self._looked_at(source.inputs)
        yield language.of(("Declared by", "上报方式")), " · ".join(filter(None, (by, source.rule, seen)))
        yield language.of(("Stage", "当前阶段")), language.enum(Stage.DESCRIPTOR, case.stage)
        leader = language.beside(incident.commander, language.enum(Role.DESCRIPTOR, incident.commander_role))
        yield language.of(("Led by", "指挥")), leader if incident.commander else language.of(("nobody", "无"))
        for phase in self.facts.phases:
            lasted = self._since(phase.ends - phase.begins) if phase.ends is not None else ""
            told = f"{moment(phase.begins)} · +{language.span(phase.begins - self.facts.begins)}"
            yield language.enum(Stage.DESCRIPTOR, phase.stage).capitalize(), told + lasted
        if waits := [awaited_in(language, awaited) for awaited in awaited_by(case)]:
            yield language.of(("Waits for", "待办")), language.listed(waits)

    def _since(self, seconds: int) -> str:
        span = self.language.span(seconds)
        return self.language.of((f" · for {span}", f" · 历时{span}"))

    def _level(self) -> str:
        incident = self.facts.case.incident
        if not incident.level:
            return self.language.of(("not graded", "尚未定级"))
        suspected = "" if incident.graded else self.language.of((" (suspected)", "（初判）"))
        why = self.language.of(_COLON) + incident.level_why if incident.level_why else ""
        return f"{incident.level}{suspected}{why}"

    def _filed(self) -> Iterator[Block]:
        incident = self.facts.case.incident
        if not incident.HasField("report"):
            yield Paragraph(self.language.of(("Not filed yet.", "尚未提交。")))
            return
        filed = incident.report
        yield Table(
            ("", ""),
            [
                (self.language.of(("Cause", "原因")), filed.cause),
                (self.language.of(("Measures", "措施")), filed.measures),
                (self.language.of(("Lessons", "教训")), filed.lessons),
                (self.language.of(("Filed", "提交")), f"{filed.filed_by}, {moment(filed.filed_at)}"),
            ],
        )

    def _picture(self) -> Picture:
        return Picture(timeline(self.facts, self.language), self.language.of(_PICTURE_SAYS))

    def _timeline(self) -> Sequence[Block]:
        rows = ((event, self.teller.tell(event)) for event in self.facts.events)
        told = ([self._after(instant(event.at)), self.teller.who(event), text] for event, text in rows if text)
        return self._table((("After", "经过"), ("Who", "人员"), ("What", "内容")), told)

    def _promise(self, promise: Promise) -> Sequence[str]:
        language = self.language
        outcome = language.enum(Clock.State.DESCRIPTOR, promise.state)
        if promise.late:
            outcome += language.of((f", {language.span(promise.late)} late", f"，逾期{language.span(promise.late)}"))
        elif promise.breached_at is not None:
            outcome += language.of((", BREACHED", "，已超时"))
        return (
            f"{language.word(promise.name)} {promise.subject}".strip(),
            self._after(promise.begins),
            language.span(promise.target),
            self._after(promise.due) if promise.due is not None else "",
            self._after(promise.ends) if promise.ends is not None else "",
            outcome,
        )

    def _decisions(self) -> Iterator[Sequence[str]]:
        for event in self.facts.of(*_DECISIONS):
            reason = event.reason
            grounds = " · ".join(filter(None, (reason.rule, self._looked_at(reason.inputs), reason.policy_id)))
            yield self._after(instant(event.at)), self.teller.who(event), self.teller.tell(event), grounds

    def _tasks(self) -> Iterator[Sequence[str]]:
        for task in self.facts.case.incident.tasks:
            took = instant(task.settled_at) - instant(task.added_at) if task.HasField("settled_at") else None
            yield (
                task.task_id,
                self.language.word(task.department),
                task.what,
                task.owner,
                self.language.enum(IncidentTask.State.DESCRIPTOR, task.state),
                self.language.span(took) if took is not None else "",
                task.remark,
            )

    def _notices(self) -> Iterator[Sequence[str]]:
        passed_on = Counter(event.relay_accepted.notice_id for event in self.facts.of("relay_accepted"))
        for notice in self.facts.case.incident.notices:
            authority = self.language.enum(Role.DESCRIPTOR, notice.approved_role)
            yield (
                notice.notice_id,
                notice.audience,
                notice.text,
                notice.drafted_by,
                self.language.beside(notice.approved_by, authority),
                self._after(instant(notice.sent_at)) if notice.HasField("sent_at") else "",
                self.language.enum(IncidentNotice.State.DESCRIPTOR, notice.state),
                str(passed_on[notice.notice_id]),
            )

    def _cases(self) -> Iterator[Sequence[str]]:
        found = {event.case_linked.case_id: event.case_linked.rule for event in self.facts.of("case_linked")}
        for linked in self.facts.case.incident.cases:
            state = self.language.enum(LinkedCase.State.DESCRIPTOR, linked.state)
            yield linked.case_id, found.get(linked.case_id, ""), linked.notice_id, state

    def _reached(self) -> Iterator[Sequence[str]]:
        return map(self._telling, self.facts.tellings)

    def _telling(self, telling: Telling) -> Sequence[str]:
        whom = self.language.word(telling.department) or self.language.enum(Role.DESCRIPTOR, telling.role)
        why_not = self.language.recorded(telling.why_not)
        nobody = self.language.of(("NOBODY", "未联系到任何人")) + self.language.of(_COLON) + why_not
        reached = self.language.listed(list(telling.people)) or nobody
        return self._after(telling.at), whom, reached, self._news(telling.about)

    def _news(self, event: Event) -> str:
        if event.HasField("task_requested"):
            return f"{event.task_requested.task_id}{self.language.of(_COLON)}{event.task_requested.what}"
        return self.teller.tell(event)

    # --- shapes -------------------------------------------------------------------------------------------------------

    def _section(self, title: tuple[str, str], blocks: Sequence[Block]) -> Section:
        return Section(self.language.of(title), blocks)

    def _table(self, head: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> Sequence[Block]:
        filled = list(rows)
        if not filled:
            return [Paragraph(self.language.of(("None.", "无。")))]
        return [Table([self.language.of(texts) for texts in head], filled)]

    def _after(self, at: Instant) -> str:
        """How long after the beginning, for example `+00:12:30`; days before that where there are any."""
        sign, seconds = ("-", self.facts.begins - at) if at < self.facts.begins else ("+", at - self.facts.begins)
        days, rest = divmod(seconds, 86_400)
        clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
        return f"{sign}{days}{self.language.units[0]} {clock}" if days else f"{sign}{clock}"

    def _looked_at(self, inputs: Mapping[str, str]) -> str:
        """What a rule, or whoever declared it, had before them."""
        word = self.language.word
        seen = ((word(name), word(text) if name in _NAMED_BY_US else text) for name, text in sorted(inputs.items()))
        return self.language.listed([f"{name} = {text}" for name, text in seen if text])


_CLOCK_HEAD: Final = (
    ("Clock", "时限"),
    ("From", "开始"),
    ("Target", "目标"),
    ("Due", "截止"),
    ("To", "结束"),
    ("Outcome", "结果"),
)
_DECISION_HEAD: Final = (("After", "经过"), ("Who", "人员"), ("What", "内容"), ("Grounds", "依据"))
_TASK_HEAD: Final = (
    ("Task", "任务"),
    ("Department", "部门"),
    ("What", "内容"),
    ("Owner", "负责人"),
    ("State", "状态"),
    ("Took", "用时"),
    ("Remark", "备注"),
)
_NOTICE_HEAD: Final = (
    ("Notice", "公告"),
    ("Audience", "对象"),
    ("Text", "内容"),
    ("Drafted by", "拟稿"),
    ("Approved by", "审批"),
    ("Sent", "发布"),
    ("State", "状态"),
    ("Passed on", "转达工单数"),
)
_CASE_HEAD: Final = (("Case", "工单"), ("Found by", "发现方式"), ("Last notice", "最近公告"), ("State", "状态"))
_REACH_HEAD: Final = (("After", "经过"), ("Whom", "对象"), ("Reached", "联系到"), ("About", "事由"))
