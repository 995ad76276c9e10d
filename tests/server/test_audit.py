"""AuditService over a real socket, on a real log."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from casetrail import Client
from casetrail.v1.audit_service_pb2 import (
    ListEventsRequest,
    ReplayCaseRequest,
    VerifyCaseRequest,
    WatchEventsRequest,
    WatchEventsResponse,
)
from casetrail.v1.event_pb2 import Event
from tests.server.running import Running, refusal, token


async def listed(running: Running, request: ListEventsRequest) -> list[Event]:
    events: list[Event] = []
    while True:
        page = await running.audit.ListEvents(request, metadata=token("shop"))
        events += page.events
        if not page.next_page_token:
            return events
        request.page_token = page.next_page_token


async def collect(stream: AsyncIterator[WatchEventsResponse]) -> list[Event]:
    return [each.event async for each in stream]


async def two_cases(running: Running) -> tuple[str, str]:
    first, second = (await running.open("1")).case.case_id, (await running.open("2")).case.case_id
    for n in range(5):
        await running.note(first, n)
        await running.note(second, n)
    return first, second


@pytest.mark.parametrize("page_size", [1, 3, 0])
async def test_all_events_are_listed_in_the_order_of_the_log(running: Running, page_size: int) -> None:
    await two_cases(running)

    events = await listed(running, ListEventsRequest(page_size=page_size))

    assert [event.position for event in events] == list(range(1, await running.log.size() + 1))


@pytest.mark.parametrize("page_size", [1, 3, 0])
async def test_a_cases_events_are_listed_without_a_gap(running: Running, page_size: int) -> None:
    _, second = await two_cases(running)

    events = await listed(running, ListEventsRequest(case_id=second, page_size=page_size))

    assert {event.case_id for event in events} == {second}
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("of_case", [True, False])
async def test_only_what_comes_after_a_position_is_listed(running: Running, of_case: bool) -> None:
    _, second = await two_cases(running)
    case_id = second if of_case else ""
    everything = await listed(running, ListEventsRequest(case_id=case_id))
    middle = everything[len(everything) // 2].position

    rest = await listed(running, ListEventsRequest(case_id=case_id, after_position=middle, page_size=2))

    assert rest == [event for event in everything if event.position > middle]


async def test_pages_of_large_events_stay_within_what_clients_take(running: Running) -> None:
    case_id = (await running.open()).case.case_id
    for n in range(300):
        await running.note(case_id, n, text="x" * 20_000)

    page = await running.audit.ListEvents(ListEventsRequest(page_size=1000), metadata=token("shop"))

    assert page.next_page_token
    assert len(await listed(running, ListEventsRequest(page_size=1000))) == await running.log.size()


async def test_page_tokens_of_other_queries_are_refused(running: Running) -> None:
    first, second = await two_cases(running)
    page = await running.audit.ListEvents(ListEventsRequest(case_id=first, page_size=1), metadata=token("shop"))

    for request in (
        ListEventsRequest(case_id=second, page_token=page.next_page_token),
        ListEventsRequest(page_token=page.next_page_token),
        ListEventsRequest(page_token="nonsense"),
        ListEventsRequest(page_token="漢"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await running.audit.ListEvents(request, metadata=token("shop"))
        assert refusal(caught.value).reason == "BAD_PAGE_TOKEN"


async def test_watching_events_catches_up_and_follows(running: Running) -> None:
    first, _ = await two_cases(running)
    size = await running.log.size()
    stream = aiter(running.audit.WatchEvents(WatchEventsRequest(after_position=size - 3), metadata=token("shop")))
    positions = [(await anext(stream)).event.position for _ in range(3)]
    noted = await running.note(first, 99)
    positions += [(await anext(stream)).event.position for _ in noted.events]

    assert positions == list(range(size - 2, size + len(noted.events) + 1))


async def test_who_has_read_more_than_the_log_has_is_told_so(running: Running) -> None:
    await running.open()
    beyond = await running.log.size() + 1
    watched = running.audit.WatchEvents(WatchEventsRequest(after_position=beyond), metadata=token("shop"))
    page = running.audit.ListEvents(ListEventsRequest(after_position=beyond), metadata=token("shop"))
    for asked in (collect(aiter(watched)), page):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async with asyncio.timeout(10):
                await asked
        told = refusal(caught.value)
        assert (told.reason, list(told.fields)) == ("STALE_SEQ", ["after_position"])


@pytest.mark.parametrize("read", [0, 1, 3])
async def test_a_stopping_server_ends_streams_with_a_status_that_says_so(running: Running, read: int) -> None:
    stream = aiter(running.audit.WatchEvents(WatchEventsRequest(), metadata=token("shop")))
    await running.open()
    for _ in range(read):
        await anext(stream)

    await running.server.stop(5)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await collect(stream)
    told = refusal(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")


async def test_a_case_is_replayed_to_a_seq_and_to_an_instant(running: Running) -> None:
    opened = await running.open()
    await running.note(opened.case.case_id, 1)

    by_seq = await running.audit.ReplayCase(
        ReplayCaseRequest(case_id=opened.case.case_id, seq=2), metadata=token("shop")
    )
    by_time = await running.audit.ReplayCase(
        ReplayCaseRequest(case_id=opened.case.case_id, at=opened.case.opened_at), metadata=token("shop")
    )

    assert by_seq.case.seq == len(by_seq.events) == 2
    assert by_time.case.seq >= opened.case.seq


async def test_a_case_of_any_length_is_replayed(running: Running) -> None:
    case_id = (await running.open()).case.case_id
    for n in range(300):
        last = (await running.note(case_id, n, text="x" * 20_000)).case

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.audit.ReplayCase(ReplayCaseRequest(case_id=case_id, seq=last.seq), metadata=token("shop"))
    async with Client(running.address, "shop-secret") as client:
        replayed = await client.replay(case_id, seq=last.seq - 1)
        events = [event async for event in client.events(case_id)]

    told = refusal(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_LARGE")
    assert replayed.case.seq == last.seq - 1
    assert list(replayed.events) == events[:-1]


async def test_a_point_that_a_case_does_not_have_is_refused(running: Running) -> None:
    opened = await running.open()

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.audit.ReplayCase(ReplayCaseRequest(case_id=opened.case.case_id, seq=99), metadata=token("shop"))

    told = refusal(caught.value)
    assert (told.reason, list(told.fields)) == ("INVALID", ["seq"])


async def test_a_whole_log_verifies(running: Running) -> None:
    first, _ = await two_cases(running)

    everything = await running.audit.VerifyCase(VerifyCaseRequest(), metadata=token("shop"))
    one = await running.audit.VerifyCase(VerifyCaseRequest(case_id=first), metadata=token("shop"))

    assert (everything.whole, everything.cases, everything.events) == (True, 2, await running.log.size())
    assert (one.whole, one.cases) == (True, 1)


async def test_the_whole_log_is_verified_once_at_a_time_and_single_cases_beside(running: Running) -> None:
    first, _ = await two_cases(running)
    everything = [running.audit.VerifyCase(VerifyCaseRequest(), metadata=token("shop")) for _ in range(9)]
    one = running.audit.VerifyCase(VerifyCaseRequest(case_id=first), metadata=token("shop"))

    answers = await asyncio.gather(*everything, one, return_exceptions=True)

    refused = [refusal(each) for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert {(each.code, each.reason) for each in refused} == {(grpc.StatusCode.UNAVAILABLE, "BUSY")}
    assert 1 <= len(refused) < len(everything)
    assert not isinstance(answers[-1], BaseException)
    async with Client(running.address, "shop-secret") as client:  # who tries again gets the turn
        assert all(each.whole for each in await asyncio.gather(*(client.verify() for _ in range(3))))


@pytest.mark.parametrize("method", ["ListEvents", "ReplayCase", "VerifyCase"])
async def test_an_unknown_case_is_not_found(running: Running, method: str) -> None:
    request = {
        "ListEvents": ListEventsRequest(case_id="INQ-NOPE"),
        "ReplayCase": ReplayCaseRequest(case_id="INQ-NOPE"),
        "VerifyCase": VerifyCaseRequest(case_id="INQ-NOPE"),
    }[method]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(running.audit, method)(request, metadata=token("shop"))

    assert refusal(caught.value).reason == "UNKNOWN_CASE"
