"""How each effect is seen to: most by one errand, some by work that takes several steps and waits."""

from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Final

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.incidents import Incidents
    from activities.joining import Joining
    from activities.notices import Notices
    from activities.orders import Orders
    from activities.parcels import Parcels
    from activities.staff import Staff
    from casetrail.v1.workflow_pb2 import PendingEffect

from workflows.clockwork import Clockwork, Process
from workflows.task import SETTLED, Task


def one_errand(work: Callable[..., Awaitable[object]]) -> Process:
    """An effect that one activity does and reports."""

    async def see_to(case: Clockwork, effect: PendingEffect) -> None:
        await case.errand(work, effect)

    return see_to


async def exchange(case: Clockwork, effect: PendingEffect) -> None:
    """Send other goods: keep them back, then dispatch them. What will not be sent goes back on the shelf."""
    reservation = await case.errand(Orders.reserve_exchange, effect)
    if reservation is None:
        return
    try:
        await case.errand(Orders.dispatch_exchange, effect, reservation)
    except ActivityError as error:
        why, message = _final_refusal(error)
        await case.errand(Orders.release_exchange, effect, reservation)
        await case.errand(Orders.fail_exchange, effect, why, message)


async def follow_parcel(case: Clockwork, effect: PendingEffect) -> None:
    """Ask for a parcel's scans again and again, until it has arrived or nobody waits for it any more."""
    while case.is_pending(effect):
        await case.errand(Parcels.poll_parcel, effect)
        await case.pause(effect, effect.every.ToTimedelta(), "until the carrier is asked again")


async def follow_up_call(case: Clockwork, effect: PendingEffect) -> None:
    """See that a customer is called back: not too early, and by a person, whose word ends it."""
    opens = effect.not_before.ToDatetime(tzinfo=UTC)
    if opens > workflow.now():
        await case.pause(effect, opens - workflow.now(), "until the customer may be called back")
    if case.is_pending(effect):
        await case.errand(Staff.remind_of_callback, effect)
    await case.until_settled(effect)


async def department_task(case: Clockwork, effect: PendingEffect) -> None:
    """Have a department told and reminded: each task is a workflow of its own, and none waits for another."""
    await case.child(Task.run, effect, SETTLED)


async def follow_up_linked(case: Clockwork, effect: PendingEffect) -> None:
    """Have a linked case follow up, and look again and again whether it has."""
    while case.is_pending(effect):
        await case.errand(Incidents.follow_up, effect)
        await case.pause(effect, effect.every.ToTimedelta(), "until the linked case is looked at again")


PROCESSES: Final[dict[str, Process]] = {
    "notification": one_errand(Notices.notify),
    "staff_alert": one_errand(Staff.alert_staff),
    "order_lookup": one_errand(Orders.look_up_order),
    "refund": one_errand(Orders.refund),
    "compensation": one_errand(Orders.compensate),
    "exchange": exchange,
    "tracking": follow_parcel,
    "carrier_question": one_errand(Parcels.ask_carrier),
    "callback": follow_up_call,
    "merge": one_errand(Joining.merge),
    "link": one_errand(Joining.link),
    "task": department_task,
    "public_notice": one_errand(Incidents.publish_notice),
    "relay": one_errand(Incidents.relay_notice),
    "follow_up": follow_up_linked,
}
"""By the name of the demand."""


def _final_refusal(error: ActivityError) -> tuple[str, str]:
    """The stable reason and the text with which an errand ended."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type or "FAILED", cause.message
    return "FAILED", str(cause)
