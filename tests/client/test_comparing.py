"""`casetrail what-if`, `crosscheck` and `export`: what they ask, print, and end with."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest

from casetrail.v1.audit_service_pb2 import (
    CaseRerun,
    ClockEnd,
    ComparedClock,
    CrossCheckResponse,
    Difference,
    ExportLogResponse,
    ListEventsResponse,
    Remark,
    WhatIfResponse,
)
from casetrail.v1.case_service_pb2 import ListCasesResponse
from tests.client.scripted import Refusal, Service
from tests.programs import CASETRAIL, Ran

Casetrail = Callable[..., Awaitable[Ran]]

POLICY = str(Path(__file__).parents[2] / "policies" / "default.yaml")
MET = ClockEnd(verdict=ClockEnd.VERDICT_MET, elapsed_seconds=25, target_seconds=30)
BREACHED = ClockEnd(verdict=ClockEnd.VERDICT_BREACHED, elapsed_seconds=25, target_seconds=20)
RERUN = CaseRerun(
    case_id="INQ-7K3",
    seq=9,
    clocks=[
        ComparedClock(name="first_response", ordinal=1, recorded=MET, what_if=BREACHED),
        ComparedClock(name="resolution", ordinal=2, recorded=MET, what_if=MET),
    ],
    remarks=[Remark(reason="REFUSED", seq=7, message="acknowledge: NOTHING_TO_DO: nothing to acknowledge")],
)


async def test_only_clocks_that_would_have_ended_differently_are_listed_and_all_are_counted(
    service: Service, casetrail: Casetrail
) -> None:
    service.script("WhatIf", [WhatIfResponse(rerun=RERUN)])
    ran = await casetrail(
        "what-if", "--policy", POLICY, "--kind", "inquiry", "--from", "2026-01-01", "--case", "INQ-7K3"
    )
    assert ran.code == 0, ran.err
    listed, *totals = ran.out.splitlines()
    assert "first response" in listed
    assert "met, 5s to spare of 30s → breached by 5s over 20s" in listed
    assert any("resolution" in line for line in totals)
    assert "1 case (9 events) run again under default-2026.2: clocks of 1 would have ended differently." in ran.out
    assert "1 × a recorded step would not have been possible" in ran.out
    [asked] = service.requests("WhatIf")
    assert asked.policy.policy_id == "default-2026.2"
    assert asked.filter.opened_from.seconds == 1_767_225_600
    assert list(asked.case_ids) == ["INQ-7K3"]


async def test_cases_of_drills_are_asked_for_by_name_and_a_long_subject_is_cut(
    service: Service, casetrail: Casetrail
) -> None:
    task = ComparedClock(
        name="task",
        subject="customer-care: Give every agent one answer, and call touched customers before they call.",
        ordinal=1,
        recorded=MET,
        what_if=BREACHED,
    )
    service.script("WhatIf", [WhatIfResponse(rerun=CaseRerun(case_id="INC-7K3", seq=9, clocks=[task]))])
    ran = await casetrail("what-if", "--policy", POLICY, "--drills")
    assert "task (customer-care: Give every …) met, 5s to spare" in ran.out
    [asked] = service.requests("WhatIf")
    assert asked.filter.include_drills


async def test_every_clock_is_listed_when_that_is_asked_for(service: Service, casetrail: Casetrail) -> None:
    service.script("WhatIf", [WhatIfResponse(rerun=RERUN)])
    ran = await casetrail("what-if", "--policy", POLICY, "--all")
    assert "resolution #2" in ran.out


async def test_totals_are_the_last_line_for_programs(service: Service, casetrail: Casetrail) -> None:
    service.script("WhatIf", [WhatIfResponse(rerun=RERUN)])
    ran = await casetrail("what-if", "--policy", POLICY, "--json")
    rerun, totals = map(json.loads, ran.out.splitlines())
    assert rerun["caseId"] == "INQ-7K3"
    assert totals["totals"]["clocks"]["first_response"] == {
        "recorded": {"met": 1},
        "whatIf": {"breached": 1},
        "differing": 1,
    }


async def test_a_policy_that_is_wrong_is_told_before_anything_is_asked(
    service: Service, casetrail: Casetrail, tmp_path: Path
) -> None:
    (tmp_path / "b.yaml").write_text("policy_id: p-1\n")
    ran = await casetrail("what-if", "--policy", "b.yaml")
    assert ran.code == 1
    assert "b.yaml" in ran.err
    assert "Traceback" not in ran.err
    assert "should not have happened" not in ran.err
    assert service.asked == []


async def test_a_crosscheck_without_differences_ends_with_0(service: Service, casetrail: Casetrail) -> None:
    service.script("CrossCheck", [CrossCheckResponse(case_id="INQ-1", seq=3, workflow_expected=True)], [])
    ran = await casetrail("crosscheck")
    assert (ran.code, ran.out) == (
        0,
        "1 case compared, 1 of them with a workflow: log, projection and workflows agree.\n",
    )
    assert (await casetrail("crosscheck")).out == "No case is open.\n"


@pytest.mark.parametrize("form", [(), ("--json",)])
async def test_a_crosscheck_with_differences_ends_with_1(
    service: Service, casetrail: Casetrail, form: tuple[str, ...]
) -> None:
    found = Difference(reason="WORKFLOW_NOT_RUNNING", message="the workflow of INQ-1 is terminated")
    service.script("CrossCheck", [CrossCheckResponse(case_id="INQ-1", seq=3, differences=[found])])
    ran = await casetrail("crosscheck", *form)
    assert ran.code == 1
    assert "WORKFLOW_NOT_RUNNING" in ran.out + ran.err


@pytest.mark.parametrize(
    "words", [("export", "--format", "xes", "log.xes"), ("what-if", "--policy", "b.yaml")], ids=["export", "what-if"]
)
async def test_a_time_that_ends_before_it_begins_is_refused(casetrail: Casetrail, words: tuple[str, ...]) -> None:
    for end in ("2026-01-01", "2025-12-31T23:59:59Z"):
        ran = await casetrail(*words, "--from", "2026-01-01", "--to", end)
        assert (ran.code, "it must be later than --from" in ran.err) == (2, True)


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_an_export_is_there_when_it_is_whole_and_not_before(
    service: Service, casetrail: Casetrail, tmp_path: Path
) -> None:
    lines = ExportLogResponse(lines=b'{"kind":"header","size":1}\n{"kind":"event"}\n')
    lost = Refusal(grpc.StatusCode.DATA_LOSS, "LOG_DAMAGED", "the log is damaged")
    service.script("ExportLog", [lines, lost], [lines])
    service.script("ListEvents", ListEventsResponse())
    broken = await casetrail("export", "--format", "jsonl", "log.jsonl")
    assert broken.code == 1
    assert "LOG_DAMAGED" in broken.err
    assert files_in(tmp_path) == []

    whole = await casetrail("export", "--format", "jsonl", "log.jsonl", "--from", "2026-01-01", "--kind", "return")
    assert (whole.code, whole.out) == (0, "1 event written to log.jsonl\n")
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["lines"] == 2
    asked = service.requests("ExportLog")[1]
    assert (asked.happened_from.seconds, list(asked.kinds)) == (1_767_225_600, [3])


async def test_an_export_with_personal_data_is_its_owners_alone(
    service: Service, casetrail: Casetrail, tmp_path: Path
) -> None:
    lines = ExportLogResponse(lines=b'{"kind":"header","size":1}\n{"kind":"event"}\n')
    service.script("ExportLog", [lines])
    ran = await casetrail("export", "--format", "jsonl", "log.jsonl", "--personal")
    assert (ran.code, files_in(tmp_path)) == (0, ["log.jsonl"])
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o777 == 0o600


async def test_a_file_that_cannot_be_written_is_told(service: Service, casetrail: Casetrail) -> None:
    service.script("ListCases", ListCasesResponse())
    ran = await casetrail("export", "--format", "xes", "nowhere/log.xes")
    assert ran.code == 1
    assert "nowhere/log.xes" in ran.err
    assert "Traceback" not in ran.err


async def test_parquet_without_its_library_says_what_to_install(service: Service, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden" / "pyarrow"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden')\n")
    process = await asyncio.create_subprocess_exec(
        *(CASETRAIL.installed, "export", "--format", "parquet", "log.parquet"),
        env={**os.environ, "PYTHONPATH": str(hidden.parent), "CASETRAIL_ADDRESS": service.address},
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert "pip install 'casetrail[export]'" in said.decode()
    assert not (tmp_path / "log.parquet").exists()
