"""When the workflow of a case is woken: where it would wake too late by itself, as far as this process knows."""

from collections.abc import Callable
from datetime import datetime

from audit.log import Need
from casetrail.v1.case_pb2 import Case
from domain import pending_effects
from engine.cases import Cases, Held
from engine.nudge import SOON, Waker
from engine.steps import NOTHING, need_of


class Wakeups:
    """Nudges workflows after what was committed."""

    def __init__(self, waker: Waker, cases: Cases, now: Callable[[], datetime]) -> None:
        """Nudge through this waker, by what is known of these cases and by the real clock."""
        self._waker = waker
        self._cases = cases
        self._now = now

    def follow(self, held: Held, before: Case | None, after: Case, need: Need, *, nudging: bool = True) -> None:
        """Have the workflow of a case that has changed woken, where it would wake too late by itself.

        Args:
            held: The case as this process holds it.
            before: As it was; None when it has just begun.
            after: As it is now.
            need: What it needs now.
            nudging: Whether its workflow may be woken; False where it looks at the case anyway.
        """
        if need == NOTHING:
            held.armed = None
            if nudging and before is not None and need_of(before) != NOTHING:
                # Its workflow waits for what the case needed before: this replaces that wake-up.
                self._waker.let_end(after.case_id)
            return
        new_effect = _has_new_effect(before, after, need)
        if nudging and (new_effect or self._must_wake_earlier(held, need)):
            # Believed until known better: if the nudge is lost, the sweep sees in the log that nothing was armed.
            held.armed = need.wake
            self._waker.nudge(
                after.case_id,
                after.kind,
                lambda: self._still_needed(after.case_id),
                level=after.incident.level,
                urgent=new_effect or need.wake is None or need.wake <= self._now() + SOON,
                new=before is None,
            )

    def _must_wake_earlier(self, held: Held, need: Need) -> bool:
        if need.wake is None:
            return False
        # A time that has passed says nothing about when the workflow, in another process perhaps, wakes next.
        return held.armed is None or held.armed <= self._now() or need.wake < held.armed

    def _still_needed(self, case_id: str) -> bool:
        case = self._cases.peek(case_id)
        return case is None or need_of(case) != NOTHING


def _has_new_effect(before: Case | None, after: Case, need: Need) -> bool:
    if not need.effects:
        return False
    known = {effect.effect_id for effect in pending_effects(before)} if before else set()
    return any(effect.effect_id not in known for effect in pending_effects(after))
