"""The command line: what it sends, what it prints, and how it ends."""

import asyncio
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from typer.testing import CliRunner

from casetrail.cli import app
from casetrail.cli.failure import tell
from casetrail.cli.options import attachment
from casetrail.errors import Unavailable
from casetrail.v1.audit_service_pb2 import Fault, ListEventsResponse, ReplayCaseResponse, VerifyCaseResponse
from casetrail.v1.case_pb2 import Case, Customer, OrderFacts
from casetrail.v1.case_service_pb2 import (
    ExecuteResponse,
    GetCaseResponse,
    ListCasesResponse,
    OpenCaseResponse,
    Receipt,
    WatchCaseResponse,
)
from casetrail.v1.event_pb2 import CaseOpened, ClockBreached, Event
from casetrail.v1.types_pb2 import Kind, RemedyKind, Role, Stage
from tests.client.scripted import Refusal, Service
from tests.programs import CASETRAIL, Ran

Casetrail = Callable[..., Awaitable[Ran]]

CASE = Case(
    case_id="INQ-7K3",
    kind=Kind.KIND_INQUIRY,
    stage=Stage.STAGE_OPENED,
    seq=2,
    round=1,
    customer=Customer(customer_id="C-1"),
    opened_at=Timestamp(seconds=1_795_348_800),
)
EVENTS = [
    Event(
        case_id="INQ-7K3",
        seq=1,
        position=41,
        at=CASE.opened_at,
        case_opened=CaseOpened(kind=Kind.KIND_INQUIRY, subject="Hello?"),
    ),
    Event(
        case_id="INQ-7K3",
        seq=2,
        position=43,
        at=Timestamp(seconds=1_795_348_830),
        clock_breached=ClockBreached(ladder="service"),
    ),
]


