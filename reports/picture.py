"""The timeline of an incident as a drawing: its stages, its clocks, its notices, its escalations."""

from collections.abc import Iterator, Sequence
from html import escape
from math import log1p
from typing import Final

from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.types_pb2 import Stage
from domain.instants import Instant, instant
from reports.document import plain
from reports.facts import Facts, Promise
from reports.words import Language

_WIDTH: Final = 960
_LEFT: Final = 200
_RIGHT: Final = 940
_ROW: Final = 24
_TOP: Final = 34
_LETTER: Final = 8
# What is over in no time is still seen.
_NARROWEST: Final = 4
# The first minutes count most, and the retrospective may be days later: time is drawn ever narrower.
_NARROWING_SECONDS: Final = 600
_TICKS: Final = (15, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400, 172_800, 259_200, 604_800, 2_592_000)
_BETWEEN_TICKS: Final = 62

_STAGES: Final = {
    Stage.STAGE_DECLARED: "#f2b8b5",
    Stage.STAGE_GRADED: "#fbd38d",
    Stage.STAGE_CONTAINED: "#fdf0b0",
    Stage.STAGE_RESOLVED: "#b9e4c9",
    Stage.STAGE_FOLLOWED_UP: "#bfe3f0",
    Stage.STAGE_RETROSPECTIVE: "#cdd8f6",
    Stage.STAGE_CLOSED: "#dfe3e8",
}
_STATES: Final = {
    Clock.STATE_RUNNING: "#3b78c2",
    Clock.STATE_PAUSED: "#8a94a3",
    Clock.STATE_MET: "#2e9e5b",
    Clock.STATE_LATE: "#d9822b",
    Clock.STATE_CANCELLED: "#b5bcc6",
}
_BREACH: Final = "#b3261e"


def timeline(facts: Facts, language: Language) -> str:
    """Draw an incident's timeline as SVG."""
    axis = _Axis(facts.begins, facts.ends)
    rows = [_stages(facts, axis, language), *(_promise(promise, axis, language) for promise in facts.promises)]
    rows += filter(None, (_notices(facts, axis, language), _escalations(facts, axis, language)))
    height = _TOP + _ROW * len(rows) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">',
        '<g font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *axis.ticks(height - 8, language),
        *(f'<g transform="translate(0 {_TOP + _ROW * number})">{row}</g>' for number, row in enumerate(rows)),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts)


class _Axis:
    """Where an instant is drawn."""

    def __init__(self, begins: Instant, ends: Instant) -> None:
        self._begins = begins
        self._length = max(1, ends - begins)

    def x(self, at: Instant) -> int:
        """Its place from the left; what is later than the end is drawn at the end."""
        passed = min(max(0, at - self._begins), self._length)
        part = log1p(passed / _NARROWING_SECONDS) / log1p(self._length / _NARROWING_SECONDS)
        return _LEFT + round(part * (_RIGHT - _LEFT))

    def ticks(self, bottom: int, language: Language) -> Iterator[str]:
        """A thin line and a label for some of the times since the beginning."""
        last = _LEFT - _BETWEEN_TICKS
        for seconds in (0, *_TICKS):
            x = self.x(self._begins + seconds)
            if seconds > self._length or x - last < _BETWEEN_TICKS:
                continue
            last = x
            yield f'<line x1="{x}" y1="22" x2="{x}" y2="{bottom}" stroke="#e4e8ee"/>'
            yield f'<text x="{x}" y="16" fill="#5a6676" text-anchor="middle">+{language.span(seconds)}</text>'


def _label(text: str) -> str:
    shown = plain(text)
    return f'<text x="{_LEFT - 10}" y="15" text-anchor="end" fill="#1c2430">{escape(shown)}</text>'


def _stages(facts: Facts, axis: _Axis, language: Language) -> str:
    parts = [_label(language.of(("stage", "阶段")))]
    for phase in facts.phases:
        x, end = axis.x(phase.begins), axis.x(facts.ends if phase.ends is None else phase.ends)
        width = max(_NARROWEST, end - x)
        name = language.enum(Stage.DESCRIPTOR, phase.stage)
        parts.append(f'<rect x="{x}" y="2" width="{width}" height="18" fill="{_STAGES.get(phase.stage, "#eeeeee")}"/>')
        if width > _LETTER * len(name) * (2 if language.column else 1):
            parts.append(f'<text x="{x + 4}" y="15" fill="#1c2430">{escape(name)}</text>')
        else:
            parts.append(f"<title>{escape(name)}</title>")
    return "".join(parts)


def _promise(promise: Promise, axis: _Axis, language: Language) -> str:
    x = axis.x(promise.begins)
    end = max(x + _NARROWEST, axis.x(promise.ends) if promise.ends is not None else _RIGHT)
    name = language.word(promise.name)
    parts = [
        _label(f"{name} {promise.subject}".strip()),
        f'<rect x="{x}" y="6" width="{end - x}" height="10" rx="2" fill="{_STATES[promise.state]}"/>',
    ]
    if promise.breached_at is not None:
        begin = axis.x(promise.breached_at)
        parts.append(
            f'<rect x="{begin}" y="6" width="{max(_NARROWEST, end - begin)}" height="10" rx="2" fill="{_BREACH}"/>'
        )
    return "".join(parts)


def _notices(facts: Facts, axis: _Axis, language: Language) -> str:
    sent = [notice for notice in facts.case.incident.notices if notice.HasField("sent_at")]
    marks = [
        f'<circle cx="{axis.x(instant(notice.sent_at))}" cy="11" r="5" fill="#6b4fbb">'
        f"<title>{escape(notice.notice_id)}</title></circle>"
        for notice in sent
    ]
    return _row(language.of(("notices sent", "已发布公告")), marks)


def _escalations(facts: Facts, axis: _Axis, language: Language) -> str:
    marks = [
        f'<path d="M{axis.x(instant(event.at))} 4 l6 13 h-12 z" fill="{_BREACH}"/>'
        for event in facts.of("escalation_stepped")
    ]
    return _row(language.of(("escalations", "升级")), marks)


def _row(label: str, marks: Sequence[str]) -> str:
    return _label(label) + "".join(marks) if marks else ""
