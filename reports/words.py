"""The languages of reports: English and Chinese."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from domain.instants import Instant, instant, to_datetime
from domain.words import prefix_of

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Language:
    """How a report speaks.

    Attributes:
        locale: BCP 47.
        column: Which of two texts that stand side by side is its own.
        words: For names of the contract that are not said as they are written there; a value of an enum may have one of
            its own, under its whole name.
        phrases: For what the engine itself has written into the log, in English.
        units: Of durations, from days to seconds.
        between: Between the things of a list.
        aside: Around what is said besides, with a place for it.
    """

    locale: str
    column: int
    words: Mapping[str, str]
    phrases: Mapping[str, str]
    units: tuple[str, str, str, str]
    between: str
    aside: str

    def of(self, texts: tuple[str, str]) -> str:
        """Its own of two texts."""
        return texts[self.column]

    def word(self, name: str) -> str:
        """A name of the contract or the policy, for example `notice_update`, in words."""
        return self.words.get(name, name.replace("_", " "))

    def enum(self, enum: EnumDescriptor, number: int) -> str:
        """An enum's value in words; empty for `unspecified`."""
        value = enum.values_by_number.get(number)
        if value is None:
            return str(number)
        name = value.name.removeprefix(prefix_of(enum)).lower()
        return "" if name == "unspecified" else self.words.get(value.name.lower(), self.word(name))

    def recorded(self, text: str) -> str:
        """A text from the log; what the engine itself wrote is translated, what people wrote stays as it is."""
        for phrase, own in self.phrases.items():
            if found := re.fullmatch(phrase, text):
                return found.expand(own)
        return text

    def beside(self, text: str, more: str) -> str:
        """A text with something said besides, for example `erin (director)`; only the text where there is nothing."""
        return text + self.aside.format(more) if more else text

    def warning(self, drill_id: str) -> str:
        """What stands above all that is about a drill; empty for what is of none."""
        if not drill_id:
            return ""
        return self.of((f"DRILL {drill_id}: nothing of this is real.", f"演练 {drill_id}：以下内容均非真实事件。"))

    def span(self, seconds: int) -> str:
        """A duration, for example `1h30m`."""
        sign, rest, text = ("-" if seconds < 0 else ""), abs(seconds), ""
        for unit, (_, size) in zip(self.units, _UNITS, strict=True):
            count, rest = divmod(rest, size)
            text += f"{count}{unit}" if count else ""
        return f"{sign}{text}" if text else f"0{self.units[-1]}"

    def listed(self, texts: list[str]) -> str:
        """Several things one after the other."""
        return self.between.join(texts)


def moment(at: Timestamp | Instant) -> str:
    """An instant of case time, in UTC."""
    return f"{to_datetime(at if isinstance(at, int) else instant(at)):%Y-%m-%d %H:%M:%S}"


