"""What happened in an incident, event by event, in the words of a language.

A sentence is a template: `{field}` stands for a field of the event's body, `{part.field}` for one of a part of it; what
stands in [brackets] is left out where one of its fields is empty.
"""

import re
from collections.abc import Mapping
from functools import reduce
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from casetrail.v1.event_pb2 import Event
from casetrail.v1.types_pb2 import Role
from reports.words import Language, moment

# English and Chinese. Events that are not here are in the log, and say nothing that a reader of the report misses.
SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "case_opened": (
        "declared by {incident.source.by}[ {incident.source.rule}][, suspected level {incident.level}]: {subject}",
        "{incident.source.by}上报[（{incident.source.rule}）][，初判 {incident.level} 级]：{subject}",
    ),
    "nature_confirmed": ("nature confirmed, and answered[: {nature}]", "性质已确认并作出首次响应[：{nature}]"),
    "incident_graded": (
        "graded level {level}[, before: {old_level}][, {crisis} crisis][: {why}]",
        "定为 {level} 级[，原为 {old_level} 级][，{crisis}舆情][：{why}]",
    ),
    "command_assumed": (
        "{commander} ({role}) takes command[ from {handed_over_by}][: {why}]",
        "{commander}（{role}）担任指挥[，由 {handed_over_by} 移交][：{why}]",
    ),
    "task_added": (
        "task {task.task_id} for {task.department}[ ({task.owner})]: {task.what}",
        "向{task.department}下达任务 {task.task_id}[（{task.owner}）]：{task.what}",
    ),
    "task_accepted": ("task {task_id} taken on[ by {owner}]", "任务 {task_id} 已接受[（{owner}）]"),
    "task_refused": ("task {task_id} refused: {why}", "任务 {task_id} 被拒绝：{why}"),
    "task_reassigned": (
        "task {task_id} goes from {from_department} to {to_department}[, {to_owner}]: {why}",
        "任务 {task_id} 由{from_department}改派{to_department}[（{to_owner}）]：{why}",
    ),
    "task_completed": ("task {task_id} done[: {result}]", "任务 {task_id} 已完成[：{result}]"),
    "task_cancelled": ("task {task_id} called off: {why}", "任务 {task_id} 取消：{why}"),
    "task_reopened": ("task {task_id} reopened: {why}", "任务 {task_id} 重新打开：{why}"),
    "notice_drafted": (
        "notice {notice.notice_id} drafted for {notice.audience}",
        "拟写公告 {notice.notice_id}（对象：{notice.audience}）",
    ),
    "notice_approved": (
        "notice {notice_id} approved on the authority of the {role}",
        "公告 {notice_id} 经{role}审批通过",
    ),
    "notice_discarded": ("notice {notice_id} discarded: {why}", "公告 {notice_id} 作废：{why}"),
    "notice_published": ("notice {notice_id} published", "公告 {notice_id} 已发布"),
    "notice_failed": ("notice {notice_id} could not be published: {why}", "公告 {notice_id} 发布失败：{why}"),
    "case_linked": ("touches {case_id}[, found by {rule}]", "关联客户工单 {case_id}[（{rule} 发现）]"),
    "link_failed": ("{case_id} could not be linked: {why}", "工单 {case_id} 无法关联：{why}"),
    "relay_refused": (
        "{case_id} does not pass notice {notice_id} on: {why}",
        "工单 {case_id} 未转达公告 {notice_id}：{why}",
    ),
    "incident_contained": ("contained[: {how}]", "事态已控制[：{how}]"),
    "incident_resolved": ("resolved[: {how}]", "事件已解决[：{how}]"),
    "case_followed_up": ("customer of {case_id} followed up", "工单 {case_id} 的客户已回访"),
    "case_followed_up_by_hand": (
        "customer of {case_id} followed up by a person[: {how}]",
        "工单 {case_id} 的客户已人工回访[：{how}]",
    ),
    "follow_up_failed": ("{case_id} cannot follow up by itself: {why}", "工单 {case_id} 无法自行回访：{why}"),
    "incident_followed_up": ("every customer was followed up", "全部客户已回访"),
    "report_filed": ("report filed", "提交处理报告"),
    "incident_reopened": ("reopened: {why}", "事件重新打开：{why}"),
    "withdrawn": ("dismissed[: {why}]", "撤销[：{why}]"),
    "case_closed": ("closed ({closure.how})", "关闭（{closure.how}）"),
    "note_added": ("note: {words.text}", "备注：{words.text}"),
    "clock_warned": (
        "{clock.name}: {clock.elapsed_seconds} of {clock.target_seconds} are over",
        "{clock.name}预警：{clock.target_seconds}已过{clock.elapsed_seconds}",
    ),
    "clock_breached": (
        "{clock.name} BREACHED: {clock.target_seconds} are over",
        "{clock.name}超时：{clock.target_seconds}已过",
    ),
    "clock_met": (
        "{clock.name} met in {clock.elapsed_seconds} of {clock.target_seconds}",
        "{clock.name}按时完成：用时{clock.elapsed_seconds}（时限{clock.target_seconds}）",
    ),
    "clock_met_late": (
        "{clock.name} met {late_seconds} late",
        "{clock.name}逾期{late_seconds}完成",
    ),
    "clock_rebased": (
        "{clock.name}: [{old_target_seconds} becomes ]{clock.target_seconds}, ladder {ladder}[, due {clock.due_at}]",
        "{clock.name}：时限[由{old_target_seconds}改]为{clock.target_seconds}，路径 {ladder}[，截止 {clock.due_at}]",
    ),
    "escalation_stepped": (
        "{clock_name} escalates, step {step}, to the {role}: {why}",
        "{clock_name}升级第 {step} 步，至{role}：{why}",
    ),
    "escalation_acknowledged": ("escalation taken on[: {why}]", "升级已有人应答[：{why}]"),
    "staff_reached": ("reached {people} ({role})", "已通知 {people}（{role}）"),
    "staff_unreachable": ("nobody reached as {role}: {why}", "{role}联系不到人：{why}"),
    "department_reached": ("reached {people} about task {task_id}", "已就任务 {task_id} 通知 {people}"),
    "department_unreachable": (
        "nobody reached about task {task_id}: {why}",
        "任务 {task_id} 通知不到人：{why}",
    ),
}

