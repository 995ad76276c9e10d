"""The policy that a case is under."""

import pytest

from audit.sqlite import SqliteLog
from casetrail.v1.policy_pb2 import Policy
from domain import Rejected
from domain.policies import reference
from engine.engine import Engine
from engine.rulebooks import PolicyIdReusedError, Rulebooks
from tests.asked import DANIEL, command, names, opening
from tests.engine.conftest import SetClock
from tests.fakes import NotedNudges


def _stricter(policy: Policy) -> Policy:
    changed = Policy()
    changed.CopyFrom(policy)
    changed.policy_id = "stricter-1"
    for target in changed.clocks["resolution"].targets:
        target.within.seconds = 3600
        target.ClearField("warn_before")
    return changed


async def test_a_case_stays_under_the_policy_that_it_opened_under(
    engine: Engine, log: SqliteLog, policy: Policy, clock: SetClock
) -> None:
    old = (await engine.execute(opening())).case
    newer = Engine(log, await Rulebooks.keep(log, _stricter(policy)), NotedNudges(), clock.now)

    assert (await newer.execute(opening())).case.policy.policy_id == "stricter-1"
    unmoved = (await newer.execute(command(old.case_id, assign={"to": "amy"}))).case
    assert unmoved.policy == old.policy


async def test_a_policy_that_is_not_the_newest_any_more_is_found_in_the_log(log: SqliteLog, policy: Policy) -> None:
    stricter, newest = _stricter(policy), _stricter(policy)
    newest.policy_id = "newest-1"
    for older in (policy, stricter):
        await Rulebooks.keep(log, older)
    rulebooks = await Rulebooks.keep(log, newest)

    for one in (stricter, policy, newest):
        assert (await rulebooks.of(reference(one))).policy == one
        assert (await rulebooks.named(one.policy_id)).policy == one
    assert (await Rulebooks.keep(log, newest)).newest.policy == newest
    assert (await (await Rulebooks.keep(log, newest)).named("stricter-1")).policy == stricter


async def test_a_case_comes_under_another_policy_by_a_command_only(
    engine: Engine, log: SqliteLog, policy: Policy
) -> None:
    await Rulebooks.keep(log, _stricter(policy))
    case = (await engine.execute(opening())).case

    outcome = await engine.execute(
        command(case.case_id, actor=DANIEL, change_policy={"policy_id": "stricter-1", "why": "agreed"})
    )

    assert outcome.case.policy.policy_id == "stricter-1"
    assert "clock_rebased" in names(outcome.events)


async def test_a_policy_that_nobody_put_in_force_is_refused(engine: Engine) -> None:
    case = (await engine.execute(opening())).case
    with pytest.raises(Rejected) as refused:
        await engine.execute(command(case.case_id, actor=DANIEL, change_policy={"policy_id": "none", "why": "x"}))
    assert refused.value.code == "UNKNOWN_POLICY"


async def test_a_changed_policy_needs_a_new_id(log: SqliteLog, policy: Policy) -> None:
    await Rulebooks.keep(log, policy)
    changed = _stricter(policy)
    changed.policy_id = policy.policy_id
    with pytest.raises(PolicyIdReusedError, match=r"needs a new policy_id"):
        await Rulebooks.keep(log, changed)
    assert (await Rulebooks.keep(log, policy)).newest.policy == policy
