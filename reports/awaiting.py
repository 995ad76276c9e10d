"""What an incident waits for, in the words of a language."""

from typing import Final

from domain.awaited import Awaited, What
from reports.words import Language

_CHINESE: Final = {
    What.NATURE: "确认事件性质",
    What.LEVEL: "定级",
    What.LEADER: "由{roles}担任指挥",
    What.FIRST_NOTICE: "首次用户公告",
    What.TASK: "{department}完成任务 {name}（{state}）",
    What.NOTICE: "公告 {name} 发布（{state}）",
    What.LAST_NOTICE: "告知用户事件已结束的公告",
    What.FOLLOW_UP: "回访工单 {name} 的客户",
    What.MORE_FOLLOW_UPS: "另外 {name} 个工单的回访",
    What.REPORT: "提交处理报告",
}


def awaited_in(language: Language, awaited: Awaited) -> str:
    """Say it, for example `task T1 of operations (asked)`."""
    template = language.of((awaited.what, _CHINESE[awaited.what]))
    return template.format(
        name=awaited.name,
        department=language.word(awaited.department),
        state=language.word(awaited.state),
        roles=language.of((" or ", "或")).join(map(language.word, awaited.roles)),
    )
