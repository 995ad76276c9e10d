"""A policy made ready for decisions."""

from collections.abc import Iterable
from dataclasses import dataclass

from casetrail.v1.case_pb2 import Case, PolicyRef
from casetrail.v1.errors_pb2 import RefusalReason
from casetrail.v1.incident_pb2 import CrisisClass
from casetrail.v1.policy_pb2 import AuthorityLimit, ClockTarget, IncidentLevel, Ladder, Policy
from casetrail.v1.types_pb2 import Cause, Role
from domain.calendars import WorkCalendar
from domain.money import Money
from domain.policies import reference
from domain.refusal import Rejected

LADDER_ROLES = (
    Role.ROLE_AGENT,
    Role.ROLE_TEAM_LEAD,
    Role.ROLE_SUPERVISOR,
    Role.ROLE_DIRECTOR,
    Role.ROLE_EXECUTIVE,
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a clock is to measure for a case: seconds of a calendar, and what happens on the way."""

    seconds: int
    warn_seconds: int
    flag_seconds: int
    calendar: str
    ladder: str
    pauses_for: tuple[Cause.ValueType, ...]


class Rulebook:
    """A policy with its calendars compiled. Built once per policy, never changed."""

    def __init__(self, policy: Policy) -> None:
        """Compile a valid policy.

        Raises:
            ValueError: A calendar cannot be used, for example because nobody ever works on it.
        """
        self.policy = policy
        self.ref: PolicyRef = reference(policy)
        self._calendars = {name: WorkCalendar(calendar, name) for name, calendar in policy.calendars.items()}
        self._ladders: dict[str, Ladder] = dict(policy.ladders.items())
        authority = policy.authority
        limits = _limits(authority.limits)
        self._unlimited: dict[int, int | None] = {role: None for role, most in limits.items() if most is None}
        self._limits = {
            code: _limits(other.limits) | self._unlimited for code, other in authority.other_currencies.items()
        } | {authority.currency: limits}

    def calendar(self, name: str) -> WorkCalendar:
        """The calendar of a running clock."""
        return self._calendars[name]

    def same_hours(self, name: str, other: "Rulebook", other_name: str) -> bool:
        """Whether a calendar here and one of another policy count alike."""
        mine, theirs = self.policy.calendars.get(name), other.policy.calendars.get(other_name)
        return mine is not None and mine == theirs

    def ladder(self, name: str) -> Ladder:
        """Who hears of a breach, and then who."""
        return self._ladders[name]

    def target(self, clock: str, case: Case) -> Target | None:
        """What `clock` measures for this case: the first target that fits; None when the policy asks for nothing."""
        rule = self.policy.clocks.get(clock)
        if rule is None:
            return None
        for target in rule.targets:
            if not _fits(target, case):
                continue
            return Target(
                seconds=target.within.seconds,
                warn_seconds=target.warn_before.seconds,
                flag_seconds=target.flag_after.seconds,
                calendar=self._regional(target.calendar, case),
                ladder=target.ladder or rule.ladder,
                pauses_for=tuple(rule.pauses_for),
            )
        return None

    def limits_in(self, currency: str) -> bool:
        """Whether the policy says how much of a currency a role may decide about."""
        return currency in self._limits

    def may_decide(self, role: Role.ValueType, amount: Money | None) -> bool:
        """Whether an amount is within a role's own authority: customers have none, other systems an agent's.

        About an amount that nobody knows (None), or in a currency of which the policy says nothing, only whoever has no
        limit decides.
        """
        if amount is not None and amount.minor == 0:
            return True
        if role == Role.ROLE_CUSTOMER:
            return False
        limits = self._limits_for(amount)
        limit = limits.get(role, limits.get(Role.ROLE_AGENT, 0))
        return limit is None or (amount is not None and amount.minor <= limit)

    def deciding_role(self, amount: Money | None) -> Role.ValueType:
        """The lowest role whose authority covers an amount, of those that take decisions."""
        limits = self._limits_for(amount)
        return next(
            (role for role in LADDER_ROLES[1:] if role in limits and self.may_decide(role, amount)),
            Role.ROLE_EXECUTIVE,
        )

    def incident_level(self, level: int) -> IncidentLevel:
        """What a level of an incident, 1 to 4, asks for.

        Raises:
            Rejected: NO_RULES: this policy knows no incidents.
        """
        found = next((rule for rule in self.policy.incidents.levels if rule.level == level), None)
        if found is None:
            raise Rejected(
                RefusalReason.REFUSAL_REASON_NO_RULES,
                f"the policy {self.ref.policy_id} has no rules for incidents of level {level}",
            )
        return found

    def notice_role(self, level: int, crisis: CrisisClass.ValueType) -> Role.ValueType:
        """The lowest role that may approve a notice: that of the level, or of the crisis where it asks for more."""
        asked = [rule.notice_role for rule in self.policy.incidents.crises if rule.crisis == crisis]
        return max([self.incident_level(level).notice_role, *asked])

    def _limits_for(self, amount: Money | None) -> dict[int, int | None]:
        return self._unlimited if amount is None else self._limits.get(amount.currency, self._unlimited)

    def _regional(self, calendar: str, case: Case) -> str:
        region = case.customer.region
        # A clock that runs around the clock does so everywhere.
        if not region or self.policy.calendars[calendar].always:
            return calendar
        return self.policy.region_calendars.get(region, calendar)


def _limits(limits: Iterable[AuthorityLimit]) -> dict[int, int | None]:
    return {limit.role: limit.max_minor if limit.HasField("max_minor") else None for limit in limits}


def next_role(role: Role.ValueType) -> Role.ValueType | None:
    """The role above one of the ladder; None at its top."""
    return next((above for above in LADDER_ROLES if above > role), None)


def _fits(target: ClockTarget, case: Case) -> bool:
    return (
        (not target.kinds or case.kind in target.kinds)
        and (not target.channels or case.channel in target.channels)
        and (not target.priorities or case.priority in target.priorities)
        and (not target.categories or case.category in target.categories)
        and (not target.levels or case.incident.level in target.levels)
        and (not target.crises or case.incident.crisis in target.crises)
    )
