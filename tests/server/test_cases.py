"""CaseService over a real socket, on a real log and engine."""

import asyncio

import grpc
import pytest

from casetrail.v1.audit_service_pb2 import ReplayCaseRequest
from casetrail.v1.case_service_pb2 import (
    BatchExecuteRequest,
    CaseFilter,
    GetCaseRequest,
    ListCasesRequest,
    WatchCaseRequest,
)
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Actor, Channel, Kind, Role
from tests.audit.given import Writer, reply
from tests.server.running import Running, refusal, token


def a_note(case_id: str, request_id: str) -> Command:
    command = Command(case_id=case_id, request_id=request_id)
    command.note.words.text = "seen"
    return command


async def test_an_opened_case_is_read_back_at_once(running: Running) -> None:
    opened = await running.open()

    got = await running.cases.GetCase(GetCaseRequest(case_id=opened.case.case_id), metadata=token("chloe"))

    assert got.case == opened.case
    assert opened.receipt.position == opened.events[-1].position == opened.case.seq
    assert opened.receipt.hash == opened.events[-1].hash


async def test_the_same_request_again_gets_the_first_answer(running: Running) -> None:
    opened = await running.open()
    first = await running.note(opened.case.case_id, 1)
    again = await running.note(opened.case.case_id, 1)

    assert (await running.open()).case.case_id == opened.case.case_id
    assert not first.repeated_request
    assert again.repeated_request
    assert (again.events, again.case, again.receipt) == (first.events, first.case, first.receipt)


async def test_what_the_log_has_from_before_a_rule_is_read_and_goes_on(running: Running) -> None:
    opened = await running.open()
    writer = Writer(running.log, opened.case.case_id)
    writer.case = opened.case
    await writer.write(reply("   "), key="before", at=opened.events[-1].at.seconds)

    request = ReplayCaseRequest(case_id=opened.case.case_id)
    replayed = await running.audit.ReplayCase(request, metadata=token("audrey"))
    assert replayed.events[-1].replied.words.text == "   "
    assert (await running.note(opened.case.case_id, 1)).case.seq == replayed.case.seq + 1


async def test_pages_of_large_cases_stay_within_what_clients_take(running: Running) -> None:
    for n in range(9):  # nobody sends their letters, which are kept as pending
        case_id = (await running.open(f"open-{n}", email="ms.wang@example.com")).case.case_id
        for m in range(25):
            command = Command(case_id=case_id, request_id=f"reply-{m}")
            command.reply.words.text = "x" * 20_000
            await running.execute(command)

    request, numbers, pages = ListCasesRequest(), list[str](), 0
    while pages == 0 or request.page_token:
        page = await running.cases.ListCases(request, metadata=token("shop"))
        numbers += [case.case_id for case in page.cases]
        request.page_token, pages = page.next_page_token, pages + 1

    assert (len(set(numbers)), len(numbers), pages) == (9, 9, 2)


async def test_an_unknown_case_is_not_found(running: Running) -> None:
    for call in (
        running.cases.GetCase(GetCaseRequest(case_id="INQ-NOPE"), metadata=token("shop")),
        running.note("INQ-NOPE", 1),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        told = refusal(caught.value)
        assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "UNKNOWN_CASE")


async def test_without_temporal_its_view_is_refused_in_words_and_soon(running: Running) -> None:
    opened = await running.open()
    request = GetCaseRequest(case_id=opened.case.case_id, source=GetCaseRequest.SOURCE_WORKFLOW)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.cases.GetCase(request, metadata=token("shop"), timeout=10)

    told = refusal(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "WORKFLOW_UNAVAILABLE")


async def test_cases_are_listed_page_by_page(running: Running) -> None:
    opened = [(await running.open(f"open-{n}")).case.case_id for n in range(5)]
    seen: list[str] = []
    token_of_page = ""
    while True:
        request = ListCasesRequest(page_size=2, page_token=token_of_page)
        page = await running.cases.ListCases(request, metadata=token("shop"))
        seen += (case.case_id for case in page.cases)
        token_of_page = page.next_page_token
        if not token_of_page:
            break

    assert sorted(seen) == sorted(opened)