async def test_an_opening_sends_what_was_said_and_prints_the_answer(service: Service, casetrail: Casetrail) -> None:
    service.script("OpenCase", OpenCaseResponse(case=CASE))
    ran = await casetrail(
        "open", "inquiry", "--customer", "C-1", "--channel", "email", "--subject", "Hello?",
        "--scale", "3600", "--parcel", "sf:SF1", "--as", "amy:agent", "--request-id", "r-1", "--json",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["case"]["caseId"] == "INQ-7K3"
    (request,) = service.requests("OpenCase")
    assert request.request_id == "r-1"
    assert request.open.scale == 3600
    assert request.open.parcel.tracking_no == "SF1"
    assert (request.on_behalf_of.name, request.on_behalf_of.role) == ("amy", Role.ROLE_AGENT)
    assert service.metadata[0]["authorization"] == "Bearer secret"


async def test_a_return_is_opened_with_what_it_needs(service: Service, casetrail: Casetrail) -> None:
    service.script("OpenCase", OpenCaseResponse(case=CASE))
    ran = await casetrail(
        "open", "return", "--customer", "C-1", "--text", "It broke.\nTwice.", "--order", "O-1", "--item", "MUG-01:2",
        "--reason", "quality", "--item-state", "faulty", "--want", "refund", "--amount", "9990",
        "--currency", "JPY",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    opened = service.requests("OpenCase")[0].open
    assert opened.subject == "It broke."
    assert opened.return_request.items[0].quantity == 2
    assert opened.return_request.wanted.kind == RemedyKind.REMEDY_KIND_REFUND
    assert (opened.return_request.wanted.amount_minor, opened.return_request.wanted.currency) == (9990, "JPY")


async def test_an_opening_with_an_amount_says_its_currency(service: Service, casetrail: Casetrail) -> None:
    ran = await casetrail(
        "open", "return", "--customer", "C-1", "--text", "It broke.", "--order", "O-1", "--item", "MUG-01",
        "--reason", "quality", "--want", "refund", "--amount", "12.50",
    )  # fmt: skip
    assert ran.code == 2
    assert "say which currency is meant" in " ".join(ran.err.split())
    assert not service.requests("OpenCase")


@pytest.mark.parametrize(
    ("words", "action"),
    [
        ("assign --to amy --team parcels", {"assign": {"to": "amy", "team": "parcels"}}),
        ("reply --text Hi", {"reply": {"words": {"text": "Hi"}}}),
        ("resolve --text Done", {"resolve": {"words": {"text": "Done"}}}),
        ("confirm --satisfied", {"confirm": {"satisfied": True}}),
        ("confirm --dissatisfied", {"confirm": {"satisfied": False}}),
        ("confirm", {"confirm": {}}),
        ("note --text x", {"note": {"words": {"text": "x"}}}),
        (
            "wait --for customer --why size --at-most 2h",
            {"wait": {"cause": "CAUSE_CUSTOMER", "why": "size", "atMost": "7200s"}},
        ),
        ("resume", {"resume": {}}),
        ("message --text Hm", {"receiveMessage": {"words": {"text": "Hm"}}}),
        ("accept", {"accept": {}}),
        ("classify --category logistics", {"classify": {"category": "logistics"}}),
        ("investigate", {"investigate": {}}),
        (
            "ask --department warehouse --text Where?",
            {"askDepartment": {"department": "warehouse", "words": {"text": "Where?"}}},
        ),
        ("finding --text Lost", {"recordFinding": {"words": {"text": "Lost"}}}),
        (
            "propose --remedy refund --amount 100.00 --text Sorry",
            {
                "propose": {
                    "remedy": {"kind": "REMEDY_KIND_REFUND", "amountMinor": "10000"},
                    "words": {"text": "Sorry"},
                }
            },
        ),
        (
            "propose --remedy refund --amount 100 --currency JPY",
            {"propose": {"remedy": {"kind": "REMEDY_KIND_REFUND", "amountMinor": "100", "currency": "JPY"}}},
        ),
        ("negotiate --amount 1.5 --currency KWD", {"negotiate": {"wantedMinor": "1500", "currency": "KWD"}}),
        ("agree", {"agree": {}}),
        ("negotiate --amount 200", {"negotiate": {"wantedMinor": "20000"}}),
        ("decide --grant", {"decide": {"granted": True}}),
        ("decide --refuse", {"decide": {}}),
        (
            "escalate --question More? --to director",
            {"escalate": {"question": "More?", "toRole": "ROLE_DIRECTOR"}},
        ),
        ("acknowledge", {"acknowledge": {}}),
        ("inform --purpose result", {"inform": {"purpose": "PURPOSE_RESULT"}}),
        (
            "eligibility --not-eligible --why late --alternative repair",
            {"decideEligibility": {"why": "late", "alternatives": ["REMEDY_KIND_REPAIR"]}},
        ),
        (
            "choose --remedy exchange --instead MUG-02",
            {"chooseAlternative": {"remedy": {"kind": "REMEDY_KIND_EXCHANGE", "sku": "MUG-02", "quantity": 1}}},
        ),
        ("ship-back --carrier sf --tracking 1", {"shipBack": {"parcel": {"carrier": "sf", "trackingNo": "1"}}}),
        ("received", {"receiveGoods": {}}),
        ("inspect --failed", {"inspect": {}}),
        ("track --carrier sf --tracking 1", {"trackParcel": {"parcel": {"carrier": "sf", "trackingNo": "1"}}}),
        ("carry-out", {"carryOut": {}}),
        ("rate --satisfied --score 5 --recommend 0", {"rate": {"satisfied": True, "score": 5, "recommend": 0}}),
        ("callback --not-reached", {"recordCallback": {"result": "RESULT_NOT_REACHED"}}),
        ("answer --text Sorry", {"answerDissatisfaction": {"words": {"text": "Sorry"}}}),
        ("review --text Ours", {"reviewDissatisfaction": {"words": {"text": "Ours"}}}),
        ("reopen --why again", {"reopen": {"why": "again"}}),
        ("withdraw", {"withdraw": {}}),
        ("link --to INQ-2", {"link": {"caseId": "INQ-2", "relation": "RELATION_RELATED"}}),
        ("merge --into INQ-2", {"merge": {"intoCaseId": "INQ-2"}}),
        ("transfer --to bo --why shift", {"transfer": {"to": "bo", "why": "shift"}}),
        ("reclassify --kind complaint --why angry", {"reclassify": {"kind": "KIND_COMPLAINT", "why": "angry"}}),
        ("prioritize --priority urgent --why vip", {"prioritize": {"priority": "PRIORITY_URGENT", "why": "vip"}}),
        ("change-policy --policy p-2 --why new", {"changePolicy": {"policyId": "p-2", "why": "new"}}),
        ("hand-over --speak", {"handOver": {"speak": True}}),
        ("offer --article faq/7", {"offerAnswer": {"article": "faq/7"}}),
    ],
)
async def test_an_action_becomes_its_command(service: Service, words: str, action: dict[str, Any]) -> None:
    service.script("Execute", ExecuteResponse(case=CASE))
    service.script("GetCase", GetCaseResponse(case=Case(case_id="INQ-1", order=OrderFacts(currency="CNY"))))
    invoked = CliRunner().invoke
    ran = await asyncio.to_thread(invoked, app, ["do", "INQ-1", *words.split(), "--address", service.address])
    assert ran.exit_code == 0, ran.output
    sent = MessageToDict(service.requests("Execute")[0].command)
    assert sent.pop("requestId")
    assert sent == {"caseId": "INQ-1", **action}


RETURNED = "reclassify --kind return --why back --order O-1 --item MUG-01 --reason quality --want refund"


@pytest.mark.parametrize("words", ["propose --remedy refund", "negotiate", "choose --remedy compensation", RETURNED])
@pytest.mark.parametrize(("currency", "said"), [("JPY", "in JPY"), ("", "has no order whose currency is known")])
async def test_an_amount_without_a_currency_is_asked_back_unless_it_is_known_to_have_two_digits(
    service: Service, casetrail: Casetrail, words: str, currency: str, said: str
) -> None:
    service.script("GetCase", GetCaseResponse(case=Case(case_id="INQ-1", order=OrderFacts(currency=currency))))
    ran = await casetrail("do", "INQ-1", *words.split(), "--amount", "100")
    assert ran.code == 2
    assert said in " ".join(ran.err.split())
    assert not service.requests("Execute")


async def test_what_a_customer_wants_instead_is_counted_as_what_was_proposed(
    service: Service, casetrail: Casetrail
) -> None:
    case = Case(case_id="INQ-1", order=OrderFacts(currency="CNY"))
    case.settlement.remedy.currency = "KWD"
    service.script("GetCase", GetCaseResponse(case=case))
    ran = await casetrail("do", "INQ-1", "negotiate", "--amount", "1.50")
    assert (ran.code, "in KWD" in ran.err) == (2, True)


@pytest.mark.parametrize("words", ["events INQ-7K3", "list", "list --json", "--help", "policy check no-such-file"])
async def test_when_nobody_reads_on_a_command_ends_without_a_word(service: Service, words: str) -> None:
    service.script("GetCase", GetCaseResponse(case=CASE))
    service.script("ListEvents", ListEventsResponse(events=EVENTS))
    service.script("ListCases", ListCasesResponse(cases=[CASE]))
    reads, writes = os.pipe()
    os.close(reads)
    ended = await asyncio.create_subprocess_exec(
        CASETRAIL.installed,
        *words.split(),
        env={**os.environ, "CASETRAIL_ADDRESS": service.address, "CASETRAIL_TOKEN": "secret"},
        stdout=writes,
        stderr=writes if "no-such-file" in words else asyncio.subprocess.PIPE,
    )
    os.close(writes)
    _, said = await ended.communicate()
    assert (ended.returncode, said or b"") == (-signal.SIGPIPE, b"")


_A_CONNECTION_BREAKS_LATE = """
import atexit, socket
from casetrail.cli import main

def break_late() -> None:
    ours, others = socket.socketpair()
    others.close()
    try:
        ours.send(b"1")
    except BrokenPipeError:
        print("and goes on")

atexit.register(break_late)
main()
"""


def test_only_output_that_nobody_reads_ends_a_command_not_a_connection_that_breaks() -> None:
    # As a thread of gRPC's may find it while the answer is printed.
    ended = subprocess.run(
        [sys.executable, "-c", _A_CONNECTION_BREAKS_LATE, "--help"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "and goes on")


async def test_an_action_sends_what_can_be_said_with_every_action(
    service: Service, casetrail: Casetrail, tmp_path: Path
) -> None:
    service.script("Execute", ExecuteResponse(case=CASE, repeated_request=True))
    (tmp_path / "box.jpg").write_bytes(b"a broken box")
    ran = await casetrail(
        "do", "INQ-7K3", "reply", "--text", "See.", "--attach", "box.jpg", "--request-id", "r-1", "--expected-seq", "0",
        "--as", "lee:team_lead",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "had been carried out before" in ran.out
    command = service.requests("Execute")[0].command
    (attached,) = command.reply.words.attachments
    assert attached.sha256 == hashlib.sha256(b"a broken box").hexdigest()
    assert attached.media_type == "image/jpeg"
    assert command.request_id == "r-1"
    assert command.HasField("expected_seq")
    assert command.actor.role == Role.ROLE_TEAM_LEAD


def test_evidence_of_any_size_is_digested_without_being_held(tmp_path: Path) -> None:
    film, size = tmp_path / "film.mp4", 32 * 1024 * 1024
    with film.open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    attached = attachment(str(film))
    _, held = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert attached.sha256 == hashlib.sha256(bytes(size)).hexdigest()
    assert held < size // 16


async def test_events_are_printed_one_json_object_a_line(service: Service, casetrail: Casetrail) -> None:
    service.script(
        "ListEvents",
        ListEventsResponse(events=EVENTS[:1], next_page_token="more"),
        ListEventsResponse(events=EVENTS[1:]),
    )
    ran = await casetrail("events", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [(e["caseId"], e["seq"], e["position"], e["type"], e["at"]) for e in lines] == [
        ("INQ-7K3", "1", "41", "CaseOpened", "2026-11-22T12:00:00Z"),
        ("INQ-7K3", "2", "43", "ClockBreached", "2026-11-22T12:00:30Z"),
    ]
    assert lines[1]["clockBreached"] == {"ladder": "service"}


async def test_the_events_of_a_case_read_as_its_story(service: Service, casetrail: Casetrail) -> None:
    service.script("GetCase", GetCaseResponse(case=CASE))
    service.script("ListEvents", ListEventsResponse(events=EVENTS))
    ran = await casetrail("events", "INQ-7K3")
    assert ran.code == 0, ran.err
    assert ran.out.startswith("INQ-7K3  inquiry")
    assert "+00:00:30  22 Nov 12:00:30" in ran.out
    assert "\x1b" not in ran.out  # no colours where nobody sees them


async def test_a_case_is_printed_as_the_service_answers(service: Service, casetrail: Casetrail) -> None:
    service.script("GetCase", GetCaseResponse(case=CASE), GetCaseResponse(case=CASE))
    ran = await casetrail("get", "INQ-7K3", "--from-workflow", "--json")
    assert json.loads(ran.out)["case"]["seq"] == "2"
    assert service.requests("GetCase")[0].source == 1
    ran = await casetrail("get", "INQ-7K3", "--from-workflow")
    assert ran.out == "INQ-7K3  inquiry, opened after event 2, when its workflow last looked\n"


async def test_a_list_is_filtered_and_limited(service: Service, casetrail: Casetrail) -> None:
    page = ListCasesResponse(cases=[CASE] * 2, next_page_token="more")
    service.script("ListCases", page, ListCasesResponse(cases=[CASE] * 2), ListCasesResponse())
    ran = await casetrail("list", "--kind", "inquiry", "--kind", "return", "--open", "--limit", "3", "--json")
    assert len(json.loads(ran.out)["cases"]) == 3
    asked = service.requests("ListCases")[0]
    assert list(asked.filter.kinds) == [Kind.KIND_INQUIRY, Kind.KIND_RETURN]
    assert asked.filter.open
    assert "No case fits" in (await casetrail("list")).out


async def test_a_list_cuts_no_number_off(service: Service, casetrail: Casetrail) -> None:
    case = Case(case_id="RET-" + "7K3-" * 15, customer=Customer(customer_id="C-[/b]" + "1" * 60))
    service.script("ListCases", ListCasesResponse(cases=[case]))
    ran = await casetrail("list")
    assert case.case_id in ran.out
    assert case.customer.customer_id in ran.out


async def test_on_a_narrow_terminal_no_word_of_a_list_is_broken(service: Service, tmp_path: Path) -> None:
    case = Case(case_id="RET-7K3-M9Q-XDP", owner="maximiliane", customer=Customer(customer_id="C-4711"))
    service.script("ListCases", ListCasesResponse(cases=[case]))
    process = await asyncio.create_subprocess_exec(
        *(CASETRAIL.installed, "list", "--address", service.address, "--token", "secret"),
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "40", "TTY_COMPATIBLE": "1", "TERM": "xterm"},
    )
    out, _ = await process.communicate()
    number, *lines = re.sub(r"\x1b\[[\d;]*m", "", out.decode()).splitlines()
    assert number.strip() == case.case_id
    assert all(len(line) <= 40 for line in lines)
    assert "customer C-4711 · with maximiliane · opened" in " ".join(" ".join(lines).split())
    assert any("maximiliane" in line for line in lines)


async def test_what_a_terminal_has_no_letter_for_is_shown_by_its_number(service: Service, tmp_path: Path) -> None:
    service.script("GetCase", GetCaseResponse(case=Case(case_id="INQ-7K3", subject="Größe 中")))
    process = await asyncio.create_subprocess_exec(
        *(CASETRAIL.installed, "get", "INQ-7K3", "--address", service.address, "--token", "secret"),
        stdout=asyncio.subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert r"\u201cGröße \u4e2d\u201d" in out.decode("latin-1")


async def test_a_replay_can_be_told_how_long_after_the_opening(service: Service, casetrail: Casetrail) -> None:
    service.script("GetCase", GetCaseResponse(case=CASE))
    service.script("ReplayCase", ReplayCaseResponse(case=CASE), ReplayCaseResponse(case=CASE))
    service.script("ListEvents", ListEventsResponse(), ListEventsResponse())
    assert (await casetrail("replay", "INQ-7K3", "--at", "+1h")).code == 0
    ran = await casetrail("replay", "INQ-7K3", "--seq", "2", "--json")
    assert json.loads(ran.out)["case"]["seq"] == "2"
    one, two = service.requests("ReplayCase")
    assert one.at.seconds == CASE.opened_at.seconds + 3600
    assert two.seq == 2


async def test_a_log_that_holds_is_whole_and_one_that_does_not_ends_with_1(
    service: Service, casetrail: Casetrail
) -> None:
    fault = Fault(position=7, case_id="INQ-7K3", seq=2, reason="CHAIN_BROKEN", message="the chain is broken")
    service.script(
        "VerifyCase",
        VerifyCaseResponse(whole=True, events=12_345, cases=594),
        VerifyCaseResponse(events=12_345, cases=594, faults=[fault]),
    )
    whole, broken = await casetrail("verify"), await casetrail("verify")
    assert (whole.code, broken.code) == (0, 1)
    assert "12,345 events of 594 cases" in whole.out
    assert "CHAIN_BROKEN: the chain is broken (position 7" in broken.err


async def test_a_word_that_is_no_text_is_named_as_that(casetrail: Casetrail) -> None:
    ran = await casetrail("get", "INQ-\udcff")
    assert (ran.code, ran.err) == (1, "Failed: one of the command's words is no UTF-8: 'INQ-\\udcff'.\n")


async def test_a_watch_prints_what_comes_until_it_is_refused(service: Service, casetrail: Casetrail) -> None:
    service.script("GetCase", GetCaseResponse(case=CASE))
    answers = [WatchCaseResponse(case=CASE, event=event) for event in EVENTS]
    service.script("WatchCase", [*answers, Refusal(grpc.StatusCode.DATA_LOSS, "LOG_DAMAGED", "the log is damaged")])
    ran = await casetrail("watch", "INQ-7K3")
    assert len([line for line in ran.out.splitlines() if "22 Nov 12:00:" in line]) == 2
    assert ran.code == 1
    assert "`casetrail verify` says what is wrong" in ran.err


async def test_a_watch_in_json_has_events_one_a_line(service: Service, casetrail: Casetrail) -> None:
    answers = [WatchCaseResponse(case=CASE, event=event) for event in EVENTS]
    service.script("GetCase", GetCaseResponse(case=CASE))
    service.script("WatchCase", [*answers, Refusal(grpc.StatusCode.DATA_LOSS, "LOG_DAMAGED", "the log is damaged")])
    ran = await casetrail("watch", "INQ-7K3", "--json")
    assert [json.loads(line)["type"] for line in ran.out.splitlines()] == ["CaseOpened", "ClockBreached"]


# What goes wrong


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Refusal(grpc.StatusCode.NOT_FOUND, "UNKNOWN_CASE", "there is no case INQ-NOPE"), "`casetrail list` shows"),
        (Refusal(grpc.StatusCode.ABORTED, "STALE_SEQ", "the case has 7 events, not 1"), "or without --expected-seq"),
        (Refusal(grpc.StatusCode.UNAUTHENTICATED, "UNKNOWN_PRINCIPAL", "who are you?"), "CASETRAIL_TOKEN"),
        (Refusal(grpc.StatusCode.INVALID_ARGUMENT, "INVALID", "no", (("a.b", "too long"),)), "  a.b: too long"),
    ],
)
async def test_a_refusal_is_told_with_what_to_do(
    service: Service, casetrail: Casetrail, refusal: Refusal, words: str
) -> None:
    service.script("Execute", refusal)
    ran = await casetrail("do", "INQ-NOPE", "note", "--text", "x", "--expected-seq", "1", "--json")
    assert ran.code == 1
    assert ran.err.startswith(f"Refused ({refusal.reason}): {refusal.message}")
    assert words in ran.err
    assert ran.out == ""


async def test_who_has_read_more_than_the_log_has_is_not_advised_about_a_write(
    service: Service, casetrail: Casetrail
) -> None:
    refusal = Refusal(grpc.StatusCode.ABORTED, "STALE_SEQ", "the log has 7 events, not 9: it is another one")
    service.script("ListEvents", refusal)
    ran = await casetrail("events", "--after", "9")
    assert ran.err == f"Refused (STALE_SEQ): {refusal.message}\n"


async def test_what_is_wrong_is_said_once(service: Service, casetrail: Casetrail) -> None:
    refusal = Refusal(grpc.StatusCode.NOT_FOUND, "UNKNOWN_CASE", "no such case", (("case_id", "no such case"),))
    service.script("GetCase", refusal)
    assert (await casetrail("get", "INQ-NOPE")).err.count("no such case") == 1
    wrong = Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID",
        "case_id: is empty, and 1 more",
        (("case_id", "is empty"), ("seq", "too large")),
    )
    service.script("GetCase", wrong)
    ran = await casetrail("get", "x")
    assert ran.err == "Refused (INVALID): case_id: is empty, and 1 more\n  seq: too large\n"


async def test_nobody_there_is_told_with_the_address_and_how_to_start(casetrail: Casetrail) -> None:
    ran = await casetrail("list", address="127.0.0.1:1")
    assert ran.code == 1
    assert "127.0.0.1:1" in ran.err
    assert "make up" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "words",
    [
        "events --after 99999999999999999999",
        "replay INQ-1 --seq 99999999999999999999",
        "do INQ-1 note --text x --expected-seq 99999999999999999999",
        "do INQ-1 propose --remedy refund --amount 99999999999999999999",
    ],
)
async def test_a_number_that_no_case_can_have_is_named(casetrail: Casetrail, words: str) -> None:
    ran = await casetrail(*words.split())
    assert ran.code == 1
    assert ran.err.startswith("Failed: this number is too large: 9999999999999999999")
    assert "should not have happened" not in ran.err


