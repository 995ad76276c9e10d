"""What a policy's author is told, and where."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from casetrail import policy_file, yaml_messages
from casetrail.file_problems import FileError
from casetrail.policy_file import PolicyError
from casetrail.v1.audit_service_pb2 import ReplayCaseRequest
from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.policy_pb2 import ClockRule, Policy
from casetrail.v1.types_pb2 import Role
from casetrail.words import words_of
from domain.calendars import WorkCalendar

DEFAULT = Path(__file__).parent.parent / "policies" / "default.yaml"

# Every field is on a line of its own, so that the tests below can name it.
SMALL = """\
policy_id: small-1
calendars:
  desk:
    time_zone: Europe/Berlin
    monday:
      - begins: "08:00"
        ends: "12:00"
      - begins: "13:00"
        ends: "24:00"
    special_days:
      - date: 12-24
      - date: 2026-06-18
ladders:
  up:
    steps:
      - role: team_lead
      - role: supervisor
        after: 1h
    repeat_every: 4h
clocks:
  first_response:
    ladder: up
    pauses_for: [customer]
    targets:
      - channels: [chat]
        within: 30s
        calendar: desk
      - within: 10m
        warn_before: 2m
        calendar: desk
  follow_up:
    ladder: up
    targets:
      - within: 48h
        calendar: desk
authority:
  currency: EUR
  limits:
    - role: agent
      max_minor: 20000
    - role: team_lead
      max_minor: 50000
    - role: executive
returns:
  rules:
    - rule: return.window
      beyond: 7d
      verdict: reject
      alternatives: [exchange]
    - rule: return.other
      verdict: ask
closing:
  confirm_within: 72h
  survey_within: 72h
  repeat_contact_within: 24h
  callback_not_before: 24h
  callback_attempts: 3
category_priorities:
  order: high
track_every: 1h
keep_closed: 1096d
notices:
  en:
    notices:
""" + "".join(
    f"      - {{purpose: {purpose}, subject: About {{case}}, text: Said}}\n".replace("About {case}", "'About {case}'")
    for purpose in words_of(Purpose.DESCRIPTOR)
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def problems_of(file: Path, text: str) -> list[str]:
    """What is said about a policy, each with `LINE:COLUMN` in front."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError) as refused:
        policy_file.load(file)
    return [str(problem).removeprefix(f"{file}").removeprefix(":") for problem in refused.value.problems]


def changed(old: str, new: str) -> str:
    assert SMALL.count(old) >= 1, old
    return SMALL.replace(old, new, 1)


def test_the_default_policy_is_right() -> None:
    policy = policy_file.load(DEFAULT)
    for name, calendar in policy.calendars.items():
        WorkCalendar(calendar, name)


def test_the_default_policy_has_every_clock_and_every_notice() -> None:
    policy = policy_file.load(DEFAULT)
    assert len(policy.clocks) == 21
    for locale in ("en", "zh-CN"):
        purposes = {notice.purpose for notice in policy.notices[locale].notices}
        assert len(purposes) == len(words_of(Purpose.DESCRIPTOR))


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [
        ("first_response", [30, 600]),
        ("next_response", [60, 900]),
        ("acceptance", [600]),
        ("resolution", [24 * 3600]),
        ("handling", [24 * 3600]),
        ("investigation", [72 * 3600]),
        ("decision", [1800]),
        ("review", [4 * 3600]),
        ("processing", [24 * 3600]),
        ("logistics_stall", [24 * 3600]),
        ("logistics_loss", [48 * 3600]),
        ("stall_notice", [2 * 3600]),
        ("result_feedback", [24 * 3600]),
        ("follow_up", [48 * 3600]),
        ("dissatisfaction_answer", [24 * 3600]),
        ("dissatisfaction_treatment", [72 * 3600]),
    ],
)
def test_the_default_policy_promises_what_the_operating_rules_ask(clock: str, seconds: list[int]) -> None:
    rule = policy_file.load(DEFAULT).clocks[clock]
    assert [target.within.seconds for target in rule.targets] == seconds


def test_shifts_may_stand_in_any_order(file: Path) -> None:
    early, late = (
        '      - begins: "08:00"\n        ends: "12:00"\n',
        '      - begins: "13:00"\n        ends: "24:00"\n',
    )
    file.write_text(changed(early + late, late + early))
    assert [shift.ends for shift in policy_file.load(file).calendars["desk"].monday] == ["24:00", "12:00"]


