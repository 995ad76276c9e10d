"""Writes to the customer: a notice of the policy's, in the customer's language."""

import re
from typing import Final

from temporalio import activity

from activities.effects import Errand, Errands, refusals_as_failures
from activities.letters import mail_unavailable, on_one_line, without_address
from activities.mail import MailRefusedError, MailUnavailableError, Message
from casetrail.v1.case_pb2 import Case
from casetrail.v1.effect_pb2 import NotificationDelivered, NotificationFailed, Outcome, Purpose
from casetrail.v1.policy_pb2 import Notice, Policy
from casetrail.v1.workflow_pb2 import EffectRun

_DEFAULT_LOCALE: Final = "en"
_PLACE: Final = re.compile(r"\{(case|subject|text)\}")


class Notices:
    """Notices to customers."""

    def __init__(self, errands: Errands) -> None:
        """Send what errands ask for."""
        self._errands = errands

    @activity.defn
    async def notify(self, run: EffectRun) -> None:
        """Send the notice that an effect demands, and log whether it was taken."""
        errand = await self._errands.find(run)
        if errand is None:
            return
        with refusals_as_failures():
            rules = await self._errands.engine.rules_of(errand.case)
        await self._errands.report(run, await self._send(errand, rules.policy))

    async def _send(self, errand: Errand, policy: Policy) -> Outcome:
        case, effect = errand.case, errand.effect
        purpose, address = effect.notification.purpose, case.customer.email
        notice = notice_for(policy, case.customer.locale, purpose)
        why = _obstacle(case, notice)
        if why or notice is None:
            return Outcome(notification_failed=NotificationFailed(purpose=purpose, why=why))
        message = Message.for_effect(
            effect.effect_id,
            case=case.case_id,
            to=address,
            subject=on_one_line(_filled(notice.subject, errand)),
            text=_filled(notice.text, errand),
        )
        try:
            await errand.outside.mailer.send(message)
        except MailRefusedError as error:
            failed = NotificationFailed(purpose=purpose, why=without_address(error, address))
            return Outcome(notification_failed=failed)
        except MailUnavailableError as error:
            raise mail_unavailable(error, address) from None
        return Outcome(notification_delivered=NotificationDelivered(purpose=purpose, message_id=message.message_id))


def notice_for(policy: Policy, locale: str, purpose: Purpose.ValueType) -> Notice | None:
    """The policy's notice in a locale, else in another of the same language, else in English."""
    for name in _locales(policy, locale):
        for notice in policy.notices[name].notices:
            if notice.purpose == purpose:
                return notice
    return None


def _obstacle(case: Case, notice: Notice | None) -> str:
    if case.silent:
        return "nobody is written to about this case"
    if not case.customer.email:
        return "the customer has no e-mail address"
    return "" if notice else "the policy has no such notice"


def _locales(policy: Policy, locale: str) -> list[str]:
    language = locale.partition("-")[0]
    related = sorted(name for name in policy.notices if name.partition("-")[0] == language)
    wanted = [locale, *related, _DEFAULT_LOCALE]
    return [name for name in dict.fromkeys(wanted) if name in policy.notices]


def _filled(template: str, errand: Errand) -> str:
    """The template with the case's words in it; what they say is never taken for a template itself."""
    words = {
        "case": errand.case.case_id,
        "subject": errand.case.subject,
        "text": errand.effect.notification.text,
    }
    return _PLACE.sub(lambda place: words[place[1]], template).strip()