@pytest.mark.parametrize(
    "address", ["nonsense", ":80", "127.0.0.1:", "127.0.0.1:99999", "http://127.0.0.1:80", "a b:80"]
)
async def test_an_address_is_a_host_and_a_port(casetrail: Casetrail, address: str) -> None:
    ran = await casetrail("list", address=address)
    assert (ran.code, "HOST:PORT" in ran.err, ran.err.count("casetrail list")) == (2, True, 2)


@pytest.mark.parametrize("token", ["ключ", "two words", "two\nlines"])
async def test_a_token_that_cannot_be_sent_is_wrong_usage(casetrail: Casetrail, token: str) -> None:
    ran = await casetrail("list", "--token", token)
    assert (ran.code, "--token" in ran.err, "printable" in ran.err) == (2, True, True)
    assert token not in ran.err


async def test_a_full_disk_behind_what_is_printed_is_said_in_words(service: Service, tmp_path: Path) -> None:
    service.script("ListCases", ListCasesResponse(cases=[CASE]))
    with Path("/dev/full").open("w") as full:  # noqa: ASYNC230 - it is no file that one waits for
        process = await asyncio.create_subprocess_exec(
            *(CASETRAIL.installed, "list", "--address", service.address, "--token", "secret"),
            stdout=full,
            stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path,
        )
        _, said = await process.communicate()
    assert (process.returncode, said.decode()) == (
        1,
        "Failed: the output cannot be written: No space left on device.\n",
    )