def test_in_the_default_policy_every_ladder_climbs_to_the_executives() -> None:
    for ladder in policy_file.load(DEFAULT).ladders.values():
        assert ladder.steps[-1].role == Role.ROLE_EXECUTIVE


def test_a_right_policy_is_read_as_it_is_written(file: Path) -> None:
    file.write_text(SMALL)
    policy = policy_file.load(file)
    assert policy.policy_id == "small-1"
    assert [shift.ends for shift in policy.calendars["desk"].monday] == ["12:00", "24:00"]
    assert [step.role for step in policy.ladders["up"].steps] == [Role.ROLE_TEAM_LEAD, Role.ROLE_SUPERVISOR]
    assert policy.clocks["first_response"].targets[1].warn_before.seconds == 120
    assert not policy.authority.limits[2].HasField("max_minor")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param(
            "within: 30s",
            "within: ten minutes",
            '26:17 clocks.first_response.targets[0].within: "ten minutes" is not a duration; write 30s, 10m, 24h or 3d',
            id="no duration",
        ),
        pytest.param(
            "within: 30s",
            "within: 0s",
            "26:17 clocks.first_response.targets[0].within: must be greater than or equal to 1s",
            id="a rule of the contract",
        ),
        pytest.param(
            "confirm_within: 72h",
            "confirm_within: 0s",
            "53:19 closing.confirm_within: must be greater than or equal to 1s",
            id="no time to confirm",
        ),
        pytest.param(
            "survey_within: 72h",
            "survey_within: 0s",
            "54:18 closing.survey_within: must be greater than or equal to 1s",
            id="no time to answer the survey",
        ),
        pytest.param(
            "        warn_before: 2m",
            "        warn_before: 2h",
            "28:9 clocks.first_response.targets[1]: warn_before must be shorter than within",
            id="a rule over several fields",
        ),
        pytest.param(
            "  first_response:",
            "  frist_response:",
            '21:3 clocks.frist_response: "frist_response" is unknown; did you mean "first_response"?',
            id="misspelt clock",
        ),
        pytest.param(
            "    ladder: up",
            "    lader: up",
            '22:5 clocks.first_response.lader: "lader" is unknown; did you mean "ladder"?',
            id="misspelt field, without complaint that the right one is missing",
        ),
        pytest.param(
            "    ladder: up",
            "    ladder: upp",
            '22:13 clocks.first_response.ladder: "upp" is unknown; did you mean "up"?',
            id="misspelt ladder",
        ),
        pytest.param(
            "        calendar: desk",
            "        calendar: night",
            '27:19 clocks.first_response.targets[0].calendar: "night" is unknown; known are desk',
            id="unknown calendar",
        ),
        pytest.param(
            "calendars:",
            "region_calendars: {north: dusk}\ncalendars:",
            '2:27 region_calendars.north: "dusk" is unknown; did you mean "desk"?',
            id="a region's calendar is unknown",
        ),
        pytest.param(
            "role: team_lead",
            "role: teamlead",
            '16:15 ladders.up.steps[0].role: "teamlead" is unknown; did you mean "team_lead"?',
            id="misspelt word",
        ),
        pytest.param(
            "role: team_lead",
            "role: customer",
            '16:15 ladders.up.steps[0].role: "customer" cannot stand here; '
            "write agent, team_lead, supervisor, director, executive",
            id="a word that does not belong here",
        ),
        pytest.param(
            "channels: [chat]",
            "channels: chat",
            '25:19 clocks.first_response.targets[0].channels: "chat" is not a list; write [ ] around its items',
            id="no list",
        ),
        pytest.param(
            "channels: [chat]",
            "channels: [chat, [app]]",
            "25:26 clocks.first_response.targets[0].channels[1]: a list stands where a single value belongs",
            id="a list in a list",
        ),
        pytest.param(
            "    time_zone: Europe/Berlin",
            "    time_zone:",
            "4:5 calendars.desk.time_zone: has no value; write one, or leave the name out",
            id="no value",
        ),
        pytest.param(
            "    time_zone: Europe/Berlin\n",
            "",
            "3:3 calendars.desk.time_zone: is missing",
            id="missing field: the line of what it is missing in",
        ),
        pytest.param(
            "Europe/Berlin",
            "Europe/Berin",
            '4:16 calendars.desk.time_zone: "Europe/Berin" is no time zone; write one as in "Europe/Berlin"',
            id="no time zone",
        ),
        pytest.param(
            "Europe/Berlin",
            "../etc",
            '4:16 calendars.desk.time_zone: "../etc" is no time zone; write one as in "Asia/Shanghai"',
            id="a path is no time zone",
        ),
        pytest.param(
            "    special_days:",
            "    holidays: China\n    special_days:",
            '10:15 calendars.desk.holidays: "China" does not fit; write a country\'s two capital letters, '
            "for example CN",
            id="no country",
        ),
        pytest.param(
            "    special_days:",
            "    on_holidays: [{begins: '08:00', ends: '10:00'}]\n    special_days:",
            "10:5 calendars.desk.on_holidays: never applies; name the country in holidays",
            id="holidays of no country",
        ),
        pytest.param(
            'begins: "08:00"',
            "begins: 8:00",
            '6:17 calendars.desk.monday[0].begins: "8:00" does not fit; write a time of day such as "08:00" '
            'or "08:00:30"',
            id="no time of day, without complaint about the order",
        ),
        pytest.param(
            'begins: "08:00"',
            'begins: "12:00"',
            "6:9 calendars.desk.monday[0]: a shift ends after it begins; split one that crosses midnight",
            id="a shift that ends before it begins",
        ),
        pytest.param(
            'begins: "13:00"',
            'begins: "11:59"',
            "8:9 calendars.desk.monday[1]: overlaps the shift from 08:00 to 12:00",
            id="overlapping shifts",
        ),
        pytest.param(
            "    monday:",
            "    on_makeup_days:",
            "3:3 calendars.desk: never works; give it shifts on a weekday, or always: true\n"
            "5:5 calendars.desk.on_makeup_days: never applies; name the country in holidays",
            id="a calendar that never works",
        ),
        pytest.param(
            "date: 2026-06-18",
            "date: 2026-02-29",
            '12:15 calendars.desk.special_days[1].date: "2026-02-29" is not in the calendar',
            id="no such day",
        ),
        pytest.param(
            "date: 2026-06-18",
            "date: 12-24",
            "12:15 calendars.desk.special_days[1].date: 12-24 stands here twice",
            id="a day twice",
        ),
        pytest.param(
            "role: supervisor",
            "role: agent",
            "17:15 ladders.up.steps[1].role: agent does not stand above team_lead; a ladder climbs",
            id="a ladder that goes down",
        ),
        pytest.param(
            "        after: 1h\n",
            "",
            "17:9 ladders.up.steps[1].after: must say how long after the step before it, for example 30m",
            id="a step without its time",
        ),
        pytest.param(
            "      - role: team_lead\n",
            "      - role: team_lead\n        after: 5m\n",
            "17:16 ladders.up.steps[0].after: cannot stand at the first step, which comes with the breach",
            id="a first step that comes later",
        ),
        pytest.param(
            "      - channels: [chat]\n        within: 30s",
            "      - within: 30s",
            "27:9 clocks.first_response.targets[1]: is never reached; targets[0] has no condition and fits every case",
            id="a target behind one that fits all",
        ),
        pytest.param(
            "within: 10m",
            "within: 367d",
            "28:17 clocks.first_response.targets[1].within: is longer than a year",
            id="a slip of the unit",
        ),
        pytest.param(
            "within: 48h",
            "within: 24h",
            "34:17 clocks.follow_up.targets[0].within: ends before the call may be made, 1d after the result",
            id="a call that cannot be in time",
        ),
        pytest.param(
            "      max_minor: 50000",
            "      max_minor: 10000",
            "42:18 authority.limits[1].max_minor: 10000 is less than agent may decide, 20000",
            id="a superior with less authority",
        ),
        pytest.param(
            "      max_minor: 50000",
            "      max_minor: 500.00",
            '42:18 authority.limits[1].max_minor: "500.00" is not a whole number',
            id="not in minor units",
        ),
        pytest.param(
            "    - role: executive\nreturns",
            "    - role: executive\n  other_currencies:\n    EUR: {limits: [{role: agent, max_minor: 1}]}\nreturns",
            "45:5 authority.other_currencies.EUR: EUR is the currency of authority.limits; write its limits there",
            id="a currency twice",
        ),
        pytest.param(
            "    - role: executive\nreturns",
            "    - role: executive\n  other_currencies:\n    yen: {limits: [{role: agent, max_minor: 1}]}\nreturns",
            '45:5 authority.other_currencies.yen: "yen" does not fit; write three capital letters, for example JPY',
            id="no currency",
        ),
        pytest.param(
            "    - role: executive\nreturns",
            "    - role: executive\n  other_currencies:\n"
            "    JPY: {limits: [{role: agent, max_minor: 2}, {role: team_lead, max_minor: 1}]}\nreturns",
            "45:78 authority.other_currencies.JPY.limits[1].max_minor: 1 is less than agent may decide, 2",
            id="a superior with less authority in another currency",
        ),
        pytest.param(
            "      max_minor: 50000\n",
            "",
            "42:7 authority.limits[2]: executive stands above team_lead, whose authority has no limit already",
            id="two without a limit",
        ),
        pytest.param(
            "    - role: executive",
            "    - role: director",
            "36:1 authority: the executive's authority has no limit: leave max_minor out",
            id="nobody decides without limit",
        ),
        pytest.param(
            "    - role: team_lead\n      max_minor: 50000",
            "    - role: agent\n      max_minor: 50000",
            "41:13 authority.limits[1].role: agent does not stand above agent; write them from below",
            id="a role twice",
        ),
        pytest.param(
            "        warn_before: 2m",
            "        flag_after: 0s",
            "29:21 clocks.first_response.targets[1].flag_after: must be at least 1s; leave it out for never",
            id="a mark at the start",
        ),
        pytest.param(
            "      beyond: 7d",
            "      beyond: 7d\n      within: 7d",
            "46:7 returns.rules[0]: never fits; beyond is not shorter than within",
            id="an empty window",
        ),
        pytest.param(
            "      verdict: ask",
            "      verdict: ask\n      alternatives: [repair]",
            "52:7 returns.rules[1].alternatives: is offered only with verdict: reject",
            id="an alternative to nothing",
        ),
        pytest.param(
            "rule: return.other",
            "rule: return.window",
            "50:13 returns.rules[1].rule: return.window stands here twice; the log could not tell them apart",
            id="two rules of one name",
        ),
        pytest.param(
            "      alternatives: [exchange]\n",
            "",
            "46:7 returns.rules[0].alternatives: is missing; a customer who is rejected is offered something else",
            id="rejected without an alternative",
        ),
        pytest.param(
            "      verdict: ask",
            "      verdict: ask\n    - rule: return.last\n      reasons: [quality]\n      verdict: ask",
            "52:7 returns.rules[2]: is never reached; rules[1] has no condition and fits every return",
            id="a rule behind one that fits all",
        ),
        pytest.param(
            "callback_attempts: 3",
            "callback_attempts: 33",
            "57:22 closing.callback_attempts: must be greater than or equal to 1 and less than or equal to 20",
            id="too many",
        ),
        pytest.param(
            "keep_closed: 1096d",
            "keep_closed: 30d",
            "61:14 keep_closed: must be greater than or equal to 1096d",
            id="kept too briefly",
        ),
        pytest.param(
            "track_every: 1h\n",
            "track_every: 1h\ntrack_every: 2h\n",
            "61:1 track_every: stands here twice; first in line 60",
            id="a name twice",
        ),
        pytest.param(
            "subject: 'About {case}'",
            "subject: 'About {number}'",
            "65:45 notices.en.notices[0].subject: {number} stands for nothing; there are {case}, {subject} and {text}",
            id="unknown placeholder",
        ),
        pytest.param(
            "  en:\n",
            "  de:\n",
            "62:1 notices: lacks en, which stands in for every other language",
            id="no notices in English",
        ),
        pytest.param(
            "purpose: survey",
            "purpose: result",
            "64:5 notices.en.notices: lacks survey\n70:19 notices.en.notices[5].purpose: result stands here twice",
            id="a notice is missing",
        ),
        pytest.param(
            "track_every: 1h",
            "track_every: 1h: 2h",
            "60:16 is no YAML: mapping values are not allowed here",
            id="no YAML",
        ),
        pytest.param(
            "track_every: 1h",
            "track_every: \x07",
            "60:14 is no YAML: special characters are not allowed",
            id="a control character",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: Path, old: str, new: str, said: str) -> None:
    assert problems_of(file, changed(old, new)) == said.split("\n")


