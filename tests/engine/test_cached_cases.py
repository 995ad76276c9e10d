"""The cache of cases: as large as it may be, and never without a case that somebody holds."""

from engine.cases import Cases


async def test_a_case_has_a_place_though_all_others_are_in_use() -> None:
    cases = Cases(1)
    async with cases.of("INQ-1").alone():
        held = cases.of("INQ-2")
        async with held.alone():
            assert cases.of("INQ-2") is held


async def test_what_had_to_stay_while_it_was_in_use_goes_afterwards() -> None:
    cases = Cases(1)
    async with cases.of("INQ-1").alone() as first, cases.of("INQ-2").alone() as second, cases.of("INQ-3").alone():
        pass
    cases.of("INQ-4")
    assert cases.of("INQ-1") is not first
    assert cases.of("INQ-2") is not second