_OPTIONAL: Final = re.compile(r"\[([^\[\]]*)\]")
_FIELD: Final = re.compile(r"\{([\w.]+)\}")
# What something was before, which is not worth a word where it still is so.
_UNCHANGED: Final = {"old_level": "level", "old_target_seconds": "clock.target_seconds"}
# Texts that are names of the contract or of the policy.
_CLOCK_NAMES: Final = frozenset({"name", "clock_name"})
_NAMES: Final = _CLOCK_NAMES | {"department", "from_department", "to_department"}


class Teller:
    """Tells events in a language."""

    def __init__(self, language: Language, subjects: Mapping[str, str]) -> None:
        """Begin.

        Args:
            language: Of the sentences.
            subjects: By clock: what it is about, such as a task; empty for the incident itself.
        """
        self._language = language
        self._subjects = subjects

    def tell(self, event: Event) -> str:
        """What an event says; empty for one that a report leaves out."""
        name = event.WhichOneof("body") or ""
        if name not in SENTENCES:
            return ""
        body = getattr(event, name)

        def kept(part: re.Match[str]) -> str:
            return part[1] if all(self._text(body, path) for path in _FIELD.findall(part[1])) else ""

        template = _OPTIONAL.sub(kept, self._language.of(SENTENCES[name]))
        return _FIELD.sub(lambda place: self._text(body, place[1]), template)

    def who(self, event: Event) -> str:
        """Who did it, and in which role."""
        actor = event.actor
        role = self._language.enum(Role.DESCRIPTOR, actor.role)
        if actor.role == Role.ROLE_SYSTEM:
            return role
        return self._language.beside(actor.name, role)

    def _text(self, body: Message, path: str) -> str:
        *steps, last = path.split(".")
        part: Any = reduce(getattr, steps, body)
        field: FieldDescriptor = part.DESCRIPTOR.fields_by_name[last]
        values = getattr(part, last) if field.is_repeated else (getattr(part, last),)
        if last in _UNCHANGED and getattr(part, last) == reduce(getattr, _UNCHANGED[last].split("."), part):
            return ""
        text = self._language.listed([_value(field, value, self._language) for value in values])
        subject = self._subjects.get(part.clock_id, "") if last in _CLOCK_NAMES else ""
        return self._language.of((f"{text} {subject}", f"{text}（{subject}）")) if subject else text


def _value(field: FieldDescriptor, value: Any, language: Language) -> str:  # noqa: ANN401 - whatever the field holds
    if field.enum_type is not None:
        return language.enum(field.enum_type, value)
    if isinstance(value, Timestamp):
        return moment(value) if value.seconds else ""
    if field.name.endswith("_seconds"):
        return language.span(value)
    if isinstance(value, int):
        return str(value) if value else ""
    if field.name == "why":
        return language.recorded(value)
    return language.word(value) if field.name in _NAMES else str(value)
