"""All activities, built on what they reach."""

from collections.abc import Callable
from typing import Any

from activities.case import CaseActivities
from activities.detecting import Detecting
from activities.directory import Directory
from activities.drill_injects import DrillInjects
from activities.drill_observation import DrillObservation
from activities.drills import Drills
from activities.effects import Errands
from activities.incidents import Incidents
from activities.joining import Joining
from activities.mail import Mailer
from activities.notices import Notices
from activities.orders import Orders
from activities.outside import Outside, Rehearsal, World
from activities.parcels import Parcels
from activities.shop import Shop
from activities.staff import Staff
from audit.log import Log
from engine.engine import Engine


def all_activities(
    engine: Engine,
    mailer: Mailer,
    shop: Shop,
    directory: Directory,
    *,
    log: Log,
    rehearsal: Rehearsal | None = None,
) -> list[Callable[..., Any]]:
    """Every activity that the workflows name.

    Args:
        engine: Reads and writes cases.
        mailer: Sends letters to customers and staff.
        shop: The shop's systems.
        directory: Who works here.
        log: Where drills are followed and incidents detected.
        rehearsal: What drills have for themselves; nothing but the mailer when left out.
    """
    rehearsal = rehearsal or Rehearsal(mailer)
    errands = Errands(engine, World(Outside(mailer, shop), rehearsal))
    case, notices, staff = CaseActivities(engine), Notices(errands), Staff(errands, directory)
    orders, parcels, joining = Orders(errands), Parcels(errands), Joining(errands)
    incidents, detecting = Incidents(errands, directory), Detecting(engine, log)
    drills, injects = Drills(errands, log), DrillInjects(errands, log, rehearsal.faults)
    observation = DrillObservation(errands, log)
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
        incidents.tell_department,
        incidents.publish_notice,
        incidents.relay_notice,
        incidents.follow_up,
        detecting.watch_log,
        drills.start,
        drills.move,
        drills.clear,
        injects.make_inject,
        injects.restore,
        observation.observe,
        observation.judge,
    ]
