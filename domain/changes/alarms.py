"""A case's alarms: what time brings at an instant, each at most once."""

from casetrail.v1.case_pb2 import Alarm, Case
from domain.instants import Instant


def set_alarm(case: Case, name: Alarm.Name.ValueType, due: Instant) -> None:
    """Let time bring something at an instant, in place of the one that was set for it."""
    clear_alarms(case, name)
    case.alarms.add(name=name).due_at.seconds = due


def clear_alarms(case: Case, name: Alarm.Name.ValueType) -> None:
    """Let time bring it no more."""
    for i in reversed([i for i, alarm in enumerate(case.alarms) if alarm.name == name]):
        del case.alarms[i]
