"""The verifier finds what it must: every way to tamper, at its first place, and by no check that could be left out."""

from pathlib import Path

import pytest

from casetrail_verify import Check, verify
from casetrail_verify.faults import Fault, Faults
from tests.verify.forging import World
from tests.verify.tampering import TAMPERINGS, Tampering


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["as-exported", "with-spaces"])
@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.name.replace(" ", "-"))
def test_tampering_is_found_at_its_first_position(
    tampering: Tampering, separators: tuple[str, str], tmp_path: Path
) -> None:
    """Also where the events are not written as Casetrail does, so that none is read the short way."""
    world = World(separators=separators).write_down()
    tampering.do(world)

    report = verify(world.evidence(tmp_path))

    found = {fault.check: fault.position for fault in report.faults}
    assert not report.holds
    assert found.get(tampering.check) == tampering.position, report.words
    assert tampering.position <= min((place for place in found.values() if place), default=tampering.position), (
        report.words
    )


@pytest.mark.parametrize("check", Check)
def test_no_check_can_be_left_out(check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the check removed, something that was tampered with passes for right."""
    add = Faults._add

    def add_others(self: Faults, fault: Fault) -> None:
        if fault.check is not check:
            add(self, fault)

    monkeypatch.setattr(Faults, "_add", add_others)

    assert any(_holds(each, tmp_path) for each in TAMPERINGS if each.check is check)


def _holds(tampering: Tampering, folder: Path) -> bool:
    world = World().write_down()
    tampering.do(world)
    return verify(world.evidence(folder)).holds


def test_an_untouched_log_holds(tmp_path: Path) -> None:
    report = verify(World().write_down().evidence(tmp_path))

    assert report.holds, report.words
    assert list(report.checked.values()) == [40, 5, 7, 3, 1, 5, 5, 1]
