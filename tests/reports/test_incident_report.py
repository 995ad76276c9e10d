"""The report of an incident: made from its events, byte by byte the same each time."""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from google.protobuf.message import Message

from casetrail.v1.effect_pb2 import DepartmentUnreachable
from casetrail.v1.event_pb2 import Event, TaskRefused
from reports.document import Document, Paragraph, Section, Table
from reports.facts import facts_of
from reports.incident import incident_report
from reports.picture import timeline
from reports.telling import SENTENCES, Teller
from reports.words import CHINESE, ENGLISH, LANGUAGES, Language
from tests.domain.story import Story
from tests.reports.given import HERE, LOCALES, events, reports


@pytest.mark.parametrize("name", sorted(reports()))
def test_the_report_is_the_one_that_was_kept(name: str) -> None:
    assert reports()[name] == (HERE / name).read_text()


@pytest.mark.parametrize("locale", LOCALES)
def test_a_report_can_be_made_at_any_point_of_an_incident(locale: str) -> None:
    known = events()
    for count in range(1, len(known) + 1):
        report = incident_report(known[:count], locale)
        assert f" {count} " in report.footer[0]


def _texts(message: Message) -> Iterator[str]:
    """All texts inside a message."""
    for field, value in message.ListFields():
        values = list(value.items()) if isinstance(value, Mapping) else value if field.is_repeated else [value]
        for each in values:
            if isinstance(each, Message):
                yield from _texts(each)
            elif isinstance(each, tuple):
                yield from each
            elif isinstance(each, str):
                yield each


def test_a_chinese_report_says_in_english_only_what_people_and_the_policy_have_written() -> None:
    known = events()
    for event in known:
        if event.HasField("staff_alerted"):
            event.staff_alerted.text = ""
    written = sorted({text for event in known for text in _texts(event) if text}, key=len, reverse=True)
    for count in range(1, len(known) + 1):
        report = re.sub(r"!\[.*", "", incident_report(known[:count], "zh-CN").to_markdown().replace("\\", ""))
        for text in written:
            report = report.replace(text, "")
        assert set(re.findall(r"[A-Za-z]{2,}", report)) <= {"UTC"}, count


def test_what_the_engine_wrote_into_the_log_is_translated_and_what_people_wrote_is_not() -> None:
    event = Event(department_unreachable=DepartmentUnreachable(task_id="T1", why="nobody is there for 'kitchen'"))
    assert Teller(CHINESE, {}).tell(event).endswith("“kitchen”无人在岗")
    event = Event(task_refused=TaskRefused(task_id="T1", why="not_ours"))
    assert Teller(CHINESE, {}).tell(event).endswith("not_ours")


def test_a_report_needs_the_events_from_the_first_one_on() -> None:
    with pytest.raises(ValueError, match="from the first one on"):
        incident_report(events()[1:])


def test_the_picture_is_well_formed_and_stays_inside_its_frame() -> None:
    for language in LANGUAGES.values():
        drawing = ET.fromstring(timeline(facts_of(events()), language))  # noqa: S314 - our own
        width, height = float(drawing.get("width", 0)), float(drawing.get("height", 0))
        shapes = list(drawing.iter("{http://www.w3.org/2000/svg}rect"))
        assert shapes
        for shape in shapes:
            assert 0 <= float(shape.get("x", 0)) <= width
            assert float(shape.get("x", 0)) + float(shape.get("width", 0)) <= width
            assert float(shape.get("height", 0)) <= height


def test_an_incident_of_a_drill_says_so_first() -> None:
    known = events()
    known[0].case_opened.drill_id = "DRL-1"
    for locale, word in (("en", "DRILL DRL-1"), ("zh-CN", "演练 DRL-1")):
        report = incident_report(known, locale)
        assert word in report.to_markdown().split("\n\n")[1]
        assert f'<p class="warning">{word}' in report.to_html()


def test_a_promise_is_told_with_its_task_and_its_end() -> None:
    promises = {f"{each.name} {each.subject}".strip(): each for each in facts_of(events()).promises}
    assert {"initial_response", "public_notice", "task T1", "task T2", "task T3", "retrospective"} <= promises.keys()
    assert all(promises[name].ends is not None for name in promises)


def test_what_people_wrote_never_becomes_markup() -> None:
    wild = "<script>alert(1)</script> | *x* \x1b[31m \u202e [link](http://evil) `code`\nsecond line"
    document = Document("en", wild, [Section(wild, [Paragraph(wild), Table(("a", "b"), [(wild, wild)])])], wild)
    markdown, html = document.to_markdown(), document.to_html()
    assert not re.search(r"(?<!\\)[<>`|*](?!\*)(script|x)", markdown)
    assert "\\[link\\](http://evil)" in markdown
    assert "<script>" not in html
    assert "\x1b" not in markdown + html
    assert "\u202e" not in markdown + html


@pytest.mark.parametrize(
    ("wild", "told"),
    [
        ("Heading\n===", "Heading  \n\\==="),
        ("Heading\n---", "Heading  \n\\---"),
        ("- one\n+ two", "\\- one  \n\\+ two"),
        ("    code", "code"),
        ("&lt;b&gt; R&D", "\\&lt;b\\&gt; R&D"),
    ],
)
def test_a_line_that_people_wrote_begins_nothing_in_markdown(wild: str, told: str) -> None:
    assert Paragraph(wild).to_markdown() == told


class _Balance(HTMLParser):
    """Checks that every element is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("locale", LOCALES)
def test_the_page_closes_what_it_opens_and_loads_nothing_from_elsewhere(locale: str) -> None:
    page = incident_report(events(), locale).to_html()
    balance = _Balance()
    balance.feed(page)
    assert balance.open == []
    assert not re.search(r"(src|href)=|@import|url\(", page)


@pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=lambda language: language.locale)
@pytest.mark.parametrize("name", sorted(SENTENCES))
def test_every_sentence_can_be_told_of_an_event_without_anything_in_it(name: str, language: Language) -> None:
    event = Event()
    getattr(event, name).SetInParent()
    told = Teller(language, {}).tell(event)
    assert told
    assert not set("{}[]") & set(told)


@pytest.mark.parametrize(
    ("locale", "said"), [("en", ["cancelled", "task T1 called off"]), ("zh-CN", ["已取消", "任务 T1 取消"])]
)
def test_a_task_that_was_called_off_is_told_among_the_tasks_and_the_decisions(locale: str, said: list[str]) -> None:
    story = Story()
    story.declare(4)
    story.lead().add_task("legal", what="Read the contract")
    story.at("1h").executive().cancel_task("T1", why="moot")
    report = incident_report(story.events, locale).to_markdown().replace("\\", "")
    (row,) = [line for line in report.splitlines() if line.startswith("| T1 |")]
    assert said[0] in row
    assert said[1] in report