async def test_a_page_token_of_another_query_is_refused(running: Running) -> None:
    for n in range(3):
        await running.open(f"open-{n}")
    page = await running.cases.ListCases(ListCasesRequest(page_size=1), metadata=token("shop"))

    for request in (
        ListCasesRequest(page_size=1, page_token="nonsense"),
        ListCasesRequest(filter=CaseFilter(open=True), page_token=page.next_page_token),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.cases.ListCases(request, metadata=token("shop"))
        assert refusal(caught.value).reason == "BAD_PAGE_TOKEN"


async def test_a_batch_keeps_the_order_within_a_case_and_answers_each_command(running: Running) -> None:
    cases = [(await running.open(f"open-{n}")).case.case_id for n in range(3)]
    commands = [a_note(case, f"{case}-{n}") for n in range(4) for case in cases]

    answer = await running.cases.BatchExecute(BatchExecuteRequest(commands=commands), metadata=token("shop"))

    assert len(answer.results) == len(commands)
    for case in cases:
        own = [result.done for result, command in zip(answer.results, commands, strict=True) if command.case_id == case]
        seqs = [event.seq for done in own for event in done.events]
        assert seqs == sorted(seqs)
        assert not any(done.HasField("case") for done in own)


async def test_one_refused_command_of_a_batch_leaves_the_others(running: Running) -> None:
    opened = await running.open()
    commands = [a_note(opened.case.case_id, "1"), a_note("INQ-NOPE", "2"), a_note(opened.case.case_id, "3")]

    answer = await running.cases.BatchExecute(BatchExecuteRequest(commands=commands), metadata=token("shop"))

    assert [result.WhichOneof("result") for result in answer.results] == ["done", "refused", "done"]
    assert answer.results[1].refused.reason == "UNKNOWN_CASE"


async def test_an_importer_opens_and_fills_a_case_in_one_batch(running: Running) -> None:
    opening = Command(case_id="INC0001", request_id="INC0001/0")
    opening.at.seconds = 1_450_000_000
    opening.open.kind = Kind.KIND_INQUIRY
    opening.open.channel = Channel.CHANNEL_WEB
    opening.open.customer.customer_id = "caller 1"
    opening.open.subject = "imported"
    opening.open.source = "INC0001"
    note = a_note("INC0001", "INC0001/1")
    note.at.seconds = 1_450_000_100
    note.actor.CopyFrom(Actor(name="resolver 12", role=Role.ROLE_AGENT))

    answer = await running.cases.BatchExecute(BatchExecuteRequest(commands=[opening, note]), metadata=token("history"))

    assert [result.WhichOneof("result") for result in answer.results] == ["done", "done"]
    assert answer.results[1].done.events[-1].actor.via == "history"


async def test_watching_tells_what_was_and_then_what_comes(running: Running) -> None:
    opened = await running.open()
    case_id = opened.case.case_id
    stream = aiter(running.cases.WatchCase(WatchCaseRequest(case_id=case_id), metadata=token("chloe")))
    seen = [await anext(stream) for _ in opened.events]
    await running.open("another")
    noted = await running.note(case_id, 1)
    seen += [await anext(stream) for _ in noted.events]

    assert [each.event for each in seen] == [*opened.events, *noted.events]
    assert [each.case.seq for each in seen] == [each.event.seq for each in seen]
    assert seen[-1].case == noted.case


async def test_watching_goes_on_from_a_seq(running: Running) -> None:
    opened = await running.open()
    noted = await running.note(opened.case.case_id, 1)
    request = WatchCaseRequest(case_id=opened.case.case_id, after_seq=opened.case.seq)

    stream = aiter(running.cases.WatchCase(request, metadata=token("chloe")))

    first = await anext(stream)
    assert (first.event, first.case.opened_at) == (noted.events[0], opened.case.opened_at)


@pytest.mark.parametrize(("case_id", "after_seq", "reason"), [("INQ-NOPE", 0, "UNKNOWN_CASE"), ("", 99, "STALE_SEQ")])
async def test_what_cannot_be_watched_is_refused(running: Running, case_id: str, after_seq: int, reason: str) -> None:
    opened = await running.open()
    request = WatchCaseRequest(case_id=case_id or opened.case.case_id, after_seq=after_seq)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(running.cases.WatchCase(request, metadata=token("shop"))))

    assert refusal(caught.value).reason == reason


async def test_writing_while_it_is_watched_loses_nothing(running: Running) -> None:
    opened = (await running.open()).case
    last = opened.seq + 40

    in_the_middle = asyncio.Event()

    async def write() -> None:
        for n in range(40):
            await running.note(opened.case_id, n)
            if n == 10:
                in_the_middle.set()

    writing = asyncio.create_task(write())
    await in_the_middle.wait()
    seqs = []
    # Its last event can be here before its writer has its answer: the number alone says that it is the last.
    async for each in running.cases.WatchCase(WatchCaseRequest(case_id=opened.case_id), metadata=token("shop")):
        seqs.append(each.event.seq)
        if seqs[-1] == last:
            break

    await writing
    assert seqs == list(range(1, last + 1))
