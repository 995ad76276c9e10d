import json
from pathlib import Path

import pytest

from casetrail.play.plan import CasePlan, Planner, Style, case_id_of
from casetrail.v1.types_pb2 import Cause, Priority, Role
from tests.play.logs import SAMPLE, SERVICENOW, plans, read, workshop


def actions(plan: CasePlan) -> list[str]:
    return [(step.command.WhichOneof("action") or "") if step.command else "-" for step in plan.steps]


def sample(number: str, style: Style = Style()) -> CasePlan:
    return next(plan for plan in plans(SAMPLE, SERVICENOW, style) if plan.source.number == number)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        # New, Resolved, Resolved, Closed
        ("INC0000045", "open resolve inform - close"),
        # Resolved at once, Closed
        ("INC0000199", "open assign resolve inform close"),
        # Opened twice: resolved, active again, resolved again
        ("INC0001068", "open assign transfer - reply wait - resolve inform reopen resolve inform close"),
        # From the vendor's hands into the caller's
        ("INC0001287", "open assign reply - - wait wait resolve inform close"),
    ],
)
def test_what_the_rows_of_real_incidents_mean(number: str, expected: str) -> None:
    assert actions(sample(number)) == expected.split()


def test_every_row_of_the_sample_means_something_or_is_kept() -> None:
    for plan in plans(SAMPLE, SERVICENOW):
        assert {step.row.line for step in plan.steps} == {row.line for row in plan.source.rows}
        assert not any(step.fault for step in plan.steps)


def test_a_change_that_one_action_has_told_is_not_told_again() -> None:
    # The owner and the group change in one row: the owner's transfer names both.
    for plan in plans(SAMPLE, SERVICENOW):
        by_row: dict[int, list[str]] = {}
        for step in plan.steps:
            by_row.setdefault(step.row.line, []).append(
                step.command.WhichOneof("action") or "" if step.command else "-"
            )
        assert all(found.count("transfer") + found.count("assign") <= 1 for found in by_row.values())


def test_history_is_the_importers_and_silent() -> None:
    opening = sample("INC0000045").steps[0].command
    assert opening is not None
    assert opening.actor.role == Role.ROLE_IMPORTER
    assert (opening.case_id, opening.open.source) == ("INC0000045", "INC0000045")
    assert opening.open.silent
    assert opening.open.scale == 0


def test_live_cases_are_the_peoples_own_and_speak() -> None:
    plan = sample("INC0000045", Style(scale=500, prefix="live-"))
    opening = plan.steps[0].command
    assert opening is not None
    assert opening.actor.role == Role.ROLE_AGENT
    assert (opening.case_id, opening.open.source) == ("live-INC0000045", "")
    assert not opening.open.silent
    assert opening.open.scale == 500
    assert opening.open.customer.email == "caller-2403@example.test"
    assert actions(plan) == ["open", "resolve", "-", "rate"]


def test_a_priority_is_taken_from_the_row() -> None:
    found = [
        step.command.prioritize.priority
        for plan in plans(SAMPLE, SERVICENOW)
        for step in plan.steps
        if step.command and step.command.HasField("prioritize")
    ]
    assert found
    assert Priority.PRIORITY_UNSPECIFIED not in found


def test_any_log_with_a_case_an_activity_and_a_time_can_be_mapped(tmp_path: Path) -> None:
    file, mapping = workshop(
        tmp_path,
        [
            ("4711/a", "Annahme", "2026-06-18T08:00", "", "Jürgen", "Käfer 1200"),
            ("4711/a", "Rückfrage", "2026-06-18T09:00", "Ute", "Jürgen", "Käfer 1200"),
            ("4711/a", "Weiter", "2026-06-18T10:00", "Ute", "Jürgen", "Käfer 1200"),
            ("4711/a", "Lackieren", "2026-06-18T10:30", "Ute", "Jürgen", "Käfer 1200"),
            ("4711/a", "Fertig", "2026-06-18T11:00", "Ute", "Jürgen", "Käfer 1200"),
            ("4711/a", "Abgeholt", "2026-06-18T12:00", "Ute", "Jürgen", "Käfer 1200"),
            ("4711/a", "Reklamation", "2026-06-19T12:00", "Ute", "Jürgen", "Käfer 1200"),
        ],
    )

    [plan] = plans(file, mapping)

    assert actions(plan) == ["open", "assign", "reply", "wait", "resume", "-", "resolve", "close", "reopen"]
    reply, waiting = plan.steps[2].command, plan.steps[3].command
    assert reply is not None
    assert waiting is not None
    assert reply.reply.words.text == "Jürgen, eine Frage zu k-fer-1200"
    assert waiting.wait.cause == Cause.CAUSE_CUSTOMER
    assert reply.actor.name == "Ute"
    assert json.loads(plan.steps[0].row.raw)["Auftrag"] == "4711/a"


def test_an_action_that_breaks_the_contract_is_marked_and_not_sent(tmp_path: Path) -> None:
    file, mapping = workshop(
        tmp_path,
        [
            ("A", "Annahme", "2026-06-18T08:00", "", "J", "K"),
            ("A", "Annahme", "2026-06-18T09:00", "U" * 200, "J", "K"),
        ],
    )

    [plan] = plans(file, mapping)

    assert "assign.to" in plan.steps[1].fault


def test_a_subject_of_empty_cells_is_the_cases_number(tmp_path: Path) -> None:
    file, mapping = workshop(tmp_path, [("A", "Annahme", "2026-06-18T08:00", "", "J", "")])
    mapping.write_text(mapping.read_text().replace("{Fahrzeug}: {Vorgang}", "{Fahrzeug} {Mechaniker}"))

    [plan] = plans(file, mapping)

    assert plan.steps[0].command is not None
    assert plan.steps[0].command.open.subject == "A"


@pytest.mark.parametrize(
    ("number", "prefix", "case_id"),
    [("INC0000045", "", "INC0000045"), ("INC0000045", "live-", "live-INC0000045"), ("7", "x.", "x.7")],
)
def test_a_case_gets_its_number_from_the_source(number: str, prefix: str, case_id: str) -> None:
    assert case_id_of(number, prefix) == case_id


def test_numbers_with_other_signs_stay_different() -> None:
    numbers = ["4711/a", "4711-a", "4711 a", "工单 4711", "工单 4712", "x" * 100, "x" * 101]
    assert len({case_id_of(number, "") for number in numbers}) == len(numbers)


def test_the_same_rows_are_the_same_requests_in_every_playing() -> None:
    mapping, log = read(SAMPLE, SERVICENOW)
    one, two = ([Planner(mapping, Style()).plan(case) for case in log.cases] for _ in range(2))
    assert one == two
    ids = [step.request_id for plan in one for step in plan.steps]
    assert len(set(ids)) == len(ids)
