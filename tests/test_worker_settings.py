"""What the worker is told by its environment."""

from pathlib import Path

import pytest

from activities.mail import Encryption, Login
from worker_settings import Settings

LEAST = {"CASETRAIL_SHOP_URL": "http://shop.example", "CASETRAIL_SMTP_ADDRESS": "mail.example:25"}


def test_the_data_folder_is_enough_besides_whom_it_reaches() -> None:
    settings = Settings.read({**LEAST, "CASETRAIL_DATA": "/srv/casetrail"})
    assert settings.engine.log == "sqlite:////srv/casetrail/casetrail.db"
    assert settings.staff == Path("/srv/casetrail/staff.yaml")
    assert settings.engine.policy.name == "default.yaml"
    assert settings.smtp == ("mail.example", 25)
    assert settings.smtp_encryption == Encryption.NONE
    assert settings.smtp_login is None
    assert settings.queue == "casetrail"


def test_a_worker_can_be_told_to_work_on_what_is_critical() -> None:
    assert Settings.read({**LEAST, "CASETRAIL_QUEUE": "casetrail-critical"}).queue == "casetrail-critical"


def test_a_login_is_read_and_never_shown() -> None:
    settings = Settings.read(
        {
            **LEAST,
            "CASETRAIL_SMTP_ENCRYPTION": "tls",
            "CASETRAIL_SMTP_USER": "engine",
            "CASETRAIL_SMTP_PASSWORD": "hunter2",
            "CASETRAIL_SHOP_TOKEN": "t0ken",
        }
    )
    assert settings.smtp_login == Login("engine", "hunter2")
    assert "hunter2" not in repr(settings)
    assert "t0ken" not in repr(settings)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"CASETRAIL_SHOP_URL": ""}, "CASETRAIL_SHOP_URL is missing"),
        ({"CASETRAIL_SMTP_ADDRESS": "mail.example"}, "CASETRAIL_SMTP_ADDRESS must be host:port"),
        ({"CASETRAIL_SMTP_ENCRYPTION": "rot13"}, "CASETRAIL_SMTP_ENCRYPTION must be none, starttls or tls"),
        ({"CASETRAIL_SMTP_USER": "engine"}, "CASETRAIL_SMTP_PASSWORD is missing"),
        ({"CASETRAIL_SMTP_ADDRESS": "mail.example:0"}, "CASETRAIL_SMTP_ADDRESS must be host:port"),
        ({"CASETRAIL_SMTP_ADDRESS": "mail.example:65536"}, "CASETRAIL_SMTP_ADDRESS must be host:port"),
        ({"CASETRAIL_SHOP_URL": "shop.example"}, "CASETRAIL_SHOP_URL must be http://… or https://…"),
        ({"CASETRAIL_DRILL_SHOP_URL": "ftp://shop.example"}, "CASETRAIL_DRILL_SHOP_URL must be http://… or https://…"),
        ({"CASETRAIL_DRILL_MAIL_FAULTS_URL": "http:/x"}, "CASETRAIL_DRILL_MAIL_FAULTS_URL must be http://…"),
        ({"CASETRAIL_SHOP_URL": "http://shop.example:65536"}, "CASETRAIL_SHOP_URL must be http://… or https://…"),
        ({"CASETRAIL_SHOP_URL": "http://[::1"}, "CASETRAIL_SHOP_URL must be http://… or https://…"),
        ({"CASETRAIL_QUEUE": "critical"}, "CASETRAIL_QUEUE must be casetrail or casetrail-critical, not 'critical'"),
        ({"CASETRAIL_DRAIN_SECONDS": "soon"}, "CASETRAIL_DRAIN_SECONDS is no number of seconds"),
        ({"CASETRAIL_DRAIN_SECONDS": "-1"}, "CASETRAIL_DRAIN_SECONDS is no number of seconds"),
        ({"CASETRAIL_DRAIN_SECONDS": "nan"}, "CASETRAIL_DRAIN_SECONDS is no number of seconds"),
        ({"CASETRAIL_DRAIN_SECONDS": "inf"}, "CASETRAIL_DRAIN_SECONDS is no number of seconds"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, str], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Settings.read({**LEAST, **change})