def test_all_problems_are_said_at_once_from_the_top_down(file: Path) -> None:
    text = changed("within: 30s", "within: soon").replace("role: agent", "role: agnet").replace("EUR", "euro")
    assert problems_of(file, text) == [
        '26:17 clocks.first_response.targets[0].within: "soon" is not a duration; write 30s, 10m, 24h or 3d',
        '37:13 authority.currency: "euro" does not fit; write three capital letters, for example CNY',
        '39:13 authority.limits[0].role: "agnet" is unknown; did you mean "agent"?',
    ]


def test_a_value_that_an_alias_repeats_is_complained_about_once(file: Path) -> None:
    text = changed("    monday:\n", "    tuesday: *open\n    monday: &open\n")
    text = text.replace("    tuesday: *open\n", "").replace(
        "    special_days:", "    tuesday: *open\n    special_days:"
    )
    text = text.replace('"08:00"', '"eight"')
    assert problems_of(file, text) == [
        '6:17 calendars.desk.monday[0].begins: "eight" does not fit; write a time of day such as "08:00" or "08:00:30"'
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"- a list\n", "1:1 a list is not a mapping; write its fields as name: value"),
        (
            b"number,state\n" * 1000,
            f'1:1 "{("number,state " * 8)[:100]}…" is not a mapping; write its fields as name: value',
        ),
        (b"policy_id: a\ntitle: \xff\n", "2:8 is not UTF-8 text"),
        (b"[" * 10_000, "is nested too deeply"),
    ],
)
def test_a_file_that_is_no_policy_at_all(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    with pytest.raises(PolicyError) as refused:
        policy_file.load(file)
    assert str(refused.value).removeprefix(str(file)).lstrip(": ") == said


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read: No such file or directory"):
        policy_file.load(file)


def test_aliases_cannot_blow_a_file_up(file: Path) -> None:
    many = ", ".join(["*step"] * 400)
    ladders = "".join(f"  l{number}: *ladder\n" for number in range(400))
    file.write_text(f"ladders:\n  a:\n    steps: [&step {{role: agent}}]\n  b: &ladder\n    steps: [{many}]\n{ladders}")
    with pytest.raises(PolicyError, match="more than 100000 values"):
        policy_file.load(file)


def test_other_messages_are_read_the_same_way(file: Path) -> None:
    file.write_text("ladder: up\ntargets: [{within: 5m, calendar: desk, kinds: [KIND_RETURN]}]\n")
    rule = yaml_messages.load(file, ClockRule)
    assert rule.targets[0].within.seconds == 300
    file.write_text("targets: [{within: 5m, calendar: desk}]\n")
    with pytest.raises(FileError, match=":1:1 ladder: is missing"):
        yaml_messages.load(file, ClockRule)


def test_one_of_several_alternatives_can_be_written(file: Path) -> None:
    file.write_text("case_id: INQ-1\nat: 2026-06-18T08:00:00+08:00\n")
    assert yaml_messages.load(file, ReplayCaseRequest).at.ToJsonString() == "2026-06-18T00:00:00Z"
    file.write_text("case_id: INQ-1\nat: 2026-06-18T08:00:00+08:00\nseq: 3\n")
    with pytest.raises(FileError, match=':3:1 seq: cannot stand beside "at"; choose one'):
        yaml_messages.load(file, ReplayCaseRequest)


# Whatever stands in the file, its author gets a policy or a list of problems.

names = st.sampled_from(
    sorted(
        {field.name for message in Policy.DESCRIPTOR.file.message_types_by_name.values() for field in message.fields}
    )
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["agent", "10m", "08:00", "*a", "desk", "UTC", "02-30", "chat", "{case}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=5), inner, max_size=4),
    max_leaves=25,
)


def as_yaml(value: object) -> str:
    """Flow style, with what is not quoted in it left as it is, so that tags and anchors happen too."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_yaml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_yaml, value)) + "]"
    return "" if value is None else str(value)


def is_read_or_refused(file: Path, text: str) -> None:
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(PolicyError):
        policy_file.load(file)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("%YAML 9\n---\na: b")
@example('policy_id: "\\ud800"')
@example("calendars: {? [a] : b}")
@example("calendars: &a {x: *a}")
@example("ladders: !!python/object:os.system {}")
@example("&a [*a]")
@example("--- a\n--- b")
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(file: Path, text: str) -> None:
    is_read_or_refused(file, text)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(names, values, max_size=6))
def test_any_yaml_of_the_contracts_names_is_read_or_refused(file: Path, content: dict[str, object]) -> None:
    is_read_or_refused(file, as_yaml(content))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, len(SMALL)), st.integers(0, 40), st.text(max_size=6) | st.sampled_from(["\n", ":", "- ", "*a"]))
def test_any_damaged_policy_is_read_or_refused(file: Path, at: int, cut: int, put: str) -> None:
    is_read_or_refused(file, SMALL[:at] + put + SMALL[at + cut :])


def test_a_file_without_an_end_is_refused_by_its_size() -> None:
    with pytest.raises(PolicyError, match=r"^/dev/zero has more than 4,194,304 bytes$"):
        policy_file.load(Path("/dev/zero"))
