"""`casetrail incident …`: what it sends, what it prints, and how it ends."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from typer.testing import CliRunner

from casetrail.cli import app
from casetrail.v1 import incident_service_pb2 as wire
from casetrail.v1.audit_service_pb2 import ListEventsResponse
from casetrail.v1.case_pb2 import Case
from casetrail.v1.case_service_pb2 import GetCaseResponse
from casetrail.v1.clock_pb2 import Clock
from casetrail.v1.event_pb2 import CaseClosed, Event, IncidentGraded
from casetrail.v1.incident_pb2 import CrisisClass, Incident
from casetrail.v1.types_pb2 import Kind, Role, Stage
from tests.client.scripted import Refusal, Service
from tests.programs import Ran

Casetrail = Callable[..., Awaitable[Ran]]

OPENED = Timestamp(seconds=1_795_348_800)
INCIDENT = Case(
    case_id="INC-7K3",
    kind=Kind.KIND_INCIDENT,
    stage=Stage.STAGE_GRADED,
    seq=2,
    round=1,
    subject="Paying fails",
    opened_at=OPENED,
    clocks=[Clock(name="task", breached=True, state=Clock.STATE_RUNNING)],
    incident=Incident(level=2, graded=True, commander="daniel", waits_for=["its nature to be confirmed", "its report"]),
)
GRADED = Event(case_id="INC-7K3", seq=2, at=OPENED, incident_graded=IncidentGraded(level=2, why="orders are lost"))
WRITTEN = wire.IncidentWritten(case=INCIDENT, events=[GRADED])


async def test_a_declaration_sends_what_was_seen(service: Service, casetrail: Casetrail) -> None:
    service.script("DeclareIncident", wire.DeclareIncidentResponse(written=WRITTEN))
    ran = await casetrail(
        *("incident", "declare", "Paying fails", "--level", "2", "--crisis", "major", "--figure", "orders lost=120"),
        *("--case", "CMP-1", "--case", "CMP-2", "--product", "MUG-01", "--as", "daniel:supervisor"),
        *("--request-id", "r-1", "--json"),
    )
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["written"]["case"]["caseId"] == "INC-7K3"
    (request,) = service.requests("DeclareIncident")
    assert request.request_id == "r-1"
    assert request.subject == "Paying fails"
    assert request.product_id == "MUG-01"
    assert request.incident.suspected_level == 2
    assert request.incident.crisis == CrisisClass.CRISIS_CLASS_MAJOR
    assert request.incident.inputs == {"orders lost": "120"}
    assert request.incident.case_ids == ["CMP-1", "CMP-2"]
    assert (request.on_behalf_of.name, request.on_behalf_of.role) == ("daniel", Role.ROLE_SUPERVISOR)


@pytest.mark.parametrize(
    ("words", "call", "step"),
    [
        ("confirm INC-1 --nature fire", "ConfirmNature", {"nature": "fire"}),
        (
            "grade INC-1 1 --why spreads --figure lost=9 --crisis critical",
            "GradeIncident",
            {"level": 1, "why": "spreads", "inputs": {"lost": "9"}, "crisis": "CRISIS_CLASS_CRITICAL"},
        ),
        ("grade INC-1 4 --why calm --no-crisis", "GradeIncident", {"level": 4, "why": "calm", "noCrisis": True}),
        ("lead INC-1", "AssumeCommand", {}),
        (
            "hand-over INC-1 --to erin:director --why shift",
            "HandOverCommand",
            {"to": "erin", "role": "ROLE_DIRECTOR", "why": "shift"},
        ),
        ("link INC-1 CMP-1 CMP-2", "LinkCases", {"caseIds": ["CMP-1", "CMP-2"]}),
        ("contain INC-1 --how off", "ContainIncident", {"how": "off"}),
        ("resolve INC-1 --how on", "ResolveIncident", {"how": "on"}),
        ("follow-up INC-1 --case CMP-1 --how called", "FollowUpCase", {"caseId": "CMP-1", "how": "called"}),
        ("follow-up INC-1", "FinishFollowUp", {}),
        (
            "file INC-1 --cause a --measures b --lessons c",
            "FileReport",
            {"cause": "a", "measures": "b", "lessons": "c"},
        ),
        ("close INC-1", "CloseIncident", {}),
        ("dismiss INC-1 --why none", "DismissIncident", {"why": "none"}),
        ("reopen INC-1 --why again", "ReopenIncident", {"why": "again"}),
        (
            "task add INC-1 --department legal --what Look --owner lin",
            "AddTask",
            {"department": "legal", "what": "Look", "owner": "lin"},
        ),
        ("task accept INC-1 T1 --owner lin", "AcceptTask", {"taskId": "T1", "owner": "lin"}),
        ("task refuse INC-1 T1 --why no", "RefuseTask", {"taskId": "T1", "why": "no"}),
        (
            "task reassign INC-1 T1 --department legal --why yes",
            "ReassignTask",
            {"taskId": "T1", "department": "legal", "why": "yes"},
        ),
        ("task done INC-1 T1 --result good", "CompleteTask", {"taskId": "T1", "result": "good"}),
        ("task cancel INC-1 T1 --why moot", "CancelTask", {"taskId": "T1", "why": "moot"}),
        ("task reopen INC-1 T1 --why again", "ReopenTask", {"taskId": "T1", "why": "again"}),
        ("notice draft INC-1 --text Hello", "DraftNotice", {"text": "Hello", "audience": "all users"}),
        ("notice approve INC-1 N1", "ApproveNotice", {"noticeId": "N1"}),
        ("notice send INC-1 N1", "SendNotice", {"noticeId": "N1"}),
        ("notice discard INC-1 N1 --why no", "DiscardNotice", {"noticeId": "N1", "why": "no"}),
    ],
)
async def test_a_step_becomes_its_call(service: Service, words: str, call: str, step: dict[str, Any]) -> None:
    service.script(call, getattr(wire, f"{call}Response")(written=WRITTEN))
    ran = await _invoked(service, *words.split(), "--expected-seq", "0", "--as", "amy:agent")
    assert ran.exit_code == 0, ran.output
    sent = MessageToDict(service.requests(call)[0])
    assert (
        sent.pop("call").items()
        >= {
            "caseId": "INC-1",
            "expectedSeq": "0",
            "onBehalfOf": {"name": "amy", "role": "ROLE_AGENT"},
        }.items()
    )
    assert list(sent.values()) == [step]


async def test_what_a_step_did_is_told_and_what_is_waited_for(service: Service) -> None:
    again = wire.IncidentWritten(case=INCIDENT, events=[GRADED], repeated_request=True)
    service.script("GradeIncident", wire.GradeIncidentResponse(written=again))
    ran = await _invoked(service, "grade", "INC-7K3", "2", "--why", "x")
    assert "had been carried out before" in ran.stdout
    assert "graded 2: “orders are lost”" in ran.stdout
    assert "waits for its nature to be confirmed, its report" in ran.stdout


async def test_incidents_are_listed_with_what_they_wait_for(service: Service, casetrail: Casetrail) -> None:
    page = wire.ListIncidentsResponse(incidents=[INCIDENT])
    service.script("ListIncidents", page, page, wire.ListIncidentsResponse())
    ran = await casetrail("incident", "list", "--open", "--level", "1", "--level", "2", "--drills")
    assert ran.code == 0, ran.err
    assert "INC-7K3" in ran.out
    assert "its nature to be confirmed, and 1 more" in ran.out
    assert "task breached" in ran.out
    (asked,) = service.requests("ListIncidents")
    assert (asked.open, list(asked.levels), asked.include_drills) == (True, [1, 2], True)
    ran = await casetrail("incident", "list", "--json")
    assert json.loads(ran.out)["incidents"][0]["caseId"] == "INC-7K3"
    assert (await casetrail("incident", "list")).out == "No incident fits.\n"


async def test_a_report_is_printed_or_written_as_it_came(
    service: Service, casetrail: Casetrail, tmp_path: Path
) -> None:
    made = wire.GetReportResponse(content="# 事件\n".encode(), sha256="5e" * 32, seq=9)
    service.script("GetReport", made, made, made)
    assert (await casetrail("incident", "report", "INC-7K3")).out == "# 事件\n"
    ran = await casetrail("incident", "report", "INC-7K3", "--html", "--locale", "zh-CN", "--out", "r.html")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("r.html: SHA-256 5e5e")
    assert (tmp_path / "r.html").read_bytes() == made.content
    assert json.loads((await casetrail("incident", "report", "INC-7K3", "--json")).out)["seq"] == "9"
    asked = service.requests("GetReport")
    assert [(each.form, each.locale) for each in asked] == [(1, "en"), (2, "zh-CN"), (1, "en")]


async def test_the_board_is_printed_once(service: Service, casetrail: Casetrail) -> None:
    service.script("GetCase", GetCaseResponse(case=INCIDENT), GetCaseResponse(case=INCIDENT))
    service.script("ListEvents", ListEventsResponse(events=[GRADED]))
    ran = await casetrail("incident", "board", "INC-7K3", "--once")
    assert ran.code == 0, ran.err
    for words in ("LEVEL 2 MAJOR", "Paying fails", "daniel", "its nature to be confirmed", "graded 2"):
        assert words in ran.out
    ran = await casetrail("incident", "board", "INC-7K3", "--json")
    assert json.loads(ran.out)["case"]["caseId"] == "INC-7K3"


async def test_the_board_finds_the_only_open_incident_and_ends_when_it_is_closed(
    service: Service, casetrail: Casetrail
) -> None:
    closed = Case()
    closed.CopyFrom(INCIDENT)
    closed.stage = Stage.STAGE_CLOSED
    ending = Event(case_id="INC-7K3", seq=3, at=OPENED, case_closed=CaseClosed())
    service.script("ListIncidents", wire.ListIncidentsResponse(incidents=[INCIDENT]))
    service.script(
        "WatchIncident",
        [
            wire.WatchIncidentResponse(case=INCIDENT, event=GRADED),
            wire.WatchIncidentResponse(case=closed, event=ending),
        ],
    )
    ran = await casetrail("incident", "board")
    assert ran.code == 0, ran.err
    assert "nothing: it is closed" in ran.out


# What goes wrong


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("declare x", "DeclareIncident"),
        ("grade INC-1 1 --why x", "GradeIncident"),
        ("task done INC-1 T9", "CompleteTask"),
        ("notice approve INC-1 N1", "ApproveNotice"),
        ("contain INC-1 --how x", "ContainIncident"),
        ("resolve INC-1 --how x", "ResolveIncident"),
        ("report INC-1", "GetReport"),
        ("board INC-1", "GetCase"),
    ],
)
async def test_a_refusal_ends_with_1_and_its_reason(
    service: Service, casetrail: Casetrail, words: str, call: str
) -> None:
    service.script(call, Refusal(grpc.StatusCode.FAILED_PRECONDITION, "NOT_YET", "INC-1 waits for its report"))
    ran = await casetrail("incident", *words.split(), "--json")
    assert ran.code == 1
    assert ran.err.startswith("Refused (NOT_YET): INC-1 waits for its report")
    assert ran.out == ""
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("case", "words", "why"),
    [
        (Case(case_id="INQ-1", kind=Kind.KIND_INQUIRY), ["INQ-1"], "INQ-1 is no incident"),
        (None, [], "no incident is open; name one"),
    ],
)
async def test_the_board_needs_an_incident(
    service: Service, casetrail: Casetrail, case: Case | None, words: list[str], why: str
) -> None:
    service.script("GetCase", GetCaseResponse(case=case))
    service.script("ListIncidents", wire.ListIncidentsResponse())
    ran = await casetrail("incident", "board", *words)
    assert ran.code == 1
    assert ran.err == f"Refused: {why}\n"


async def test_the_board_asks_which_of_several_open_incidents_is_meant(service: Service, casetrail: Casetrail) -> None:
    service.script("ListIncidents", wire.ListIncidentsResponse(incidents=[INCIDENT, Case(case_id="INC-2")]))
    ran = await casetrail("incident", "board")
    assert ran.code == 2
    assert "INC-7K3, INC-2" in ran.err


async def test_a_report_that_cannot_be_written_is_told_in_words(service: Service, casetrail: Casetrail) -> None:
    service.script("GetReport", wire.GetReportResponse(content=b"x"))
    ran = await casetrail("incident", "report", "INC-1", "--out", "nowhere/r.html")
    assert ran.code == 1
    assert "nowhere/r.html" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "words",
    [
        "declare",
        "declare x --level 5",
        "declare x --level high",
        "declare x --crisis huge",
        "declare x --figure many",
        "declare x --figure =3",
        "declare x --figure lost=1 --figure lost=2",
        "declare x --channel pigeon",
        "declare x --scale -1",
        "declare x --as daniel",
        "grade INC-1",
        "grade INC-1 0 --why x",
        "grade INC-1 two --why x",
        "grade INC-1 2",
        "hand-over INC-1 --to erin --why x",
        "hand-over INC-1 --to erin:king --why x",
        "link INC-1",
        "task add INC-1 --department legal",
        "task refuse INC-1 T1",
        "task accept INC-1",
        "task dance INC-1 T1",
        "notice draft INC-1",
        "notice send INC-1",
        "notice discard INC-1 N1",
        "contain",
        "contain INC-1",
        "resolve INC-1",
        "resolve INC-1 --how x --expected-seq -1",
        "follow-up INC-1 --case CMP-1",
        "follow-up INC-1 --how called",
        "file INC-1 --cause x",
        "report",
        "report INC-1 --locale latin",
        "board INC-1 INC-2",
        "list --level 9",
        "dance",
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_sent(words: str) -> None:
    ran = CliRunner().invoke(app, ["incident", *words.split()])
    assert ran.exit_code == 2
    assert ran.stderr.strip()
    assert ran.stdout == ""


async def _invoked(service: Service, *words: str) -> Any:  # noqa: ANN401 - typer's own result class is private
    return await asyncio.to_thread(CliRunner().invoke, app, ["incident", *words, "--address", service.address])