async def test_a_receipt_that_cannot_be_kept_does_not_hide_what_was_done(
    service: Service, casetrail: Casetrail
) -> None:
    service.script("OpenCase", OpenCaseResponse(case=CASE, receipt=Receipt(position=41)))
    words = ("open", "inquiry", "--customer", "C-1", "--subject", "x", "--keep-receipts", "/dev/full")
    ran = await casetrail(*words)
    assert ran.code == 1
    assert ran.err == (
        "Failed: /dev/full: No space left on device; what was asked for is done, and only its receipt is not kept.\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        "open picnic --customer C-1",
        "open inquiry --customer C-1",
        "open return --customer C-1 --subject x",
        "get INQ-1 --nope",
        "get",
        "do INQ-1 dance",
        "do INQ-1 reply",
        "do INQ-1 wait --for moon",
        "do INQ-1 wait --for customer --at-most soon",
        "do INQ-1 propose --remedy refund --amount much",
        "do INQ-1 propose --remedy refund --amount 1.001",
        "do INQ-1 note --text x --as amy",
        "do INQ-1 note --text x --as amy:king",
        "do INQ-1 note --text x --attach missing.jpg",
        "do INQ-1 callback --satisfied --dissatisfied",
        "list --kind picnic",
        "replay INQ-1",
        "replay INQ-1 --seq 1 --at +1h",
        "replay INQ-1 --at noon",
        "replay INQ-1 --at 2026-13-01",
        "replay INQ-1 --steps --seq 1",
        "replay INQ-1 --json",
        "why INQ-1",
        "why INQ-1 INQ-2:3",
        "why INQ-1 third",
        "what-if",
        "what-if --policy p.yaml --from noon",
        "export --format picture x",
        "export x.xes",
        "export --format jsonl /dev/null",
        "export --format jsonl .",
        "export --format jsonl --source-activities x",
        "export --format xes --receipts pyproject.toml x",
        "watch",
        "watch INQ-1 --all",
    ],
)
def test_wrong_usage_ends_with_2_before_anything_is_sent(words: str) -> None:
    ran = CliRunner().invoke(app, [*words.split()])
    assert ran.exit_code == 2
    assert ran.stderr.strip()
    assert ran.stdout == ""


