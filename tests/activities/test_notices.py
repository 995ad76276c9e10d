"""What is written to a customer."""

import pytest

from activities.effects import Errand
from activities.letters import without_address
from activities.mail import MailRefusedError
from activities.notices import _filled, notice_for
from activities.outside import Outside
from casetrail.v1.case_pb2 import Case
from casetrail.v1.effect_pb2 import Effect, NotificationRequested, Purpose
from casetrail.v1.policy_pb2 import Notice, Notices, Policy
from tests.fakes import CornerShop, Mailbox

RESULT, SURVEY = Purpose.PURPOSE_RESULT, Purpose.PURPOSE_SURVEY


def _policy() -> Policy:
    policy = Policy()
    for locale, purposes in {"en": (RESULT, SURVEY), "zh-CN": (RESULT,), "zh-TW": (RESULT, SURVEY)}.items():
        notices = [Notice(purpose=purpose, subject="s", text=f"{locale} {purpose}") for purpose in purposes]
        policy.notices[locale].CopyFrom(Notices(notices=notices))
    return policy


@pytest.mark.parametrize(
    ("locale", "purpose", "found"),
    [
        ("zh-TW", RESULT, "zh-TW"),
        ("zh", RESULT, "zh-CN"),
        ("zh-HK", RESULT, "zh-CN"),
        ("zh-CN", SURVEY, "zh-TW"),
        ("fr-FR", RESULT, "en"),
        ("", RESULT, "en"),
    ],
)
def test_a_notice_is_in_the_customers_language_or_the_nearest(
    locale: str, purpose: Purpose.ValueType, found: str
) -> None:
    notice = notice_for(_policy(), locale, purpose)
    assert notice is not None
    assert notice.text == f"{found} {purpose}"


def test_a_purpose_without_a_notice_has_none() -> None:
    assert notice_for(_policy(), "en", Purpose.PURPOSE_OFFER) is None


def test_what_a_customer_wrote_is_never_taken_for_a_template() -> None:
    errand = Errand(
        Case(case_id="INQ-1", subject="{text} {case}"),
        Effect(notification=NotificationRequested(text="{subject}")),
        Outside(Mailbox(), CornerShop()),
    )
    assert _filled("{case}: {subject} | {text} | {other}", errand) == "INQ-1: {text} {case} | {subject} | {other}"


def test_what_a_mail_server_says_is_kept_without_the_recipient_in_whatever_case_it_writes_that() -> None:
    said = MailRefusedError("the mail server answered 550: <li.wei@customer.example> is not known here")
    kept = without_address(said, "Li.Wei@customer.example")
    assert kept == "the mail server answered 550: <the recipient> is not known here"
