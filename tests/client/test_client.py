"""The client keeps its promises: safe retries, resumed watches, errors that say why."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar, get_args

import grpc
import pytest
from google.protobuf.descriptor import EnumDescriptor

import casetrail
from casetrail import Client, Patience, words
from casetrail.commands import Action
from casetrail.v1 import command_pb2
from casetrail.v1.audit_service_pb2 import ListEventsResponse, ReplayCaseResponse, WatchEventsResponse
from casetrail.v1.case_pb2 import Case, CaseLink
from casetrail.v1.case_service_pb2 import (
    BatchExecuteResponse,
    BatchResult,
    ExecuteResponse,
    GetCaseResponse,
    ListCasesResponse,
    OpenCaseResponse,
    Receipt,
    WatchCaseResponse,
)
from casetrail.v1.effect_pb2 import Purpose
from casetrail.v1.event_pb2 import Event
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.incident_service_pb2 import GradeIncidentResponse
from casetrail.v1.types_pb2 import (
    Cause,
    Channel,
    ItemState,
    Kind,
    Priority,
    RemedyKind,
    ReturnReason,
    Role,
    Stage,
    Words,
)
from embedded import ports
from tests.client.scripted import Refusal, Service, Silence

Item = TypeVar("Item")

BUSY = Refusal(grpc.StatusCode.UNAVAILABLE, "LOG_UNAVAILABLE", "the log is busy")
LATE = Refusal(grpc.StatusCode.ABORTED)
STALE = Refusal(grpc.StatusCode.ABORTED, "STALE_SEQ", "the case has 7 events, not 1")


async def first(count: int, items: AsyncIterator[Item]) -> list[Item]:
    found = []
    async for item in items:
        found.append(item)
        if len(found) == count:
            break
    return found


# Requests


async def test_a_write_that_is_retried_keeps_its_request_id(service: Service, client: Client) -> None:
    service.script("Execute", BUSY, LATE, Silence(), ExecuteResponse(case=Case(case_id="INQ-1")))
    done = await client.reply("INQ-1", "We are asking the carrier.")
    sent = [request.command.request_id for request in service.requests("Execute")]
    assert done.case.case_id == "INQ-1"
    assert len(sent) == 4
    assert len(set(sent)) == 1
    assert sent[0]


async def test_an_opening_that_is_retried_keeps_its_request_id(service: Service, client: Client) -> None:
    service.script("OpenCase", BUSY, OpenCaseResponse())
    await client.open(kind="inquiry", customer="C-1", channel="email", subject="Hello?")
    one, two = service.requests("OpenCase")
    assert one == two
    assert one.request_id


async def test_before_each_further_attempt_there_is_a_pause(
    service: Service, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def slept(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    service.script("OpenCase", BUSY, LATE, BUSY, OpenCaseResponse())
    monkeypatch.setattr(asyncio, "sleep", slept)
    await client.open(kind="inquiry", customer="C-1", channel="email", subject="Hello?")
    assert len(pauses) == 3
    assert all(0 <= pause <= bound for pause, bound in zip(pauses, (0.01, 0.02, 0.04), strict=True))


@pytest.mark.parametrize("given", ["r-1", ""])
async def test_a_step_of_an_incident_goes_out_under_the_request_id_that_was_given_or_under_its_own(
    service: Service, client: Client, given: str
) -> None:
    service.script("GradeIncident", GradeIncidentResponse())
    step = command_pb2.GradeIncident(level=2, why="down")
    await client.incidents.lead("INC-1", step, request_id=given, expected_seq=3)
    call = service.requests("GradeIncident")[0].call
    assert (call.case_id, call.expected_seq) == ("INC-1", 3)
    assert call.request_id == given if given else len(call.request_id) > 8


async def test_two_writes_have_two_request_ids(service: Service, client: Client) -> None:
    service.script("Execute", ExecuteResponse(), ExecuteResponse())
    await client.note("INQ-1", "x")
    await client.note("INQ-1", "x")
    one, two = service.requests("Execute")
    assert one.command.request_id != two.command.request_id


async def test_a_given_request_id_is_sent_as_it_is(service: Service, client: Client) -> None:
    service.script("Execute", ExecuteResponse())
    await client.note("INQ-1", "x", request_id="mine")
    assert service.requests("Execute")[0].command.request_id == "mine"


async def test_the_commands_of_a_batch_keep_their_request_ids(service: Service, client: Client) -> None:
    results = [BatchResult(done=ExecuteResponse()), BatchResult()]
    service.script("BatchExecute", BUSY, BatchExecuteResponse(results=results))
    note = command_pb2.AddNote(words=Words(text="x"))
    commands = [casetrail.command("A", note, request_id="a"), casetrail.command("B", note)]
    commands[1].request_id = ""
    assert list(await client.batch(commands)) == results
    one, two = service.requests("BatchExecute")
    assert one == two
    assert one.commands[0].request_id == "a"
    assert one.commands[1].request_id


async def test_a_batch_larger_than_the_contract_allows_is_sent_in_parts(service: Service, client: Client) -> None:
    service.script(
        "BatchExecute",
        BatchExecuteResponse(results=[BatchResult()] * 1000),
        BatchExecuteResponse(results=[BatchResult()] * 2),
    )
    agree = command_pb2.Agree()
    assert len(await client.batch(casetrail.command("A", agree) for _ in range(1002))) == 1002
    assert [len(request.commands) for request in service.requests("BatchExecute")] == [1000, 2]


async def test_receipts_of_a_batch_are_kept_under_the_cases_that_were_written_to(
    service: Service, tmp_path: Path
) -> None:
    events = [Event(case_id="INQ-1"), Event(case_id="INQ-1")]
    opened = BatchResult(done=ExecuteResponse(events=events, receipt=Receipt(position=2)))
    refused, repeated = BatchResult(), BatchResult(done=ExecuteResponse(receipt=Receipt(position=1)))
    service.script("BatchExecute", BatchExecuteResponse(results=[opened, refused, repeated]))
    kept = tmp_path / "receipts.jsonl"
    async with Client(service.address, "secret", receipts=kept) as client:
        await client.batch(casetrail.command(case_id, command_pb2.Agree()) for case_id in ("", "INQ-2", "INQ-3"))
    assert [json.loads(line)["caseId"] for line in kept.read_text().splitlines()] == ["INQ-1", "INQ-3"]


async def test_an_action_without_fields_is_sent(service: Service, client: Client) -> None:
    service.script("Execute", ExecuteResponse())
    await client.agree("CMP-1")
    assert service.requests("Execute")[0].command.WhichOneof("action") == "agree"


async def test_what_is_said_with_a_command_reaches_the_service(service: Service, client: Client) -> None:
    service.script("Execute", ExecuteResponse())
    await client.wait("INQ-1", "customer", why="size?", at_most=timedelta(hours=2), expected_seq=0)
    command = service.requests("Execute")[0].command
    assert command.wait.at_most.seconds == 7200
    assert command.wait.cause == Cause.CAUSE_CUSTOMER
    assert command.HasField("expected_seq")
    assert service.metadata[0]["authorization"] == "Bearer secret"


# Errors


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, casetrail.InvalidRequest),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, casetrail.InvalidRequest),
        (grpc.StatusCode.NOT_FOUND, casetrail.NotFound),
        (grpc.StatusCode.FAILED_PRECONDITION, casetrail.Refused),
        (grpc.StatusCode.ALREADY_EXISTS, casetrail.Refused),
        (grpc.StatusCode.PERMISSION_DENIED, casetrail.NotAllowed),
        (grpc.StatusCode.UNAUTHENTICATED, casetrail.NotAllowed),
        (grpc.StatusCode.INTERNAL, casetrail.CasetrailError),
    ],
)
async def test_a_refusal_is_raised_at_once_with_its_reason(
    service: Service, client: Client, code: grpc.StatusCode, kind: type[casetrail.CasetrailError]
) -> None:
    service.script("Execute", Refusal(code, "WHY_NOT", "not now", (("command.reply", "too long"),)))
    with pytest.raises(casetrail.CasetrailError) as refused:
        await client.execute("INQ-1", command_pb2.Reply(), request_id="r-1")
    error = refused.value
    assert type(error) is kind
    assert (error.code, error.reason, error.message) == (code, "WHY_NOT", "not now")
    assert error.field_violations == (casetrail.FieldViolation("command.reply", "too long"),)
    assert error.request_id == "r-1"
    assert len(service.asked) == 1


async def test_a_stale_sequence_number_is_not_retried(service: Service, client: Client) -> None:
    service.script("Execute", STALE)
    with pytest.raises(casetrail.Stale):
        await client.note("INQ-1", "x", expected_seq=1)
    assert len(service.asked) == 1


async def test_what_does_not_pass_within_the_patience_is_unavailable(service: Service) -> None:
    service.script("GetCase", *[BUSY] * 1000)
    patience = Patience(overall=0.3, attempt=0.1, first_pause=0.01, longest_pause=0.02)
    async with Client(service.address, patience=patience) as client:
        async with asyncio.timeout(10):
            with pytest.raises(casetrail.Unavailable, match="the log is busy"):
                await client.get("INQ-1")
    assert len(service.asked) > 2


async def test_what_may_take_long_is_not_tried_again_for_as_long(service: Service) -> None:
    service.script("VerifyCase", *[BUSY] * 1000)
    patience = Patience(overall=0.3, first_pause=0.01, longest_pause=0.02)
    async with asyncio.timeout(10), Client(service.address, patience=patience) as client:
        with pytest.raises(casetrail.Unavailable, match="the log is busy"):
            await client.verify(within=600)
    assert len(service.asked) > 2


async def test_a_service_that_is_silent_is_left_after_the_patience(service: Service) -> None:
    service.script("GetCase", *[Silence()] * 100)
    async with Client(service.address, patience=Patience(overall=0.3, attempt=0.1, first_pause=0.01)) as client:
        async with asyncio.timeout(10):
            with pytest.raises(casetrail.Unavailable) as gone:
                await client.get("INQ-1")
    assert gone.value.code == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_what_the_service_said_before_it_fell_silent_is_told(service: Service) -> None:
    service.script("Execute", BUSY, *[Silence()] * 100)
    async with Client(service.address, patience=Patience(overall=0.3, attempt=0.1, first_pause=0.01)) as client:
        with pytest.raises(
            casetrail.Unavailable, match=r"not answered in time; before that: .*the log is busy"
        ) as gone:
            await client.note("INQ-1", "x", request_id="mine")
    assert (gone.value.reason, gone.value.request_id) == ("", "mine"), "whether it was carried out is not known"


async def test_nobody_there_is_told_at_once() -> None:
    (port,) = ports.free(1)
    address = f"127.0.0.1:{port}"
    async with asyncio.timeout(10), Client(address) as client:
        with pytest.raises(casetrail.Unavailable, match=address) as gone:
            await client.connect()
    assert gone.value.reason == "UNREACHABLE"


async def test_a_call_that_its_caller_cancels_is_cancelled_and_no_error(service: Service, client: Client) -> None:
    service.script("GetCase", *[Silence()] * 10)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.get("INQ-1"), 0.1)


# Pages


async def test_pages_are_read_to_the_last(service: Service, client: Client) -> None:
    service.script(
        "ListCases",
        ListCasesResponse(cases=[Case(case_id="A"), Case(case_id="B")], next_page_token="more"),
        BUSY,
        ListCasesResponse(cases=[Case(case_id="C")]),
    )
    assert [case.case_id async for case in client.list()] == ["A", "B", "C"]
    assert [request.page_token for request in service.requests("ListCases")] == ["", "more", "more"]


async def test_a_page_is_not_read_before_it_is_needed(service: Service, client: Client) -> None:
    page = ListEventsResponse(events=[Event(seq=1), Event(seq=2)], next_page_token="more")
    service.script("ListEvents", page)
    assert [event.seq for event in await first(2, client.events("INQ-1"))] == [1, 2]
    assert len(service.asked) == 1


# Watching


def after(*seqs: int) -> list[WatchCaseResponse]:
    return [WatchCaseResponse(event=Event(seq=seq)) for seq in seqs]


async def test_a_broken_watch_goes_on_where_it_broke(service: Service, client: Client) -> None:
    service.script(
        "WatchCase",
        [*after(1, 2), Refusal(grpc.StatusCode.UNAVAILABLE)],
        [Refusal(grpc.StatusCode.UNAVAILABLE)],
        [*after(3), Refusal(grpc.StatusCode.INTERNAL)],
    )
    seen = await first(3, client.watch("INQ-1"))
    assert [answer.event.seq for answer in seen] == [1, 2, 3]
    assert [request.after_seq for request in service.requests("WatchCase")] == [0, 2, 2]


async def test_a_watch_goes_on_when_the_service_ends_it(service: Service, client: Client) -> None:
    service.script("WatchCase", after(1), after(2, 3))
    assert [answer.event.seq for answer in await first(3, client.watch("INQ-1"))] == [1, 2, 3]


async def test_what_a_watch_has_seen_does_not_come_twice(service: Service, client: Client) -> None:
    service.script("WatchCase", after(1, 2), after(1, 2, 3))
    assert [answer.event.seq for answer in await first(3, client.watch("INQ-1"))] == [1, 2, 3]


async def test_a_watch_of_all_goes_on_from_its_position(service: Service, client: Client) -> None:
    def at(*positions: int) -> list[WatchEventsResponse]:
        return [WatchEventsResponse(event=Event(position=position)) for position in positions]

    service.script("WatchEvents", at(41, 42), at(43))
    assert [event.position for event in await first(3, client.watch_events(40))] == [41, 42, 43]
    assert [request.after_position for request in service.requests("WatchEvents")] == [40, 42]


async def test_a_watch_survives_a_restart_of_the_service() -> None:
    elsewhere = Service()
    server = await elsewhere.start()
    elsewhere.script("WatchCase", [*after(1), Silence()], after(2))
    async with Client(elsewhere.address, patience=Patience(overall=10, first_pause=0.05)) as client:
        watched = client.watch("INQ-1")
        assert (await anext(watched)).event.seq == 1
        await server.stop(None)
        server = await elsewhere.start()
        async with asyncio.timeout(10):
            assert (await anext(watched)).event.seq == 2
    await server.stop(None)


async def test_a_watch_that_is_refused_ends_with_the_refusal(service: Service, client: Client) -> None:
    service.script("WatchCase", [Refusal(grpc.StatusCode.NOT_FOUND, "UNKNOWN_CASE")])
    with pytest.raises(casetrail.NotFound):
        await first(1, client.watch("INQ-NOPE"))


async def test_a_watch_gives_up_when_the_service_stays_away(service: Service) -> None:
    service.script("WatchCase", *[[BUSY]] * 1000)
    patience = Patience(overall=0.3, first_pause=0.01, longest_pause=0.02)
    async with asyncio.timeout(10), Client(service.address, patience=patience) as client:
        with pytest.raises(casetrail.Unavailable):
            await first(1, client.watch("INQ-1"))


# Reading


async def test_a_case_is_asked_of_its_workflow_when_that_is_wanted(service: Service, client: Client) -> None:
    service.script("GetCase", GetCaseResponse(case=Case(seq=3)), GetCaseResponse(case=Case(seq=4)))
    assert (await client.get("INQ-1", from_workflow=True)).seq == 3
    assert (await client.get("INQ-1")).seq == 4
    assert [request.source for request in service.requests("GetCase")] == [1, 0]


async def test_a_replay_is_to_an_instant_or_to_an_event(service: Service, client: Client) -> None:
    service.script("ReplayCase", *[ReplayCaseResponse(case=Case(seq=2))] * 2)
    service.script("ListEvents", *[ListEventsResponse(events=[Event(seq=1), Event(seq=2), Event(seq=3)])] * 2)
    assert [event.seq for event in (await client.replay("INQ-1", seq=2)).events] == [1, 2]
    await client.replay("INQ-1", at=datetime(2026, 11, 22, 9, tzinfo=UTC))
    one, two = service.requests("ReplayCase")
    assert one.seq == 2
    assert two.at.seconds == datetime(2026, 11, 22, 9, tzinfo=UTC).timestamp()
    with pytest.raises(ValueError, match="not both"):
        await client.replay("INQ-1")
    with pytest.raises(ValueError, match="time zone"):
        await client.replay("INQ-1", at=datetime(2026, 11, 22, 9))  # noqa: DTZ001 - what it must refuse


# The public surface


def test_the_public_names_are_those_that_are_promised() -> None:
    assert casetrail.__all__ == sorted(casetrail.__all__)
    assert set(casetrail.__all__) == {
        "Action",
        "CasetrailError",
        "Client",
        "FieldViolation",
        "How",
        "InvalidRequest",
        "NotAllowed",
        "NotFound",
        "Patience",
        "Refused",
        "Stale",
        "Tls",
        "Unavailable",
        "Untrusted",
        "command",
    }
    assert all(getattr(casetrail, name) for name in casetrail.__all__)
    with pytest.raises(AttributeError, match="nothing_such"):
        getattr(casetrail, "nothing_such")  # noqa: B009 - the point is that it is not there


def test_every_action_of_the_contract_can_be_sent_but_those_of_the_engine() -> None:
    fields = command_pb2.Command.DESCRIPTOR.oneofs_by_name["action"].fields
    offered = {action.DESCRIPTOR.name for action in get_args(Action)}
    assert {field.message_type.name for field in fields if field.message_type} - offered == {
        "Open",
        "Absorb",
        "ReportOutcome",
        "RelayNotice",
        "EndIncident",
        "EndDrillCase",
    }


@pytest.mark.parametrize(
    ("literal", "enum", "left_out"),
    [
        (words.KindWord, Kind.DESCRIPTOR, set()),
        (words.ChannelWord, Channel.DESCRIPTOR, set()),
        (words.PriorityWord, Priority.DESCRIPTOR, set()),
        (words.StageWord, Stage.DESCRIPTOR, set()),
        (words.CauseWord, Cause.DESCRIPTOR, {"import", "round_over"}),
        (words.RemedyWord, RemedyKind.DESCRIPTOR, set()),
        (words.ReturnReasonWord, ReturnReason.DESCRIPTOR, set()),
        (words.ItemStateWord, ItemState.DESCRIPTOR, set()),
        (words.PurposeWord, Purpose.DESCRIPTOR, set()),
        (words.RelationWord, CaseLink.Relation.DESCRIPTOR, {"duplicate", "incident"}),
        (words.CrisisWord, CrisisClass.DESCRIPTOR, set()),
        (
            words.CommanderWord,
            Role.DESCRIPTOR,
            {"customer", "system", "service", "importer", "auditor", "admin"},
        ),
        (
            words.LadderWord,
            Role.DESCRIPTOR,
            {"customer", "system", "service", "importer", "auditor", "incident_lead", "admin", "agent"},
        ),
    ],
)
def test_the_words_are_those_of_the_contract(literal: object, enum: EnumDescriptor, left_out: set[str]) -> None:
    assert set(get_args(literal)) == set(words.words_of(enum)) - left_out