ENGLISH: Final = Language(
    "en",
    0,
    {
        "by_person": "a person",
        "by_backend": "a backend",
        "by_rule": "the rule",
        "escalation_stepped": "escalation",
        "phase_follow_up": "follow-up",
        "verdict_expired": "being judged",
        "verdict_met": "met in time",
    },
    {
        "NOTHING_TO_DO: .*": "somebody else had done it, or it was needed no more",
        "WRONG_STAGE: .*": "the case was not at the stage for it",
        "ROLE_NOT_ALLOWED: .*": "the role may not do it",
        "CASE_CLOSED: .*": "the case was closed",
        "an inject keeps this participant silent": "did not answer, as the script has it",
    },
    ("d", "h", "m", "s"),
    ", ",
    " ({})",
)
CHINESE: Final = Language(
    "zh-CN",
    1,
    {
        # roles
        "customer": "客户",
        "system": "系统",
        "service": "后台系统",
        "importer": "导入程序",
        "auditor": "审计员",
        "incident_lead": "应急负责人",
        "admin": "管理员",
        "agent": "客服专员",
        "team_lead": "客服组长",
        "supervisor": "客服主管",
        "director": "客服总监",
        "executive": "平台高层",
        # stages
        "declared": "已上报",
        "graded": "已定级，处置中",
        "contained": "已控制",
        "resolved": "已解决",
        "followed_up": "已回访",
        "stage_retrospective": "已复盘",
        "closed": "已关闭",
        # clocks
        "retrospective": "复盘",
        "initial_response": "首次响应",
        "public_notice": "首次公告",
        "notice_update": "公告更新",
        "task": "部门任务",
        "result_feedback": "结果反馈",
        "decision": "决策",
        "met": "按时完成",
        "late": "逾期完成",
        "running": "计时中",
        "paused": "暂停",
        "cancelled": "已取消",
        # departments of the shipped policy
        "operations": "运营部",
        "technology": "技术部",
        "legal": "法务部",
        "customer-care": "客服部",
        # crises and sources
        "ordinary": "一般",
        "major": "较大",
        "critical": "重大",
        "person": "人工",
        "backend": "后台系统",
        "rule": "检测规则",
        # states
        "asked": "已通知",
        "accepted": "已接受",
        "refused": "已拒绝",
        "done": "已完成",
        "draft": "草稿",
        "approved": "已审批",
        "sending": "发送中",
        "sent": "已发布",
        "failed": "发布失败",
        "discarded": "已作废",
        "linked": "已关联",
        "following_up": "回访中",
        "not_followed_up": "未能回访",
        # kinds
        "inquiry": "咨询",
        "complaint": "投诉",
        "return": "退换货",
        "incident": "突发事件",
        "drill": "应急演练",
        # drills
        "phase_detection": "发现与定级",
        "phase_response": "响应与处置",
        "phase_communication": "沟通与公告",
        "phase_recovery": "控制与恢复",
        "phase_follow_up": "跟进与复盘",
        "verdict_open": "待评",
        "verdict_expired": "评定中",
        "verdict_met": "按时达成",
        "verdict_late": "超时达成",
        "verdict_missed": "未达成",
        "verdict_dropped": "取消",
        # what was looked at
        "level": "等级",
        "crisis": "舆情",
        "clock": "时限",
        "why": "原因",
        "what": "对象",
        "count": "工单数",
        "within_seconds": "时间跨度（秒）",
        "percent": "百分比",
        "broken": "未兑现",
        "of": "总数",
        "all promises": "全部时限",
        # escalations
        "breached": "承诺未兑现",
        "unacknowledged": "上一级无人应答",
        "unreachable": "上一级联系不到人",
        # how it was closed
        "concluded": "处置完毕",
        "false_alarm": "误报",
        # channels
        "chat": "在线客服",
        "app": "应用",
        "phone": "电话",
        "email": "邮件",
        "social": "社交媒体",
        "web": "网页",
        # what scripted participants answer
        "case_opened": "新工单",
        "escalation_stepped": "升级通知",
        "nature_confirmed": "性质确认",
        "incident_graded": "事件定级",
        "command_assumed": "接任指挥",
        "task_added": "新任务",
        "task_accepted": "任务受理",
        "task_completed": "任务完成",
        "notice_drafted": "公告草稿",
        "notice_approved": "公告审批",
        "notice_published": "公告发布",
        "note_added": "外部来信",
        "message_received": "客户来信",
        "incident_contained": "事件受控",
        "incident_resolved": "事件解决",
    },
    {
        "NOTHING_TO_DO: .*": "已由他人处理，或已不再需要",
        "WRONG_STAGE: .*": "工单尚未到或已过该阶段",
        "ROLE_NOT_ALLOWED: .*": "该角色无此权限",
        "an inject keeps this participant silent": "按脚本不应答",
        "drills have no (shop|mail) of their own here that could fail": r"此处没有演练专用的 \1 系统，无法模拟故障",
        "UNKNOWN_CASE: .*": "没有这个工单",
        "CASE_CLOSED: .*": "工单已关闭",
        "CANNOT_JOIN: .*": "该工单不能关联",
        "no letter was taken": "邮件未能送达",
        "nobody is there": "无人在岗",
        "nobody is there for '(.*)'": r"“\1”无人在岗",
        "the directory has no audience '(.*)', and none for all others": r"通讯录中没有“\1”，也没有默认对象",
    },
    ("天", "小时", "分", "秒"),
    "、",
    "（{}）",
)
LANGUAGES: Final = {language.locale: language for language in (ENGLISH, CHINESE)}