def test_what_may_have_happened_is_to_be_repeated_under_its_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    broken = Unavailable(
        "the connection broke during a commit",
        code=grpc.StatusCode.UNAVAILABLE,
        reason="LOG_UNAVAILABLE",
        request_id="r-7",
    )
    tell(broken)
    said = capsys.readouterr().err
    assert "repeat it with --request-id r-7" in said
    assert "Nothing has happened" not in said


def test_an_export_does_not_take_the_place_of_a_link(tmp_path: Path) -> None:
    """/dev/stdout is one."""
    link = tmp_path / "newest.jsonl"
    link.symlink_to(tmp_path / "today.jsonl")
    for there in (False, True):
        if there:
            (tmp_path / "today.jsonl").touch()
        ran = CliRunner().invoke(app, ["export", "--format", "jsonl", str(link)])
        assert ran.exit_code == 2
        assert "an export would take its place" in " ".join(ran.stderr.split())
    assert link.is_symlink()


async def test_a_policy_that_is_missing_is_told_in_words(casetrail: Casetrail) -> None:
    ran = await casetrail("policy", "check", "nope.yaml")
    assert ran.code == 1
    assert "nope.yaml" in ran.err
    assert "Traceback" not in ran.err


async def test_a_policy_that_is_wrong_is_told_with_the_place(casetrail: Casetrail, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("policy_id: p-1\nclock: 5\n")
    ran = await casetrail("policy", "check", "policy.yaml", "--json")
    result = json.loads(ran.out)
    assert ran.code == 1
    assert not result["ok"]
    assert {"file", "line", "column", "path", "message"} == set(result["problems"][0])
    assert any(problem["line"] == 2 for problem in result["problems"])


async def test_help_names_every_command(casetrail: Casetrail) -> None:
    ran = await casetrail("--help")
    assert ran.code == 0
    names = {"open", "do", "get", "list", "watch", "events", "replay", "verify", "policy", "play"}
    names |= {"why", "what-if", "crosscheck", "export"}
    assert names <= set(ran.out.split())
