"""All activities, built on what they reach."""

from collections.abc import Callable
from typing import Any

from activities.case import CaseActivities
from activities.directory import Directory
from activities.effects import Errands
from activities.joining import Joining
from activities.mail import Mailer
from activities.notices import Notices
from activities.orders import Orders
from activities.parcels import Parcels
from activities.shop import Shop
from activities.staff import Staff
from engine.engine import Engine


def all_activities(engine: Engine, mailer: Mailer, shop: Shop, directory: Directory) -> list[Callable[..., Any]]:
    """Every activity that the workflows name.

    Args:
        engine: Reads and writes cases.
        mailer: Sends letters to customers and staff.
        shop: The shop's systems.
        directory: Who works here.
    """
    errands = Errands(engine)
    case, notices, staff = CaseActivities(engine), Notices(errands, mailer), Staff(errands, mailer, directory)
    orders, parcels, joining = Orders(errands, shop), Parcels(errands, shop), Joining(errands)
    return [
        case.advance,
        case.execute,
        notices.notify,
        staff.alert_staff,
        staff.remind_of_callback,
        orders.look_up_order,
        orders.refund,
        orders.compensate,
        orders.reserve_exchange,
        orders.dispatch_exchange,
        orders.release_exchange,
        orders.fail_exchange,
        parcels.poll_parcel,
        parcels.ask_carrier,
        joining.merge,
        joining.link,
    ]
