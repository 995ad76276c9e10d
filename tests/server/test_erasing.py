"""Lawful erasure as an administrator asks for it, and what exports give away before and after."""

import asyncio
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import grpc
import pytest

from casetrail.client import Client
from casetrail.errors import CasetrailError
from casetrail.export import jsonl, parquet
from casetrail.export.selection import Selection
from casetrail.v1.audit_service_pb2 import EraseCustomerRequest, ReplayCaseRequest, VerifyCaseRequest, WhatIfRequest
from casetrail.v1.case_service_pb2 import GetCaseRequest, WatchCaseRequest
from casetrail.v1.command_pb2 import Command
from casetrail.v1.types_pb2 import Role
from casetrail_verify.command import main as casetrail_verify
from tests.policies import shipped_policy
from tests.server.running import Running, refusal, token

SECRET = "Where is my parcel?"
ADMIN = token("admin")


async def a_closed_case(running: Running) -> str:
    """The case of customer C-1."""
    case_id = (await running.open()).case.case_id
    await running.note(case_id, 1, text="call 0171 2345")
    await running.execute(withdrawal(case_id))
    return case_id


def withdrawal(case_id: str) -> Command:
    command = Command(case_id=case_id, request_id="withdraw")
    command.actor.name, command.actor.role = "customer", Role.ROLE_CUSTOMER
    command.withdraw.why = "found it"
    return command


def erasing(request_id: str = "erase-1", customer: str = "C-1") -> EraseCustomerRequest:
    return EraseCustomerRequest(request_id=request_id, customer_id=customer, why="asked for by letter")


async def exported(running: Running, folder: Path, *, caller: str = "admin", personal: bool = False) -> Path:
    path = folder / f"{caller}-{personal}.jsonl"
    async with Client(running.address, f"{caller}-secret") as client:
        with path.open("wb") as file:
            await jsonl.write(client, Selection(), file, personal=personal)
    return path


def events_of(path: Path) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, path.read_text().splitlines()) if line["kind"] == "event"]


async def test_a_request_that_is_repeated_does_not_bring_back_what_was_erased(running: Running) -> None:
    case_id = await a_closed_case(running)
    await running.audit.EraseCustomer(erasing(), metadata=ADMIN)
    again = await running.execute(withdrawal(case_id))
    assert again.repeated_request
    assert SECRET not in str(again)
    assert again.case == (await running.cases.GetCase(GetCaseRequest(case_id=case_id), metadata=ADMIN)).case


async def test_an_administrator_erases_a_customer_and_everybody_reads_so(running: Running) -> None:
    case_id = await a_closed_case(running)
    erased = await running.audit.EraseCustomer(erasing(), metadata=ADMIN)
    assert (erased.keys, erased.cases, erased.readable_events) == (1, 1, 0)
    case = (await running.cases.GetCase(GetCaseRequest(case_id=case_id), metadata=ADMIN)).case
    assert (case.erased, case.subject, case.customer.customer_id) == (True, "", "C-1")
    replayed = await running.audit.ReplayCase(ReplayCaseRequest(case_id=case_id), metadata=ADMIN)
    assert SECRET not in str(replayed)
    assert "0171 2345" not in str(replayed)  # hashes have any four digits
    watched = running.cases.WatchCase(WatchCaseRequest(case_id=case_id), metadata=ADMIN)
    async with asyncio.timeout(30):
        step = await anext(aiter(watched))
    watched.cancel()
    assert (replayed.case.erased, step.case.erased) == (True, True)
    assert (await running.audit.VerifyCase(VerifyCaseRequest(), metadata=ADMIN)).whole


async def test_only_an_administrator_erases(running: Running) -> None:
    case_id = await a_closed_case(running)
    for caller in ("shop", "audrey", "chloe"):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await running.audit.EraseCustomer(erasing(), metadata=token(caller))
        assert refusal(failure.value).reason == "ROLE_NOT_ALLOWED"
    case = (await running.cases.GetCase(GetCaseRequest(case_id=case_id), metadata=ADMIN)).case
    assert case.subject == SECRET


async def test_what_cannot_be_erased_is_refused_in_words(running: Running) -> None:
    await running.open()
    for request, reason in ((erasing(), "NOT_YET"), (erasing(customer="nobody"), "UNKNOWN_CUSTOMER")):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await running.audit.EraseCustomer(request, metadata=ADMIN)
        assert refusal(failure.value).reason == reason


async def test_an_export_keeps_secrets_and_an_authorised_one_tells_them(running: Running, tmp_path: Path) -> None:
    await a_closed_case(running)
    closed, opened = await exported(running, tmp_path), await exported(running, tmp_path, personal=True)
    assert SECRET not in closed.read_text()
    assert SECRET not in "".join(str(b64decode(line["payload"])) for line in events_of(opened))
    assert SECRET in opened.read_text()
    with pytest.raises(CasetrailError, match="only an administrator or an auditor"):
        await exported(running, tmp_path, caller="shop", personal=True)


async def test_exports_from_before_and_after_an_erasure_verify(
    running: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await a_closed_case(running)
    before = await exported(running, tmp_path)
    await running.audit.EraseCustomer(erasing(), metadata=ADMIN)
    after = await exported(running, tmp_path, personal=True)
    assert SECRET not in after.read_text()
    (key,) = running.proving.notary.keys
    for export in (before, after):
        with pytest.raises(SystemExit) as ended:
            casetrail_verify([str(export), "--log-key", str(key), "--processes", "1"])
        assert not ended.value.code, capsys.readouterr().out


async def test_a_table_has_nothing_personal_unless_it_is_asked_for(running: Running, tmp_path: Path) -> None:
    from pyarrow import parquet as pq  # noqa: PLC0415 - large

    await a_closed_case(running)
    async with Client(running.address, "admin-secret") as client:
        for personal in (False, True):
            path = tmp_path / "log.parquet"
            with path.open("wb") as file:
                await parquet.write(client, Selection(), file, personal=personal)
            assert (SECRET in str(pq.read_table(path).column("body").to_pylist())) is personal


async def test_a_case_that_goes_on_after_an_erasure_brings_nothing_back(running: Running) -> None:
    case_id = await a_closed_case(running)
    await running.audit.EraseCustomer(erasing(), metadata=ADMIN)
    reopening = Command(case_id=case_id, request_id="reopen")
    reopening.actor.name, reopening.actor.role = "customer", Role.ROLE_CUSTOMER
    reopening.reopen.why = "it is lost again"
    with pytest.raises(grpc.aio.AioRpcError) as failure:  # the engine still had in mind what was erased
        await running.execute(reopening)
    assert refusal(failure.value).reason == "LOG_UNAVAILABLE"
    reopened = await running.execute(reopening)
    assert SECRET not in str(reopened)
    assert (await running.audit.VerifyCase(VerifyCaseRequest(), metadata=ADMIN)).whole


async def test_an_erased_case_is_run_again_as_it_was(running: Running) -> None:
    case_id = await a_closed_case(running)
    await running.audit.EraseCustomer(erasing(), metadata=ADMIN)
    asked = WhatIfRequest(policy=shipped_policy(), case_ids=[case_id])
    reruns = [answer.rerun async for answer in running.audit.WhatIf(asked, metadata=ADMIN)]
    assert [rerun.case_id for rerun in reruns] == [case_id]
    assert reruns[0].clocks
    assert [clock.name for clock in reruns[0].clocks if clock.recorded != clock.what_if] == []
    assert [remark.reason for remark in reruns[0].remarks] == []
